# Copyright (c) 2026, scap.images contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""One expat pass over a result file, bounded, without DTD, entities or anything external; and slices of the same bytes.

A result file is nearly all content that nobody has to act on. So the pass only notes where things stand, as byte
ranges; once the answers are known, `slices` reads the file again and hands out the few ranges that matter.
"""

from __future__ import annotations

import typing as t
import xml.etree.ElementTree as ET
from time import monotonic
from xml.parsers import expat
from xml.sax.saxutils import quoteattr

from ..model import ScapError
from .interface import Limits
from .source import Source

Attributes = t.Dict[str, str]
StartTable = t.Dict[str, t.Callable[[Attributes], None]]
EndTable = t.Dict[str, t.Callable[[], None]]

_SLICE = 1 << 20
_SLICES = 128 << 20
_ENCODINGS = ("utf-8", "us-ascii", "iso-8859-1")


class Place(t.NamedTuple):
    """Where an element stands: a range of bytes, and the name spaces that are declared there."""

    start: int
    end: int
    scope: tuple[tuple[str, str], ...]


class Stream:
    """Calls the start and end handlers that `starts` and `ends` name, keyed by `namespace localname`.

    `root` gets the root element's name first and fills the tables. Handlers may read `depth` (1 inside the root's start
    tag), `here()`, and take text with `capture` and `captured`.
    """

    def __init__(self, source: Source, limits: Limits, root: t.Callable[[Stream, str, Attributes], None]) -> None:
        self.path = source.path
        self.depth = 0
        self.starts: StartTable = {}
        self.ends: EndTable = {}
        self.limits = limits
        self._source = source
        self._root = root
        self._encoding = "utf-8"
        self._scope: tuple[tuple[str, str], ...] = ()
        self._scopes: list[tuple[tuple[str, str], ...]] = []
        self._text: list[str] = []
        self._text_room = 0
        self._parser = expat.ParserCreate(namespace_separator=" ")

    def malformed(self, what: str) -> ScapError:
        """A ScapError that says where in the file `what` is wrong, and the cure."""
        line = self._parser.CurrentLineNumber
        return ScapError(
            "results_malformed", f"{self.path}: line {line}: {what}; copy the file again or repeat the scan"
        )

    def run(self) -> None:
        """Read the whole file; ScapError where it is not well-formed, forbidden, too large or too slow."""
        parser, limits = self._parser, self.limits
        parser.StartElementHandler = self._first
        parser.StartDoctypeDeclHandler = self._doctype
        parser.XmlDeclHandler = self._declaration
        parser.StartNamespaceDeclHandler = self._open_scope
        parser.EndNamespaceDeclHandler = self._close_scope
        size, end = 0, monotonic() + limits.seconds
        try:
            for block in self._source.blocks():
                if not size and block[:2] in (b"\xff\xfe", b"\xfe\xff", b"\x00<", b"<\x00"):
                    raise self._encoded("utf-16")
                size += len(block)
                parser.Parse(block, False)
                if len(parser.intern) > limits.names:
                    raise self.malformed(f"more than {limits.names} different names of elements and attributes")
                if size - parser.CurrentByteIndex > limits.token_bytes:
                    raise self.malformed(f"one tag or comment is longer than {limits.token_bytes} bytes")
                if monotonic() > end:
                    raise ScapError("results_too_slow", f"{self.path}: not read within {limits.seconds:g} s; split it")
            parser.Parse(b"", True)
        except expat.ExpatError as error:
            message = expat.ErrorString(error.code)
            raise self.malformed(f"not a whole XML document ({message})" if size else "the file is empty") from error
        except (UnicodeError, LookupError, ValueError) as error:
            raise self.malformed(f"not readable as {self._encoding} ({error})") from error

    def _encoded(self, encoding: str) -> ScapError:
        return ScapError(
            "results_malformed", f"{self.path}: written in {encoding!r}, not in UTF-8; convert it with iconv first"
        )

    def _doctype(self, *_declaration: object) -> None:
        raise ScapError(
            "results_forbidden",
            f"{self.path}: has a document type declaration (DTD, entities), which no result needs; "
            "do not trust the file, repeat the scan",
        )

    def _declaration(self, _version: str, encoding: str | None, _standalone: int) -> None:
        self._encoding = (encoding or "utf-8").lower()
        if self._encoding not in _ENCODINGS:
            raise self._encoded(self._encoding[:40])

    def _open_scope(self, prefix: str | None, uri: str | None) -> None:
        if len(self._scopes) > self.limits.depth * 8 or len(self._scope) > 256:
            raise self.malformed("too many name space declarations")
        self._scopes.append(self._scope)
        kept = tuple(pair for pair in self._scope if pair[0] != (prefix or ""))
        self._scope = (*kept, (prefix or "", uri or ""))

    def _close_scope(self, _prefix: str | None) -> None:
        self._scope = self._scopes.pop()

    def _first(self, name: str, attributes: Attributes) -> None:
        self._root(self, name, attributes)
        start_of, end_of, most, depth = self.starts.get, self.ends.get, self.limits.depth, 0

        def start(name: str, attributes: Attributes) -> None:
            nonlocal depth
            depth += 1
            if depth > most:
                raise self.malformed(f"elements are nested more than {most} deep")
            handler = start_of(name)
            if handler is not None:
                self.depth = depth
                handler(attributes)

        def end(name: str) -> None:
            nonlocal depth
            handler = end_of(name)
            if handler is not None:
                self.depth = depth
                handler()
            depth -= 1

        self._parser.StartElementHandler = start
        self._parser.EndElementHandler = end
        start(name, attributes)

    def offset(self) -> int:
        """Offset of the tag that is being handled, in unpacked bytes."""
        return self._parser.CurrentByteIndex

    def place(self, start: int) -> Place:
        """The element that started at `start` and ends with the tag that is being handled."""
        return Place(start, self._parser.CurrentByteIndex, self._scope)

    def capture(self, limit: int = 4096) -> None:
        """Keep the text from here on, at most `limit` characters."""
        self._text, self._text_room = [], limit
        self._parser.CharacterDataHandler = self._characters

    def _characters(self, data: str) -> None:
        if self._text_room > 0:
            self._text.append(data[: self._text_room])
            self._text_room -= len(data)

    def captured(self) -> str:
        """The text since `capture`; stops keeping it."""
        self._parser.CharacterDataHandler = None
        text = "".join(self._text)
        self._text = []
        return text

    def bounded(self, number: int, what: str) -> None:
        if number > self.limits.entries:
            raise ScapError(
                "results_too_large",
                f"{self.path}: more than {self.limits.entries} {what}; scan with a smaller profile or split it",
            )

    def slices(self, places: t.Mapping[str, Place]) -> t.Iterator[tuple[str, ET.Element]]:
        """The elements at `places`, one at a time in document order; ScapError where they are too large."""
        wanted = sorted(places.items(), key=lambda item: item[1].start)
        largest = max((place.end - place.start for place in places.values()), default=0)
        if largest > _SLICE or sum(place.end - place.start for place in places.values()) > _SLICES:
            raise ScapError(
                "results_too_large",
                f"{self.path}: a finding is described in {largest} bytes (at most {_SLICE}, all of them {_SLICES}); "
                "scan with a smaller profile",
            )
        blocks, at, held = self._source.blocks(), 0, b""
        for key, place in wanted:
            while at + len(held) < place.end:
                if at + len(held) <= place.start:
                    at, held = at + len(held), b""
                block = next(blocks, b"")
                if not block:
                    raise ScapError("results_damaged", f"{self.path}: changed while it was read; read it again")
                held += block
            held, at = held[max(place.start - at, 0) :], max(at, place.start)
            element = self._element(held[: place.end - place.start], place.scope)
            if element is not None:
                yield key, element

    def _element(self, piece: bytes, scope: tuple[tuple[str, str], ...]) -> ET.Element | None:
        declared = " ".join(f"xmlns{':' if prefix else ''}{prefix}={quoteattr(uri)}" for prefix, uri in scope if uri)
        parser: t.Any = ET.XMLPullParser(("start",))
        try:
            parser.feed(f"<scope {declared}>" + piece.decode(self._encoding, "replace"))
            elements: list[ET.Element] = [element for _event, element in parser.read_events()][1:2]
        except ET.ParseError as error:
            raise ScapError(
                "results_damaged", f"{self.path}: changed while it was read ({error}); read it again"
            ) from error
        return elements[0] if elements else None


def local(name: t.Any) -> str:
    """The local part of an element's name (ElementTree's `{namespace}local`); empty for anything else."""
    return name.rpartition("}")[2] if isinstance(name, str) else ""
