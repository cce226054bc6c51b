"""The API server is killed in the middle of a run and started again: nothing is lost, nothing proven too early."""

from __future__ import annotations

import os
import pathlib
import signal
import subprocess
import threading
import typing as t

import pytest
from ansible_collections.scap.images.plugins.module_utils.kube.errors import KubeError
from ansible_collections.scap.images.plugins.module_utils.marking import imagescan
from ansible_collections.scap.images.plugins.module_utils.model import Verdict

from tests.support.marking import Cluster, pod, wait
from tests.support.marking_records import verdict

pytest_plugins = ["tests.support.marking"]


def _own_server(cluster: Cluster) -> tuple[int, list[str]]:
    """Process id and command of the API server that this test process has started itself."""
    port = cluster.admin.host.rsplit(":", 1)[1]
    for folder in pathlib.Path("/proc").glob("[0-9]*"):
        try:
            command = (folder / "cmdline").read_bytes().decode().split("\0")[:-1]
            parent = int((folder / "stat").read_text().rsplit(")", 1)[1].split()[1])
        except (OSError, ValueError, IndexError):
            continue
        if parent == os.getpid() and f"--secure-port={port}" in command:
            return int(folder.name), command
    pytest.skip("the API server is not of this test's own")


def test_killed_in_the_middle(prepared: Cluster) -> None:
    prepared.clean()
    pid, command = _own_server(prepared)
    verdicts = [verdict(number) for number in range(200)]
    started: list[subprocess.Popen[bytes]] = []
    enough = prepared.marker.requests + 8

    def restart() -> None:
        wait(lambda: prepared.marker.requests >= enough, "the run has begun")
        os.kill(pid, signal.SIGKILL)
        quiet = subprocess.DEVNULL
        started.append(subprocess.Popen(command, stdin=quiet, stdout=quiet, stderr=quiet))

    thread = threading.Thread(target=restart)
    thread.start()
    try:
        try:
            outcome = prepared.run(*verdicts)
            assert all(mark.blocked == "proven" or "unproven: " in mark.blocked for mark in outcome.marks)
        except KubeError as error:  # such as its rights, which an API server forgets for a moment when it starts
            said = error.message
        else:
            said = "cannot go wrong"
        thread.join()
        assert "cannot " in said
        wait(lambda: _whole(prepared, verdicts), "the next run continues and proves all")
        assert len(prepared.admin.get(imagescan.PATH)["items"]) == 200
        assert prepared.try_pod(pod("registry.example:5000/team/app-7:1"))[0]
        assert prepared.try_pod(pod())[0] == ""
        assert prepared.run(*verdicts).written == {}
    finally:
        thread.join()
        _end_with_the_session(prepared, started)


def _whole(cluster: Cluster, verdicts: list[Verdict]) -> bool:
    try:
        outcome = cluster.run(*verdicts)
    except KubeError:
        return False
    return not outcome.failures and {mark.blocked for mark in outcome.marks} == {"proven"}


def _end_with_the_session(cluster: Cluster, started: t.Sequence[subprocess.Popen[bytes]]) -> None:
    close = cluster.close

    def close_and_stop() -> None:
        close()
        for process in started:
            process.terminate()
            process.wait()

    cluster.close = close_and_stop  # type: ignore[method-assign]
