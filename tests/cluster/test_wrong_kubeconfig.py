# Copyright (c) 2026, scap.images contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A kubeconfig that leads nowhere: one sentence that says what is wrong with it, and nothing half made."""

from __future__ import annotations

import json
import os
import pathlib
import subprocess
import typing as t

import pytest
import yaml

from tests.support.plays import play

SAYS = {
    "missing": "missing.kubeconfig does not exist",
    "garbage": "garbage.kubeconfig cannot be used",
    "empty": "empty.kubeconfig cannot be used",
    "a list": "a list.kubeconfig cannot be used",
    "other context": "other context.kubeconfig cannot be used",
    "other authority": "set ca_cert to the cluster's CA",
    "other token": "log in again",
}


@pytest.fixture(scope="module")
def tried(tmp_path_factory: pytest.TempPathFactory, _api_server: None) -> dict[str, dict[str, t.Any]]:
    """What image_scan says of each, by its name in SAYS."""
    folder = tmp_path_factory.mktemp("kubeconfigs")
    good = yaml.safe_load(pathlib.Path(os.environ["SCAP_TEST_KUBECONFIG"]).read_text())
    files: dict[str, bytes] = {"garbage": bytes(range(256)), "empty": b"", "a list": b"- 1\n- 2\n"}
    files["other context"] = yaml.safe_dump({**good, "current-context": "nobody"}).encode()
    (server,) = good["clusters"]
    strict = {name: value for name, value in server["cluster"].items() if name == "server"}
    authority = {**strict, "certificate-authority": str(_authority(folder))}
    files["other authority"] = yaml.safe_dump({**good, "clusters": [{**server, "cluster": authority}]}).encode()
    users = [{"name": entry["name"], "user": {"token": "not-a-token-of-this-cluster"}} for entry in good["users"]]
    files["other token"] = yaml.safe_dump({**good, "users": users}).encode()
    for name, data in files.items():
        (folder / f"{name}.kubeconfig").write_bytes(data)
    scan = {
        "executor": "kubernetes",
        "scanner_image": "registry.example.org/scanner:1",
        "images": [f"registry.example.org/web@sha256:{1:064x}"],
        "dir": f"{folder}/store",
        "profile": "none",
        "kubeconfig": f"{folder}/{{{{ item }}}}.kubeconfig",
    }
    tasks = [
        {"scap.images.image_scan": scan, "loop": list(SAYS), "register": "tried", "ignore_errors": True},
        {"ansible.builtin.copy": {"content": "{{ tried }}", "dest": f"{folder}/tried.json", "mode": "0600"}},
    ]
    (folder / "play.json").write_text(json.dumps([{"hosts": "localhost", "gather_facts": False, "tasks": tasks}]))
    play(str(folder / "play.json"), folder, {})
    made = [path.name for path in (folder / "store").rglob("*") if path.is_file() and path.name != ".lock"]
    results = json.loads((folder / "tried.json").read_text())["results"]
    return {result["item"]: {**result, "made": made} for result in results}


def _authority(folder: pathlib.Path) -> pathlib.Path:
    path = folder / "authority.pem"
    new = ["openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-subj", "/CN=another authority"]
    subprocess.run([*new, "-keyout", str(folder / "key.pem"), "-out", str(path)], check=True, capture_output=True)
    return path


@pytest.mark.parametrize("name", list(SAYS))
def test_the_sentence(tried: dict[str, dict[str, t.Any]], name: str) -> None:
    result = tried[name]
    assert result["failed"]
    assert SAYS[name] in result["msg"]
    assert "not-a-token-of-this-cluster" not in json.dumps(result)
    assert "Traceback" not in result["msg"]
    assert result["made"] == []
