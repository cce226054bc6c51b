# Copyright (c) 2026, scap.images contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The installed collection under the oldest and the newest ansible-core, its modules and rooms under other Pythons.

The rest of the tests stands on the ansible-core and the Python of .venv, which lie between them.
"""

from __future__ import annotations

import concurrent.futures
import json
import pathlib
import sys
import typing as t

import pytest

from ...data import tiny
from .environments import BUILD, CORES, LIBRARIES, ansible, environment, interpreter, run

CLUSTER = ("kubernetes==35.0.0", "openshift==0.13.2")
COLLECTION = BUILD / "collections" / "ansible_collections" / "scap" / "images"


@pytest.fixture(scope="module")
def image(tmp_path_factory: pytest.TempPathFactory) -> str:
    return tiny.layout(tmp_path_factory.mktemp("image") / "layout")


@pytest.fixture(scope="module", params=list(CORES))
def core(request: pytest.FixtureRequest) -> pathlib.Path:
    """The programs of one ansible-core."""
    return ansible(request.param)


def _scan(programs: pathlib.Path, image: str, scap_dir: pathlib.Path, **variables: str) -> str:
    """The state of the one verdict that the playbook scan_image leaves."""
    extra = {"scap_image": image, "scap_dir": str(scap_dir), **variables}
    run([programs / "ansible-playbook", "scap.images.scan_image", "--extra-vars", json.dumps(extra)])
    (verdict,) = map(json.loads, (scap_dir / "verdicts.jsonl").read_text().splitlines())
    return str(verdict["state"])


def test_scan(core: pathlib.Path, image: str, tmp_path: pathlib.Path) -> None:
    assert _scan(core, image, tmp_path / "scap") == "non_compliant"


def test_syntax_of_every_playbook(core: pathlib.Path) -> None:
    playbooks = [f"scap.images.{path.stem}" for path in sorted((COLLECTION / "playbooks").glob("*.yml"))]
    assert playbooks
    run([core / "ansible-playbook", "--syntax-check", *playbooks])


def test_documentation_of_every_module_and_role(core: pathlib.Path) -> None:
    modules = {f"scap.images.{path.stem}" for path in (COLLECTION / "plugins" / "modules").glob("*.py")}
    roles = {f"scap.images.{path.name}" for path in (COLLECTION / "roles").iterdir()}
    told = json.loads(run([core / "ansible-doc", "--json", "--type", "module", *sorted(modules)]))
    assert set(told) == modules
    told = json.loads(run([core / "ansible-doc", "--json", "--type", "role", *sorted(roles)]))
    assert set(told) == roles
    assert all(role["entry_points"] for role in told.values())


def test_modules_on_the_oldest_python(image: str, tmp_path: pathlib.Path) -> None:
    """The control node runs .venv, the host that the modules run on has the oldest Python that they support."""
    oldest = environment(interpreter(("3.9",)), ("jmespath==1.0.1", "lxml==5.4.0", "PyYAML==6.0.2"))
    state = _scan(
        pathlib.Path(sys.executable).parent, image, tmp_path / "scap", ansible_python_interpreter=str(oldest / "python")
    )
    assert state == "non_compliant"


UNIT_TESTS = {
    "3.9": ("ansible-core==2.15.13", "pytest==8.4.2", "hypothesis==6.141.1", "jsonschema==4.25.1"),
    "3.13": ("ansible-core==2.21.5", "pytest==9.2.0", "hypothesis==6.170.15", "jsonschema==4.26.0"),
}
"""Python to what it needs beside LIBRARIES."""


@pytest.fixture(scope="module")
def unit_tests() -> t.Iterator[dict[str, concurrent.futures.Future[str]]]:
    """The unit tests on each Python that this machine has, beside each other."""
    libraries = tuple(name.partition("==")[0] + ("<6" if name.startswith("lxml") else "") for name in LIBRARIES)

    def tested(version: str) -> str:
        requirements = (*UNIT_TESTS[version], "pytest-timeout", *libraries, *CLUSTER)
        programs = environment(interpreter((version,)), requirements)
        return run([programs / "python", "-m", "pytest", "-q", "tests/unit", "-p", "no:cacheprovider"])

    with concurrent.futures.ThreadPoolExecutor() as pool:
        yield {version: pool.submit(tested, version) for version in UNIT_TESTS}


@pytest.mark.parametrize("version", list(UNIT_TESTS))
def test_unit_tests_on_python(version: str, unit_tests: dict[str, concurrent.futures.Future[str]]) -> None:
    assert " passed" in unit_tests[version].result()
