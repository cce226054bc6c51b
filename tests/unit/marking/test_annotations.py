"""The annotations of OpenShift Images."""

from __future__ import annotations

import json

import pytest
from ansible_collections.scap.images.plugins.module_utils.marking import annotations as words

from tests.support.marking_records import verdict

FOREIGN = {"openshift.io/image.managed": "true", "quality.images.openshift.io/vulnerability.clair": "{}"}


def test_a_bad_image_replaces_the_opposite_and_touches_nothing_else() -> None:
    good = words.wanted(verdict("a", "compliant"), False, "https://scap.example/a.html")
    assert good[words.DENY] == "false"
    present = {**FOREIGN, **good}
    change = words.patch(present, words.wanted(verdict("a"), True, "https://scap.example/a.html"))
    assert change[words.DENY] == "true"
    assert change[words.SUCCESSFUL] is None
    assert change[words.FAILED] == "default"
    assert not set(change) & set(FOREIGN)


@pytest.mark.parametrize("state", ["compliant", "non_compliant"])
def test_nothing_changes_twice(state: str) -> None:
    values = words.wanted(verdict("a", state), state != "compliant", "")
    assert words.patch({**FOREIGN, **values}, values) == {}


def test_a_milder_stage_writes_no_denial_that_a_plug_in_could_obey() -> None:
    values = words.wanted(verdict("a"), False, "")
    assert words.DENY not in values
    assert words.patch({words.DENY: "true", **FOREIGN}, values)[words.DENY] is None


def test_lifting_takes_exactly_ours() -> None:
    values = words.wanted(verdict("a"), True, "")
    assert words.patch({**FOREIGN, **values}, {}) == dict.fromkeys(values)
    assert words.patch(FOREIGN, {}) == {}


def test_the_documented_form() -> None:
    quality = json.loads(words.quality(verdict("a"), "https://scap.example/a.html"))
    assert set(quality) == {"name", "timestamp", "description", "reference", "compliant", "summary"}
    assert (quality["compliant"], quality["timestamp"]) == (False, "2026-11-20T10:00:00Z")
    assert [(one["label"], one["severityIndex"], one["data"]) for one in quality["summary"]] == [
        ("Critical", 3, "3"),
        ("Important", 2, "3"),
        ("Medium", 1, "4"),
        ("Low", 0, "5"),
    ]
