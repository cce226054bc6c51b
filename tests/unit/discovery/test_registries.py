"""Registries that lie, wander, babble or want a name; credentials and short names as the user's files have them."""

from __future__ import annotations

import base64
import hashlib
import json

import pytest
from ansible_collections.scap.images.plugins.module_utils.discovery import registries as room
from ansible_collections.scap.images.plugins.module_utils.discovery.authfile import Credentials
from ansible_collections.scap.images.plugins.module_utils.discovery.registries import Registries
from ansible_collections.scap.images.plugins.module_utils.discovery.registriesconf import RegistriesConf
from ansible_collections.scap.images.plugins.module_utils.model import ScapError
from ansible_collections.scap.images.plugins.module_utils.reference import parse

from tests.support.misbehaving import Say, serving

OCI = "application/vnd.oci.image.manifest.v1+json"
BODY = json.dumps({"schemaVersion": 2, "mediaType": OCI, "config": {}, "layers": []}).encode()
DIGEST = f"sha256:{hashlib.sha256(BODY).hexdigest()}"
OTHER = f"sha256:{'0' * 64}"


def manifest(**headers):
    return Say(body=BODY, headers={"Content-Type": OCI, "Docker-Content-Digest": DIGEST, **headers})


def ask(answer, tag="1", digest="", **options):
    with serving(answer) as server:
        registries = Registries(insecure=[server.address], registries_conf=options.pop("conf", None), **options)
        reference = parse(f"{server.address}/a/b" + (f"@{digest}" if digest else f":{tag}"))
        try:
            return registries.head(reference), server
        except ScapError as error:
            return error, server


def test_one_head_is_enough():
    found, server = ask(lambda _asked: manifest(ETag='"e"'))
    assert (found.digest, found.etag, found.body) == (DIGEST, '"e"', None)
    assert [asked.method for asked in server.asked if asked.path == "/v2/a/b/manifests/1"] == ["HEAD"]


def test_a_registry_without_the_digest_header_is_asked_for_the_bytes():
    found, server = ask(lambda _asked: Say(body=BODY, headers={"Content-Type": OCI}))
    assert found.digest == DIGEST
    assert [asked.method for asked in server.asked] == ["HEAD", "GET"]


@pytest.mark.parametrize(
    ("answer", "digest", "code", "says"),
    [
        (
            lambda _a: Say(body=b"<html>log in</html>", headers={"Content-Type": "text/html"}),
            "",
            "registry_malformed",
            "text/html that is not JSON",
        ),
        (
            lambda _a: Say(body=b"{}", headers={"Content-Type": "application/json"}),
            "",
            "registry_malformed",
            "no image",
        ),
        (lambda _a: Say(body=b"[]", headers={"Content-Type": OCI}), "", "registry_malformed", "no JSON object"),
        (lambda _a: Say(body=b"[" * 100_000, headers={"Content-Type": OCI}), "", "registry_malformed", "not JSON"),
        (lambda _a: manifest(**{"Docker-Content-Digest": OTHER}), DIGEST, "registry_lies", OTHER),
        (lambda _a: Say(body=BODY, headers={"Content-Type": OCI}), OTHER, "registry_lies", DIGEST),
        (
            lambda a: Say(307, headers={"Location": a.path + "x"}),
            "",
            "registry_malformed",
            "redirects more than 5 times",
        ),
        (lambda _a: Say(302, headers={"Location": "ftp://elsewhere/"}), "", "registry_malformed", "redirects to ftp:"),
        (lambda _a: Say(404), "", "registry_not_found", "HTTP 404"),
        (lambda _a: Say(403), "", "registry_unauthorized", "podman login"),
        (lambda _a: Say(401), "", "registry_unauthorized", "podman login"),
        (lambda _a: Say(429, headers={"Retry-After": "3600"}), "", "registry_throttled", "try later"),
        (lambda _a: Say(body=b"x" * (room.MANIFEST_LIMIT + 2)), "", "registry_malformed", "longer than"),
        (lambda _a: Say(body=BODY, cut=True), "", "registry_", "cannot be asked"),
    ],
)
def test_bad_answers(answer, digest, code, says):
    found, _server = ask(answer, digest=digest)
    assert isinstance(found, ScapError)
    assert found.code.startswith(code)
    assert says in found.message


def test_validators_spare_the_answer():
    with serving(lambda asked: Say(304) if asked.headers["If-None-Match"] == "e" else manifest()) as server:
        assert Registries(insecure=[server.address]).head(parse(f"{server.address}/a/b:1"), "e") is None


def test_a_token_is_fetched_with_the_users_credentials_and_used(tmp_path):
    def answer(asked):
        if asked.path.startswith("/token"):
            assert asked.headers["Authorization"] == "Basic " + base64.b64encode(b"me:secret").decode()
            return Say(body={"token": "t0k", "expires_in": 300})
        if asked.headers["Authorization"] == "Bearer t0k":
            return manifest()
        realm = f"http://{asked.headers['Host']}/token"
        return Say(401, headers={"WWW-Authenticate": f'Bearer realm="{realm}",service="s",scope="repository:a/b:pull"'})

    with serving(answer) as server:
        authfile = tmp_path / "auth.json"
        authfile.write_text(
            json.dumps({"auths": {f"{server.address}/a": {"auth": base64.b64encode(b"me:secret").decode()}}})
        )
        registries = Registries(insecure=[server.address], authfile=str(authfile))
        for tag in "12":
            assert registries.head(parse(f"{server.address}/a/b:{tag}")).digest == DIGEST
        tokens = [asked.path for asked in server.asked if asked.path.startswith("/token")]
        assert tokens == ["/token?service=s&scope=repository%3Aa%2Fb%3Apull"]


def test_credentials_do_not_follow_to_another_host(tmp_path):
    with serving(lambda _asked: manifest()) as other:

        def answer(asked):
            if asked.headers["Authorization"]:
                return Say(307, headers={"Location": f"http://{other.address}/v2/a/b/manifests/1"})
            return Say(401, headers={"WWW-Authenticate": 'Basic realm="x"'})

        with serving(answer) as server:
            authfile = tmp_path / "auth.json"
            authfile.write_text(json.dumps({"auths": {server.address: {"username": "me", "password": "secret"}}}))
            Registries(insecure=[server.address], authfile=str(authfile)).head(parse(f"{server.address}/a/b:1"))
        assert other.asked
        assert all(asked.headers["Authorization"] is None for asked in other.asked)


def test_pages_of_tags_are_followed_but_not_elsewhere_and_not_in_circles():
    def tags(link):
        def answer(asked):
            if "last=" in asked.path:
                return Say(body={"tags": ["b"]})
            return Say(body={"tags": ["a", 7, None]}, headers={"Link": link})

        with serving(answer) as server:
            return list(Registries(insecure=[server.address]).tags(server.address, "a/b"))

    assert tags('</v2/a/b/tags/list?n=1&last=a>; rel="next"') == ["a", "b"]
    with pytest.raises(ScapError, match="which is elsewhere"):
        tags('<https://evil.example/v2/a/b/tags/list?last=a>; rel="next"')
    with pytest.raises(ScapError, match="in a circle"):
        tags('</v2/a/b/tags/list?n=1000>; rel="next"')


def test_credentials_most_specific_first(tmp_path):
    def entry(user):
        return {"auth": base64.b64encode(f"{user}:p".encode()).decode()}

    auths = {
        "quay.io": entry("host"),
        "quay.io/team": entry("team"),
        "https://index.docker.io/v1/": entry("hub"),
        "bad": {"auth": "§"},
        "odd": 7,
    }
    path = tmp_path / "auth.json"
    path.write_text(json.dumps({"auths": auths}))
    credentials = Credentials(str(path))
    assert credentials.of("quay.io", "team/web") == ("team", "p")
    assert credentials.of("quay.io", "teamx/web") == ("host", "p")
    assert credentials.of("docker.io", "library/nginx") == ("hub", "p")
    assert credentials.of("bad", "x") is credentials.of("ghcr.io", "x") is None
    assert Credentials(environ={"REGISTRY_AUTH_FILE": str(path)}).of("quay.io", "x") == ("host", "p")
    with pytest.raises(ScapError, match="does not exist"):
        Credentials(str(tmp_path / "none"))


def test_short_names_mean_what_registries_conf_says(tmp_path):
    path = tmp_path / "registries.conf"
    path.write_text(
        'unqualified-search-registries = ["quay.io", "docker.io"]\n[aliases]\n"web" = "registry.example.org/shop/web"\n'
        '[[registry]]\nprefix = "*.lab.example"\ninsecure = true\n'
        '[[registry]]\nlocation = "bad.example/x"\nblocked = true\n'
    )
    conf = RegistriesConf(str(path))
    assert [str(name) for name in conf.expand(parse("nginx:1"))] == [
        "docker://quay.io/nginx:1",
        "docker://docker.io/library/nginx:1",
    ]
    assert [str(name) for name in conf.expand(parse("web:2"))] == ["docker://registry.example.org/shop/web:2"]
    assert [str(name) for name in conf.expand(parse("ghcr.io/a"))] == ["docker://ghcr.io/a"]
    assert conf.is_insecure("a.lab.example:5000", "x")
    assert not conf.is_insecure("lab.example", "x")
    assert conf.is_blocked("bad.example", "x/y")
    assert not conf.is_blocked("bad.example", "xy")
    empty = tmp_path / "empty.conf"
    empty.write_text("# nothing\n")
    with pytest.raises(ScapError, match="names no registry"):
        RegistriesConf(str(empty)).expand(parse("nginx:1"))
    broken = tmp_path / "broken.conf"
    broken.write_text("[[")
    with pytest.raises(ScapError, match="is not TOML"):
        RegistriesConf(str(broken))
