"""Kubernetes' protobuf, read as far as somebody needs it; tests/cluster/test_discovery.py compares it with JSON."""

from __future__ import annotations

import random

import pytest
from ansible_collections.scap.images.plugins.module_utils.kube import protobuf
from ansible_collections.scap.images.plugins.module_utils.kube.client import connect
from ansible_collections.scap.images.plugins.module_utils.kube.errors import KubeError
from ansible_collections.scap.images.plugins.module_utils.kube.protobuf import (
    INLINE,
    MANY,
    MAP,
    METADATA,
    ONE,
    RAW,
    TEXT,
    MalformedError,
    Shape,
)

from tests.support.misbehaving import Say, serving

INNER = Shape(name=(1, TEXT), image=(2, TEXT))
THING = Shape(
    metadata=(1, ONE, METADATA),
    containers=(2, MANY, INNER),
    source=(20, INLINE, Shape(image=(300, ONE, Shape(reference=(1, TEXT))))),
    state=(21, ONE, Shape(running=(2, ONE, Shape()))),
    labels=(22, MAP),
    extension=(23, RAW),
    nothing=(24, RAW),
)


def number(value):
    out = bytearray()
    while value > 127:
        out.append(value & 127 | 128)
        value >>= 7
    return bytes([*out, value])


def field(key, content):
    """A field with a length (bytes, str), a number (int), or of a fixed size (float)."""
    if isinstance(content, int):
        return number(key << 3) + number(content)
    if isinstance(content, float):
        return number(key << 3 | 1) + bytes(8)
    data = content.encode() if isinstance(content, str) else content
    return number(key << 3 | 2) + number(len(data)) + data


def message(*fields):
    return b"".join(field(*one) for one in fields)


def answer(*things, **metadata):
    inner = message((2, metadata.get("version", "7")), (3, metadata.get("token", "")), (4, 9))
    body = message((1, inner), *((2, thing) for thing in things))
    return b"k8s\x00" + message((1, message((1, "v1"), (2, "PodList"))), (2, body), (3, ""))


BIG = "x" * 70_000
WHOLE = message(
    (1, message((1, "web"), (3, "shop"), (5, "uid"), (6, "12"), (7, 3), (8, message((1, 1 << 40))), (17, BIG))),
    (2, message((1, "main"), (2, "quay.io/a/b:1"), (7, message((1, "E"), (2, "v" * 200))))),
    (2, message((1, "side"), (2, "quay.io/a/ü:1"), (900, 1), (901, 1.5))),
    (3, 2.5),
    (20, message((30, "other"), (300, message((1, "quay.io/a/data:1"))))),
    (21, message((1, "waiting"), (2, ""))),
    (22, message((1, "a"), (2, "b"))),
    (22, message((1, "empty"))),
    (23, message((1, '{"Size": 7, "Config": {"Labels": null}}'))),
    (24, message((1, "<xml/>"))),
    (5000, "later"),
)
READ = {
    "metadata": {"name": "web", "namespace": "shop", "resourceVersion": "12"},
    "containers": [{"name": "main", "image": "quay.io/a/b:1"}, {"name": "side", "image": "quay.io/a/ü:1"}],
    "image": {"reference": "quay.io/a/data:1"},
    "state": {"running": {}},
    "labels": {"a": "b", "empty": ""},
    "extension": {"Size": 7, "Config": {"Labels": None}},
    "nothing": None,
}


def test_what_is_wanted_and_nothing_else():
    found = protobuf.listing(answer(WHOLE, b"", token="next"))
    assert found.metadata == {"resourceVersion": "7", "continue": "next"}
    assert found.items(THING) == [READ, {}]


def test_the_first_bytes_name_the_next_page_and_are_no_list():
    head = answer(WHOLE, token="next")[:100]
    assert protobuf.listing(head).metadata["continue"] == "next"
    with pytest.raises(MalformedError):
        protobuf.listing(head).items(THING)


def test_damage_is_told():
    """Every cut and ten thousand changed bytes: the answer or MalformedError, in no time, and nothing else."""
    small = answer(message((2, message((1, "main"), (2, "quay.io/a/b:1")))), token="t")
    spoilt = [small[:end] for end in range(4, len(small))]
    chance = random.Random(7)
    for _number in range(10_000):
        data = bytearray(small)
        data[chance.randrange(4, len(data))] = chance.randrange(256)
        spoilt.append(bytes(data))
    refused = 0
    for data in spoilt:
        try:
            protobuf.listing(data).items(THING)
        except MalformedError:
            refused += 1
    assert refused > 100


@pytest.mark.parametrize(
    "data",
    [
        b"k8s\x00",
        b"k8s\x00" + b"\xff" * 30,
        b"k8s\x00" + field(2, field(1, "")[:1] + b"\xff\xff\xff\x7f"),
        b"k8s\x00\x13",
    ],
)
def test_an_answer_that_is_none(data):
    with serving(lambda _asked: Say(body=data)) as server:
        client = connect({"host": f"http://{server.address}", "api_key": "x"})
        with pytest.raises(KubeError) as caught:
            list(client.list_pages("/api/v1/pods", shape=THING))
    assert caught.value.code == "kube_malformed"


def test_pages_follow_the_token_and_refusals_stay_readable():
    def say(asked):
        if "continue=next" not in asked.path:
            return Say(body=answer(WHOLE, token="next"))
        if asked.headers["Accept"] == "application/json":
            return Say(403, {"kind": "Status", "code": 403, "message": "no"})
        return Say(403, b"k8s\x00" + message((2, "a Status that only a machine reads")))

    with serving(say) as server:
        client = connect({"host": f"http://{server.address}", "api_key": "x"})
        pages = client.list_pages("/api/v1/pods", shape=THING)
        assert next(pages).objects == [READ]
        with pytest.raises(KubeError) as caught:
            next(pages)
    assert caught.value.status == 403
    assert 'resources: ["pods"], verbs: ["list"]' in caught.value.message
