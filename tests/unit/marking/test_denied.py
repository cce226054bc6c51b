"""Spreading the denied set over objects."""

from __future__ import annotations

import json
import typing as t

import pytest
from ansible_collections.scap.images.plugins.module_utils.marking import denied
from ansible_collections.scap.images.plugins.module_utils.marking.denied import Denied, Exemption
from ansible_collections.scap.images.plugins.module_utils.marking.names import LABELS, STAGE_LABEL
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.support.marking_records import digest

DAY = "2026-11-23"


def stored(held: Denied) -> list[dict[str, t.Any]]:
    """The objects as the API server would have them after `held` was written."""
    write, remove = held.changes()
    manifests = [shard.manifest() for shard in held.shards.values() if shard.entries]
    assert {shard.name for shard in write} <= {data["metadata"]["name"] for data in manifests}
    assert not set(remove) & {data["metadata"]["name"] for data in manifests}
    for data in manifests:
        data["metadata"]["resourceVersion"] = "1"
    return json.loads(json.dumps(manifests))


def every_key(objects: list[dict[str, t.Any]]) -> dict[str, str]:
    found: dict[str, str] = {}
    for data in objects:
        for key in data["spec"]["images"]:
            assert key not in found, "written twice"
            found[key] = data["metadata"]["labels"][STAGE_LABEL]
    return found


def test_100000_entries_fill_objects_within_both_bounds_and_one_more_writes_one() -> None:
    held = Denied([])
    for number in range(50_000):
        held.deny(
            digest(number), [digest(number), f"registry.example/team/app-{number}:1"], "deny", "non_compliant", DAY
        )
    objects = stored(held)
    assert len(every_key(objects)) == 100_000
    for data in objects:
        assert len(data["spec"]["images"]) <= denied.MAX_ENTRIES
        assert len(json.dumps(data, separators=(",", ":"))) <= 1024 * 1024
    again = Denied(objects)
    assert again.changes() == ([], [])
    again.deny(digest("new"), [digest("new"), "registry.example/new:1"], "deny", "non_compliant", DAY)
    write, remove = again.changes()
    assert (len(write), remove) == (1, [])
    assert len(json.dumps(write[0].manifest(), separators=(",", ":"))) <= 1024 * 1024


def test_10000_digests_fit_into_one_object() -> None:
    held = Denied([])
    for number in range(10_000):
        held.deny(digest(number), [digest(number)], "deny", "non_compliant", DAY)
    assert list(held.shards) == ["deny-00001"]


def test_one_image_lands_in_one_object() -> None:
    held = Denied([])
    keys = [digest("a"), digest("index"), "quay.io/a:1", "quay.io/a:2"]
    held.deny(digest("a"), keys, "deny", "non_compliant", DAY)
    assert held.keys_of(digest("a")) == [digest("a"), *sorted(keys[1:], key=str)]
    assert {held.shard_of(key) for key in keys} == {"deny-00001"}
    [shard] = held.changes()[0]
    assert shard.manifest()["metadata"]["labels"] == {**LABELS, STAGE_LABEL: "deny"}
    assert shard.entries[digest("a")] == f"non_compliant {DAY}"
    assert shard.entries["quay.io/a:1"] == f"non_compliant {DAY} {digest('a')}"


def test_a_shared_index_stays_until_its_last_image_is_lifted() -> None:
    held = Denied([])
    for name in ("amd64", "arm64"):
        held.deny(digest(name), [digest(name), digest("index"), "quay.io/a:1"], "deny", "non_compliant", DAY)
    held = Denied(stored(held))
    held.lift(digest("amd64"))
    objects = stored(held)
    assert set(every_key(objects)) == {digest("arm64"), digest("index"), "quay.io/a:1"}
    held = Denied(objects)
    held.lift(digest("arm64"))
    assert held.changes() == ([], ["deny-00001"])


def test_a_shared_key_obeys_the_strictest_of_its_images() -> None:
    held = Denied([])
    held.deny(digest("a"), [digest("a"), "quay.io/a:1"], "warn", "non_compliant", DAY)
    held.deny(digest("b"), [digest("b"), "quay.io/a:1"], "deny", "non_compliant", DAY)
    assert every_key(stored(held)) == {digest("a"): "warn", digest("b"): "deny", "quay.io/a:1": "deny"}
    held = Denied(stored(held))
    held.lift(digest("b"))
    assert every_key(stored(held)) == {digest("a"): "warn", "quay.io/a:1": "warn"}


def test_raising_the_stage_takes_every_key_along() -> None:
    held = Denied([])
    held.deny(digest("a"), [digest("a"), "quay.io/a:1"], "warn", "non_compliant", DAY)
    held = Denied(stored(held))
    held.deny(digest("a"), [digest("a")], "deny", "non_compliant", DAY)
    assert every_key(stored(held)) == {digest("a"): "deny", "quay.io/a:1": "deny"}
    assert held.changes()[1] == ["warn-00001"]


def test_a_moved_tag_is_followed() -> None:
    held = Denied([])
    held.deny(digest("old"), [digest("old"), "quay.io/a:1", "quay.io/a:0"], "deny", "non_compliant", DAY)
    assert held.follow({"quay.io/a:1": {digest("new")}}, {}) == ["quay.io/a:1"]
    assert set(every_key(stored(held))) == {digest("old"), "quay.io/a:0"}


def test_a_tag_of_an_index_still_means_the_other_platform() -> None:
    held = Denied([])
    held.deny(digest("arm64"), [digest("arm64"), digest("index"), "quay.io/a:1"], "deny", "non_compliant", DAY)
    assert held.follow({"quay.io/a:1": {digest("amd64")}}, {digest("amd64"): {digest("index")}}) == []
    assert held.follow({"quay.io/a:1": {digest("index")}}, {}) == [], "a pod that runs it reports the index"
    assert held.follow({"quay.io/a:1": {digest("new index")}}, {}) == ["quay.io/a:1"]


def test_edited_by_hand() -> None:
    """Lost labels come back, a key written twice is kept where it is stricter, odd values and names are left alone."""
    hand = {digest("hand"): "because I say so", "quay.io/odd:1": ""}
    objects = [
        {"metadata": {"name": "deny-00001", "resourceVersion": "7"}, "spec": {"images": {digest("a"): "x", **hand}}},
        {
            "metadata": {"name": "warn-00001", "resourceVersion": "8", "labels": {**LABELS, STAGE_LABEL: "warn"}},
            "spec": {"images": {digest("a"): f"non_compliant {DAY}", digest("b"): f"non_compliant {DAY}"}},
        },
        {"metadata": {"name": "mine"}, "spec": {"images": {digest("c"): "x"}}},
    ]
    held = Denied(objects)
    assert held.foreign == ["mine"]
    assert held.stage_of(digest("a")) == "deny"
    assert held.stage_of(digest("hand")) == "deny"
    write, remove = held.changes()
    assert {shard.name for shard in write} == {"deny-00001", "warn-00001"}
    assert remove == []
    assert every_key([shard.manifest() for shard in write])[digest("a")] == "deny"
    held.lift(digest("hand"))
    assert digest("hand") not in held.shards["deny-00001"].entries
    assert held.shards["deny-00001"].entries["quay.io/odd:1"] == ""


def test_an_entry_removed_by_hand_comes_back() -> None:
    held = Denied([])
    held.deny(digest("a"), [digest("a"), "quay.io/a:1"], "deny", "non_compliant", DAY)
    objects = stored(held)
    del objects[0]["spec"]["images"]["quay.io/a:1"]
    held = Denied(objects)
    held.deny(digest("a"), [digest("a"), "quay.io/a:1"], "deny", "non_compliant", DAY)
    assert [shard.name for shard in held.changes()[0]] == ["deny-00001"]


def test_exemptions() -> None:
    held = Denied([])
    held.deny(digest("a"), [digest("a"), "quay.io/a:1"], "deny", "non_compliant", DAY)
    leave = Exemption("quay.io/a:1", ("legacy", "test"), "ann@example.org", "until the move", "2026-12-31")
    late = Exemption(digest("a"), ("*",), "bob", "old", "2026-11-22")
    nothing = Exemption(digest("b"), ("*",), "bob", "unknown image", "2026-12-31")
    assert held.exempt([leave, late, nothing], DAY) == [late, nothing]
    text = "2026-12-31 ann@example.org: until the move"
    assert held.shards["deny-00001"].exempt == {
        f"{namespace} {key}": text for namespace in ("legacy", "test") for key in (digest("a"), "quay.io/a:1")
    }
    assert held.exempted(digest("a")) == {"legacy": text, "test": text}
    again = Denied(stored(held))
    assert again.exempt(None, DAY) == []
    assert again.changes() == ([], [])
    again.exempt(None, "2027-01-01")
    assert again.shards["deny-00001"].exempt == {}
    assert [shard.name for shard in again.changes()[0]] == ["deny-00001"]


def test_texts_are_written_once() -> None:
    held = Denied([], "https://scap.example", "ask ann@example.org")
    held.deny(digest("a"), [digest("a")], "deny", "non_compliant", DAY)
    objects = stored(held)
    assert Denied(objects, "https://scap.example", "ask ann@example.org").changes() == ([], [])
    assert Denied(objects).changes() == ([], [])
    assert len(Denied(objects, "https://new.example", "").changes()[0]) == 1


IMAGES = [str(number) for number in range(5)]
KEYS = st.lists(st.sampled_from(["t:1", "t:2", "t:3", digest("index")]), unique=True)
STEPS = st.lists(
    st.one_of(
        st.tuples(st.just("deny"), st.sampled_from(IMAGES), KEYS, st.sampled_from(["report", "warn", "deny"])),
        st.tuples(st.just("lift"), st.sampled_from(IMAGES), st.just([]), st.just("")),
    ),
    max_size=12,
)


@given(STEPS)
@settings(max_examples=80, deadline=None)
def test_whatever_happens_the_set_is_what_its_images_need(steps: list[tuple[str, str, list[str], str]]) -> None:
    """Written and read again after each step; a key is there exactly while one of its images is denied."""
    objects: list[dict[str, t.Any]] = []
    needs: dict[str, tuple[set[str], str]] = {}
    for action, name, keys, stage in steps:
        held = Denied(objects)
        if action == "deny":
            before = needs.get(name, (set(), stage))[0]
            needs[name] = (before | {digest(name), *keys}, stage)
            held.deny(digest(name), [digest(name), *keys], stage, "non_compliant", DAY)
        else:
            needs.pop(name, None)
            held.lift(digest(name))
        objects = stored(held)
        found = every_key(objects)
        order = ["report", "warn", "deny"]
        wanted: dict[str, str] = {}
        for keys_needed, at in needs.values():
            for key in keys_needed:
                wanted[key] = max(wanted.get(key, at), at, key=order.index)
        assert found == wanted


@pytest.mark.parametrize("owners", [1, 2, 30])
def test_values_stay_within_the_schema(owners: int) -> None:
    held = Denied([])
    for number in range(owners):
        held.deny(digest(number), [digest(number), "quay.io/a:1"], "deny", "non_compliant", DAY)
    assert all(len(text) <= denied.MAX_VALUE for text in held.shards["deny-00001"].entries.values())
