# Copyright (c) 2026, scap.images contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""How far a long step is: a small file that its action plugin reads while the module works."""

from __future__ import annotations

import collections
import contextlib
import os
import time

from .files import read_json, write_json
from .model import J, ScapError

SCAN, JUDGE, REPORT = "progress.json", "progress-judge.json", "progress-report.json"
"""Names of the files in scap_dir."""
_EVERY = 1.0
"""Seconds between two writes."""
_LIMIT = 65536


class Progress:
    """One step's progress file, a context manager. It goes when the step ends, and stays where it is interrupted.

    A file that cannot be written stops no step: people then see nothing until the end.
    """

    def __init__(self, folder: str, name: str, total: int = 0) -> None:
        """`total`: 0 where it is not known."""
        self._path = os.path.join(folder, name)
        self._total = total
        self._counts: collections.Counter[str] = collections.Counter()
        self._started = time.monotonic()
        self._next = 0.0
        self._last = ""
        self._continues = interrupted(folder, name)
        self._runs = False

    def __enter__(self) -> Progress:
        self._runs = True
        self._write()
        return self

    def __exit__(self, kind: type[BaseException] | None, _error: object, _trace: object) -> None:
        self._runs = False
        if kind is not None and not issubclass(kind, Exception):
            self._write()
            return
        with contextlib.suppress(OSError):
            os.unlink(self._path)

    def ended(self, last: str, *, failed: bool = False, reused: bool = False) -> None:
        """One more is done: `last`, as people know it."""
        self._counts["done"] += 1
        self._counts["failed"] += failed
        self._counts["reused"] += reused
        self._last = last
        if self._runs and time.monotonic() >= self._next:
            self._write()

    def _write(self) -> None:
        now = time.monotonic()
        self._next = now + _EVERY
        found: J = {
            "total": self._total,
            "done": self._counts["done"],
            "failed": self._counts["failed"],
            "reused": self._counts["reused"],
            "seconds": round(now - self._started, 1),
            "last": self._last,
        }
        if self._continues is not None:
            found["continues"] = self._continues
        with contextlib.suppress(OSError, ScapError):
            write_json(self._path, found)


def interrupted(folder: str, name: str = SCAN) -> J | None:
    """{done, total} of the run that was interrupted before this one; None where the last one came to its end."""
    with contextlib.suppress(ScapError, KeyError, TypeError, ValueError):
        found = read_json(os.path.join(folder, name), limit=_LIMIT)
        return {"done": int(found["done"]), "total": int(found["total"])}
    return None
