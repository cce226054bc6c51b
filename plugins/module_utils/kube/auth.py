# Copyright (c) 2026, scap.images contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""How a cluster is reached: the options and K8S_AUTH_* variables of kubernetes.core, as a client configuration."""

from __future__ import annotations

import importlib
import json
import os
import typing as t

from ..model import ScapError
from .library import kubernetes, urllib3

OPTIONS: dict[str, dict[str, t.Any]] = {
    "kubeconfig": {"type": "raw"},
    "context": {"type": "str"},
    "host": {"type": "str"},
    "api_key": {"type": "str", "no_log": True},
    "username": {"type": "str"},
    "password": {"type": "str", "no_log": True},
    "validate_certs": {"type": "bool", "aliases": ["verify_ssl"]},
    "ca_cert": {"type": "path", "aliases": ["ssl_ca_cert"]},
    "client_cert": {"type": "path", "aliases": ["cert_file"]},
    "client_key": {"type": "path", "aliases": ["key_file"], "no_log": False},
    "proxy": {"type": "str"},
    "no_proxy": {"type": "str"},
    "proxy_headers": {
        "type": "dict",
        "options": {
            "proxy_basic_auth": {"type": "str", "no_log": True},
            "basic_auth": {"type": "str", "no_log": True},
            "user_agent": {"type": "str"},
        },
    },
    "persist_config": {"type": "bool"},
    "impersonate_user": {"type": "str"},
    "impersonate_groups": {"type": "list", "elements": "str"},
}
"""The part of a module's argument spec that says how to reach the cluster (documented in the fragment `kube_auth`)."""

ENVIRONMENT = {
    "kubeconfig": "K8S_AUTH_KUBECONFIG",
    "context": "K8S_AUTH_CONTEXT",
    "host": "K8S_AUTH_HOST",
    "api_key": "K8S_AUTH_API_KEY",
    "username": "K8S_AUTH_USERNAME",
    "password": "K8S_AUTH_PASSWORD",
    "validate_certs": "K8S_AUTH_VERIFY_SSL",
    "ca_cert": "K8S_AUTH_SSL_CA_CERT",
    "client_cert": "K8S_AUTH_CERT_FILE",
    "client_key": "K8S_AUTH_KEY_FILE",
    "proxy": "K8S_AUTH_PROXY",
    "no_proxy": "K8S_AUTH_NO_PROXY",
    "persist_config": "K8S_AUTH_PERSIST_CONFIG",
    "impersonate_user": "K8S_AUTH_IMPERSONATE_USER",
    "impersonate_groups": "K8S_AUTH_IMPERSONATE_GROUPS",
}
"""Option to environment variable; an option that the task sets wins."""

_PROXY_HEADERS = ("proxy_basic_auth", "basic_auth", "user_agent")
_SECRET_FIELDS = frozenset(
    [
        "token",
        "password",
        "client-key-data",
        "client-certificate-data",
        "access-token",
        "id-token",
        "refresh-token",
        "client-secret",
    ]
)
_TRUE, _FALSE = ("1", "true", "yes", "on", "y", "t"), ("0", "false", "no", "off", "n", "f")


def settings(params: t.Mapping[str, t.Any], environ: t.Mapping[str, str] | None = None) -> dict[str, t.Any]:
    """The options that are set, by the task or by K8S_AUTH_* variables, in their types.

    Texts are taken for what a survey makes of other types: `"false"` for a boolean, `"a,b"` for a list, YAML or JSON
    text for an inline kubeconfig. An empty text counts as not set.
    """
    environ = os.environ if environ is None else environ
    found: dict[str, t.Any] = {}
    for name in OPTIONS:
        value = params.get(name)
        if value in (None, "", [], {}) and name in ENVIRONMENT:
            value = environ.get(ENVIRONMENT[name])
        if name == "proxy_headers":
            value = _proxy_headers(value, environ)
        if value not in (None, "", [], {}):
            found[name] = value
    for name in ("validate_certs", "persist_config"):
        if name in found:
            found[name] = _boolean(name, found[name])
    if isinstance(found.get("impersonate_groups"), str):
        found["impersonate_groups"] = [word.strip() for word in found["impersonate_groups"].split(",") if word.strip()]
    if "kubeconfig" in found:
        found["kubeconfig"] = _inline(found["kubeconfig"])
    return found


def secrets(params: t.Mapping[str, t.Any]) -> set[str]:
    """Every secret text in an inline kubeconfig: a module adds them to its `no_log_values` before anything else."""
    values: set[str] = set()
    if params.get("kubeconfig"):
        _collect(_inline(params["kubeconfig"]), values)
    return values


Headers = t.List[t.Tuple[str, str]]


def configuration(params: t.Mapping[str, t.Any], environ: t.Mapping[str, str] | None = None) -> tuple[t.Any, Headers]:
    """A `kubernetes.client.Configuration` and the headers that every request carries beside its credentials.

    In this order, as kubernetes.core does: host with credentials; the kubeconfig and context that were named; the
    default kubeconfig (`KUBECONFIG`, `~/.kube/config`); the pod's own service account. Single options then
    override what a kubeconfig says. Raises ScapError (`kube_config`) where none of them leads anywhere.
    """
    found = settings(params, environ)
    library = kubernetes(proxy="proxy" in found)
    config = library.client.Configuration()
    if not _direct(found):
        _load(library, found, config)
    _override(found, config)
    if "username" in found and "password" in found and "api_key" not in found:
        _authorize(config, _headers(basic_auth=f"{found['username']}:{found['password']}")["authorization"])
    headers: Headers = [("Impersonate-Group", str(group)) for group in found.get("impersonate_groups", [])]
    if "impersonate_user" in found:
        headers.append(("Impersonate-User", str(found["impersonate_user"])))
    if not str(config.host).startswith(("http://", "https://")):
        raise ScapError("kube_config", f"host is {config.host!r}; write it as https://NAME:PORT")
    return config, headers


def _direct(found: t.Mapping[str, t.Any]) -> bool:
    if "host" not in found:
        return False
    return any(
        all(name in found for name in names)
        for names in (("api_key",), ("username", "password"), ("client_cert", "client_key"))
    )


def _load(library: t.Any, found: t.Mapping[str, t.Any], config: t.Any) -> None:
    named = found.get("kubeconfig")
    persist = found.get("persist_config", False)
    try:
        if isinstance(named, dict):
            library.config.load_kube_config_from_dict(
                named, context=found.get("context"), client_configuration=config, persist_config=False
            )
            return
        path = os.path.expanduser(str(named or os.environ.get("KUBECONFIG") or "~/.kube/config"))
        if named and not any(os.path.exists(part) for part in path.split(os.pathsep)):
            raise ScapError("kube_config", f"the kubeconfig {path} does not exist")
        if named or "context" in found or any(os.path.exists(part) for part in path.split(os.pathsep)):
            library.config.load_kube_config(
                path, context=found.get("context"), client_configuration=config, persist_config=persist
            )
            return
    except ScapError:
        raise
    except Exception as error:  # the library raises whatever a damaged kubeconfig or its plug-in leads to
        where = "inline" if isinstance(named, dict) else path
        raise ScapError(
            "kube_config", f"the kubeconfig {where} cannot be used: {type(error).__name__}: {error}"
        ) from error
    if "host" in found:
        return
    try:
        library.config.load_incluster_config(config)
    except library.config.ConfigException as error:
        raise ScapError(
            "kube_config",
            f"no way to the cluster: no host with credentials, no kubeconfig ({path} does not exist), and not in a pod"
            f" ({error}); set kubeconfig, or host and api_key, or K8S_AUTH_KUBECONFIG",
        ) from error


def _override(found: t.Mapping[str, t.Any], config: t.Any) -> None:
    for name, attribute in (
        ("ca_cert", "ssl_ca_cert"),
        ("client_cert", "cert_file"),
        ("client_key", "key_file"),
        ("validate_certs", "verify_ssl"),
        ("proxy", "proxy"),
        ("no_proxy", "no_proxy"),
    ):
        if name in found:
            setattr(config, attribute, found[name])
    for name in ("ca_cert", "client_cert", "client_key"):
        if name in found and not os.path.isfile(found[name]):
            raise ScapError("kube_config", f"{name} names {found[name]}, which is no file")
    if "host" in found:
        config.host = found["host"].rstrip("/")
    if "proxy_headers" in found:
        config.proxy_headers = _headers(**found["proxy_headers"])
    if "api_key" in found:
        _authorize(config, f"Bearer {found['api_key']}")


def _authorize(config: t.Any, value: str) -> None:
    config.refresh_api_key_hook = None
    config.api_key.clear()
    config.api_key["authorization"] = value


def _headers(**values: str) -> dict[str, str]:
    return dict(urllib3().util.make_headers(**values))


def _proxy_headers(value: t.Any, environ: t.Mapping[str, str]) -> dict[str, str]:
    given = value if isinstance(value, dict) else {}
    found = {}
    for name in _PROXY_HEADERS:
        text = given.get(name) or environ.get(f"K8S_AUTH_PROXY_HEADERS_{name.upper()}")
        if text:
            found[name] = str(text)
    return found


def _boolean(name: str, value: t.Any) -> bool:
    text = str(value).strip().lower()
    if text in _TRUE:
        return True
    if text in _FALSE:
        return False
    raise ScapError("kube_config", f"{name} is {value!r}; write true or false")


def _inline(value: t.Any) -> t.Any:
    """An inline kubeconfig as a dictionary, a path as it is."""
    if isinstance(value, dict):
        return value
    text = str(value)
    if not text.lstrip().startswith("{") and "\n" not in text.strip():
        return text
    try:
        return json.loads(text)
    except ValueError:
        pass
    kubernetes()
    yaml = importlib.import_module("yaml")
    try:
        parsed = yaml.safe_load(text)
    except yaml.YAMLError as error:
        raise ScapError("kube_config", "the inline kubeconfig is neither JSON nor YAML") from error
    if not isinstance(parsed, dict):
        raise ScapError("kube_config", "the inline kubeconfig is no mapping")
    return parsed


def _collect(value: t.Any, found: set[str], depth: int = 0) -> None:
    if depth > 20:
        return
    if isinstance(value, list):
        for entry in value:
            _collect(entry, found, depth + 1)
    elif isinstance(value, dict):
        for key, entry in value.items():
            if key in _SECRET_FIELDS and isinstance(entry, str) and entry:
                found.add(entry)
            else:
                _collect(entry, found, depth + 1)
