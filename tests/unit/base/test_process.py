"""Programs: bounded in time and output, ended with all their children."""

from __future__ import annotations

import os
import pathlib
import resource
import subprocess
import sys

import pytest
from ansible_collections.scap.images.plugins.module_utils import process
from ansible_collections.scap.images.plugins.module_utils.model import ScapError


def test_output_and_status() -> None:
    done = process.run(
        [sys.executable, "-c", "import sys; print(sys.stdin.read()); sys.exit(3)"], timeout=30, stdin=b"hello"
    )
    assert (done.stdout, done.returncode, done.timed_out) == (b"hello\n", 3, False)


def test_the_whole_group_ends_at_the_time_limit(tmp_path: pathlib.Path) -> None:
    note = tmp_path / "pid"
    done = process.run(["sh", "-c", f"sleep 600 & echo $! > {note}; wait"], timeout=1)
    assert done.timed_out
    child = int(note.read_text())
    state = pathlib.Path(f"/proc/{child}/stat")
    assert not state.exists() or state.read_text().split()[2] == "Z"


def test_output_is_bounded() -> None:
    done = process.run([sys.executable, "-c", "print('x' * 1000000)"], timeout=30, output_limit=1000)
    assert len(done.stdout) == 1000
    assert done.truncated


def test_a_large_input_to_a_program_that_does_not_read() -> None:
    assert process.run(["true"], timeout=30, stdin=b"x" * 1_000_000).returncode == 0


def test_limits_hold() -> None:
    code = "import resource; print(resource.getrlimit(resource.RLIMIT_CORE))"
    done = process.run([sys.executable, "-c", code], timeout=30, limits={resource.RLIMIT_CORE: 0})
    assert done.stdout == b"(0, 0)\n"


def test_a_missing_program_is_a_clear_error() -> None:
    with pytest.raises(ScapError, match="install it"):
        process.run(["no-such-program-here"], timeout=1, env=dict(os.environ))


def test_a_program_that_is_to_end_may_end_what_it_started_in_a_session_of_its_own(tmp_path: pathlib.Path) -> None:
    note = tmp_path / "pid"
    code = (
        "import os, signal, subprocess, sys\n"
        "child = subprocess.Popen(['sleep', '600'], start_new_session=True)\n"
        "signal.signal(signal.SIGTERM, lambda *_given: (child.kill(), child.wait(), os._exit(0)))\n"
        f"open({str(note)!r}, 'w').write(str(child.pid))\n"
        "while True: signal.pause()\n"
    )

    def watch() -> None:
        if note.exists() and note.read_text():
            raise ScapError("interrupted", "enough")

    with pytest.raises(ScapError, match="enough"):
        process.run([sys.executable, "-c", code], timeout=60, watch=watch)
    assert not pathlib.Path(f"/proc/{note.read_text()}").exists()


def test_a_program_that_does_not_end_when_asked_is_killed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(process, "GRACE_SECONDS", 0.1)
    done = process.run(["sh", "-c", "trap '' TERM; while :; do sleep 1; done"], timeout=1)
    assert done.timed_out
    assert done.returncode == -9


def test_a_program_whose_end_another_thread_has_seen() -> None:
    """As zstd's is where the thread that reads it waits for it."""
    program = subprocess.Popen(["true"], start_new_session=True)
    os.waitpid(program.pid, 0)
    process.end_group(program)
    assert program.returncode is not None
