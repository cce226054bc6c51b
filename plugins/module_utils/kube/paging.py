# Copyright (c) 2026, scap.images contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Lists and watches that stream: page by page, event by event, within bounds, whatever the list does meanwhile."""

from __future__ import annotations

import concurrent.futures
import contextlib
import dataclasses
import functools
import json
import re
import typing as t

from . import protobuf
from .errors import KubeError

if t.TYPE_CHECKING:
    from .client import Client

PAGE_BYTES = 24 * 1024 * 1024
"""A page that grows beyond this is asked for again with half as many objects."""

LINE_LIMIT = 16 * 1024 * 1024
"""Bytes of one watch event."""

WATCH_SECONDS = 30
"""After so long the server ends a watch even where events never pause."""

_RESTARTS = 3
_HEAD = re.compile(rb'\{"kind":"\w*","apiVersion":"[^"]*","metadata":(\{[^{}]*\}),"items":\[')


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
    shape: protobuf.Shape | None = None,
) -> t.Iterator[Page]:
    """The pages of the list at `path`, one request each (Kubernetes API concepts, large results sets in chunks).

    With a `shape` the objects have its fields only where the server speaks protobuf, and all of them where it does not.

    When a continue token has expired, the listing goes on with the token that the server gives for what is left;
    without one it begins anew and says so in `restarted`. Objects of megabytes make the pages smaller, not the
    memory larger. Raises KubeError.
    """
    first_version, restarted, restarts, token = "", False, 0, ""
    ahead: list[_Waiting] = []
    with concurrent.futures.ThreadPoolExecutor(1) as waiters:

        def ask(after: str) -> _Waiting:
            query = {**(params or {}), "limit": limit, **({"continue": after} if after else {})}
            return _Waiting(client, path, query, protobuf.ACCEPT if shape else accept, waiters)

        def go_on(head: bytes) -> None:
            if after := _next_token(head):
                ahead.append(ask(after))

        def turn_back() -> None:
            while ahead:
                ahead.pop().forget()

        try:
            waiting = ask("")
            while True:
                try:
                    data = waiting.data(go_on)
                    if data is None:
                        turn_back()
                        data = waiting.again()
                        go_on(data)
                except KubeError as error:
                    turn_back()
                    if error.code == "kube_too_large" and limit > 1:
                        limit = max(1, limit // 2)
                    elif error.status == 410 and token and restarts < _RESTARTS:
                        restarts += 1
                        token = _token(error.body)
                        if not token:
                            first_version, restarted = "", True
                    else:
                        raise
                    waiting = ask(token)
                    continue
                body = _list(client, path, data, shape)
                del data
                token = _token(body)
                if token and not ahead:
                    ahead.append(ask(token))
                first_version = first_version or str((body.get("metadata") or {}).get("resourceVersion") or "")
                yield Page(body["items"], first_version, restarted, not token)
                del body
                restarted = False
                if not ahead:
                    return
                waiting = ahead.pop()
        finally:
            turn_back()


class _Waiting:
    """A page that the server prepares while the one before it is read and parsed.

    A thread waits for the answer to begin, but only the caller reads its body: two threads that work on bytes of
    one process would only stop each other.
    """

    def __init__(
        self,
        client: Client,
        path: str,
        params: dict[str, t.Any],
        accept: str,
        waiters: concurrent.futures.Executor,
    ) -> None:
        accepts = "application/json" if accept == protobuf.ACCEPT else accept  # a refusal has to be readable
        self._again = functools.partial(client.request, "GET", path, params=params, accept=accepts, limit=PAGE_BYTES)
        self._stack = contextlib.ExitStack()
        self._begun = waiters.submit(self._stack.enter_context, client.beginning(path, params, accept, PAGE_BYTES))

    def data(self, head: t.Callable[[bytes], None]) -> bytes | None:
        """The whole body, its first bytes given to `head` before the rest is there; None where the answer is no
        success, or broke off."""
        with self._stack:
            return self._begun.result()(head)

    def again(self) -> bytes:
        """The whole body, asked for once more with all patience."""
        return self._again().data

    def forget(self) -> None:
        with contextlib.suppress(KubeError), self._stack:
            self._begun.result()


def _next_token(head: bytes) -> str:
    """The continue token where the list's metadata stands before its items, so that the next page can be on its way
    while this one is read; empty where it does not."""
    if head.startswith(protobuf.MAGIC):
        try:
            return _token({"metadata": protobuf.listing(head).metadata})
        except protobuf.MalformedError:
            return ""
    match = _HEAD.match(head, 0, 4096)
    if match is None:
        return ""
    try:
        return _token({"metadata": json.loads(match[1])})
    except ValueError:
        return ""


def _list(client: Client, path: str, data: bytes, shape: protobuf.Shape | None) -> dict[str, t.Any]:
    if shape is not None and data.startswith(protobuf.MAGIC):
        try:
            answer = protobuf.listing(data)
            return {"metadata": answer.metadata, "items": answer.items(shape)}
        except protobuf.MalformedError as error:
            text = f"{client.host}: the list at {path} is not Kubernetes' protobuf: {error}"
            raise KubeError("kube_malformed", text, 200) from error
    try:
        body = json.loads(data)
    except (ValueError, RecursionError) as error:
        raise KubeError("kube_malformed", f"{client.host}: the list at {path} is not JSON: {error}", 200) from error
    if not isinstance(body, dict) or not isinstance(body.get("items") or [], list):
        raise KubeError("kube_malformed", f"{client.host}: the answer for {path} is no list", 200)
    body["items"] = [entry for entry in body.get("items") or [] if isinstance(entry, dict)]
    return body


def changes(
    client: Client, path: str, resource_version: str, quiet: float, *, params: t.Mapping[str, t.Any] | None = None
) -> t.Iterator[dict[str, t.Any]]:
    """The watch events (`type`, `object`) after `resource_version`, until none came for `quiet` seconds.

    An ERROR event is raised as KubeError with the status it carries (410: list anew). A connection that closes early
    ends the events.
    """
    query = {
        **(params or {}),
        "watch": "1",
        "resourceVersion": resource_version,
        "timeoutSeconds": WATCH_SECONDS,
        "allowWatchBookmarks": "true",
    }
    with client.stream("GET", path, query, quiet=quiet) as pieces:
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
