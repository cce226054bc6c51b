# Copyright (c) 2026, scap.images contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What an API server's refusal means to a person, and the RBAC rule that would lift it."""

from __future__ import annotations

import dataclasses
import json
import typing as t
import urllib.parse

from ..model import ScapError

CODES = {
    400: "kube_bad_request",
    401: "kube_unauthorized",
    403: "kube_forbidden",
    404: "kube_not_found",
    405: "kube_not_supported",
    409: "kube_conflict",
    410: "kube_gone",
    415: "kube_not_supported",
    422: "kube_invalid",
    429: "kube_throttled",
}
"""HTTP status to error code; what is not here is `kube_failed`."""

_VERBS = {"GET": "get", "POST": "create", "PUT": "update", "PATCH": "patch", "DELETE": "delete", "HEAD": "get"}
_MESSAGE_LIMIT = 1000


@dataclasses.dataclass(frozen=True)
class Target:
    """What a request is about, in the words of RBAC."""

    verb: str
    group: str
    resource: str
    """With its subresource: `pods/log`; empty where the path is no resource (`/version`)."""
    namespace: str
    name: str
    path: str

    def __str__(self) -> str:
        if not self.resource:
            return f"{self.verb} {self.path}"
        resource = f"{self.resource}.{self.group}" if self.group else self.resource
        name = f" {self.name}" if self.name else ""
        where = f" in namespace {self.namespace}" if self.namespace else ""
        return f"{self.verb} {resource}{name}{where}"

    @property
    def rule(self) -> str:
        """The rule of a (Cluster)Role that allows it, as YAML flow."""
        if not self.resource:
            return f'{{nonResourceURLs: ["{self.path}"], verbs: ["{self.verb}"]}}'
        return f'{{apiGroups: ["{self.group}"], resources: ["{self.resource}"], verbs: ["{self.verb}"]}}'


class KubeError(ScapError):
    """An answer of the API server that is no success.

    `status` is the HTTP status (0: no answer), `reason` the Status object's reason (`AlreadyExists`, ...),
    `body` the Status object itself where the server sent one.
    """

    def __init__(self, code: str, message: str, status: int, reason: str = "", body: t.Any = None) -> None:
        super().__init__(code, message)
        self.status = status
        self.reason = reason
        self.body = body


def target(method: str, path: str, params: t.Mapping[str, t.Any] | None = None) -> Target:
    """What `method` on an API path asks for (Kubernetes API concepts, resource URIs)."""
    parts = [urllib.parse.unquote(part) for part in path.partition("?")[0].strip("/").split("/")]
    group, rest = "", []
    if parts[0] == "api" and len(parts) > 2:
        rest = parts[2:]
    elif parts[0] == "apis" and len(parts) > 3:
        group, rest = parts[1], parts[3:]
    namespace = ""
    if len(rest) > 2 and rest[0] == "namespaces" and rest[2] not in ("status", "finalize"):
        namespace, rest = rest[1], rest[2:]
    resource = rest[0] if rest else ""
    name = rest[1] if len(rest) > 1 else ""
    if len(rest) > 2:
        resource = f"{resource}/{'/'.join(rest[2:3])}"
    verb = _VERBS.get(method.upper(), method.lower())
    if resource and not name:
        if verb == "get":
            verb = "watch" if str((params or {}).get("watch", "")).lower() in ("1", "true") else "list"
        elif verb == "delete":
            verb = "deletecollection"
    return Target(verb, group, resource, namespace, name, path)


def refusal(host: str, what: Target, status: int, data: bytes) -> KubeError:
    """The KubeError of an answer with an error status."""
    body = _status(data)
    reason = str(body.get("reason") or "")
    said = str(body.get("message") or "")[:_MESSAGE_LIMIT]
    if not said:
        said = data[:200].decode("utf-8", "replace").strip() or "nothing"
    code = CODES.get(status, "kube_unavailable" if status >= 500 else "kube_failed")
    message = f"{host}: cannot {what}: HTTP {status}, the server said: {said}"
    return KubeError(code, f"{message}{_cure(what, status)}", status, reason, body or None)


def _cure(what: Target, status: int) -> str:
    if status == 401:
        return "; the credentials are missing, wrong or expired: log in again or renew api_key"
    if status == 403:
        scope = f"a Role in namespace {what.namespace}" if what.namespace else "a ClusterRole"
        return f"; if it should be allowed, give {scope} of this user the rule {what.rule}"
    if status == 404 and what.resource and not what.name and what.verb in ("list", "watch"):
        return f"; this cluster does not serve {what.resource}.{what.group}" if what.group else ""
    if status == 429 or status >= 500:
        return "; it was tried again for as long as allowed; try later"
    return ""


def _status(data: bytes) -> dict[str, t.Any]:
    try:
        body = json.loads(data)
    except (ValueError, RecursionError):
        return {}
    return body if isinstance(body, dict) else {}
