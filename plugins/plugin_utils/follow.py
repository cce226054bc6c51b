# Copyright (c) 2026, scap.images contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Shows, while a module works, how far it is: one line every few seconds, never the same line twice."""

from __future__ import annotations

import contextlib
import os
import signal
import threading
import typing as t

from ansible_collections.scap.images.plugins.module_utils.files import read_json
from ansible_collections.scap.images.plugins.module_utils.model import J, ScapError

EVERY = 5.0
"""Seconds between two lines."""


def line(progress: J, verb: str) -> str:
    """One line of progress; empty before the first has ended, but for what an interrupted run left."""
    done, total, seconds = progress["done"], progress["total"], progress["seconds"]
    if not done:
        return continued(progress["continues"]) if progress.get("continues") else ""
    rate = done / seconds if seconds else 0.0
    left = f", {(total - done) / rate:.0f} s left" if rate and done < total else ""
    parts = [f"{progress['failed']} failed"] if progress["failed"] else []
    parts += [f"{progress['reused']} known"] if progress["reused"] else []
    extra = f" ({', '.join(parts)})" if parts else ""
    count = f"{done} of {total}" if total else str(done)
    return f"{verb} {count}{extra}, {rate * 3600:.0f} an hour{left}: {progress['last']}"


def continued(before: J) -> str:
    """What is said where the run before was interrupted."""
    done = f"{before['done']} of {before['total']}"
    return f"the run before was interrupted after {done} images; this one goes on from there"


class Follower:
    """Follows a progress file until it is closed; a context manager."""

    def __init__(self, show: t.Callable[[str], object], path: str, verb: str) -> None:
        self._show, self._path, self._verb = show, path, verb
        self._ended = threading.Event()
        self._thread = threading.Thread(target=self._follow, daemon=True)
        self._shown: list[str] = []

    def __enter__(self) -> Follower:
        self._thread.start()
        return self

    def __exit__(self, *_error: object) -> None:
        self._ended.set()
        self._thread.join()

    def once(self, text: str) -> None:
        """Show a line that has not been shown yet."""
        if text not in self._shown:
            self._shown.append(text)
            self._show(text)

    def _follow(self) -> None:
        while not self._ended.wait(EVERY):
            with contextlib.suppress(ScapError, KeyError):
                now = line(read_json(self._path, limit=65536), self._verb)
                if now and now not in self._shown[-1:]:
                    self._shown = [*self._shown[:1], now]
                    self._show(now)


@contextlib.contextmanager
def told_when_interrupted(text: t.Callable[[], str]) -> t.Iterator[None]:
    """Whoever interrupts the run is told `text()`, before Ansible ends the module.

    Ansible's own display is closed by then, and the worker's standard output is not the user's: it goes to that of the
    process that started the worker, which is opened at once, since that process may end first.
    """
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    with contextlib.ExitStack() as opened:
        out: t.TextIO | None = None
        with contextlib.suppress(OSError):
            out = opened.enter_context(open(f"/proc/{os.getppid()}/fd/1", "a", encoding="utf-8"))

        def interrupted(number: int, frame: t.Any) -> None:
            with contextlib.suppress(OSError):
                if out is not None:
                    out.write(f"\n{text()}\n")
                    out.flush()
            signal.signal(number, before)
            if callable(before):
                before(number, frame)
            else:
                os.kill(os.getpid(), number)

        before = signal.getsignal(signal.SIGINT)
        signal.signal(signal.SIGINT, interrupted)
        try:
            yield
        finally:
            signal.signal(signal.SIGINT, before)
