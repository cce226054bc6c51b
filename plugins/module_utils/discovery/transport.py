# Copyright (c) 2026, scap.images contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""HTTP to registries: kept connections, tokens, redirects, repeats; standard library only."""

from __future__ import annotations

import base64
import dataclasses
import http.client
import json
import re
import socket
import ssl
import threading
import time
import typing as t
import urllib.parse
import urllib.request

from ..model import ScapError
from .authfile import Credentials

REDIRECTS = 5
ATTEMPTS = 4
PATIENCE = 30.0
"""Bounds of the redirects and repeats of one request, and of the seconds that waiting may take."""

TOKEN_LIMIT = 1024 * 1024

_DOCKER_HUB = {"docker.io": "registry-1.docker.io", "index.docker.io": "registry-1.docker.io"}
_PARAMETER = re.compile(r'(\w+)="([^"]*)"')


@dataclasses.dataclass(frozen=True)
class Reply:
    """One HTTP answer, its body read whole."""

    status: int
    headers: t.Mapping[str, str]
    body: bytes


class Transport:
    """Requests to any number of registries from any number of threads."""

    def __init__(self, credentials: Credentials, timeout: float, ca_file: str | None = None) -> None:
        self.requests = 0
        self._credentials = credentials
        self._timeout = timeout
        self._ca_file = ca_file
        self._kept = threading.local()
        self._lock = threading.Lock()
        self._authorization: dict[tuple[str, str], tuple[str, float]] = {}
        self._plain: set[str] = set()
        self._contexts: dict[tuple[str, bool], ssl.SSLContext] = {}

    def ask(
        self,
        method: str,
        host: str,
        repository: str,
        path: str,
        headers: t.Mapping[str, str],
        *,
        insecure: bool,
        limit: int,
        what: str,
    ) -> Reply:
        """The final answer: redirects followed, authorization added where it is asked for, 429 and 5xx repeated.

        `insecure`: certificates are not verified, and plain HTTP is taken where the registry speaks no TLS.
        Raises ScapError `registry_unreachable` or `registry_malformed`.
        """
        deadline = time.monotonic() + PATIENCE
        attempt = 0
        while True:
            attempt += 1
            authorization = self._authorization.get((host, repository), ("", 0.0))
            if authorization[1] and authorization[1] < time.monotonic():
                authorization = ("", 0.0)
            extra = {"Authorization": authorization[0]} if authorization[0] else {}
            reply = self._follow(method, host, path, {**headers, **extra}, insecure=insecure, limit=limit, what=what)
            if reply.status == 401 and attempt <= 2:
                if self._authorize(reply, host, repository, insecure, what):
                    continue
                return reply
            if reply.status not in (429, 500, 502, 503, 504) or attempt >= ATTEMPTS:
                return reply
            wait = _seconds(reply.headers.get("Retry-After")) or 0.2 * 2**attempt
            if time.monotonic() + wait > deadline:
                return reply
            time.sleep(wait)

    def _follow(
        self, method: str, host: str, path: str, headers: dict[str, str], *, insecure: bool, limit: int, what: str
    ) -> Reply:
        server = _DOCKER_HUB.get(host, host)
        scheme = "http" if host in self._plain else "https"
        for _hop in range(REDIRECTS + 1):
            try:
                reply = self._once(scheme, server, method, path, headers, insecure=insecure, limit=limit, what=what)
            except (ssl.SSLError, http.client.BadStatusLine, ConnectionResetError) as error:
                if not insecure or scheme == "http" or isinstance(error, ssl.SSLCertVerificationError):
                    raise _unreachable(what, server, error) from error
                with self._lock:
                    self._plain.add(host)
                scheme = "http"
                continue
            except (OSError, http.client.HTTPException) as error:
                raise _unreachable(what, server, error) from error
            if reply.status not in (301, 302, 303, 307, 308):
                return reply
            target = urllib.parse.urlsplit(
                urllib.parse.urljoin(f"{scheme}://{server}{path}", reply.headers.get("Location") or "")
            )
            if target.scheme not in ("https", "http") or (target.scheme == "http" and scheme == "https"):
                raise ScapError("registry_malformed", f"{what}: {server} redirects to {target.scheme}:")
            if target.netloc != server:
                headers = {name: value for name, value in headers.items() if name != "Authorization"}
            scheme, server = target.scheme, target.netloc
            path = f"{target.path}?{target.query}" if target.query else target.path
        raise ScapError("registry_malformed", f"{what}: {host} redirects more than {REDIRECTS} times")

    def _once(
        self,
        scheme: str,
        server: str,
        method: str,
        path: str,
        headers: t.Mapping[str, str],
        *,
        insecure: bool,
        limit: int,
        what: str,
    ) -> Reply:
        connections: dict[tuple[str, str], http.client.HTTPConnection] = self._kept.__dict__.setdefault("open", {})
        for attempt in (1, 2):
            kept = connections.pop((scheme, server), None)
            connection = kept or self._connection(scheme, server, insecure)
            try:
                with self._lock:
                    self.requests += 1
                connection.request(method, path, headers={"User-Agent": "scap.images", **headers})
                response = connection.getresponse()
                body = response.read(limit + 1)
                if not response.isclosed():
                    body += response.read(1)
                if response.length and len(body) <= limit:
                    raise http.client.IncompleteRead(body)
            except (http.client.RemoteDisconnected, http.client.IncompleteRead, BrokenPipeError, ConnectionResetError):
                connection.close()
                if attempt == 2:
                    raise
                continue
            except BaseException:
                connection.close()
                raise
            if len(body) > limit:
                connection.close()
                raise ScapError("registry_malformed", f"{what}: the answer of {server} is longer than {limit} bytes")
            if response.will_close:
                connection.close()
            else:
                connections[scheme, server] = connection
            return Reply(response.status, t.cast("t.Mapping[str, str]", response.headers), body)
        raise AssertionError("unreachable")

    def _connection(self, scheme: str, server: str, insecure: bool) -> http.client.HTTPConnection:
        proxy = urllib.request.getproxies().get(scheme) or ""
        through = urllib.parse.urlsplit(proxy if "://" in proxy else f"http://{proxy}")
        use_proxy = bool(through.hostname) and not urllib.request.proxy_bypass(server)
        address = through.netloc.rpartition("@")[2] if use_proxy else server
        connection: http.client.HTTPConnection
        if scheme == "http":
            connection = http.client.HTTPConnection(address, timeout=self._timeout)
        else:
            context = self._context(server, insecure)
            connection = http.client.HTTPSConnection(address, timeout=self._timeout, context=context)
        if use_proxy:
            connection.set_tunnel(server)
        return connection

    def _context(self, server: str, insecure: bool) -> ssl.SSLContext:
        with self._lock:
            context = self._contexts.get((server, insecure))
            if context is None:
                context = self._contexts[server, insecure] = self._new_context(server, insecure)
        return context

    def _new_context(self, server: str, insecure: bool) -> ssl.SSLContext:
        if insecure:
            context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
            context.check_hostname = False
            context.verify_mode = ssl.CERT_NONE
            return context
        context = ssl.create_default_context()
        _own_authorities(context, server)
        if self._ca_file:
            try:
                context.load_verify_locations(self._ca_file)
            except (OSError, ssl.SSLError) as error:
                raise ScapError("ca_file", f"ca_file {self._ca_file} cannot be used: {error}") from error
        return context

    def _authorize(self, reply: Reply, host: str, repository: str, insecure: bool, what: str) -> bool:
        """Whether an authorization could be had for the challenge (RFC 6750, distribution token specification)."""
        scheme, _space, rest = (reply.headers.get("WWW-Authenticate") or "").partition(" ")
        pair = self._credentials.of(host, repository)
        basic = f"Basic {base64.b64encode(':'.join(pair).encode()).decode()}" if pair else ""
        before = self._authorization.get((host, repository), ("", 0.0))[0]
        if scheme.lower() == "basic":
            if not basic or before == basic:
                return False
            self._authorization[host, repository] = (basic, 0.0)
            return True
        if scheme.lower() != "bearer":
            return False
        challenge = dict(_PARAMETER.findall(rest))
        realm = urllib.parse.urlsplit(challenge.get("realm") or "")
        if realm.scheme != "https" and not (realm.scheme == "http" and insecure):
            raise ScapError(
                "registry_malformed", f"{what}: {host} sends its users to {realm.geturl()[:200]!r} for a token"
            )
        scope = challenge.get("scope") or (f"repository:{repository}:pull" if repository else "registry:catalog:*")
        query = urllib.parse.urlencode({"service": challenge.get("service") or host, "scope": scope})
        path = f"{realm.path}?{realm.query + '&' if realm.query else ''}{query}"
        try:
            answer = self._once(
                realm.scheme,
                realm.netloc,
                "GET",
                path,
                {"Authorization": basic} if basic else {},
                insecure=insecure,
                limit=TOKEN_LIMIT,
                what=what,
            )
        except (OSError, http.client.HTTPException) as error:
            raise _unreachable(f"{what}: the token", realm.netloc, error) from error
        token, seconds = _token(answer)
        if not token:
            return False
        self._authorization[host, repository] = (f"Bearer {token}", time.monotonic() + max(5.0, seconds - 10))
        return True


def _own_authorities(context: ssl.SSLContext, server: str) -> None:
    """The authorities that the host trusts for one registry (containers-certs.d(5))."""
    for folder in ("/etc/containers/certs.d", "/etc/docker/certs.d"):
        try:
            context.load_verify_locations(f"{folder}/{server}/ca.crt")
        except (OSError, ssl.SSLError):
            continue


def _unreachable(what: str, server: str, error: Exception) -> ScapError:
    reason = (
        "it did not answer in time" if isinstance(error, (socket.timeout, TimeoutError)) else str(error) or repr(error)
    )
    return ScapError(
        "registry_unreachable", f"{what}: {server} cannot be asked: {reason}; check its name, network and certificate"
    )


def _token(reply: Reply) -> tuple[str, float]:
    try:
        body = json.loads(reply.body)
        token = body.get("token") or body.get("access_token")
        seconds = float(body.get("expires_in") or 60)
    except (ValueError, TypeError, AttributeError, RecursionError):
        return "", 0.0
    good = reply.status == 200 and isinstance(token, str) and "\n" not in token and "\r" not in token
    return (token, seconds) if good else ("", 0.0)


def _seconds(text: str | None) -> float:
    try:
        return max(0.0, float(text or 0))
    except ValueError:
        return 0.0
