"""The keys under which a pod can name an image."""

from __future__ import annotations

import pytest
from ansible_collections.scap.images.plugins.module_utils.marking import keys

from tests.support.marking_records import digest, image

D = digest("x")

SPELLINGS = [
    ("nginx", ["docker.io/library/nginx:latest", "nginx:latest"]),
    ("nginx:1.25", ["docker.io/library/nginx:1.25", "nginx:1.25"]),
    ("team/app", ["docker.io/team/app:latest", "team/app:latest"]),
    ("docker.io/nginx", ["docker.io/library/nginx:latest"]),
    ("index.docker.io/library/nginx:1", ["docker.io/library/nginx:1"]),
    ("registry-1.docker.io/library/nginx:1", ["docker.io/library/nginx:1"]),
    ("QUAY.io/Team/app:V1".replace("Team", "team"), ["quay.io/team/app:V1"]),
    ("quay.io:443/team/app", ["quay.io/team/app:latest"]),
    ("quay.io:80/team/app:1", ["quay.io/team/app:1"]),
    ("quay.io:8443/team/app:1", ["quay.io:8443/team/app:1"]),
    ("localhost/app", ["localhost/app:latest"]),
    ("localhost:5000/app", ["localhost:5000/app:latest"]),
    ("[::1]:5000/app:1", ["[::1]:5000/app:1"]),
    ("REGISTRY/app:1", ["registry/app:1"]),
    (f"quay.io/team/app@{D}", [D]),
    (f"mirror.example/other:2@{D}", [D]),
    (f"quay.io/team/app@{D.upper()}", [D]),
]


@pytest.mark.parametrize(("written", "expected"), SPELLINGS)
def test_every_spelling_has_one_form(written: str, expected: list[str]) -> None:
    assert keys.looked_up(written) == expected


def test_an_image_is_known_by_its_digest_its_indexes_and_its_tags() -> None:
    index = digest("index")
    record = image(
        "a",
        "docker://quay.io/team/app:1",
        "nginx",
        f"docker://quay.io/team/app@{digest('a')}",
        "oci:/srv/layout:1",
        "docker://not a reference",
        indexes=[index, "broken"],
    )
    assert keys.of_image(digest("a"), [record]) == [
        digest("a"),
        index,
        "quay.io/team/app:1",
        "docker.io/library/nginx:latest",
        "nginx:latest",
    ]


def test_a_search_registry_makes_the_short_name_a_key() -> None:
    assert keys.of_reference("registry.access.redhat.com/ubi8:8.9", ["registry.access.redhat.com"]) == [
        "registry.access.redhat.com/ubi8:8.9",
        "ubi8:8.9",
    ]
    assert keys.of_reference("registry.access.redhat.com/ubi8:8.9") == ["registry.access.redhat.com/ubi8:8.9"]


@pytest.mark.parametrize("host", ["image-registry.openshift-image-registry.svc", "docker-registry.default.svc"])
@pytest.mark.parametrize("domain", ["", ".cluster.local"])
def test_the_cluster_registry_answers_to_two_names(host: str, domain: str) -> None:
    assert keys.of_reference(f"docker://{host}{domain}:5000/ns/stream:1") == [
        f"{host}:5000/ns/stream:1",
        f"{host}.cluster.local:5000/ns/stream:1",
    ]


def test_a_reference_without_end_is_no_key() -> None:
    assert keys.of_reference(f"quay.io/{'a' * 600}:1") == []
