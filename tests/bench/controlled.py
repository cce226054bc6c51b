# Copyright (c) 2026, scap.images contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A controller of scans in the cluster as a process of its own, and what it took."""

from __future__ import annotations

import dataclasses
import json
import os
import pathlib
import sys
import tempfile
import time
import typing as t

from ansible_collections.scap.images.plugins.module_utils.model import Image
from ansible_collections.scap.images.plugins.module_utils.scan.interface import Settings
from ansible_collections.scap.images.plugins.module_utils.scan.kubernetes_setup import CONTROLLER

from tests.support import scanning

TICKS = os.sysconf("SC_CLK_TCK")
_SAMPLE_SECONDS = 1.0


@dataclasses.dataclass(frozen=True)
class Controlled:
    """What one run of a controller took."""

    seconds: float
    share: float
    """Its processor time, of all that the machine was busy."""
    megabytes: float
    """Its memory at most."""


def controlled(
    place: scanning.Scanning,
    settings: Settings,
    images: t.Sequence[Image],
    *,
    options: t.Mapping[str, t.Any] | None = None,
    sample: t.Callable[[], None] | None = None,
) -> Controlled:
    """`options`: more of Scanning.orders; `sample` is called once a second while it runs."""
    with tempfile.NamedTemporaryFile("w", suffix=".json") as stream:
        stream.write(place.orders(images, settings, **(options or {})))
        stream.flush()
        busy, started = _busy(), time.monotonic()
        argv = [sys.executable, "-m", "tests.support.controller", stream.name]
        pid = os.posix_spawn(sys.executable, argv, dict(os.environ))
        ended = 0
        while sample is not None and not ended:
            time.sleep(_SAMPLE_SECONDS)
            sample()
            ended, status, usage = os.wait4(pid, os.WNOHANG)
        if not ended:
            _pid, status, usage = os.wait4(pid, 0)
        seconds, busy = time.monotonic() - started, _busy() - busy
    found = stored(settings)
    if status != 0 or found < len(images):
        raise AssertionError(f"the controller ended with {status}, {found} of {len(images)} images")
    share = (usage.ru_utime + usage.ru_stime) / busy
    return Controlled(seconds, share, usage.ru_maxrss / 1000)


def stored(settings: Settings) -> int:
    """Images that have evidence."""
    folder = pathlib.Path(settings.evidence)
    return sum(not name.startswith(".") for name in os.listdir(folder)) if folder.is_dir() else 0


def requests(place: scanning.Scanning) -> list[str]:
    """The times (RFC 3339) of all requests that the controller's account has made."""
    user = f'"username":"system:serviceaccount:{place.namespace}:{CONTROLLER}"'
    times = []
    for path in place.cluster.place.logs.glob("audit*.log"):
        with path.open(errors="replace") as log:
            for line in log:
                if user in line and '"stage":"RequestReceived"' in line:
                    times.append(str(json.loads(line)["requestReceivedTimestamp"]))
    return times


def _busy() -> float:
    """Seconds that the processors of this machine have worked."""
    user, nice, system, _idle, _wait, interrupts, soft = map(
        int, pathlib.Path("/proc/stat").read_text().split("\n", 1)[0].split()[1:8]
    )
    return (user + nice + system + interrupts + soft) / TICKS
