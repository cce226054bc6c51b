# Copyright (c) 2026, scap.images contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The few fields of a list that a caller needs, out of Kubernetes' protobuf encoding.

An object is mostly what nobody here asks for (managedFields, environment, probes). JSON has to be parsed whole;
protobuf says the length of each field, so that what is not wanted is stepped over. The result has the names and the
form that the same object has as JSON. Field numbers are part of the API and never change (generated.proto of
k8s.io/api and k8s.io/apimachinery), and Kubernetes' own encoder writes them in ascending order: behind the last that
is wanted nothing is read.
"""

from __future__ import annotations

import contextlib
import dataclasses
import json
import typing as t

MEDIA_TYPE = "application/vnd.kubernetes.protobuf"
ACCEPT = f"{MEDIA_TYPE},application/json"
"""Custom resources and some aggregated API servers know JSON only."""

MAGIC = b"k8s\x00"
"""Before the message runtime.Unknown, which wraps every answer."""

TEXT, ONE, MANY, INLINE, MAP, RAW = range(6)
"""A string, a message, repeated messages, a message whose fields JSON writes into its parent, map<string, string>, a
runtime.RawExtension (which holds JSON)."""

_LENGTH = 2
_Rule = t.Tuple[str, int, t.Any]


class MalformedError(ValueError):
    """The bytes are no such message."""


class Shape:
    """The wanted fields of one message: number to (name in JSON, kind, shape of the message)."""

    def __init__(self, **fields: tuple[t.Any, ...]) -> None:
        self.rules: dict[int, _Rule] = {}
        for name, (number, kind, *inner) in fields.items():
            shape = inner[0].rules if inner else None
            self.rules[number << 3 | _LENGTH] = (name, kind, shape)


_ENTRY = Shape(key=(1, TEXT), value=(2, TEXT)).rules
_LIST_META = Shape(resourceVersion=(2, TEXT), **{"continue": (3, TEXT)})
METADATA = Shape(name=(1, TEXT), namespace=(3, TEXT), resourceVersion=(6, TEXT), labels=(11, MAP))
"""metav1.ObjectMeta."""
ANNOTATED = Shape(name=(1, TEXT), namespace=(3, TEXT), resourceVersion=(6, TEXT), annotations=(12, MAP))
"""metav1.ObjectMeta with its annotations and without its labels."""


@dataclasses.dataclass(frozen=True)
class Answer:
    """A list, its metadata read, its items not yet."""

    metadata: dict[str, t.Any]
    data: bytes
    start: int
    end: int

    def items(self, shape: Shape) -> list[dict[str, t.Any]]:
        """Raises MalformedError."""
        if self.end > len(self.data):
            raise MalformedError("it ends too early")
        found = _read(self.data, self.start, self.end, {2 << 3 | _LENGTH: ("items", MANY, shape.rules)})
        return t.cast("list[dict[str, t.Any]]", found.get("items") or [])


def listing(data: bytes) -> Answer:
    """The list in an answer that begins with MAGIC; its first bytes are enough. Raises MalformedError."""
    at = len(MAGIC)
    while at < len(data):
        key, first, at = _field(data, at)
        if key == 2 << 3 | _LENGTH:
            inner, begin, stop = _field(data, first) if first < at else (0, first, first)
            if inner != 1 << 3 | _LENGTH:
                return Answer({}, data, first, at)
            if stop > min(at, len(data)):
                raise MalformedError("a field is longer than what holds it")
            return Answer(_read(data, begin, stop, _LIST_META.rules), data, first, at)
    raise MalformedError("it wraps no list")


def _fields(data: bytes, at: int, end: int) -> t.Iterator[tuple[int, int, int]]:
    """(key, start, end) of the fields that have a length."""
    rest = at
    while rest < end:
        key, first, rest = _field(data, rest)
        if rest > end:
            raise MalformedError("a field is longer than what holds it")
        if key & 7 == _LENGTH:
            yield key, first, rest


def _field(data: bytes, at: int) -> tuple[int, int, int]:
    """Key, start and end of the field's content."""
    try:
        key, at = _number(data, at)
        wire = key & 7
        if wire == _LENGTH:
            size, at = _number(data, at)
            return key, at, at + size
        if wire == 0:
            return key, at, _number(data, at)[1]
    except IndexError as error:
        raise MalformedError("it ends too early") from error
    if wire in (1, 5):
        return key, at, at + (8 if wire == 1 else 4)
    raise MalformedError(f"wire type {wire}")


def _number(data: bytes, at: int) -> tuple[int, int]:
    value = shift = 0
    while True:
        byte = data[at]
        at += 1
        value |= (byte & 127) << shift
        if byte < 128:
            return value, at
        shift += 7
        if shift > 63:
            raise MalformedError("a number without end")


def _read(data: bytes, at: int, end: int, rules: dict[int, _Rule]) -> dict[str, t.Any]:
    """The wanted fields of the message between two places; what `_field` does stands here once more in its short
    forms, because this loop is what a discovery spends its time in."""
    found: dict[str, t.Any] = {}
    last = max(rules)
    try:
        while at < end:
            key, size, first = data[at], data[at + 1], at + 2
            if key > 127:
                if size > 127:
                    key, first, at = _field(data, at)
                    continue
                key += (size - 1) << 7
                size, first = data[first], first + 1
            if key > last:
                return found
            if key & 7 != _LENGTH:
                at = _field(data, at)[2]
                continue
            if size > 127:
                more = data[first]
                if more > 127:
                    size, first = _number(data, first - 1)
                else:
                    size, first = size + ((more - 1) << 7), first + 1
            at = first + size
            rule = rules.get(key)
            if rule is None:
                continue
            if at > end:
                break
            name, kind, inner = rule
            if kind == TEXT:
                found[name] = data[first:at].decode("utf-8", "replace")
            elif kind == MANY:
                if name in found:
                    found[name].append(_read(data, first, at, inner))
                else:
                    found[name] = [_read(data, first, at, inner)]
            elif kind == ONE:
                found[name] = _read(data, first, at, inner) if inner else {}
            elif kind == INLINE:
                found.update(_read(data, first, at, inner))
            elif kind == MAP:
                entry = _read(data, first, at, _ENTRY)
                found.setdefault(name, {})[entry.get("key", "")] = entry.get("value", "")
            else:
                found[name] = _raw(data, first, at)
    except IndexError as error:
        raise MalformedError("it ends too early") from error
    if at > end:
        raise MalformedError("a field is longer than what holds it")
    return found


def _raw(data: bytes, at: int, end: int) -> t.Any:
    """The value of a runtime.RawExtension; None where it is empty or something else than JSON."""
    for key, first, last in _fields(data, at, end):
        if key == 1 << 3 | _LENGTH:
            with contextlib.suppress(ValueError, RecursionError):
                return json.loads(data[first:last].decode("utf-8", "replace"))
    return None
