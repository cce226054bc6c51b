# Copyright (c) 2026, scap.images contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Lists and watches that stream: page by page, event by event, within bounds, whatever the list does meanwhile."""

from __future__ import annotations

import dataclasses
import json
import typing as t

from .errors import KubeError

if t.TYPE_CHECKING:
    from .client import Client

PAGE_BYTES = 24 * 1024 * 1024
"""A page that grows beyond this is asked for again with half as many objects."""

LINE_LIMIT = 16 * 1024 * 1024
"""Bytes of one watch event."""

_RESTARTS = 3


@dataclasses.dataclass(frozen=True)
class Page:
    """Some objects of a list."""

    objects: list[dict[str, t.Any]]
    resource_version: str
    """From which a watch misses nothing that this listing may have missed: the first page's."""
    restarted: bool
    """The listing began anew (HTTP 410 without a way to go on): forget the pages before this one."""
    last: bool


def list_pages(
    client: Client,
    path: str,
    limit: int = 500,
    *,
    params: t.Mapping[str, t.Any] | None = None,
    accept: str = "application/json",
) -> t.Iterator[Page]:
    """The pages of the list at `path`, one request each (Kubernetes API concepts, large results sets in chunks).

    When a continue token has expired, the listing goes on with the token that the server gives for what is left;
    without one it begins anew and says so in `restarted`. Objects of megabytes make the pages smaller, not the
    memory larger. Raises KubeError.
    """
    token, first_version, restarted, restarts = "", "", False, 0
    while True:
        query = {**(params or {}), "limit": limit, **({"continue": token} if token else {})}
        try:
            answer = client.request("GET", path, params=query, accept=accept, limit=PAGE_BYTES)
        except KubeError as error:
            if error.code == "kube_too_large" and limit > 1:
                limit = max(1, limit // 2)
                continue
            if error.status != 410 or not token or restarts >= _RESTARTS:
                raise
            restarts += 1
            token = _token(error.body)
            if not token:
                first_version, restarted = "", True
            continue
        body = answer.json()
        del answer
        objects = body.get("items")
        if objects is None:
            objects = []
        if not isinstance(objects, list):
            raise KubeError("kube_malformed", f"{client.host}: the list at {path} holds no items", 200)
        metadata = body.get("metadata") or {}
        first_version = first_version or str(metadata.get("resourceVersion") or "")
        token = _token(body)
        yield Page([entry for entry in objects if isinstance(entry, dict)], first_version, restarted, not token)
        restarted = False
        if not token:
            return
        del body, objects


def changes(
    client: Client, path: str, resource_version: str, seconds: int = 1, *, params: t.Mapping[str, t.Any] | None = None
) -> t.Iterator[dict[str, t.Any]]:
    """The watch events (`type`, `object`) after `resource_version` until `seconds` have passed.

    An ERROR event is raised as KubeError with the status it carries (410: list anew). A connection that closes early
    ends the events.
    """
    query = {
        **(params or {}),
        "watch": "1",
        "resourceVersion": resource_version,
        "timeoutSeconds": seconds,
        "allowWatchBookmarks": "true",
    }
    with client.stream("GET", path, query, timeout=seconds + 30.0) as pieces:
        for line in _lines(client, pieces):
            try:
                event = json.loads(line)
            except (ValueError, RecursionError) as error:
                raise KubeError("kube_malformed", f"{client.host}: a watch event of {path} is not JSON", 0) from error
            body = event.get("object") or {}
            if event.get("type") == "ERROR":
                status = int(body.get("code") or 0)
                raise KubeError(
                    "kube_gone" if status == 410 else "kube_failed",
                    f"{client.host}: the watch of {path} ended: {body.get('message')}",
                    status,
                    str(body.get("reason") or ""),
                    body,
                )
            yield event


def _lines(client: Client, pieces: t.Iterable[bytes]) -> t.Iterator[bytes]:
    rest = b""
    for piece in pieces:
        lines = (rest + piece).split(b"\n")
        rest = lines.pop()
        if len(rest) > LINE_LIMIT:
            raise KubeError("kube_too_large", f"{client.host}: a watch event is longer than {LINE_LIMIT} bytes", 0)
        yield from (line for line in lines if line.strip())


def _token(body: t.Any) -> str:
    metadata = body.get("metadata") if isinstance(body, dict) else None
    return str(metadata.get("continue") or "") if isinstance(metadata, dict) else ""
