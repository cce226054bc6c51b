"""The API server is killed in the middle of a run and started again: nothing is lost, nothing proven too early."""

from __future__ import annotations

import pathlib
import threading
import typing as t

import pytest
from ansible_collections.scap.images.plugins.module_utils.marking import imagescan
from ansible_collections.scap.images.plugins.module_utils.model import ScapError, Verdict

from tests.support import apiserver
from tests.support.marking import Cluster, pod, wait
from tests.support.marking_records import verdict

IMAGES = 200


@pytest.fixture
def own(tmp_path: pathlib.Path) -> t.Iterator[tuple[apiserver.Server, Cluster]]:
    """An API server that nobody else uses."""
    program = apiserver.binary()
    if program is None:
        pytest.skip("there is no kube-apiserver (make cluster)")
    with apiserver.server(program, tmp_path) as server:
        yield server, Cluster(server.options)


@pytest.mark.parametrize("after", [8, 120])
def test_killed_in_the_middle(own: tuple[apiserver.Server, Cluster], after: int) -> None:
    """While the denied set is written and proven, and while people's objects are."""
    server, cluster = own
    verdicts = [verdict(number) for number in range(IMAGES)]
    enough = cluster.marker.requests + after

    def restart() -> None:
        wait(lambda: cluster.marker.requests >= enough, "the run has begun")
        server.restart()

    thread = threading.Thread(target=restart)
    thread.start()
    said = "cannot go wrong"
    try:
        outcome = cluster.run(*verdicts)
    except ScapError as error:  # such as its rights, which an API server forgets for a moment when it starts
        said = error.message
    else:
        assert all(mark.blocked == "proven" or "unproven: " in mark.blocked for mark in outcome.marks)
        _proven_is_refused(cluster, {mark.reference for mark in outcome.marks if mark.blocked == "proven"})
    finally:
        thread.join()
    assert "cannot " in said
    wait(lambda: _whole(cluster, verdicts), "the next run continues and proves all")
    assert len(cluster.admin.get(imagescan.PATH)["items"]) == IMAGES
    assert cluster.try_pod(pod("registry.example:5000/team/app-7:1"))[0]
    assert cluster.try_pod(pod())[0] == ""
    assert cluster.run(*verdicts).written == {}


def _proven_is_refused(cluster: Cluster, references: set[str]) -> None:
    for reference in sorted(references)[:: max(1, len(references) // 5)]:
        assert cluster.try_pod(pod(reference[len("docker://") :]))[0], reference


def _whole(cluster: Cluster, verdicts: list[Verdict]) -> bool:
    try:
        outcome = cluster.run(*verdicts)
    except ScapError:
        return False
    return not outcome.failures and {mark.blocked for mark in outcome.marks} == {"proven"}
