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
from ansible_collections.scap.images.plugins.module_utils.scanner.kept import keep
from ansible_collections.scap.images.plugins.module_utils.scanner.packages import read_inventory
from ansible_collections.scap.images.plugins.module_utils.scanner.program import PACKAGES

from tests.integration.inventory.lab import Lab
from tests.support import package_databases as made
from tests.support import red_hat_feed


def write(folder: pathlib.Path, work: pathlib.Path, images: int, packages: int, bases: int) -> None:
    """Evidences of `images` images below `folder`/evidence, which have one of `bases` sets of `packages` packages each;
    `work`: an empty folder."""
    kept = [_kept(work / f"base{number}", packages, number) for number in range(bases)]
    for number in range(images):
        digest = hashlib.sha256(f"image {number}".encode()).hexdigest()
        place = folder / "evidence" / digest / "000000000000"
        shutil.copytree(kept[number % bases], place)
        stored = [(path.name, str(path)) for path in sorted(place.iterdir())]
        evidence = Evidence(
            reference=f"docker://example.org/image-{number}:1",
            digest=f"sha256:{digest}",
            platform="linux/amd64",
            os=OperatingSystem("rhel", "8.4"),
            scan=ScanInfo("local", "storage", "1.3.7", 1.0),
            scanned_at=now(),
            content=[Content("oval", "older.xml", "", "0" * 64)],
            coverage=[Check("digest", True, "made")],
            packages=packages,
            package_manager="rpm (sqlite)",
        )
        files = [StoredFile(name, sha256_file(path), os.path.getsize(path)) for name, path in stored]
        write_json(str(place / "evidence.json"), to_json(dataclasses.replace(evidence, files=files)), durable=False)
    shutil.rmtree(work)
    work.mkdir()


def _kept(work: pathlib.Path, packages: int, seed: int) -> pathlib.Path:
    """The folder of an evidence's files, without evidence.json."""
    names = [name for source in red_hat_feed.SOURCES[red_hat_feed.UNUSUAL :] for name in source[:2]]
    some = random.Random(seed).sample(names, packages - 1)
    root, place = work / "root", work / "evidence"
    (root / "etc").mkdir(parents=True)
    place.mkdir()
    headers = [made.rpm_header("redhat-release", version="8.4"), *(made.rpm_header(name) for name in some)]
    made.sqlite_file(root / "var/lib/rpm/rpmdb.sqlite", headers)
    (root / "etc/os-release").write_text('ID="rhel"\nVERSION_ID="8.4"\n')
    (root / "etc/redhat-release").write_text("Red Hat Enterprise Linux release 8.4\n")
    Lab("1.3.7", root, work).prepare()
    inventory = read_inventory(str(root))
    problem = keep(str(root), inventory, ["/etc/redhat-release"], str(place))
    if problem or len(inventory.packages) != packages:
        raise AssertionError(problem or len(inventory.packages))
    write_json(str(place / PACKAGES), [to_json(package) for package in inventory.packages], durable=False)
    write_json(str(place / "results.json.gz"), to_json(Results(definition_counts={"false": 1})), durable=False)
    shutil.rmtree(root)
    return place
