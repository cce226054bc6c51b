# Copyright (c) 2026, scap.images contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The one-node cluster of the tests: `run.py start`, `stop` or `status`, each with another folder if one is given."""

from __future__ import annotations

import pathlib
import sys
import time

ROOT = pathlib.Path(__file__).resolve().parent.parent.parent
sys.path.insert(0, str(ROOT))

from tests.cluster.node.down import stop
from tests.cluster.node.place import load
from tests.cluster.node.processes import Ledger
from tests.cluster.node.up import start


def main(arguments: list[str]) -> int:
    if not arguments or arguments[0] not in ("start", "stop", "status"):
        print("usage: run.py start|stop|status [FOLDER]", file=sys.stderr)
        return 2
    folder = pathlib.Path(arguments[1]).absolute() if len(arguments) > 1 else ROOT / "build" / "cluster"
    if arguments[0] == "start":
        began = time.monotonic()
        place = start(folder)
        print(f"ready after {time.monotonic() - began:.0f} s", file=sys.stderr)
        print(place.kubeconfig)
        return 0
    if arguments[0] == "stop":
        stop(folder)
        return 0
    return _status(folder)


def _status(folder: pathlib.Path) -> int:
    """Print each process and whether it runs; 0 where all of them do."""
    if load(folder) is None:
        print(f"no cluster in {folder}")
        return 1
    processes = Ledger(folder / "processes.json").read()
    for process in processes:
        print(f"{process.name:20} {process.pid:8} {'runs' if process.alive() else 'ended'}")
    return 0 if all(process.alive() for process in processes) else 1


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
