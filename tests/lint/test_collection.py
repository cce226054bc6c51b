# Copyright (c) 2026, scap.images contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What no linter knows of this collection's own files."""

from __future__ import annotations

import pathlib
import subprocess
import sys

import pytest
import yaml

from .steps import ROOT

MODULES = {path.stem for path in (ROOT / "plugins" / "modules").glob("*.py")}
ROLES = sorted(path for path in (ROOT / "roles").iterdir() if path.is_dir())


def test_the_action_group_has_every_module() -> None:
    groups = yaml.safe_load((ROOT / "meta" / "runtime.yml").read_text())["action_groups"]
    assert set(groups["all"]) == MODULES


@pytest.mark.parametrize("role", ROLES, ids=lambda role: role.name)
def test_a_role_documents_and_validates_its_arguments(role: pathlib.Path) -> None:
    options = yaml.safe_load((role / "meta" / "argument_specs.yml").read_text())["argument_specs"]["main"]["options"]
    file = role / "defaults" / "main.yml"
    defaults = yaml.safe_load(file.read_text()) if file.exists() else {}
    assert {name for name in options if not name.startswith("scap_")} == set()
    assert set(defaults) <= set(options)
    plain = {name: value for name, value in defaults.items() if not str(value).startswith("{{")}
    assert plain == {name: options[name].get("default", value) for name, value in plain.items()}
    assert (role / "README.md").exists()


def test_every_dependency_is_pinned_for_the_tests() -> None:
    def names(file: str) -> set[str]:
        lines = (ROOT / file).read_text().splitlines()
        words = [line.partition("#")[0].strip() for line in lines]
        for sign in "=<>!~":
            words = [word.partition(sign)[0].strip() for word in words]
        return {word.lower() for word in words if word}

    assert names("requirements.txt") <= names("requirements-test.txt")


def test_the_execution_environment_can_be_created(tmp_path: pathlib.Path) -> None:
    definition = ROOT / "examples" / "execution-environment" / "execution-environment.yml"
    program = pathlib.Path(sys.executable).parent / "ansible-builder"
    argv = [program, "create", "--file", definition, "--context", tmp_path]
    subprocess.run([str(word) for word in argv], check=True, capture_output=True, cwd=tmp_path)
    assert "scap.images" in (tmp_path / "_build" / "requirements.yml").read_text()
