# Copyright (c) 2026, scap.images contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A scap_dir of our own making: evidences, results, what discovery and marking leave."""

from __future__ import annotations

import dataclasses
import hashlib
import os
import pathlib
import random
import typing as t

from ansible_collections.scap.images.plugins.module_utils.files import sha256_file, write_json, write_jsonl
from ansible_collections.scap.images.plugins.module_utils.model import (
    Check,
    Content,
    Evidence,
    Image,
    Mark,
    OperatingSystem,
    Reason,
    Results,
    RuleResult,
    ScanInfo,
    StoredFile,
    Vulnerability,
    Workload,
    to_json,
)

RULE = "xccdf_org.example.content_rule_"
SYSTEMS = (("debian", "11"), ("debian", "12"), ("rhel", "8.10"), ("rhel", "9.4"), ("ubuntu", "22.04"))


def digest(text: object) -> str:
    return f"sha256:{hashlib.sha256(str(text).encode()).hexdigest()}"


def coverage(*, feeds: int = 0, rules: bool = True) -> list[Check]:
    names = ["digest", "packages", "probe_file", "os", "stderr", "exit_status"]
    names += ["content"] * (feeds + rules) + ["rules"] * rules + ["definitions"] * feeds
    return [Check(name, True, f"{name}: as it should be") for name in names]


def evidence(name: object = "web", **changes: t.Any) -> Evidence:
    """A whole evidence of an image with a profile evaluated; `feeds` and `rules` as in coverage()."""
    feeds, rules = changes.pop("feeds", 0), changes.pop("rules", True)
    content = [Content("datastream", "ssg-debian11-ds.xml", "xccdf_org.example_profile_standard", "a" * 64)] * rules
    feed = Content("oval", "debian.oval.xml", "", "b" * 64, generated_at="2026-11-20T00:00:00Z")
    values: dict[str, t.Any] = {
        "reference": f"docker://registry.example:5000/shop/{name}:1",
        "digest": digest(name),
        "platform": "linux/amd64",
        "os": OperatingSystem("debian", "11", "Debian GNU/Linux 11 (bullseye)"),
        "scan": ScanInfo("local", "storage", "1.3.7", 1.4),
        "scanned_at": "2026-11-22T10:00:00Z",
        "content": [*content, *[feed] * feeds],
        "coverage": coverage(feeds=feeds, rules=rules),
        "packages": 126,
        "package_manager": "dpkg (status)",
    }
    values.update(changes)
    return Evidence(**values)


def rule(name: str, result: str = "fail", severity: str = "high", **changes: t.Any) -> RuleResult:
    return RuleResult(RULE + name, result, severity, title=changes.pop("title", f"Title of {name}"), **changes)


def vulnerability(number: int, severity: str = "high", **changes: t.Any) -> Vulnerability:
    values: dict[str, t.Any] = {
        "title": f"DSA-{number} package{number} security update",
        "cves": [f"CVE-2026-{number:05d}"],
        "packages": [f"package{number}"],
        "fixed_in": ["0:1.2-3"],
        "issued": "2026-01-05",
    }
    values.update(changes)
    return Vulnerability(f"oval:org.example:def:{number}", severity, **values)


def results(*rules: RuleResult, vulnerabilities: t.Sequence[Vulnerability] = (), **changes: t.Any) -> Results:
    """Results whose counts agree with what they hold; one rule passes always, so that something was evaluated."""
    every = [rule("always", "pass", "low"), *rules]
    counts: dict[str, int] = {}
    for entry in every:
        counts[entry.result] = counts.get(entry.result, 0) + 1
    values: dict[str, t.Any] = {
        "rules": every,
        "rule_counts": counts,
        "vulnerabilities": list(vulnerabilities),
        "definition_counts": {"true": len(vulnerabilities), "false": 5},
    }
    values.update(changes)
    return Results(**values)


def store(root: pathlib.Path, found: Evidence, record: Results | None, key: str = "0123456789ab") -> pathlib.Path:
    """Write one evidence as a scan does; its folder."""
    name = found.digest.rpartition(":")[2] or hashlib.sha256(found.reference.encode()).hexdigest()
    folder = root / "evidence" / name / key
    folder.mkdir(parents=True, exist_ok=True)
    files = []
    if record is not None:
        path = folder / "results.json.gz"
        write_json(str(path), to_json(record))
        files = [StoredFile(path.name, sha256_file(str(path)), path.stat().st_size)]
    write_json(str(folder / "evidence.json"), to_json(dataclasses.replace(found, files=files)))
    return folder


def many(root: pathlib.Path, number: int, seed: int = 7, findings: int = 12) -> None:
    """A fleet of `number` images with what a real one has: errors, waived ones, shared findings, workloads, marks."""
    chance = random.Random(seed)
    pool = [rule(f"rule_{place}", severity=chance.choice(["high", "medium", "medium", "low"])) for place in range(120)]
    prose = "Without it an attacker who has a foothold can read what others wrote. " * 4
    pool = [
        dataclasses.replace(entry, rationale=prose, fix="chmod 0600 /etc/file", description=prose) for entry in pool
    ]
    feed = [vulnerability(place, chance.choice(["critical", "high", "medium", "low"])) for place in range(600)]
    images, marks = [], []
    for place in range(number):
        name = f"{chance.choice(['web', 'db', 'queue', 'mail', 'auth'])}-{place}"
        os_ = OperatingSystem(*chance.choice(SYSTEMS))
        found = evidence(name, os=os_, feeds=1)
        kind = chance.random()
        record: Results | None = None
        if kind < 0.05:
            found = dataclasses.replace(found, error=Reason("registry_unauthorized", f"{found.reference}: 401"))
        elif kind < 0.08:
            found = dataclasses.replace(found, not_applicable=Reason("no_content", "no SCAP content for this system"))
        elif kind < 0.12:
            bad = Check("packages", False, "oscap sees 0 of 126 packages")
            found = dataclasses.replace(found, coverage=[*found.coverage[:1], bad, *found.coverage[2:]])
            record = results()
        elif kind < 0.45:
            record = results(*[dataclasses.replace(entry, result="pass") for entry in pool[:40]])
        else:
            some = chance.sample(pool, min(findings, len(pool)))
            record = results(*some, vulnerabilities=chance.sample(feed, findings))
        store(root, found, record)
        space = f"team-{place % 23}"
        where = [Workload("Deployment", space, name, "main", chance.random() < 0.7)]
        images.append(Image(found.reference, found.digest, "linux/amd64", [found.reference], workloads=where))
        if place % 3 == 0:
            blocked = "proven" if place % 2 else "unproven"
            mark = Mark(
                found.digest, found.reference, "non_compliant", "deny", True, blocked, True, "2026-11-22T11:00:00Z"
            )
            marks.append(mark)
    write_jsonl(os.path.join(root, "images.jsonl"), map(to_json, images))
    write_jsonl(os.path.join(root, "marks.jsonl"), map(to_json, marks))
    stopped = [image for image in images[::9] if image.workloads[0].running]
    workloads = [stops(image.workloads[0].namespace, image.workloads[0].name, image.reference) for image in stopped]
    write_json(os.path.join(root, "blast.json"), blast(number, workloads))


def stops(namespace: str, name: str, image: str) -> dict[str, t.Any]:
    """A workload of a blast radius."""
    return {"kind": "Deployment", "namespace": namespace, "name": name, "pods": 1, "images": [image], "digests": []}


def blast(running: int, workloads: list[dict[str, t.Any]]) -> dict[str, t.Any]:
    """A blast radius as marking keeps it."""
    return {"running": running, "stopped": len(workloads), "percent": 1.0, "workloads": workloads}
