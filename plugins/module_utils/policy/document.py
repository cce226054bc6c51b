# Copyright (c) 2026, scap.images contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""YAML documents read with the place of every value, and held against a schema: errors name file, line and cure.

Bounded: bytes and depth; no tags of one's own, no anchors or aliases, no key twice. A date stays the text that it is.
"""

from __future__ import annotations

import dataclasses
import difflib
import re
import typing as t

from ..files import read_bounded
from ..model import J, ScapError

try:
    import yaml
except ImportError:
    yaml = None  # type: ignore[assignment]

MAX_BYTES = 8 * 1024 * 1024
MAX_DEPTH = 12
MAX_ERRORS = 20

_TYPES: dict[str, tuple[type, ...]] = {
    "object": (dict,),
    "array": (list,),
    "string": (str,),
    "integer": (int,),
    "boolean": (bool,),
}
_NAMES = {
    "object": "a mapping",
    "array": "a list",
    "string": "text",
    "integer": "a whole number",
    "boolean": "true or false",
}


@dataclasses.dataclass(frozen=True)
class Document:
    """One file: its value in plain Python, and the line (from 1) of every value by its path."""

    source: str
    """The file's path, or what names an inline text."""
    value: t.Any
    lines: dict[tuple[t.Any, ...], int]

    def line(self, *path: t.Any) -> int:
        """The line of the value at `path`, or of the nearest thing above it."""
        while path and path not in self.lines:
            path = path[:-1]
        return self.lines.get(path, 1)

    def problem(self, path: tuple[t.Any, ...], message: str) -> str:
        where = "".join(f"[{step}]" if isinstance(step, int) else f".{step}" for step in path).lstrip(".")
        return f"{self.source}:{self.line(*path)}: {where + ': ' if where else ''}{message}"


def read_document(path: str, code: str) -> Document:
    """The YAML (or JSON) file at `path`; ScapError of `code` where it is not well formed."""
    return parse_document(read_bounded(path, MAX_BYTES), path, code)


def parse_document(data: bytes, source: str, code: str) -> Document:
    if yaml is None:
        raise ScapError("library_missing", "reading policies and waivers needs the Python package PyYAML; install it")
    try:
        text = data.decode("utf-8")
    except UnicodeDecodeError as error:
        raise ScapError(code, f"{source}: is not UTF-8 text (byte {error.start}); save it as UTF-8") from error
    reader = _Reader(source, code)
    try:
        for event in yaml.parse(text, Loader=yaml.SafeLoader):
            if isinstance(event, yaml.AliasEvent) or getattr(event, "anchor", None):
                raise reader.error(event, "anchors and aliases (& and *) are not taken; write the value out")
        node = yaml.compose(text, Loader=yaml.SafeLoader)
    except yaml.YAMLError as error:
        mark = getattr(error, "problem_mark", None)
        where = f"{source}:{mark.line + 1}" if mark else source
        what = getattr(error, "problem", None) or "it cannot be read"
        raise ScapError(code, f"{where}: is not YAML: {what}") from error
    except RecursionError as error:
        raise ScapError(code, f"{source}: is nested too deeply") from error
    return Document(source, None if node is None else reader.read(node, (), 0), reader.lines)


class _Reader:
    def __init__(self, source: str, code: str) -> None:
        self.source = source
        self.code = code
        self.lines: dict[tuple[t.Any, ...], int] = {}

    def error(self, node: t.Any, message: str) -> ScapError:
        return ScapError(self.code, f"{self.source}:{node.start_mark.line + 1}: {message}")

    def read(self, node: t.Any, path: tuple[t.Any, ...], depth: int) -> t.Any:
        self.lines[path] = node.start_mark.line + 1
        if depth > MAX_DEPTH:
            raise self.error(node, f"is nested more than {MAX_DEPTH} deep")
        if isinstance(node, yaml.MappingNode):
            return self._mapping(node, path, depth)
        if isinstance(node, yaml.SequenceNode):
            return [self.read(child, (*path, place), depth + 1) for place, child in enumerate(node.value)]
        kind = node.tag.rpartition(":")[2]
        if kind in ("null",):
            return None
        if kind == "bool":
            return node.value.lower() in ("true", "yes", "on")
        if kind == "int" and re.fullmatch(r"[+-]?[0-9]{1,15}", node.value):
            return int(node.value)
        if kind in ("str", "timestamp", "int", "float", "value", "merge"):
            return node.value
        raise self.error(node, f"the tag {node.tag} is not taken; write plain text")

    def _mapping(self, node: t.Any, path: tuple[t.Any, ...], depth: int) -> J:
        found: J = {}
        for key, child in node.value:
            if not isinstance(key, yaml.ScalarNode):
                raise self.error(key, "a key must be plain text")
            if key.value in found:
                raise self.error(key, f"the key {key.value!r} stands here twice; keep one")
            place = (*path, key.value)
            found[key.value] = self.read(child, place, depth + 1)
            self.lines[place] = key.start_mark.line + 1
        return found


def check(document: Document, schema: J, code: str) -> None:
    """Raise ScapError of `code` that names each violation of a JSON Schema (the keywords that schema.py uses)."""
    problems: list[str] = []
    _check(document, document.value, schema, (), problems)
    if problems:
        more = f"\n... and {len(problems) - MAX_ERRORS} more" if len(problems) > MAX_ERRORS else ""
        raise ScapError(code, "\n".join(problems[:MAX_ERRORS]) + more)


def _check(document: Document, value: t.Any, schema: J, path: tuple[t.Any, ...], problems: list[str]) -> None:
    choices = schema.get("oneOf")
    if choices:
        fitting = [choice for choice in choices if _is(value, choice.get("type", "object"))]
        if not fitting:
            names = " or ".join(_NAMES[choice["type"]] for choice in choices)
            problems.append(document.problem(path, f"must be {names}, it is {_kind(value)}"))
            return
        schema = fitting[0]
    kind = schema.get("type")
    if kind and not _is(value, kind):
        problems.append(document.problem(path, f"must be {_NAMES[kind]}, it is {_kind(value)}"))
        return
    if isinstance(value, dict):
        _check_mapping(document, value, schema, path, problems)
    elif isinstance(value, list):
        if len(value) < schema.get("minItems", 0):
            problems.append(document.problem(path, "must not be empty"))
        for place, entry in enumerate(value):
            _check(document, entry, schema.get("items", {}), (*path, place), problems)
    else:
        _check_scalar(document, value, schema, path, problems)


def _check_mapping(document: Document, value: J, schema: J, path: tuple[t.Any, ...], problems: list[str]) -> None:
    known: J = schema.get("properties", {})
    others = schema.get("additionalProperties", True)
    for key, entry in value.items():
        if key in known:
            _check(document, entry, known[key], (*path, key), problems)
        elif isinstance(others, dict):
            _check(document, entry, others, (*path, key), problems)
        elif others is False:
            near = difflib.get_close_matches(key, known, 1, 0.6)
            cure = f"did you mean {near[0]}?" if near else f"known are {', '.join(known)}"
            problems.append(document.problem((*path, key), f"there is no such key; {cure}"))
    for key in schema.get("required", []):
        if key not in value:
            problems.append(document.problem(path, f"the key {key!r} is missing: {known[key].get('description', '')}"))
    one_of = schema.get("x-exactly-one")
    if one_of and sum(key in value for key in one_of) != 1:
        problems.append(document.problem(path, f"needs exactly one of {', '.join(one_of)}"))


def _check_scalar(document: Document, value: t.Any, schema: J, path: tuple[t.Any, ...], problems: list[str]) -> None:
    if "enum" in schema and value not in schema["enum"]:
        near = difflib.get_close_matches(str(value), schema["enum"], 1, 0.6)
        cure = f"; did you mean {near[0]}?" if near else ""
        problems.append(document.problem(path, f"is {value!r}, not one of {', '.join(schema['enum'])}{cure}"))
    if isinstance(value, str):
        if len(value) < schema.get("minLength", 0):
            problems.append(document.problem(path, "must not be empty"))
        elif "pattern" in schema and not re.search(schema["pattern"], value):
            problems.append(document.problem(path, f"is {value!r}; it must be {schema['x-must-be']}"))
    elif "minimum" in schema and value < schema["minimum"]:
        problems.append(document.problem(path, f"is {value}, the least is {schema['minimum']}"))


def _is(value: t.Any, kind: str) -> bool:
    return isinstance(value, _TYPES[kind]) and (kind != "integer" or not isinstance(value, bool))


def _kind(value: t.Any) -> str:
    if value is None:
        return "empty"
    return next(_NAMES[kind] for kind in ("boolean", *_TYPES) if _is(value, kind))
