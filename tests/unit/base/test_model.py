"""The records: strict where a later step relies on them."""

from __future__ import annotations

import pytest
from ansible_collections.scap.images.plugins.module_utils import model

DIGEST = "sha256:" + "a" * 64


def _verdict() -> dict[str, object]:
    return model.to_json(
        model.Verdict(
            image=model.VerdictImage("docker://r/x:1", DIGEST, "linux/amd64", "debian 11"),
            state="compliant",
            reasons=[model.Reason("proven", "all checks passed")],
            rules={"pass": 3},
            severity={"high": 0},
            vulnerabilities=[],
            waived=[],
            packages=2,
            coverage=[model.Check("digest", True, "")],
            content=[model.Content("oval", "feed.xml", "", "0" * 64)],
            scan=model.ScanInfo("local", "storage", "1.3.7", 1),
            scanned_at="2026-01-01T00:00:00Z",
            judged_at="2026-01-01T00:00:00Z",
            policy=model.PolicyRef("default", "0" * 64),
        )
    )


def test_a_verdict_survives_json() -> None:
    data = _verdict()
    assert model.to_json(model.Verdict.from_json(data)) == data


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("state", "ok"),
        ("state", None),
        ("state", True),
        ("coverage", "all"),
        ("coverage", [{"check": "digest"}]),
        ("coverage", [{"check": "digest", "passed": "yes"}]),
        ("rules", {"pass": "3"}),
        ("rules", {"pass": True}),
        ("packages", "2"),
        ("image", None),
        ("policy", {}),
    ],
)
def test_a_damaged_verdict_is_refused(name: str, value: object) -> None:
    data = _verdict()
    data[name] = value
    with pytest.raises(model.RecordError):
        model.Verdict.from_json(data)


@pytest.mark.parametrize("digest", ["sha256:" + "A" * 64, "sha256:abc", "md5:" + "a" * 32, "a" * 64, DIGEST + "\n"])
def test_only_lower_case_sha256_is_a_digest(digest: str) -> None:
    assert not model.is_digest(digest)
    with pytest.raises(model.RecordError):
        model.Image.from_json({"reference": "x", "digest": digest})


def test_an_evidence_without_digest_must_be_an_error() -> None:
    data = {"reference": "x", "digest": "", "scan": {}, "scanned_at": "2026-01-01T00:00:00Z"}
    with pytest.raises(model.RecordError):
        model.Evidence.from_json(data)
    data["error"] = {"code": "registry_down", "message": "no answer"}
    assert model.Evidence.from_json(data).error is not None


@pytest.mark.parametrize("text", ["", "yesterday", "2026-01-01T00:00:00", "2026-13-01T00:00:00Z"])
def test_times_need_a_zone(text: str) -> None:
    with pytest.raises(model.RecordError):
        model.parse_time(text)
