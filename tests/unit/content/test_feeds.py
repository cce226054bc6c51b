# Copyright (c) 2026, scap.images contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Feeds from a server that sends new, old, small, broken, cut and unsigned ones; bundles of them."""

from __future__ import annotations

import bz2
import hashlib
import pathlib
import re
import subprocess
import tarfile
import typing as t

import pytest
from ansible_collections.scap.images.plugins.module_utils.content import bundle, fetch
from ansible_collections.scap.images.plugins.module_utils.content.feeds import KEEP, Contents, Terms
from ansible_collections.scap.images.plugins.module_utils.content.source import Source, parse
from ansible_collections.scap.images.plugins.module_utils.model import ScapError, now

from tests.support.misbehaving import Asked, Say, Server, serving


def feed(definitions: int, generated: str = "2026-01-02T00:00:00") -> bytes:
    some = "".join(f'<definition class="patch" id="oval:a:def:{number}"/>' for number in range(definitions))
    return (
        '<oval_definitions xmlns="http://oval.mitre.org/XMLSchema/oval-definitions-5" '
        'xmlns:o="http://oval.mitre.org/XMLSchema/oval-common-5"><generator><o:schema_version>5.10</o:schema_version>'
        f"<o:timestamp>{generated}</o:timestamp></generator><definitions>{some}</definitions></oval_definitions>"
    ).encode()


def sha256(data: bytes) -> str:
    return hashlib.sha256(data).hexdigest()


class Site:
    """A server of files that knows validators and ranges (RFC 9110), and cuts the first `cuts` answers."""

    def __init__(self, files: dict[str, bytes]) -> None:
        self.files, self.cuts, self.tag = files, 0, ""

    def __call__(self, asked: Asked) -> Say:
        data = self.files.get(asked.path)
        if data is None:
            return Say(404)
        tag = self.tag or f'"{sha256(data)[:16]}"'
        if asked.headers.get("If-None-Match") == tag:
            return Say(304)
        cut, self.cuts = self.cuts > 0, self.cuts - 1
        wanted = re.fullmatch(r"bytes=(\d+)-", asked.headers.get("Range", ""))
        if wanted and asked.headers.get("If-Range") == tag:
            start = int(wanted[1])
            said = {"ETag": tag, "Content-Range": f"bytes {start}-{len(data) - 1}/{len(data)}"}
            return Say(206, data[start:], said, cut)
        return Say(200, data, {"ETag": tag}, cut)


@pytest.fixture
def site() -> Site:
    return Site({"/feed.xml": feed(10)})


@pytest.fixture
def server(site: Site) -> t.Iterator[Server]:
    with serving(site) as running:
        yield running


def take(folder: pathlib.Path, text: str, **terms: t.Any) -> tuple[bytes, list[str]]:
    """The bytes, and the warnings, of a run of its own."""
    contents = Contents(Terms(str(folder / "content"), **terms))
    data = pathlib.Path(contents.path(text)).read_bytes()
    assert contents.path(text)
    return data, contents.warnings


def refusal(folder: pathlib.Path, text: str, **terms: t.Any) -> ScapError:
    with pytest.raises(ScapError) as caught:
        take(folder, text, **terms)
    return caught.value


def test_it_is_fetched_once_a_run_and_again_only_when_it_changed(
    tmp_path: pathlib.Path, site: Site, server: Server
) -> None:
    url = f"http://{server.address}/feed.xml"
    contents = Contents(Terms(str(tmp_path)))
    assert contents.path(url) == contents.path(url)
    assert len(server.asked) == 1
    assert Contents(Terms(str(tmp_path))).path(url) == contents.path(url)
    assert server.asked[1].headers["If-None-Match"]
    pathlib.Path(contents.path(url)).write_bytes(b"damaged")
    assert pathlib.Path(Contents(Terms(str(tmp_path))).path(url)).read_bytes() == site.files["/feed.xml"]
    assert "If-None-Match" not in server.asked[2].headers


def test_what_was_cut_is_resumed(tmp_path: pathlib.Path, site: Site, server: Server) -> None:
    url, data = f"http://{server.address}/feed.xml", feed(9000)
    site.files["/feed.xml"], site.cuts = data, fetch.ATTEMPTS
    assert refusal(tmp_path, url).code == "content_missing"
    assert take(tmp_path, url) == (data, [])
    ranges = [asked.headers.get("Range") for asked in server.asked]
    half = len(data) // 2
    assert ranges[:2] == [None, f"bytes={half}-"]
    assert len(ranges) == fetch.ATTEMPTS + 1
    assert ranges[-1] is not None


def test_a_rest_of_another_file_is_not_joined(tmp_path: pathlib.Path, site: Site, server: Server) -> None:
    url = f"http://{server.address}/feed.xml"
    site.files["/feed.xml"], site.cuts = feed(9000), fetch.ATTEMPTS
    assert refusal(tmp_path, url).code == "content_missing"
    site.files["/feed.xml"] = feed(9001)
    assert take(tmp_path, url) == (feed(9001), [])


BAD = {
    "shrunk": (feed(7), "content_refused", "7 definitions"),
    "older": (feed(10, "2025-12-31T00:00:00"), "content_refused", "2025-12-31"),
    "of no day": (feed(10, "soon"), "content_refused", "soon"),
    "cut": (feed(10)[:-20], "content_malformed", "not well-formed"),
    "another page": (b"<html/>", "content_unsupported", ""),
    "gone": (None, "content_missing", "404"),
}


@pytest.mark.parametrize("name", BAD)
def test_a_bad_new_one_is_not_used(tmp_path: pathlib.Path, site: Site, server: Server, name: str) -> None:
    data, code, said = BAD[name]
    url, good = f"http://{server.address}/feed.xml", site.files["/feed.xml"]
    assert take(tmp_path, url) == (good, [])
    if data is None:
        del site.files["/feed.xml"]
    else:
        site.files["/feed.xml"] = data
    for _again in range(2):
        used, (warning,) = take(tmp_path, url)
        assert used == good
        assert said in warning
        assert url in warning
        assert sha256(good) in warning
    assert len(list((tmp_path / "content").glob("*-feed.xml"))) == 1
    if code == "content_refused" and data is not None:
        assert sha256(data) in warning
        assert take(tmp_path, url, accepted=[sha256(data)]) == (data, [])
        assert take(tmp_path, url) == (data, [])
    elif code != "content_refused":
        assert refusal(tmp_path / "elsewhere", url).code == code


def test_a_fifth_less_is_still_right(tmp_path: pathlib.Path, site: Site, server: Server) -> None:
    url = f"http://{server.address}/feed.xml"
    take(tmp_path, url)
    site.files["/feed.xml"] = feed(8)
    assert take(tmp_path, url) == (feed(8), [])


def test_one_that_is_older_than_its_interval_stops_the_run(tmp_path: pathlib.Path, site: Site, server: Server) -> None:
    url, digest = f"http://{server.address}/feed.xml#interval=7", sha256(site.files["/feed.xml"])
    local = tmp_path / "local.xml"
    local.write_bytes(site.files["/feed.xml"])
    for text in (url, f"{local}#interval=7"):
        error = refusal(tmp_path, text)
        assert error.code == "content_refused"
        assert digest in error.message
        assert take(tmp_path, text, accepted=[digest]) == (feed(10), [])
    site.files["/feed.xml"] = feed(10, now())
    assert take(tmp_path, url) == (site.files["/feed.xml"], [])


def test_a_pin_holds(tmp_path: pathlib.Path, site: Site, server: Server) -> None:
    site.files["/feed.xml.bz2"] = bz2.compress(feed(10))
    url = f"http://{server.address}/feed.xml.bz2"
    pins = [sha256(feed(10)), sha256(site.files["/feed.xml.bz2"])]
    for number, pin in enumerate(pins):
        assert take(tmp_path / str(number), f"{url}#sha256={pin}") == (feed(10), [])
    site.files["/feed.xml.bz2"] = bz2.compress(feed(11))
    before = len(server.asked)
    assert take(tmp_path / "0", f"{url}#sha256={pins[0]}") == (feed(10), [])
    assert len(server.asked) == before
    assert refusal(tmp_path / "new", f"{url}#sha256={pins[0]}").code == "content_changed"
    local = tmp_path / "local.xml"
    local.write_bytes(feed(10))
    assert take(tmp_path, f"{local}#sha256={pins[0]}") == (feed(10), [])
    assert refusal(tmp_path, f"{local}#sha256={pins[1]}").code == "content_changed"


def test_the_history_has_an_end(tmp_path: pathlib.Path, site: Site, server: Server) -> None:
    for number in range(KEEP + 3):
        site.files["/feed.xml"] = feed(10 + number)
        take(tmp_path, f"http://{server.address}/feed.xml")
    assert len(list((tmp_path / "content").glob("*-feed.xml"))) == KEEP


def test_too_much_is_not_read(
    tmp_path: pathlib.Path, site: Site, server: Server, monkeypatch: pytest.MonkeyPatch
) -> None:
    site.files["/feed.xml"] = bz2.compress(b" " * 20_000)
    monkeypatch.setattr(fetch, "MAX_BYTES", 10_000)
    assert refusal(tmp_path, f"http://{server.address}/feed.xml").code == "content_too_large"


def make_key(folder: pathlib.Path, name: str) -> tuple[str, t.Callable[[pathlib.Path], bytes]]:
    """A keyring, and what signs with its key."""
    home = folder / name
    home.mkdir(mode=0o700)
    call = ["gpg", "--homedir", str(home), "--batch", "--quiet", "--no-tty", "--passphrase", ""]
    subprocess.run([*call, "--quick-generate-key", name, "ed25519", "sign", "never"], check=True, capture_output=True)
    subprocess.run([*call, "--output", str(home / "ring"), "--export"], check=True)

    def sign(path: pathlib.Path) -> bytes:
        done = subprocess.run([*call, "--detach-sign", "--output", "-", str(path)], check=True, capture_output=True)
        subprocess.run(["gpgconf", "--homedir", str(home), "--kill", "all"], check=True)
        return done.stdout

    return str(home / "ring"), sign


def test_a_signature_is_checked_by_the_users_keys(tmp_path: pathlib.Path, site: Site, server: Server) -> None:
    ring, sign = make_key(tmp_path, "vendor")
    other, _sign = make_key(tmp_path, "stranger")
    (tmp_path / "feed.xml").write_bytes(feed(10))
    site.files["/feed.xml.sig"] = sign(tmp_path / "feed.xml")
    plain = f"http://{server.address}/feed.xml"
    url = f"{plain}#signature={plain}.sig"
    take(tmp_path / "a", plain)
    assert refusal(tmp_path / "a", url).code == "option_wrong"
    assert refusal(tmp_path / "a", url, keyring=other).code == "signature_wrong"
    assert take(tmp_path / "a", url, keyring=ring) == (feed(10), [])
    assert take(tmp_path / "a", f"{tmp_path / 'feed.xml'}#signature={plain}.sig", keyring=ring) == (feed(10), [])
    site.files["/feed.xml"] = feed(11)
    used, (warning,) = take(tmp_path / "a", url, keyring=ring)
    assert used == feed(10)
    assert "BAD signature" in warning
    assert refusal(tmp_path / "b", url, keyring=ring).code == "signature_wrong"
    del site.files["/feed.xml.sig"]
    assert refusal(tmp_path / "b", url, keyring=ring).code == "content_missing"


def test_a_bundle_is_carried_to_a_site_without_a_network(tmp_path: pathlib.Path, site: Site, server: Server) -> None:
    url, target = f"http://{server.address}/feed.xml", tmp_path / "site.tar"
    contents = Contents(Terms(str(tmp_path / "here")))
    files, written = bundle.write(str(target), {url: contents.path(url)})
    assert written
    assert [(entry["source"], entry["sha256"]) for entry in files] == [(url, sha256(feed(10)))]
    assert bundle.write(str(target), {url: contents.path(url)}) == (files, False)
    asked = len(server.asked)
    pinned = f"{target}#sha256={sha256(target.read_bytes())}"
    there = tmp_path / "there"
    assert take(there, url, bundle=str(target)) == (feed(10), [])
    assert take(there, f"{url}#sha256={sha256(feed(10))}", bundle=pinned) == (feed(10), [])
    assert refusal(there, f"{url}#interval=7", bundle=pinned).code == "content_refused"
    assert refusal(there, f"{url}#signature=x", bundle=str(target)).code == "option_wrong"
    assert take(there, f"{url}#signature=x", bundle=pinned) == (feed(10), [])
    assert refusal(there, f"{url}.other", bundle=pinned).code == "content_missing"
    assert len(server.asked) == asked
    target.write_bytes(target.read_bytes().replace(b"oval:a:def:9", b"oval:a:def:8"))
    assert refusal(there, url, bundle=pinned).code == "content_changed"
    assert refusal(tmp_path / "third", url, bundle=str(target)).code == "content_changed"
    assert bundle.write(str(target), {url: contents.path(url)})[1]
    with tarfile.open(target, "w") as archive:
        archive.add(__file__, "other")
    assert refusal(there, url, bundle=str(target)).code == "bundle_unreadable"


@pytest.mark.parametrize(
    "text",
    ["a#sha256=12", "a#sha256=&interval=1", "a#interval=0", "a#interval=x", "a#signature=", "a#interval=1&other=2"],
)
def test_terms_that_are_none(text: str) -> None:
    with pytest.raises(ScapError, match="a"):
        parse(text)


def test_an_address_may_hold_a_hash() -> None:
    assert parse("/a#b/c.xml") == Source("/a#b/c.xml")
    assert parse("/a#b/c.xml#interval=3") == Source("/a#b/c.xml", interval=3.0)
