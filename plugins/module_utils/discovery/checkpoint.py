# Copyright (c) 2026, scap.images contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What an earlier run read, kept in `scap_dir/discovery`: lists with resourceVersions, digests with validators.

A checkpoint is an optimisation only: what is missing, damaged, of another server or of another release counts as never
written, and the source is read in full.
"""

from __future__ import annotations

import contextlib
import hashlib
import itertools
import os
import typing as t

from ..files import dumps, read_jsonl, write_jsonl
from ..model import ScapError

BATCH = 200
"""Rows of one line."""

FORMAT = 1
"""Changes whenever the rows of any source change their shape."""


class Checkpoints:
    """The checkpoints of one `scap_dir`; without a folder it remembers nothing."""

    def __init__(self, folder: str | None, writable: bool = True) -> None:
        self.folder = os.path.join(folder, "discovery") if folder else None
        self.writable = writable

    def load(self, identity: t.Mapping[str, t.Any]) -> tuple[dict[str, t.Any], dict[str, t.Any]] | None:
        """(state, rows by key) as `save` got them, or None."""
        path = self._path(identity)
        if path is None or not os.path.isfile(path):
            return None
        try:
            lines = read_jsonl(path)
            head = next(lines)
            if head.get("identity") != self._identity(identity):
                return None
            rows = {str(key): row for batch in lines for key, row in batch}
            if len(rows) != head.get("rows"):
                return None
            return dict(head["state"]), rows
        except (ScapError, StopIteration, AttributeError, LookupError, TypeError, ValueError):
            return None

    def save(self, identity: t.Mapping[str, t.Any], state: t.Mapping[str, t.Any], rows: t.Mapping[str, t.Any]) -> None:
        """Keep `state` (small) and `rows` (JSON values by key) until the next run; written whole, mode 0600."""
        path = self._path(identity)
        if path is None or not self.writable:
            return
        os.makedirs(os.path.dirname(path), mode=0o700, exist_ok=True)
        head = {"identity": self._identity(identity), "state": dict(state), "rows": len(rows)}
        write_jsonl(path, self._lines(head, rows))

    def forget(self, identity: t.Mapping[str, t.Any]) -> None:
        path = self._path(identity)
        if path is not None and self.writable:
            with contextlib.suppress(FileNotFoundError):
                os.unlink(path)

    @staticmethod
    def _lines(head: t.Any, rows: t.Mapping[str, t.Any]) -> t.Iterator[t.Any]:
        yield head
        pairs = iter(rows.items())
        while batch := list(itertools.islice(pairs, BATCH)):
            yield batch

    @staticmethod
    def _identity(identity: t.Mapping[str, t.Any]) -> dict[str, t.Any]:
        return {**identity, "format": FORMAT}

    def _path(self, identity: t.Mapping[str, t.Any]) -> str | None:
        if self.folder is None:
            return None
        name = hashlib.sha256(dumps(self._identity(identity))).hexdigest()[:16]
        return os.path.join(self.folder, f"{name}.jsonl")
