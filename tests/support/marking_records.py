"""Records that the tests of marking share."""

from __future__ import annotations

import hashlib
import typing as t

from ansible_collections.scap.images.plugins.module_utils.model import (
    Check,
    Content,
    Image,
    PolicyRef,
    Reason,
    ScanInfo,
    Verdict,
    VerdictImage,
)


def digest(text: object) -> str:
    return f"sha256:{hashlib.sha256(str(text).encode()).hexdigest()}"


def verdict(name: object, state: str = "non_compliant", **changes: t.Any) -> Verdict:
    values: dict[str, t.Any] = {
        "image": VerdictImage(
            f"docker://registry.example:5000/team/app-{name}:1", digest(name), "linux/amd64", "debian 11"
        ),
        "state": state,
        "reasons": [Reason("high_severity", "2 failed rules of high severity")],
        "rules": {"pass": 14, "fail": 3, "error": 0},
        "severity": {"critical": 1, "high": 2, "medium": 3, "low": 4, "unknown": 5},
        "vulnerabilities": [],
        "waived": [],
        "packages": 126,
        "coverage": [Check("packages", True, "126 of 126")],
        "content": [Content("datastream", "ssg-debian11-ds.xml", "xccdf_standard", "a" * 64)],
        "scan": ScanInfo("local", "storage", "1.3.7", 1.4),
        "scanned_at": "2026-11-20T10:00:00Z",
        "judged_at": "2026-11-20T10:00:05Z",
        "policy": PolicyRef("default", "b" * 64),
    }
    values.update(changes)
    return Verdict(**values)


def image(name: object, *references: str, indexes: t.Sequence[str] = ()) -> Image:
    first = references[0] if references else f"docker://registry.example:5000/team/app-{name}:1"
    return Image(reference=first, digest=digest(name), references=list(references), index_digests=list(indexes))
