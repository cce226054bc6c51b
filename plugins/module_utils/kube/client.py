# Copyright (c) 2026, scap.images contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""One connection to an API server: pooled, thread safe, patient within bounds; JSON in, JSON out.

The kubernetes package reads the configuration (kubeconfig, exec plug-ins, OIDC, service accounts) and makes the TLS
and proxy pool; requests go through that pool as they are, because a list of ten thousand objects costs several times
more as model objects. Paths are those of the Kubernetes API (`/api/v1/...`, `/apis/GROUP/VERSION/...`).
"""

from __future__ import annotations

import contextlib
import dataclasses
import json
import ssl
import threading
import time
import typing as t
import urllib.parse

from ..model import ScapError
from . import paging
from .auth import Headers, configuration
from .errors import KubeError, Target, refusal, target
from .library import kubernetes, openshift, urllib3
from .protobuf import Shape

APPLY = "application/apply-patch+yaml"
MERGE = "application/merge-patch+json"
JSON_PATCH = "application/json-patch+json"
STRATEGIC = "application/strategic-merge-patch+json"
METADATA_ONLY = "application/json;as=PartialObjectMetadataList;g=meta.k8s.io;v=v1,application/json"
"""The Accept header of a list that needs names, labels and annotations only."""

FIELD_MANAGER = "scap.images"
CONNECT_SECONDS = 10.0
ANSWER_LIMIT = 64 * 1024 * 1024
"""Bytes of one answer; a longer one is an error (`kube_too_large`)."""

_PIECE = 1 << 18
_Head = t.Callable[[bytes], None]
_SAFE_TO_REPEAT = ("GET", "HEAD", "PUT", "PATCH", "DELETE", "OPTIONS")
_TEMPORARY = (429, 500, 502, 503, 504)


@dataclasses.dataclass(frozen=True)
class Answer:
    """A successful answer."""

    status: int
    headers: t.Mapping[str, str]
    data: bytes

    def json(self) -> dict[str, t.Any]:
        try:
            value = json.loads(self.data)
        except (ValueError, RecursionError) as error:
            raise KubeError("kube_malformed", f"the API server's answer is not JSON: {error}", self.status) from error
        if not isinstance(value, dict):
            raise KubeError("kube_malformed", "the API server's answer is no JSON object", self.status)
        return value

    @property
    def warnings(self) -> list[str]:
        """Texts of the Warning headers (RFC 7234, code 299), as admission policies that only warn send them."""
        found = self.headers.get("Warning") or ""
        return [part.split('"')[1].replace('\\"', '"') for part in found.split("299 ")[1:] if part.count('"') >= 2]


class Client:
    """The requests; make one with `connect`. Counts them in `requests`."""

    def __init__(self, config: t.Any, headers: Headers) -> None:
        self.host = str(config.host).rstrip("/")
        self.requests = 0
        self._config = config
        self._headers = headers
        self._lock = threading.Lock()
        self._api_client = kubernetes().client.ApiClient(config)
        self._pool = self._api_client.rest_client.pool_manager
        _share_trust(self._pool.connection_pool_kw)

    def request(
        self,
        method: str,
        path: str,
        body: t.Any = None,
        content_type: str = "application/json",
        *,
        params: t.Mapping[str, t.Any] | None = None,
        accept: str = "application/json",
        timeout: float = 60.0,
        patience: float = 60.0,
        limit: int = ANSWER_LIMIT,
    ) -> Answer:
        """One request and its whole answer; KubeError for every status that is no success.

        `timeout`: seconds without a byte; `patience`: seconds that repeats may take altogether. A 429, a 5xx or a lost
        connection is tried again (Retry-After is honoured), a POST only where the server cannot have acted on it.
        """
        what = target(method, path, params)
        data = None if body is None else json.dumps(body).encode()
        deadline = time.monotonic() + patience
        attempt = 0
        while True:
            attempt += 1
            try:
                with self._open(method, path, params, accept, timeout, data=data, content_type=content_type) as stream:
                    answer = Answer(stream.status, stream.headers, self._read(stream, limit, what))
                if answer.status < 400:
                    return answer
                failure = refusal(self.host, what, answer.status, answer.data)
                again = answer.status in _TEMPORARY and (method in _SAFE_TO_REPEAT or answer.status == 429)
                if answer.status == 500 and attempt >= 3:
                    again = False
                wait = _retry_after(answer.headers) or _backoff(attempt)
            except _LostError as lost:
                failure = lost.failure
                again = lost.temporary and (method in _SAFE_TO_REPEAT or lost.unsent)
                wait = _backoff(attempt)
            if not again or time.monotonic() + wait > deadline:
                raise failure
            time.sleep(wait)

    @contextlib.contextmanager
    def stream(
        self,
        method: str,
        path: str,
        params: t.Mapping[str, t.Any] | None = None,
        *,
        timeout: float = 60.0,
        quiet: float | None = None,
    ) -> t.Iterator[t.Iterator[bytes]]:
        """The answer's body in pieces as they come (watch, logs, proxies); not repeated, bounded by the caller.

        With `quiet` the pieces end where none came for so many seconds.
        """
        what = target(method, path, params)
        try:
            with self._open(method, path, params, "application/json, */*", timeout) as response:
                if response.status >= 400:
                    raise refusal(self.host, what, response.status, self._read(response, 1 << 20, what))
                yield self._pieces(response, what, quiet)
        except _LostError as lost:
            raise lost.failure from lost

    @contextlib.contextmanager
    def beginning(
        self, path: str, params: t.Mapping[str, t.Any], accept: str, limit: int
    ) -> t.Iterator[t.Callable[[_Head], bytes | None]]:
        """A GET whose answer has begun; call what it gives for the whole body, None where it is no success.

        It is given a function, and calls that once with the first bytes as soon as they are there.
        """
        what = target("GET", path, params)
        with contextlib.ExitStack() as stack:
            try:
                response = stack.enter_context(self._open("GET", path, params, accept, 60.0))
            except _LostError:
                yield lambda _head: None
                return

            def whole(head: _Head) -> bytes | None:
                try:
                    return self._read(response, limit, what, head) if response.status < 400 else None
                except _LostError:
                    return None

            yield whole

    def get(self, path: str, params: t.Mapping[str, t.Any] | None = None) -> dict[str, t.Any]:
        return self.request("GET", path, params=params).json()

    def list_pages(
        self,
        path: str,
        limit: int = 500,
        *,
        params: t.Mapping[str, t.Any] | None = None,
        accept: str = "application/json",
        shape: Shape | None = None,
    ) -> t.Iterator[paging.Page]:
        """The pages of a list as they come (paging.list_pages)."""
        return paging.list_pages(self, path, limit, params=params, accept=accept, shape=shape)

    def changes(
        self, path: str, resource_version: str, quiet: float, *, params: t.Mapping[str, t.Any] | None = None
    ) -> t.Iterator[dict[str, t.Any]]:
        """The watch events after `resource_version` (paging.changes)."""
        return paging.changes(self, path, resource_version, quiet, params=params)

    def create(self, path: str, body: t.Any, dry_run: bool = False) -> Answer:
        """POST of `body` to a collection; with `dry_run` the server admits and validates but stores nothing."""
        return self.request("POST", path, body, params=_write_params(dry_run))

    def apply(self, path: str, body: t.Any, force: bool = True, dry_run: bool = False) -> dict[str, t.Any]:
        """Server-side apply of `body` to the object at `path`; `force` takes fields over from other managers."""
        params = {**_write_params(dry_run), "force": "true" if force else "false"}
        return self.request("PATCH", path, body, APPLY, params=params).json()

    def patch(self, path: str, body: t.Any, content_type: str = MERGE, dry_run: bool = False) -> dict[str, t.Any]:
        return self.request("PATCH", path, body, content_type, params=_write_params(dry_run)).json()

    def delete(self, path: str, propagation: str = "Background", dry_run: bool = False) -> bool:
        """Delete the object at `path`; False where it was not there."""
        params = {"propagationPolicy": propagation, **({"dryRun": "All"} if dry_run else {})}
        try:
            self.request("DELETE", path, params=params)
        except KubeError as error:
            if error.status == 404:
                return False
            raise
        return True

    def exists(self, path: str) -> bool:
        try:
            self.get(path)
        except KubeError as error:
            if error.status == 404:
                return False
            raise
        return True

    @property
    def api_client(self) -> t.Any:
        """The `kubernetes.client.ApiClient` of this connection, for `kubernetes.stream` (exec)."""
        for name, value in self._headers:
            self._api_client.set_default_header(name, value)
        return self._api_client

    @property
    def configuration(self) -> t.Any:
        """The connection's `kubernetes.client.Configuration`."""
        return self._config

    def headers(self) -> list[tuple[str, str]]:
        """The headers of a request that is not made here (exec), credentials included."""
        return [(str(name), str(value)) for name, value in self._request_headers().items()]

    def openshift(self, cache_file: str | None = None) -> t.Any:
        """An `openshift.dynamic.DynamicClient` on this connection."""
        return openshift().dynamic.DynamicClient(self.api_client, cache_file=cache_file)

    def close(self) -> None:
        self._pool.clear()

    def _request_headers(self) -> t.Any:
        headers = urllib3().HTTPHeaderDict({"User-Agent": FIELD_MANAGER})
        for name, value in self._headers:
            headers.add(name, value)
        with self._lock:
            self.requests += 1
            settings = self._config.auth_settings()
        for setting in settings.values():
            if setting.get("in") == "header" and setting.get("value"):
                headers[str(setting["key"])] = str(setting["value"])
        return headers

    @contextlib.contextmanager
    def _open(
        self,
        method: str,
        path: str,
        params: t.Mapping[str, t.Any] | None,
        accept: str,
        timeout: float,
        *,
        data: bytes | None = None,
        content_type: str = "",
    ) -> t.Iterator[t.Any]:
        what = target(method, path, params)
        headers = self._request_headers()
        headers["Accept"] = accept
        if data is not None:
            headers["Content-Type"] = content_type
        query = f"?{urllib.parse.urlencode(params, doseq=True)}" if params else ""
        try:
            response = self._pool.request(
                method,
                f"{self.host}{path}{query}",
                body=data,
                headers=headers,
                preload_content=False,
                retries=False,
                redirect=False,
                timeout=urllib3().Timeout(connect=CONNECT_SECONDS, read=timeout),
            )
        except (urllib3().exceptions.HTTPError, OSError) as error:
            raise _lost(self.host, what, error) from error
        finished = False
        try:
            yield response
            finished = True
        finally:
            if finished and response.isclosed():
                response.release_conn()
            else:
                response.close()

    def _read(self, response: t.Any, limit: int, what: Target, head: _Head | None = None) -> bytes:
        parts: list[bytes] = []
        size = 0
        try:
            for part in self._whole_parts(response):
                if head is not None and not parts:
                    head(part)
                size += len(part)
                if size > limit:
                    text = f"{self.host}: {what}: the answer is longer than {limit} bytes"
                    raise KubeError("kube_too_large", text, response.status)
                parts.append(part)
        except (urllib3().exceptions.HTTPError, OSError) as error:
            raise _lost(self.host, what, error) from error
        return b"".join(parts)

    @staticmethod
    def _whole_parts(response: t.Any) -> t.Iterator[bytes]:
        """Pieces as large as they come; `stream` would give each chunk of the server's by itself."""
        if response.headers.get("Content-Encoding"):
            yield from response.stream(_PIECE, decode_content=True)
        else:
            while part := response.read(_PIECE):
                yield part

    def _pieces(self, response: t.Any, what: Target, quiet: float | None = None) -> t.Iterator[bytes]:
        socket = getattr(response.connection, "sock", None)
        if quiet is not None and socket is not None:
            socket.settimeout(quiet)
        try:
            yield from response.stream(_PIECE, decode_content=True)
        except urllib3().exceptions.ReadTimeoutError as error:
            if quiet is None:
                raise _lost(self.host, what, error) from error
        except (urllib3().exceptions.HTTPError, OSError) as error:
            raise _lost(self.host, what, error) from error


class _LostError(Exception):
    """A connection that failed."""

    def __init__(self, failure: KubeError, temporary: bool, unsent: bool) -> None:
        super().__init__(failure.message)
        self.failure = failure
        self.temporary = temporary
        self.unsent = unsent


def connect(params: t.Mapping[str, t.Any]) -> Client:
    """The client that a module's authentication options (auth.OPTIONS) describe. Nothing is sent yet."""
    config, headers = configuration(params)
    if not config.verify_ssl:
        urllib3().disable_warnings(urllib3().exceptions.InsecureRequestWarning)
    try:
        return Client(config, headers)
    except (OSError, ValueError) as error:
        raise ScapError("kube_config", f"{config.host}: the connection's settings cannot be used: {error}") from error


def _share_trust(pool: dict[str, t.Any]) -> None:
    """Let all connections share what they trust where that is the system's: reading it takes 50 ms each time."""
    if not any(pool.get(name) for name in ("ca_certs", "ca_cert_dir", "ca_cert_data", "cert_file", "ssl_context")):
        pool["ssl_context"] = context = urllib3().util.ssl_.create_urllib3_context(cert_reqs=pool["cert_reqs"])
        if pool["cert_reqs"] != ssl.CERT_NONE:
            context.load_default_certs()


def _lost(host: str, what: Target, error: Exception) -> _LostError:
    cause = getattr(error, "reason", None) or error
    if isinstance(error, urllib3().exceptions.SSLError) or "CERTIFICATE_VERIFY_FAILED" in str(error):
        text = f"{host}: cannot {what}: TLS failed: {cause}; set ca_cert to the cluster's CA, or check host"
        return _LostError(KubeError("kube_tls", text, 0), False, True)
    unsent = isinstance(error, (urllib3().exceptions.NewConnectionError, urllib3().exceptions.ConnectTimeoutError))
    text = f"{host}: cannot {what}: the connection failed: {cause}; check host, proxy and network"
    return _LostError(KubeError("kube_unreachable", text, 0), True, unsent)


def _write_params(dry_run: bool) -> dict[str, str]:
    return {"fieldManager": FIELD_MANAGER, **({"dryRun": "All"} if dry_run else {})}


def _backoff(attempt: int) -> float:
    return float(min(5.0, 0.2 * 2 ** (attempt - 1)))


def _retry_after(headers: t.Mapping[str, str]) -> float:
    try:
        return max(0.0, float(headers.get("Retry-After") or 0))
    except ValueError:
        return 0.0
