# Copyright (c) 2026, scap.images contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Files that a rule reads and that hide lines from oscap: NUL bytes, byte order marks, FIFOs, devices.

textfilecontent54 stops at a NUL byte without a word, sees no first line behind a byte order mark and skips what is no
regular file, so that `must not contain` holds. Which files are read is known from the content's objects.
"""

from __future__ import annotations

import codecs
import re
import stat
import typing as t

from ..model import Check, ScapError
from .rootpath import list_in_root, read_in_root, relink_in_root, stat_in_root

MAX_BYTES = 64 * 1024 * 1024
_MAX_FILES = 20_000
_OBJECT = "textfilecontent54_object"
_ENTITIES = ("filepath", "path", "filename")
_LITERAL = re.compile(r"\^?((?:[\w/ @%,:~+-]|\\.)*)")
_MARKS = (codecs.BOM_UTF8, codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)
_SHOWN = 10


class TextObjects:
    """Collects, while content is read, the files that its textfilecontent54 objects name.

    `found` holds `FOLDER\\nNAME` for a file, `FOLDER\\n^PATTERN` for each file of a folder whose name (or, where the
    pattern begins with ^/, whose path) matches. Objects that take a path from a variable are not among them.
    """

    def __init__(self) -> None:
        self.found: set[str] = set()
        self._values: dict[str, tuple[str, bool]] | None = None
        self._text: list[str] | None = None
        self._pattern = False

    def start(self, local: str, attributes: t.Mapping[str, str]) -> None:
        if local == _OBJECT:
            self._values = {}
        elif self._values is not None and local in _ENTITIES and "var_ref" not in attributes:
            operation = attributes.get("operation", "equals")
            self._text = [] if operation in ("equals", "pattern match") else None
            self._pattern = operation == "pattern match"

    def characters(self, data: str) -> None:
        if self._text is not None:
            self._text.append(data)

    def end(self, local: str) -> None:
        if self._values is None:
            return
        if local in _ENTITIES and self._text is not None:
            self._values[local] = "".join(self._text).strip(), self._pattern
            self._text = None
        elif local == _OBJECT:
            self._add(self._values)
            self._values = None

    def _add(self, values: t.Mapping[str, tuple[str, bool]]) -> None:
        path, path_is_pattern = values.get("path", ("", False))
        name, name_is_pattern = values.get("filename", ("", False))
        if "filepath" in values:
            name, name_is_pattern = values["filepath"]
            if not name_is_pattern:
                path, _slash, name = name.rpartition("/")
            else:
                path = _folder_of(name)
        elif path_is_pattern:
            path = re.sub(r"\\(.)", r"\1", path.strip("^$")) if _LITERAL.fullmatch(path.rstrip("$")) else ""
        if path and name and "\n" not in path + name:
            self.found.add(f"{path}\n^{name.lstrip('^')}" if name_is_pattern else f"{path}\n{name}")


def _folder_of(pattern: str) -> str:
    """The folder that every path matching the pattern lies in, as far as the pattern is literal."""
    match = t.cast("re.Match[str]", _LITERAL.match(pattern))
    literal = re.sub(r"\\(.)", r"\1", match[1]) if not re.search(r"\\[a-zA-Z0-9]", match[1]) else ""
    return literal.rpartition("/")[0]


class HasTexts(t.Protocol):
    """Content that knows the files it reads."""

    @property
    def texts(self) -> list[str]: ...


class Texts:
    """The files of one root that content reads."""

    def __init__(self, root: str, infos: t.Iterable[HasTexts]) -> None:
        self._root = root
        self._wanted = sorted({text for info in infos for text in info.texts})
        self._astray: set[str] = set()

    def relink(self) -> None:
        """Make absolute links on the way to these files relative, in the throw-away root.

        oscap puts the root's path in front of a file's and lets the kernel follow its links: an absolute one leads out
        of the root, and the file is taken for absent.
        """
        for path in sorted(self._paths()):
            if not relink_in_root(self._root, path):
                self._astray.add(path)

    def check(self) -> Check:
        """The check `texts`: every file that is read can be read whole."""
        paths = sorted(self._paths())
        hiding = [f"{path} (its link leads out of the image)" for path in paths if path in self._astray]
        for path in paths[:_MAX_FILES]:
            why = _why(self._root, path)
            if why:
                hiding.append(f"{path} ({why})")
        if len(paths) > _MAX_FILES:
            hiding.append(f"more than {_MAX_FILES} files: the others were not looked at")
        if hiding:
            return Check("texts", False, f"hidden from the textfilecontent54 probe: {', '.join(hiding[:_SHOWN])}")
        return Check("texts", True, f"none of the {len(paths)} files that the content names hides lines")

    def _paths(self) -> set[str]:
        listed: dict[str, list[str]] = {}
        paths: set[str] = set()
        for text in self._wanted:
            folder, _newline, name = text.partition("\n")
            if name.startswith("^"):
                if folder not in listed:
                    listed[folder] = list_in_root(self._root, folder)
                paths.update(_matching(folder, name, listed[folder]))
            else:
                paths.add(f"{folder}/{name}")
        return paths


def _matching(folder: str, pattern: str, names: t.Sequence[str]) -> t.Iterator[str]:
    whole = pattern.startswith("^/")
    try:
        compiled = re.compile(pattern)
    except (re.error, RecursionError):
        compiled = re.compile("")
    for name in names:
        path = f"{folder}/{name}"
        if compiled.search(path if whole else name):
            yield path


def _why(root: str, path: str) -> str:
    """Why oscap would not read the file whole; empty where it does, or where there is none."""
    mode = stat_in_root(root, path)
    if mode is None or stat.S_ISDIR(mode):
        return ""
    if not stat.S_ISREG(mode):
        return "a FIFO" if stat.S_ISFIFO(mode) else "a device or socket"
    try:
        data = read_in_root(root, path, MAX_BYTES)
    except ScapError:
        return f"larger than {MAX_BYTES // 1024 // 1024} MiB"
    if data is None:
        return "it cannot be opened"
    if data.startswith(_MARKS):
        return "a byte order mark"
    return "a NUL byte" if b"\0" in data else ""
