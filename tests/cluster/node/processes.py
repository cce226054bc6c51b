# Copyright (c) 2026, scap.images contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Starts programs that outlive the caller, writes down which, and ends exactly those.

A process is known by its id and its start time (proc_pid_stat(5), field 22): an id that was given to somebody else
since is never ended.
"""

from __future__ import annotations

import contextlib
import dataclasses
import json
import os
import pathlib
import signal
import subprocess
import time
import typing as t

_GRACE = 10.0


@dataclasses.dataclass(frozen=True)
class Process:
    """One process that was started."""

    name: str
    pid: int
    start: int
    """Clock ticks after boot."""

    def alive(self) -> bool:
        found = started(self.pid)
        return found == self.start

    def send(self, number: int) -> None:
        if self.alive():
            with contextlib.suppress(ProcessLookupError):
                os.kill(self.pid, number)


def _stat(pid: int) -> list[str] | None:
    """The fields of /proc/PID/stat from the third on; None where there is no such process, or it is a zombie."""
    try:
        text = pathlib.Path(f"/proc/{pid}/stat").read_text()
    except (FileNotFoundError, ProcessLookupError):
        return None
    fields = text.rpartition(")")[2].split()
    return None if fields[0] in "ZX" else fields


def started(pid: int) -> int | None:
    """When the process was started, in clock ticks after boot; None where none runs."""
    fields = _stat(pid)
    return None if fields is None else int(fields[19])


class Ledger:
    """The processes of one cluster, in a file."""

    def __init__(self, path: pathlib.Path) -> None:
        self._path = path

    def read(self) -> list[Process]:
        try:
            return [Process(**entry) for entry in json.loads(self._path.read_text())]
        except FileNotFoundError:
            return []

    def get(self, name: str) -> Process | None:
        """The process of this name, where it runs."""
        return next((process for process in self.read() if process.name == name and process.alive()), None)

    def start(
        self, name: str, argv: t.Sequence[str], log: pathlib.Path, environment: t.Mapping[str, str] | None = None
    ) -> Process:
        """Start the program, unless it runs; its output goes to `log`."""
        running = self.get(name)
        if running is not None:
            return running
        with log.open("ab") as out:
            child = subprocess.Popen(
                argv, stdin=subprocess.DEVNULL, stdout=out, stderr=out, cwd="/", env=environment, start_new_session=True
            )
        start = started(child.pid)
        if start is None:
            raise RuntimeError(f"{name} ended at once:\n{tail(log)}")
        process = Process(name, child.pid, start)
        self._write([*(other for other in self.read() if other.name != name), process])
        return process

    def _write(self, processes: t.Sequence[Process]) -> None:
        part = self._path.with_suffix(".part")
        part.write_text(json.dumps([dataclasses.asdict(process) for process in processes]))
        part.rename(self._path)


def end(processes: t.Sequence[Process]) -> None:
    """Kill the processes and wait until they are gone."""
    for process in processes:
        process.send(signal.SIGKILL)
    deadline = time.monotonic() + _GRACE
    while left := [process for process in processes if process.alive()]:
        if time.monotonic() > deadline:
            names = ", ".join(f"{process.name} ({process.pid})" for process in left)
            raise RuntimeError(f"these processes do not end: {names}")
        time.sleep(0.02)


def with_argument(argument: str) -> list[Process]:
    """The processes that have this argument on their command line; give one that no other program can have."""
    wanted = argument.encode()
    found = []
    for pid in _all():
        with contextlib.suppress(OSError):
            words = pathlib.Path(f"/proc/{pid}/cmdline").read_bytes().split(b"\0")
            start = started(pid)
            if wanted in words and start is not None and pid != os.getpid():
                found.append(Process(words[0].decode(errors="replace"), pid, start))
    return found


def descendants(roots: t.Sequence[Process]) -> list[Process]:
    """The children of these processes, and theirs."""
    children: dict[int, list[Process]] = {}
    for pid in _all():
        fields = _stat(pid)
        if fields is not None:
            children.setdefault(int(fields[1]), []).append(Process("descendant", pid, int(fields[19])))
    found: list[Process] = []
    todo = list(roots)
    while todo:
        for child in children.get(todo.pop().pid, []):
            found.append(child)
            todo.append(child)
    return found


def _all() -> list[int]:
    return [int(entry) for entry in os.listdir("/proc") if entry.isdigit()]


def tail(log: pathlib.Path, size: int = 2000) -> str:
    """The end of a log."""
    return log.read_text(errors="replace")[-size:] if log.exists() else ""
