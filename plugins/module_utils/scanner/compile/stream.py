# Copyright (c) 2026, scap.images contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A data stream cut to one profile: the same answers, without the content that the profile never uses.

What stays are bytes of the original, in their order. Titles, descriptions and remedies for the report are kept beside
it, as they are in the original.
"""

from __future__ import annotations

import contextlib
import hashlib
import mmap
import os
import typing as t

from ...files import sha256_file, write_json, write_whole
from ...model import ScapError
from ..compiled import Compiled
from ..markup import quoted
from .index import Item, read_index
from .reach import Kept, complement, set_apart

_VERSION = 1
_SHELL = "urn:xccdf:fix:script:sh"
_WANTED = ("title", "description", "rationale", "fixtext", "ident")


def compile_stream(path: str, sha256: str, profile: str, rules: t.Sequence[str], folder: str) -> Compiled:
    """Cut the data stream at `path` to a profile, once; `rules` are those that it selects.

    Raises RefusedError with a sentence where that is not possible or not safe, ScapError where the file is another than
    `sha256` says.
    """
    key = f"{sha256}-{hashlib.sha256(profile.encode()).hexdigest()[:12]}"
    target = os.path.join(folder, f"{key}.compiled-{_VERSION}.xml")
    texts = os.path.join(folder, f"{key}.texts-{_VERSION}.json.gz")
    if not os.path.exists(target) or not os.path.exists(texts):
        os.makedirs(folder, mode=0o700, exist_ok=True)
        with open(path, "rb") as stream, contextlib.closing(mmap.mmap(stream.fileno(), 0, prot=mmap.PROT_READ)) as data:
            if hashlib.sha256(data).hexdigest() != sha256:
                raise ScapError("content_damaged", f"{path}: changed while it was read; start again")
            index = read_index(path, data)
            cuts = set_apart(index, list(Kept(index, data, profile, rules).cuts()), data)
            items = index.checklist[1].items
            if not os.path.exists(texts):
                write_json(texts, {name: _text(items[name], data) for name in rules})
            write_whole(target, b"".join(data[start:end] for start, end in complement(cuts, data)))
    return Compiled(target, sha256_file(target), texts)


def _text(rule: Item, data: t.Any) -> str:
    """What a report needs of a rule, as XML that can be read alone."""
    declared = " ".join(f"xmlns{':' if prefix else ''}{prefix}={quoted(uri)}" for prefix, uri in rule.scope if uri)
    has_shell = any(part.key == _SHELL for part in rule.parts)
    cuts = [
        (part.start, part.end)
        for part in rule.parts
        if part.name not in _WANTED and not (part.name == "fix" and (part.key == _SHELL or not has_shell))
    ]
    cuts += [(0, rule.start), (rule.end, len(data))]
    piece = b"".join(data[start:end] for start, end in complement(cuts, data))
    return f"<scope {declared}>{piece.decode('utf-8')}</scope>"
