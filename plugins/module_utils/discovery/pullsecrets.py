# Copyright (c) 2026, scap.images contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Registries as the pods' own pull secrets open them, where the user's own credentials do not."""

from __future__ import annotations

import base64
import json
import threading
import typing as t

from ..kube.client import Client
from ..model import ScapError
from .authfile import Credentials
from .registries import Registries

_KEYS = (".dockerconfigjson", ".dockercfg")


class PullSecrets:
    """Reads each secret at most once, and only when a registry has refused. Thread safe."""

    def __init__(self, client: t.Callable[[], Client], registries: Registries) -> None:
        self._client = client
        self._registries = registries
        self._lock = threading.Lock()
        self._read: dict[str, Registries | ScapError] = {}

    def registries(self, name: str) -> Registries:
        """The same registries, opened by the secret `namespace/name`; ScapError where it cannot be read or used."""
        with self._lock:
            if name not in self._read:
                try:
                    self._read[name] = self._registries.opened_by(self._credentials(name))
                except ScapError as error:
                    self._read[name] = error
            found = self._read[name]
        if isinstance(found, ScapError):
            raise found
        return found

    @property
    def requests(self) -> int:
        """What was asked of registries with secrets."""
        return sum(one.requests for one in self._read.values() if isinstance(one, Registries))

    def _credentials(self, name: str) -> Credentials:
        namespace, _slash, secret = name.partition("/")
        data = self._client().get(f"/api/v1/namespaces/{namespace}/secrets/{secret}").get("data")
        for key in _KEYS if isinstance(data, dict) else ():
            if key in t.cast("dict[str, t.Any]", data):
                return Credentials.of_auths(_auths(name, t.cast("dict[str, t.Any]", data)[key], key))
        raise ScapError("pull_secret_malformed", f"the secret {name} holds no {' and no '.join(_KEYS)}")


def _auths(name: str, value: t.Any, key: str) -> t.Any:
    try:
        body = json.loads(base64.b64decode(str(value), validate=True))
    except (ValueError, RecursionError) as error:
        raise ScapError("pull_secret_malformed", f"the secret {name}: its {key} is no JSON") from error
    return body.get("auths") if key == _KEYS[0] and isinstance(body, dict) else body
