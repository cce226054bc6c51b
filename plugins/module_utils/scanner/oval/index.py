# Copyright (c) 2026, scap.images contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A feed read once: an sqlite file that answers, without parsing XML, what the packages of an image have to do with it.

It holds places in the feed, which stays beside it, the criteria as trees, for each package name the tests and
definitions that depend on it, and what every definition comes to where none of its packages is installed.
"""

from __future__ import annotations

import contextlib
import json
import os
import sqlite3
import tempfile
import typing as t

from ...files import sha256_file, sync_folder
from ...model import ScapError
from .logic import FALSE, TRUE, UNDECIDABLE, Residuals, Tree
from .needs import need_of
from .reader import LINUX, Part, Reader

VERSION = "3"
FAMILIES = {f"{LINUX} rpminfo_test": "rpm", f"{LINUX} dpkginfo_test": "dpkg"}
"""Tests that can be decided, to the package manager whose database they read."""
_OBJECTS = {"rpm": f"{LINUX} rpminfo_object", "dpkg": f"{LINUX} dpkginfo_object"}
_ABSENT = {
    "any_exist": TRUE,
    "none_exist": TRUE,
    "at_least_one_exists": FALSE,
    "all_exist": FALSE,
    "only_one_exists": FALSE,
}
"""check_existence to what a test is that finds no item (OVAL 5.11, ExistenceEnumeration)."""
_NAME_CHARACTERS = frozenset("abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789+-._")
_CYCLE = -1
MAX_NODES = 1_000_000

_SCHEMA = """
CREATE TABLE meta (key TEXT PRIMARY KEY, value) WITHOUT ROWID;
CREATE TABLE definition (number INTEGER PRIMARY KEY, id TEXT, version TEXT, start INT, stop INT, class TEXT, tree TEXT,
                         names TEXT);
CREATE TABLE part (kind TEXT, id TEXT, start INT, stop INT, refs TEXT, need TEXT,
                   PRIMARY KEY (kind, id)) WITHOUT ROWID;
CREATE TABLE test (number INTEGER PRIMARY KEY, id TEXT, start INT, stop INT, refs TEXT);
CREATE TABLE name (name TEXT PRIMARY KEY, tests TEXT, definitions TEXT) WITHOUT ROWID;
CREATE TABLE baseline (residual TEXT, members TEXT);
"""


def index_path(cache: str, sha256: str) -> str:
    """Where the index of a feed is kept."""
    return os.path.join(cache, f"{sha256}.oval-{VERSION}.sqlite")


def make_index(path: str, sha256: str, cache: str) -> str:
    """The path of the feed's index, made where it is not there yet; `cache`: the folder that keeps it.

    Raises ScapError content_uncompiled where the feed must be evaluated as it is, content_malformed where it is no XML.
    """
    place = index_path(cache, sha256)
    if os.path.exists(place):
        return place
    os.makedirs(cache, mode=0o700, exist_ok=True)
    reader = Reader(path).read()
    handle, temporary = tempfile.mkstemp(prefix=".index-", dir=cache)
    os.close(handle)
    try:
        with contextlib.closing(sqlite3.connect(temporary, isolation_level=None)) as base:
            base.executescript("PRAGMA journal_mode=OFF; PRAGMA synchronous=OFF; BEGIN;" + _SCHEMA)
            _Writer(reader, base, sha256).write()
            base.execute("COMMIT")
        if sha256_file(path) != sha256:
            raise ScapError("content_malformed", f"{path}: was changed while it was read; run again")
        with open(temporary, "rb") as stream:
            os.fsync(stream.fileno())
        os.rename(temporary, place)
    except (sqlite3.Error, RecursionError) as error:
        raise ScapError("content_uncompiled", f"{path}: its index cannot be made: {error}") from error
    finally:
        with contextlib.suppress(FileNotFoundError):
            os.unlink(temporary)
    sync_folder(cache)
    return place


def fold(manager: str, name: str) -> str:
    """The spelling by which package names are compared; libapt's hash does not tell cases apart."""
    return name.lower() if manager == "dpkg" else name


class _Writer:
    def __init__(self, reader: Reader, base: sqlite3.Connection, sha256: str) -> None:
        self._reader = reader
        self._base = base
        self._sha256 = sha256
        managers = [FAMILIES[test.name] for test in reader.parts["tests"].values() if test.name in FAMILIES]
        self._manager = max(sorted(set(managers)), key=managers.count, default="")
        self._test_names: dict[int, list[str]] = {}
        self._absent: dict[int, int] = {}
        self._ids = list(reader.definition_numbers)
        self._trees: list[Tree] = []
        self._names: dict[int, frozenset[str]] = {}
        self._residuals = Residuals()
        self._nodes: dict[int, int] = {}
        self._plain_nodes = 0

    def write(self) -> None:
        reader = self._reader
        self._refuse_loose_ends()
        self._decide_tests()
        for known in self._ids:
            definition = reader.definitions.get(known)
            tree = json.loads(definition.tree) if definition is not None and definition.tree else None
            if isinstance(tree, list):
                self._mark(tree)
            self._trees.append(tree)
        self._write_parts()
        groups: dict[int, list[int]] = {}
        by_name: dict[str, list[int]] = {}
        rows: list[tuple[t.Any, ...]] = []
        for number, known in enumerate(self._ids):
            names = self._names_of(number)
            definition = reader.definitions.get(known)
            if definition is None:
                rows.append((number, known, "", -1, -1, "", None, "[]"))
                continue
            groups.setdefault(self._node_of(number), []).append(number)
            for name in names:
                by_name.setdefault(name, []).append(number)
            tree = self._trees[number]
            place = definition.start, definition.end, definition.kind
            rows.append(
                (
                    number,
                    known,
                    definition.version,
                    *place,
                    _json(tree) if tree is not None else None,
                    _json(sorted(names)),
                )
            )
        self._base.executemany("INSERT INTO definition VALUES (?,?,?,?,?,?,?,?)", rows)
        tests_by_name: dict[str, list[int]] = {}
        for number, test_names in self._test_names.items():
            for name in test_names:
                tests_by_name.setdefault(name, []).append(number)
        self._base.executemany(
            "INSERT INTO name VALUES (?,?,?)",
            ((name, _json(tests), _json(by_name.get(name, []))) for name, tests in tests_by_name.items()),
        )
        self._base.executemany(
            "INSERT INTO baseline VALUES (?,?)",
            ((_json(self._plain(node)), _json(members)) for node, members in groups.items()),
        )
        self._write_meta()

    def _refuse_loose_ends(self) -> None:
        """oscap ends with an error, or answers unknown, where a reference goes nowhere; its remainders might not."""
        reader = self._reader
        loose = [
            f"a criterion names the test {known}" for known in reader.test_numbers if known not in reader.parts["tests"]
        ]
        loose += [f"the definition {known} is extended" for known in self._ids if known not in reader.definitions]
        loose += [
            f"{name} names {reference}"
            for parts in reader.parts.values()
            for name, part in parts.items()
            for kind, references in part.refs.items()
            for reference in references
            if reference not in reader.parts[kind]
        ]
        if loose:
            raise ScapError("content_uncompiled", f"{reader.path}: {loose[0]}, which is nowhere in it")

    def _decide_tests(self) -> None:
        reader = self._reader
        for known, test in reader.parts["tests"].items():
            names = self._literal_names(test)
            absent = _ABSENT.get(test.existence)
            if names and absent is not None:
                number = reader.test_numbers[known]
                self._test_names[number] = names
                self._absent[number] = absent

    def _literal_names(self, test: Part) -> list[str]:
        """Names of which at least one must be installed for the test to find an item; empty where that is unknown."""
        if not self._manager or FAMILIES.get(test.name) != self._manager or len(test.refs.get("objects", [])) != 1:
            return []
        reader = self._reader
        wanted = reader.parts["objects"].get(test.refs["objects"][0])
        if wanted is None or wanted.name != _OBJECTS[self._manager] or len(wanted.children) != 1:
            return []
        name, attributes = wanted.children[0]
        if name != f"{LINUX} name" or attributes.get("operation", "equals") != "equals":
            return []
        if attributes.get("datatype", "string") != "string":
            return []
        values = wanted.texts
        if "var_ref" in attributes:
            if set(attributes) - {"var_ref", "var_check", "operation", "datatype"}:
                return []
            variable = reader.parts["variables"].get(attributes["var_ref"])
            if variable is None or variable.name.rpartition(" ")[2] != "constant_variable":
                return []
            if attributes.get("var_check", "all") not in ("all", "at least one"):
                return []
            values = variable.texts
        elif set(attributes) - {"operation", "datatype"} or len(values) != 1:
            return []
        if not values or not all(value and _NAME_CHARACTERS.issuperset(value) for value in values):
            return []
        return sorted({fold(self._manager, value) for value in values})

    def _mark(self, tree: list[t.Any]) -> None:
        """Write into each criterion what it is where its packages are absent."""
        children = tree[2]
        for place, child in enumerate(children):
            if isinstance(child, list):
                self._mark(child)
            elif child >= 0:
                children[place] = child & ~3 | self._absent.get(child >> 3, UNDECIDABLE)

    def _names_of(self, number: int) -> frozenset[str]:
        """Every package name that the definition, with those it extends, depends on."""
        known = self._names.get(number)
        if known is None:
            self._names[number] = frozenset()
            found: set[str] = set()
            for kind, inner in _leaves(self._trees[number]):
                found.update(self._names_of(inner) if kind == "definition" else self._test_names.get(inner, ()))
            known = self._names[number] = frozenset(found)
        return known

    def _node_of(self, number: int, depth: int = 0) -> int:
        node = self._nodes.get(number)
        if node == _CYCLE or depth > 100:
            raise ScapError(
                "content_uncompiled",
                f"{self._reader.path}: the definition {self._ids[number]} extends itself, or through too many others",
            )
        if node is None:
            self._nodes[number] = _CYCLE
            tree = self._trees[number]
            if tree is None:
                node = self._residuals.intern(("definition", (number,)))
            else:
                node = self._residuals.of_tree(tree, (), lambda inner: self._node_of(inner, depth + 1))
            self._nodes[number] = node
        return node

    def _plain(self, node: int) -> t.Any:
        """A node as JSON: `[kind, members]`, members of operators being nodes again."""
        self._plain_nodes += 1
        if self._plain_nodes > MAX_NODES:
            raise ScapError("content_uncompiled", f"{self._reader.path}: its criteria are more than {MAX_NODES}")
        kind, members = self._residuals.nodes[node]
        if kind in ("test", "definition", "true", "false"):
            return [kind, list(members)]
        return [kind, [self._plain(member) for member in members]]

    def _write_parts(self) -> None:
        reader = self._reader
        for kind in ("objects", "states", "variables"):
            self._base.executemany(
                "INSERT INTO part VALUES (?,?,?,?,?,?)",
                (
                    (kind, known, part.start, part.end, _json(part.refs), need_of(part) if kind == "objects" else "")
                    for known, part in reader.parts[kind].items()
                ),
            )
        tests = reader.parts["tests"]
        missing = Part()
        self._base.executemany(
            "INSERT INTO test VALUES (?,?,?,?,?)",
            (
                (number, known, part.start, part.end, _json(part.refs))
                for known, number in reader.test_numbers.items()
                for part in (tests.get(known, missing),)
            ),
        )

    def _write_meta(self) -> None:
        reader = self._reader
        values: dict[str, t.Any] = {
            "sha256": self._sha256,
            "manager": self._manager,
            "encoding": reader.encoding,
            "root": reader.root.decode("latin-1"),
            "generator": _json(reader.generator),
            "tags": _json({name: tag.decode("latin-1") for name, tag in reader.tags.items()}),
            "definitions": len(reader.definitions),
        }
        self._base.executemany("INSERT INTO meta VALUES (?,?)", values.items())


def _leaves(tree: Tree) -> t.Iterator[tuple[str, int]]:
    if isinstance(tree, list):
        for child in tree[2]:
            yield from _leaves(child)
    elif tree is not None:
        yield ("definition", -tree - 1 >> 1) if tree < 0 else ("test", tree >> 3)


def _json(value: t.Any) -> str:
    return json.dumps(value, separators=(",", ":"))
