"""What a person gives a marking run."""

from __future__ import annotations

import json
import pathlib
import typing as t

import pytest
from ansible_collections.scap.images.plugins.module_utils.marking import inputs
from ansible_collections.scap.images.plugins.module_utils.model import Mark, ScapError, to_json

from tests.support.marking_records import digest, image, verdict

GOOD = {"image": "quay.io/team/a:1", "owner": "ann", "reason": "soon gone", "expires": "2026-12-31"}


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"owner": " "}, "no owner"),
        ({"reason": ""}, "no reason"),
        ({"expires": "31.12.2026"}, "not a day"),
        ({"expires": None}, "not a day"),
        ({"namespaces": ["Shop Floor"]}, "Shop Floor"),
        ({"reason": "x" * 300}, "200 characters"),
        ({"image": "oci:/srv/image"}, "neither a digest nor a reference"),
        ({"image": "sha256:ABC"}, "is no digest"),
    ],
)
def test_an_exemption_needs_everything(change: dict[str, t.Any], said: str) -> None:
    with pytest.raises(ScapError, match=said):
        inputs.exemptions([{**GOOD, **change}])


def test_an_exemption() -> None:
    [found] = inputs.exemptions([{**GOOD, "image": "docker://quay.io:443/team/a:1", "reason": "soon\ngone"}]) or ()
    assert (found.key, found.namespaces, found.text) == ("quay.io/team/a:1", ("*",), "2026-12-31 ann: soon gone")
    assert inputs.exemptions(None) is None
    assert inputs.exemptions([]) == ()


def test_targets() -> None:
    known = [image("a", "docker://quay.io/team/a:1", indexes=[digest("index")])]
    assert inputs.targets(["quay.io/team/a:1"], known)[0] == {digest("a")}
    assert inputs.targets([digest("index")], known)[1] == {digest("index")}
    assert inputs.targets(["all", "x:1"], known) == (None, set())
    with pytest.raises(ScapError, match="neither"):
        inputs.targets(["not a reference"], [])


@pytest.mark.parametrize("damage", [{"state": "fine"}, {"image": None}, {"coverage": "all"}])
def test_a_damaged_verdict_is_no_milder_one(tmp_path: pathlib.Path, damage: dict[str, t.Any]) -> None:
    path = tmp_path / "verdicts.jsonl"
    rows = [to_json(verdict("a")), {**to_json(verdict("b", "compliant")), **damage}]
    path.write_text("".join(json.dumps(row) + "\n" for row in rows))
    with pytest.raises(ScapError, match=r"verdicts\.jsonl: entry 2"):
        inputs.verdicts(None, str(path))


def test_marks_of_other_images_stay_and_the_same_marks_give_the_same_bytes(tmp_path: pathlib.Path) -> None:
    path = tmp_path / "marks.jsonl"

    def mark(name: str, when: str, **changes: t.Any) -> Mark:
        values: dict[str, t.Any] = {"state": "compliant", "stage": "warn", "denied": False, "blocked": "no"}
        return Mark(
            **{"digest": digest(name), "reference": name, "changed": False, "marked_at": when, **values, **changes}
        )

    inputs.keep_marks(str(path), [mark("a", "2026-01-01T00:00:00Z", changed=True), mark("b", "2026-01-01T00:00:00Z")])
    first = path.read_bytes()
    inputs.keep_marks(str(path), [mark("a", "2026-02-02T00:00:00Z")])
    assert path.read_bytes() == first
    inputs.keep_marks(str(path), [mark("a", "2026-02-02T00:00:00Z", denied=True, changed=True)])
    rows = [json.loads(line) for line in path.read_text().splitlines()]
    assert {row["digest"]: row["marked_at"][:7] for row in rows} == {digest("a"): "2026-02", digest("b"): "2026-01"}


@pytest.mark.parametrize("wrong", [{"enforce": {}}, {"deny": "production"}, {"deny": {"labels": {}}}])
def test_stages_are_label_selectors(wrong: dict[str, t.Any]) -> None:
    with pytest.raises(ScapError, match="label selectors"):
        inputs.stage_selectors(wrong)
