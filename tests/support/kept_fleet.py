# Copyright (c) 2026, scap.images contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A scap_dir with the evidences of many images, each with packages of its own, as scans would have left them."""

from __future__ import annotations

import dataclasses
import hashlib
import os
import pathlib
import random
import shutil

from ansible_collections.scap.images.plugins.module_utils.files import sha256_file, write_json
from ansible_collections.scap.images.plugins.module_utils.model import (
    Check,
    Content,
    Evidence,
    OperatingSystem,
    Results,
    ScanInfo,
    StoredFile,
    now,
    to_json,
)
from ansible_collections.scap.images.plugins.module_utils.scanner.kept import NAME, keep
from ansible_collections.scap.images.plugins.module_utils.scanner.packages import read_inventory
from ansible_collections.scap.images.plugins.module_utils.scanner.program import PACKAGES

from tests.integration.inventory.lab import Lab
from tests.support import package_databases as made
from tests.support import red_hat_feed


def write(folder: pathlib.Path, work: pathlib.Path, images: int, packages: int) -> None:
    """Evidences of `images` images with `packages` packages each below `folder`/evidence; `work`: an empty folder."""
    pick = random.Random(3)
    names = [name for source in red_hat_feed.SOURCES[red_hat_feed.UNUSUAL :] for name in source[:2]]
    for number in range(images):
        digest = hashlib.sha256(f"image {number}".encode()).hexdigest()
        root, place = work / "root", folder / "evidence" / digest / "000000000000"
        root.mkdir(parents=True)
        place.mkdir(parents=True)
        (root / "etc").mkdir()
        some = pick.sample(names, packages - 1)
        headers = [made.rpm_header("redhat-release", version="8.4"), *(made.rpm_header(name) for name in some)]
        made.sqlite_file(root / "var/lib/rpm/rpmdb.sqlite", headers)
        (root / "etc/os-release").write_text('ID="rhel"\nVERSION_ID="8.4"\n')
        (root / "etc/redhat-release").write_text("Red Hat Enterprise Linux release 8.4\n")
        Lab("1.3.7", root, work).prepare()
        inventory = read_inventory(str(root))
        problem = keep(str(root), inventory, ["/etc/redhat-release"], str(place))
        if problem:
            raise AssertionError(problem)
        write_json(str(place / PACKAGES), [to_json(package) for package in inventory.packages])
        results = Results(definition_counts={"false": 1})
        write_json(str(place / "results.json.gz"), to_json(results))
        evidence = Evidence(
            reference=f"docker://example.org/image-{number}:1",
            digest=f"sha256:{digest}",
            platform="linux/amd64",
            os=OperatingSystem("rhel", "8.4"),
            scan=ScanInfo("local", "storage", "1.3.7", 1.0),
            scanned_at=now(),
            content=[Content("oval", "older.xml", "", "0" * 64)],
            coverage=[Check("digest", True, "made")],
            packages=len(inventory.packages),
            package_manager="rpm (sqlite)",
        )
        stored = [(name, str(place / name)) for name in (NAME, PACKAGES, "results.json.gz")]
        files = [StoredFile(name, sha256_file(path), os.path.getsize(path)) for name, path in stored]
        write_json(str(place / "evidence.json"), to_json(dataclasses.replace(evidence, files=files)))
        shutil.rmtree(work)
        work.mkdir()
