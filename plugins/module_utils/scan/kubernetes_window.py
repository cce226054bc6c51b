# Copyright (c) 2026, scap.images contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""How many Jobs there are at a time: narrower where the cluster has no room, wider again while it has."""

from __future__ import annotations

import contextlib
import threading
import typing as t


class Window:
    """Begins with one, so that the first image finds the rung, and is wide open after the first success.

    Once the cluster has refused, it opens by one after as many successes as it has places.
    """

    def __init__(self, limit: int) -> None:
        self.limit = max(1, limit)
        self._size = 1
        self._used = 0
        self._successes = 0
        self._narrowed = False
        self._closed = False
        self._changed = threading.Condition()
        self._closers: set[t.Callable[[], None]] = set()

    @contextlib.contextmanager
    def place(self) -> t.Iterator[bool]:
        """A place for one Job; False where the window was closed while it was waited for."""
        with self._changed:
            self._changed.wait_for(lambda: self._closed or self._used < self._size)
            given = not self._closed
            self._used += given
        try:
            yield given
        finally:
            with self._changed:
                self._used -= given
                self._changed.notify_all()

    def widen(self) -> None:
        """A scan has succeeded."""
        with self._changed:
            self._successes += 1
            if not self._narrowed:
                self._size = self.limit
            elif self._successes >= self._size:
                self._successes = 0
                self._size = min(self.limit, self._size + 1)
            self._changed.notify_all()

    def narrow(self) -> None:
        """By half: the cluster is overloaded."""
        self._shrink(self._size // 2)

    def refused(self) -> None:
        """To what the cluster has taken: it refused one of those that have a place."""
        self._shrink(self._used - 1)

    def _shrink(self, size: int) -> None:
        with self._changed:
            self._size = max(1, min(self._size, size))
            self._successes = 0
            self._narrowed = True

    def pause(self, seconds: float) -> None:
        """Until a place is given back, at most so many seconds."""
        with self._changed:
            used = self._used
            self._changed.wait_for(lambda: self._closed or self._used < used, seconds)

    @property
    def size(self) -> int:
        return self._size

    @property
    def closed(self) -> bool:
        return self._closed

    def close(self) -> None:
        """Give no place any more."""
        with self._changed:
            self._closed = True
            closers = list(self._closers)
            self._changed.notify_all()
        for closer in closers:
            closer()

    @contextlib.contextmanager
    def closes(self, closer: t.Callable[[], None]) -> t.Iterator[None]:
        """What has to be called when the window is closed meanwhile, so that nobody goes on waiting."""
        with self._changed:
            self._closers.add(closer)
        try:
            yield
        finally:
            with self._changed:
                self._closers.discard(closer)
