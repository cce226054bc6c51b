# Copyright (c) 2026, scap.images contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Requests of the cluster's administrator while it comes up: readiness and the objects that a cluster begins with."""

from __future__ import annotations

import http.client
import json
import ssl
import time
import typing as t

from .place import Place

_WAIT = 120.0


class ApiError(Exception):
    """An answer that is no success."""

    def __init__(self, status: int, text: str) -> None:
        super().__init__(f"{status}: {text}")
        self.status = status


class Admin:
    """One administrator's access; a connection a request."""

    def __init__(self, place: Place) -> None:
        self._port = place.ports["apiserver"]
        self._context = ssl.create_default_context(cafile=str(place.pki / "ca.crt"))
        self._context.load_cert_chain(place.pki / "admin.crt", place.pki / "admin.key")

    def request(self, method: str, path: str, body: t.Any = None, content_type: str = "application/json") -> bytes:
        connection = http.client.HTTPSConnection("127.0.0.1", self._port, context=self._context, timeout=30)
        try:
            data = None if body is None else json.dumps(body)
            connection.request(method, path, data, {"Content-Type": content_type})
            answer = connection.getresponse()
            text = answer.read()
        finally:
            connection.close()
        if answer.status >= 400:
            raise ApiError(answer.status, text.decode(errors="replace"))
        return text

    def get(self, path: str) -> t.Any:
        return json.loads(self.request("GET", path))

    def apply(self, path: str, body: t.Mapping[str, t.Any]) -> None:
        """Server-side apply."""
        query = f"{path}?fieldManager=scap-tests&force=true"
        self.request("PATCH", query, body, "application/apply-patch+yaml")

    def until(self, true: t.Callable[[Admin], bool], what: str, seconds: float = _WAIT) -> None:
        """Wait for the condition, which may fail as long as the server is not there."""
        deadline = time.monotonic() + seconds
        last: object = "it never became true"
        while time.monotonic() < deadline:
            try:
                if true(self):
                    return
            except (ApiError, OSError, http.client.HTTPException) as error:
                last = error
            time.sleep(0.1)
        raise RuntimeError(f"{what}: not within {seconds:g} s ({last})")


def ready(admin: Admin) -> bool:
    return admin.request("GET", "/readyz") == b"ok"


def node_ready(admin: Admin) -> bool:
    """Whether the node takes pods, and pods of the namespace `default` have their service account."""
    node = admin.get("/api/v1/nodes/node1")
    admin.get("/api/v1/namespaces/default/serviceaccounts/default")
    if any(taint["effect"] == "NoSchedule" for taint in node["spec"].get("taints", [])):
        return False
    conditions = {entry["type"]: entry["status"] for entry in node["status"].get("conditions", [])}
    return conditions.get("Ready") == "True"


def node_answers(admin: Admin) -> bool:
    """Whether the API server reaches the kubelet (logs, exec)."""
    return admin.request("GET", "/api/v1/nodes/node1/proxy/healthz") == b"ok"
