# Copyright (c) 2026, scap.images contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A raw result file, plain or compressed, as a bounded stream into expat: no DTD, no entity, nothing external."""

from __future__ import annotations

import bz2
import gzip
import lzma
import typing as t
import xml.parsers.expat
import zlib

from ..model import ScapError

MAX_BYTES = 1024 * 1024 * 1024
"""Of XML after decompression."""
MAX_DEPTH = 256
MAX_ATTRIBUTE = 64 * 1024
_BLOCK = 1 << 18

_MAGIC: t.Sequence[tuple[bytes, t.Callable[[str], t.Any]]] = (
    (b"\x1f\x8b", gzip.open),
    (b"BZh", bz2.open),
    (b"\xfd7zXZ\x00", lzma.open),
)

Attributes = t.Dict[str, str]


class Handler(t.Protocol):
    """What sees the elements of one file."""

    def start(self, name: str, attributes: Attributes) -> None:
        """An element begins; `name` is `NAMESPACE LOCAL`."""

    def end(self, name: str) -> None:
        """It ends."""

    def data(self, text: str) -> None:
        """Text inside it."""


class Stop(Exception):
    """A handler has what it wants."""


def new_parser() -> xml.parsers.expat.XMLParserType:
    """An expat parser that refuses document types and knows no entities but XML's own five."""
    parser = xml.parsers.expat.ParserCreate(namespace_separator=" ")
    parser.buffer_text = True
    parser.buffer_size = 1 << 16
    parser.SetParamEntityParsing(xml.parsers.expat.XML_PARAM_ENTITY_PARSING_NEVER)
    parser.StartDoctypeDeclHandler = _doctype
    return parser


def feed(path: str, parser: xml.parsers.expat.XMLParserType) -> None:
    """Parse the file; ScapError names it and the cure."""
    try:
        with _opened(path) as stream:
            count = 0
            for block in iter(lambda: stream.read(_BLOCK), b""):
                count += len(block)
                if count > MAX_BYTES:
                    raise ScapError("results_too_large", f"{path}: more than {MAX_BYTES} bytes of XML; it was not read")
                parser.Parse(block, False)
            parser.Parse(b"", True)
    except xml.parsers.expat.ExpatError as error:
        raise ScapError(
            "results_malformed", f"{path}: not well-formed XML ({error}); it was cut or damaged, make it again"
        ) from error
    except (OSError, EOFError, lzma.LZMAError, zlib.error) as error:
        raise ScapError("results_unreadable", f"{path}: cannot be read: {error}") from error
    except UnsafeError as error:
        raise ScapError("results_unsafe", f"{path}: {error}") from error


class UnsafeError(ValueError):
    """The document is of a kind that no scanner writes."""


def _doctype(*_unused: t.Any) -> None:
    raise UnsafeError("it has a document type declaration, which results never need; it was not read")


def _opened(path: str) -> t.Any:
    with open(path, "rb") as stream:
        head = stream.read(8)
    for magic, opener in _MAGIC:
        if head.startswith(magic):
            return opener(path)
    return open(path, "rb")
