# Copyright (c) 2026, scap.images contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The controller of scans in a cluster as a process of its own, so that a test can kill it.

One argument: a JSON file with `host`, `ca_cert`, `api_key`, `pods` (PodOptions), `images`, `settings` and
`canaries` (whether they are scanned).
"""

from __future__ import annotations

import contextlib
import json
import pathlib
import sys
import unittest.mock

from ansible_collections.scap.images.plugins.module_utils.kube.client import connect
from ansible_collections.scap.images.plugins.module_utils.model import Check, Image
from ansible_collections.scap.images.plugins.module_utils.scan import engine
from ansible_collections.scap.images.plugins.module_utils.scan.interface import Settings
from ansible_collections.scap.images.plugins.module_utils.scan.kubernetes import KubernetesExecutor, KubernetesOptions
from ansible_collections.scap.images.plugins.module_utils.scan.kubernetes_job import PodOptions
from ansible_collections.scap.images.plugins.module_utils.scanner.acquire.records import Access
from ansible_collections.scap.images.plugins.module_utils.store import CANARY_CHECK


def main(path: str) -> None:
    given = json.loads(pathlib.Path(path).read_text())
    client = connect({name: given[name] for name in ("host", "ca_cert", "api_key")})
    pods = PodOptions(**given["pods"])
    executor = KubernetesExecutor(client, KubernetesOptions(pods, Access(tls_verify=False)))
    images = [Image.from_json(entry) for entry in given["images"]]
    with contextlib.ExitStack() as stack:
        if not given["canaries"]:
            passed = Check(CANARY_CHECK, True, "not scanned in this run")
            stack.enter_context(unittest.mock.patch.object(engine, "prove", return_value=passed))
        for _scanned in engine.scan(images, executor, Settings(**given["settings"])):
            pass


if __name__ == "__main__":
    main(sys.argv[1])
