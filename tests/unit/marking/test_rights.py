# Copyright (c) 2026, scap.images contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""docs/rbac.md explains the rights that are given, all of them and no others."""

from __future__ import annotations

import pathlib
import re
import typing as t

import yaml
from ansible_collections.scap.images.plugins.module_utils.marking import rbac
from ansible_collections.scap.images.plugins.module_utils.scan import kubernetes_setup

ROOT = pathlib.Path(__file__).resolve().parents[3]
Right = t.Tuple[str, str, str]


def _given(rules: t.Iterable[dict[str, t.Any]]) -> set[Right]:
    return {
        (group or "core", resource, verb)
        for rule in rules
        for group in rule["apiGroups"]
        for resource in rule["resources"]
        for verb in rule["verbs"]
    }


def _explained() -> list[set[Right]]:
    """The rights of each table, in order."""
    text = (ROOT / "docs" / "rbac.md").read_text()
    tables = re.findall(r"\| API group .*?\n\|[-|]+\n((?:\|.*\n)+)", text)
    found = []
    for table in tables:
        rows = [[cell.strip() for cell in line.strip("|").split("|")] for line in table.splitlines()]
        rights = {
            (group, re.sub(r" \(.*\)", "", resource), verb)
            for group, resources, verbs, why in rows
            for resource in resources.split(", ")
            for verb in verbs.split(", ")
            if why
        }
        found.append(rights)
    return found


def test_every_right_is_explained() -> None:
    discover, reporter = (
        yaml.safe_load((ROOT / "examples" / "rbac" / f"{name}.yml").read_text())["items"][0]["rules"]
        for name in ("discover", "reporter")
    )
    given = [discover, kubernetes_setup.RULES, rbac.RULES, rbac.PROOF_RULES, reporter]
    assert _explained() == [_given(rules) for rules in given]
