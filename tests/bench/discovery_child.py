# Copyright (c) 2026, scap.images contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What one discovery costs, in a process of its own: `python -m tests.bench.discovery_child`, its orders on stdin.

Prints {"load", "seconds", "cpu", "memory", "summary"} as JSON: seconds of loading the client, seconds and processor
seconds of the rest, peak MB of the process.
"""

from __future__ import annotations

import json
import resource
import sys
import time


def main() -> None:
    started = time.monotonic()
    from ansible_collections.scap.images.plugins.module_utils.kube.client import connect
    from ansible_collections.scap.images.plugins.module_utils.kube.library import openshift
    from ansible_collections.scap.images.plugins.modules.image_discover import ARGUMENTS, run

    orders = json.load(sys.stdin)
    openshift()
    loaded, spent = time.monotonic(), time.process_time()
    summary = {}
    if "raw" in orders:
        client = connect(orders["auth"])
        for path in orders["raw"]:
            _read_raw(client, path)
    else:
        defaults = {name: option.get("default") for name, option in ARGUMENTS.items()}
        summary = run({**defaults, **orders["auth"], **orders["options"]}, False)["summary"]
    answer = {
        "load": loaded - started,
        "seconds": time.monotonic() - loaded,
        "cpu": time.process_time() - spent,
        "memory": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024,
        "summary": summary,
    }
    print(json.dumps(answer))


def _read_raw(client, path):  # type: ignore[no-untyped-def]
    """The same pages as discovery asks for, read and thrown away."""
    token = ""
    while True:
        query = {"limit": 1000, **({"continue": token} if token else {})}
        data = client.request("GET", path, params=query).data
        place = data.find(b'"continue":"', 0, 4096)
        if place < 0:
            return
        token = data[place + 12 : data.index(b'"', place + 12)].decode()


if __name__ == "__main__":
    main()
