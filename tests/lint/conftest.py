# Copyright (c) 2026, scap.images contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The linters begin with the session, as a process of their own with low priority, and run beside the other tests.

What passes is remembered for this tree (steps.KNOWN), so that the tests of the lint steps have their answers at once.
"""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
import sys
import typing as t

import pytest

from . import steps

_RUNNING = pytest.StashKey["subprocess.Popen[bytes]"]()


def selected(session: pytest.Session) -> set[str]:
    """The lint steps among the selected tests."""
    calls = [getattr(item, "callspec", None) for item in session.items]
    return {call.params["step"] for call in calls if call and "step" in call.params}


def pytest_collection_finish(session: pytest.Session) -> None:
    names = selected(session)
    if names and len(names) < len(session.items) and not session.config.option.collectonly:
        argv = ["nice", sys.executable, "-m", "tests.lint.run", *sorted(names)]
        session.config.stash[_RUNNING] = subprocess.Popen(
            argv,
            cwd=steps.ROOT,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            start_new_session=True,
        )


def pytest_sessionfinish(session: pytest.Session) -> None:
    process = session.config.stash.get(_RUNNING, None)
    if process is not None and process.poll() is None:
        with contextlib.suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGTERM)
        process.wait()


@pytest.fixture(scope="session")
def outcomes(request: pytest.FixtureRequest) -> t.Mapping[str, steps.Outcome]:
    """The outcomes of the selected steps; what did not pass beside the other tests is run once more, to be told."""
    process = request.config.stash.get(_RUNNING, None)
    if process is not None:
        process.wait()
    return steps.run(selected(request.session), lambda name, outcome: None)
