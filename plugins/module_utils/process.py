# Copyright (c) 2026, scap.images contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The one place that starts programs: no shell, a time limit, bounded output, its whole process group ended."""

from __future__ import annotations

import contextlib
import dataclasses
import functools
import os
import resource
import selectors
import signal
import subprocess
import time
import typing as t

from .model import ScapError

GRACE_SECONDS = 5.0
"""What a program that is to end may take to end others."""
_WATCH_SECONDS = 0.2


@dataclasses.dataclass(frozen=True)
class Completed:
    """How a program ended."""

    argv: list[str]
    returncode: int
    """Negative: the signal that ended it."""
    stdout: bytes
    """The first `output_limit` bytes."""
    stderr: bytes
    """The last `output_limit` bytes."""
    seconds: float
    timed_out: bool
    truncated: bool
    """Whether stdout or stderr was longer than what is kept."""

    @property
    def error(self) -> str:
        """The last lines of stderr as one readable line."""
        text = self.stderr.decode("utf-8", "replace").strip()
        return " | ".join(line.strip() for line in text.splitlines()[-4:] if line.strip())


def run(
    argv: t.Sequence[str],
    *,
    timeout: float,
    env: t.Mapping[str, str] | None = None,
    cwd: str | None = None,
    stdin: bytes = b"",
    output_limit: int = 16 * 1024 * 1024,
    pass_fds: t.Sequence[int] = (),
    limits: t.Mapping[int, int] | None = None,
    watch: t.Callable[[], None] | None = None,
) -> Completed:
    """Run `argv` to its end, or end its process group after `timeout` seconds.

    `limits` maps resource.RLIMIT_... to what the program may use. `watch` is called while it runs, several times a
    second; what it raises ends the program.

    Raises ScapError (`program_missing`) where the program is not there; an exit status is the
    caller's to judge.
    """
    started = time.monotonic()
    try:
        process = subprocess.Popen(  # pylint: disable=consider-using-with
            list(argv),
            stdin=subprocess.PIPE if stdin else subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            env=None if env is None else dict(env),
            cwd=cwd,
            start_new_session=True,
            pass_fds=pass_fds,
            preexec_fn=functools.partial(limit, limits) if limits and not _is_limited(limits) else None,  # noqa: PLW1509
        )
    except (FileNotFoundError, PermissionError) as error:
        raise ScapError("program_missing", f"{argv[0]} cannot be started: {error.strerror}; install it") from error
    try:
        stdout, stderr, truncated, timed_out = _collect(process, stdin, started + timeout, output_limit, watch)
    except BaseException:
        end_group(process)
        raise
    if timed_out:
        end_group(process)
    return Completed(
        argv=list(argv),
        returncode=process.wait(),
        stdout=stdout,
        stderr=stderr,
        seconds=time.monotonic() - started,
        timed_out=timed_out,
        truncated=truncated,
    )


def end_group(process: subprocess.Popen[bytes]) -> None:
    """End a program that `run` or a caller started in a session of its own, with all its children.

    It is asked first, so that it can end what it started in sessions of their own, and killed where it goes on.
    """
    for number in (signal.SIGTERM, signal.SIGKILL):
        with contextlib.suppress(ProcessLookupError, PermissionError):
            os.killpg(process.pid, number)
        if number == signal.SIGTERM and process.returncode is None:
            _await_end(process.pid, time.monotonic() + GRACE_SECONDS)
    process.wait()
    for stream in (process.stdin, process.stdout, process.stderr):
        if stream is not None:
            with contextlib.suppress(OSError):
                stream.close()


def _await_end(pid: int, deadline: float) -> None:
    """Wait for a child's end, and leave it as it is: its number stays its own while its group is ended.

    Another thread may have waited for it already.
    """
    with contextlib.suppress(ChildProcessError):
        while os.waitid(os.P_PID, pid, os.WEXITED | os.WNOHANG | os.WNOWAIT) is None and time.monotonic() < deadline:
            time.sleep(0.01)


def limit(limits: t.Mapping[int, int]) -> None:
    """Let this process and what it starts use no more; where that is done, `run` need not do it for each program."""
    for kind, amount in limits.items():
        hard = resource.getrlimit(kind)[1]
        allowed = amount if hard == resource.RLIM_INFINITY else min(amount, hard)
        resource.setrlimit(kind, (allowed, allowed))


def _is_limited(limits: t.Mapping[int, int]) -> bool:
    return all(0 <= resource.getrlimit(kind)[1] <= amount for kind, amount in limits.items())


def _collect(
    process: subprocess.Popen[bytes],
    stdin: bytes,
    deadline: float,
    limit: int,
    watch: t.Callable[[], None] | None,
) -> tuple[bytes, bytes, bool, bool]:
    stdout, stderr = t.cast("t.IO[bytes]", process.stdout), t.cast("t.IO[bytes]", process.stderr)
    out, err, truncated = bytearray(), bytearray(), False
    waiting = memoryview(stdin)
    with selectors.DefaultSelector() as selector:
        selector.register(stdout, selectors.EVENT_READ)
        selector.register(stderr, selectors.EVENT_READ)
        if process.stdin is not None:
            os.set_blocking(process.stdin.fileno(), False)
            selector.register(process.stdin, selectors.EVENT_WRITE)
        while selector.get_map():
            left = deadline - time.monotonic()
            if left <= 0:
                return bytes(out), bytes(err), truncated, True
            if watch is not None:
                watch()
                left = min(left, _WATCH_SECONDS)
            for key, _unused in selector.select(left):
                if key.fileobj is process.stdin:
                    waiting = _feed(process, waiting)
                    if not waiting:
                        selector.unregister(key.fileobj)
                        _close(process.stdin)
                    continue
                block = os.read(key.fd, 65536)
                if not block:
                    selector.unregister(key.fileobj)
                    _close(t.cast("t.IO[bytes]", key.fileobj))
                elif key.fileobj is stdout:
                    truncated = truncated or len(out) + len(block) > limit
                    out += block[: max(0, limit - len(out))]
                else:
                    err += block
                    if len(err) > 2 * limit:
                        truncated = True
                        del err[:-limit]
    try:
        process.wait(max(0.0, deadline - time.monotonic()))
    except subprocess.TimeoutExpired:
        return bytes(out), bytes(err), truncated, True
    return bytes(out), bytes(err), truncated, False


def _feed(process: subprocess.Popen[bytes], waiting: memoryview) -> memoryview:
    try:
        return waiting[os.write(t.cast("t.IO[bytes]", process.stdin).fileno(), waiting[:65536]) :]
    except BlockingIOError:
        return waiting
    except BrokenPipeError:
        return memoryview(b"")


def _close(stream: t.IO[bytes] | None) -> None:
    if stream is not None:
        with contextlib.suppress(OSError):
            stream.close()
