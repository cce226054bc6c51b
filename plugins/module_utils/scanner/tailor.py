# Copyright (c) 2026, scap.images contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A tailoring (XCCDF 1.2, section 6.7) becomes profiles of the data stream that it tailors.

So whatever works on a data stream works on a tailored one. The bytes of the original are kept; the tailoring's profiles
are put behind its own.
"""

from __future__ import annotations

import contextlib
import mmap
import os
import typing as t
import xml.etree.ElementTree as ET

from ..files import read_bounded, sha256_file, write_whole
from ..model import ScapError
from .compile.index import XCCDF, Index, RefusedError, read_index

MAX_BYTES = 16 * 1024 * 1024
_PROFILE = f"{{{XCCDF}}}Profile"


def tailor(datastream: str, tailoring: str, folder: str) -> tuple[str, list[str]]:
    """Path, in `folder`, of the data stream with the tailoring's profiles, and their ids; made once.

    Raises ScapError tailoring_malformed, or content_unsupported for a data stream that is not understood.
    """
    profiles = _profiles(tailoring)
    path = os.path.join(folder, f"{sha256_file(datastream)[:32]}-{sha256_file(tailoring)[:32]}.tailored.xml")
    names = [profile.get("id", "") for profile in profiles]
    if os.path.exists(path):
        return path, names
    os.makedirs(folder, mode=0o700, exist_ok=True)
    with (
        open(datastream, "rb") as stream,
        contextlib.closing(mmap.mmap(stream.fileno(), 0, prot=mmap.PROT_READ)) as data,
    ):
        try:
            index = read_index(datastream, data)
            place = _place(index, profiles, tailoring)
        except RefusedError as error:
            raise ScapError("content_unsupported", f"{error}; it cannot be tailored") from error
        text = b"".join(ET.tostring(profile) for profile in profiles)
        write_whole(path, b"".join((data[:place], text, data[place:])))
    return path, names


def _profiles(path: str) -> list[ET.Element]:
    """The profiles of a tailoring file, without what only its author needs."""
    data = read_bounded(path, MAX_BYTES)
    if b"<!DOCTYPE" in data:
        raise ScapError("tailoring_malformed", f"{path}: has a document type declaration, which no tailoring needs")
    try:
        root = ET.fromstring(data)  # noqa: S314
    except (ET.ParseError, ValueError, LookupError) as error:
        raise ScapError("tailoring_malformed", f"{path}: not well-formed XML ({error}); export it again") from error
    if root.tag != f"{{{XCCDF}}}Tailoring":
        raise ScapError("tailoring_malformed", f"{path}: its root element is {root.tag!r}, no XCCDF 1.2 Tailoring")
    found = root.findall(_PROFILE)
    if not found:
        raise ScapError("tailoring_malformed", f"{path}: holds no profile")
    return found


def _place(index: Index, profiles: t.Sequence[ET.Element], tailoring: str) -> int:
    """The byte behind the last profile of the benchmark."""
    items = index.checklist[1].items
    names = [profile.get("id", "") for profile in profiles]
    for name, profile in zip(names, profiles):
        if not name or name in items or names.count(name) > 1:
            raise ScapError(
                "tailoring_malformed",
                f"{tailoring}: the profile id {name!r} is missing or not new; give it one of its own",
            )
        base = profile.get("extends", "")
        if base and base not in names and (base not in items or items[base].kind != "Profile"):
            raise ScapError(
                "tailoring_malformed", f"{tailoring}: {name} extends {base!r}, which is not in {index.path}"
            )
    ends = [item.end for item in items.values() if item.kind == "Profile"]
    if not ends:
        raise index.refuse("its benchmark has no profile")
    return max(ends)
