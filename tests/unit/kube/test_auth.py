"""Options and K8S_AUTH_* variables as kubernetes.core reads them."""

from __future__ import annotations

import base64
import json

import pytest
from ansible_collections.scap.images.plugins.module_utils.kube import auth, library
from ansible_collections.scap.images.plugins.module_utils.model import ScapError

KUBECONFIG = {
    "apiVersion": "v1",
    "kind": "Config",
    "clusters": [
        {"name": "c", "cluster": {"server": "https://api.example.org:6443", "insecure-skip-tls-verify": True}}
    ],
    "users": [
        {"name": "u", "user": {"token": "secret-token"}},
        {"name": "basic", "user": {"username": "eve", "password": "secret-password"}},
    ],
    "contexts": [
        {"name": "one", "context": {"cluster": "c", "user": "u"}},
        {"name": "two", "context": {"cluster": "c", "user": "basic"}},
    ],
    "current-context": "one",
}


def authorization(config):
    return [setting["value"] for setting in config.auth_settings().values()]


@pytest.mark.parametrize(
    "inline", [KUBECONFIG, json.dumps(KUBECONFIG), "apiVersion: v1\n" + json.dumps(KUBECONFIG)[1:-1]]
)
def test_inline_kubeconfig_as_mapping_or_text(inline):
    if isinstance(inline, str) and inline.startswith("apiVersion"):
        import yaml

        inline = yaml.safe_dump(KUBECONFIG)
    config, headers = auth.configuration({"kubeconfig": inline}, {})
    assert config.host == "https://api.example.org:6443"
    assert config.verify_ssl is False
    assert authorization(config) == ["Bearer secret-token"]
    assert headers == []
    assert auth.secrets({"kubeconfig": inline}) == {"secret-token", "secret-password"}


def test_kubeconfig_file_and_context(tmp_path):
    path = tmp_path / "config"
    path.write_text(json.dumps(KUBECONFIG))
    config, _headers = auth.configuration({"kubeconfig": str(path), "context": "two"}, {})
    assert authorization(config) == ["Basic " + base64.b64encode(b"eve:secret-password").decode()]


def test_single_options_override_the_kubeconfig(tmp_path):
    ca = tmp_path / "ca.pem"
    ca.write_text("")
    config, headers = auth.configuration(
        {
            "kubeconfig": KUBECONFIG,
            "host": "https://other.example.org/",
            "api_key": "another",
            "validate_certs": "true",
            "ca_cert": str(ca),
            "proxy": "http://proxy:3128",
            "no_proxy": "localhost",
            "proxy_headers": {"proxy_basic_auth": "a:b", "user_agent": None},
            "impersonate_user": "alice",
            "impersonate_groups": ["x", "y"],
        },
        {},
    )
    assert (config.host, config.verify_ssl, config.ssl_ca_cert) == ("https://other.example.org", True, str(ca))
    assert (config.proxy, config.no_proxy) == ("http://proxy:3128", "localhost")
    assert config.proxy_headers == {"proxy-authorization": "Basic " + base64.b64encode(b"a:b").decode()}
    assert authorization(config) == ["Bearer another"]
    assert sorted(headers) == [("Impersonate-Group", "x"), ("Impersonate-Group", "y"), ("Impersonate-User", "alice")]


def test_variables_of_the_awx_credential_are_enough():
    environ = {
        "K8S_AUTH_HOST": "https://awx.example.org:6443",
        "K8S_AUTH_API_KEY": "from-awx",
        "K8S_AUTH_VERIFY_SSL": "False",
        "K8S_AUTH_IMPERSONATE_GROUPS": "a, b",
        "K8S_AUTH_PROXY_HEADERS_BASIC_AUTH": "c:d",
    }
    config, headers = auth.configuration({"host": None, "impersonate_user": ""}, environ)
    assert (config.host, config.verify_ssl) == ("https://awx.example.org:6443", False)
    assert authorization(config) == ["Bearer from-awx"]
    assert headers == [("Impersonate-Group", "a"), ("Impersonate-Group", "b")]
    assert auth.settings({"host": "https://task.example.org"}, environ)["host"] == "https://task.example.org"


@pytest.mark.parametrize(
    ("params", "says"),
    [
        ({"kubeconfig": "/nowhere/config"}, "/nowhere/config does not exist"),
        ({"host": "api.example.org", "api_key": "x"}, "write it as https://"),
        ({"host": "https://a", "api_key": "x", "ca_cert": "/nowhere/ca"}, "ca_cert names /nowhere/ca"),
        ({"kubeconfig": {"clusters": []}}, "the kubeconfig inline cannot be used"),
        ({"kubeconfig": KUBECONFIG, "context": "three"}, "three"),
        ({"kubeconfig": "{]\n"}, "neither JSON nor YAML"),
        ({"host": "https://a", "api_key": "x", "validate_certs": "maybe"}, "write true or false"),
    ],
)
def test_what_cannot_be_used_is_a_sentence_without_secrets(params, says):
    with pytest.raises(ScapError) as caught:
        auth.configuration(params, {})
    assert caught.value.code == "kube_config"
    assert says in caught.value.message
    assert "secret" not in caught.value.message


def test_nothing_given_says_what_to_set(tmp_path, monkeypatch):
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.delenv("KUBECONFIG", raising=False)
    monkeypatch.delenv("KUBERNETES_SERVICE_HOST", raising=False)
    with pytest.raises(ScapError, match="K8S_AUTH_KUBECONFIG"):
        auth.configuration({}, {})


@pytest.mark.parametrize(
    ("version", "proxy", "says"),
    [
        ("36.0.0", False, "sends no bearer token"),
        ("36.0.1", False, "sends no bearer token"),
        ("32.0.0", True, "proxies"),
    ],
)
def test_releases_that_do_harm_are_refused(monkeypatch, version, proxy, says):
    monkeypatch.setattr(library, "_version", lambda _name: version)
    with pytest.raises(ScapError, match=says):
        library.kubernetes(proxy=proxy)
    if proxy:
        library.kubernetes()
