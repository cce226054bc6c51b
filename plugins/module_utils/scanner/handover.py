# Copyright (c) 2026, scap.images contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What the controller starts in a scan pod: waits for the evidence, hands it over, passes the acknowledgement on.

Standard output: one line of JSON (what pod.py left in READY), then the archive's bytes. Standard input: one line, `ok`,
once the evidence is stored; anything else, or its end, leaves the evidence to be fetched again.
"""

from __future__ import annotations

import json
import os
import shutil
import sys
import time

from .places import ACKNOWLEDGED, ARCHIVE, READY

_POLL = 0.05


def main() -> int:
    while not os.path.exists(READY):
        time.sleep(_POLL)
    with open(READY, "rb") as ready:
        answer = json.loads(ready.read())
    sys.stdout.buffer.write(json.dumps(answer).encode() + b"\n")
    if "sha256" in answer:
        with open(ARCHIVE, "rb") as archive:
            shutil.copyfileobj(archive, sys.stdout.buffer, 1 << 18)
    sys.stdout.buffer.flush()
    if sys.stdin.readline() != "ok\n":
        return 1
    with open(ACKNOWLEDGED, "wb"):
        return 0
