# Copyright (c) 2026, scap.images contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The rule of the rooms, read from the source: who may import whom, and what from outside (CONTRIBUTING.md)."""

from __future__ import annotations

import ast
import pathlib
import sys
import typing as t

import pytest

ROOT = pathlib.Path(__file__).resolve().parents[2]
ROOMS_FOLDER = ROOT / "plugins" / "module_utils"
ABSOLUTE = "ansible_collections.scap.images.plugins.module_utils."
BASE = {"model", "reference", "files", "process", "progress", "reader", "store"}

MAY_IMPORT: dict[str, set[str]] = {
    "kube": set(),
    "discovery": {"kube"},
    "scanner": set(),
    "content": {"scanner"},
    "results": set(),
    "policy": {"results"},
    "scan": {"kube", "discovery", "scanner", "content", "results"},
    "marking": {"kube", "discovery", "policy"},
    "reporting": {"results", "policy"},
}
"""Each room with the rooms that it may import beside the base files; all of them stand above it."""

OUTSIDE: dict[str, set[str]] = {
    "kube": {"kubernetes", "openshift", "urllib3", "yaml"},
    "discovery": {"yaml"},
    "content": {"lxml", "yaml"},
    "results": {"lxml"},
    "policy": {"jmespath", "yaml"},
}
"""What a room may import that is neither Python's own nor ours; Ansible is everyone's but the scanner's."""

FILES = sorted(ROOMS_FOLDER.rglob("*.py"))


class Imported(t.NamedTuple):
    """One import of a file."""

    room: str
    """The room or base file, empty for what is not ours."""
    package: str
    """The first word of what is not ours."""
    line: int


def room_of(path: pathlib.Path) -> str:
    """The room's name; of a base file, its own."""
    return path.relative_to(ROOMS_FOLDER).with_suffix("").parts[0]


def imports(path: pathlib.Path) -> t.Iterator[Imported]:
    place = list(path.relative_to(ROOMS_FOLDER).parent.parts)
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Import):
            for alias in node.names:
                yield _imported(alias.name, node.lineno)
        elif isinstance(node, ast.ImportFrom) and node.level == 0:
            yield _imported(node.module or "", node.lineno)
        elif isinstance(node, ast.ImportFrom):
            above = place[: len(place) - node.level + 1]
            words = above + (node.module.split(".") if node.module else [])
            for name in [words[0]] if words else [alias.name for alias in node.names]:
                yield Imported(name, "", node.lineno)


def _imported(name: str, line: int) -> Imported:
    if name.startswith(ABSOLUTE):
        return Imported(name[len(ABSOLUTE) :].split(".", maxsplit=1)[0], "", line)
    return Imported("", name.split(".", maxsplit=1)[0], line)


def test_every_room_stands_below_what_it_imports() -> None:
    rooms = list(MAY_IMPORT)
    for place, room in enumerate(rooms):
        assert MAY_IMPORT[room] <= set(rooms[:place])


def test_every_file_has_a_room() -> None:
    assert {room_of(path) for path in FILES} <= BASE | set(MAY_IMPORT)


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.relative_to(ROOMS_FOLDER).as_posix())
def test_imports_of_rooms(path: pathlib.Path) -> None:
    room = room_of(path)
    allowed = BASE | MAY_IMPORT.get(room, set()) | {room}
    wrong = [f"line {found.line}: {found.room}" for found in imports(path) if found.room and found.room not in allowed]
    assert not wrong, f"{room} may import only {', '.join(sorted(allowed))}"


@pytest.mark.skipif(sys.version_info < (3, 10), reason="Python 3.9 has no list of its own modules")
@pytest.mark.parametrize("path", FILES, ids=lambda path: path.relative_to(ROOMS_FOLDER).as_posix())
def test_imports_from_outside(path: pathlib.Path) -> None:
    room = room_of(path)
    allowed = set(sys.stdlib_module_names) | OUTSIDE.get(room, set())
    if room != "scanner" and room not in BASE:
        allowed.add("ansible")
    wrong = [f"line {it.line}: {it.package}" for it in imports(path) if it.package and it.package not in allowed]
    assert not wrong, f"{room} may import from outside only {', '.join(sorted(OUTSIDE.get(room, set()))) or 'nothing'}"
