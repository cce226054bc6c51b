"""Trap 6: a feed that can be true of none of the packages proves nothing."""

from __future__ import annotations

import pathlib

import pytest
from ansible_collections.scap.images.plugins.module_utils.model import Check, Content, Package
from ansible_collections.scap.images.plugins.module_utils.scanner.contentinfo import content_info
from ansible_collections.scap.images.plugins.module_utils.scanner.feed import check_feed

KEY, OTHER = "199e2f91fd431d51", "05b555b38483c65d"
HEAD = (
    '<oval_definitions xmlns="http://oval.mitre.org/XMLSchema/oval-definitions-5"'
    ' xmlns:l="http://oval.mitre.org/XMLSchema/oval-definitions-5#linux">'
)


def asked(folder: pathlib.Path, body: str, *packages: tuple[str, str], manager: str = "rpm") -> Check:
    """The check for a feed whose objects and states are `body`, and for (name, key id) packages."""
    path = folder / "feed.xml"
    path.write_text(f"{HEAD}{body}</oval_definitions>")
    info = content_info(str(path))
    inventory = [Package(name=name, version="1", manager=manager, key_id=key) for name, key in packages]
    return check_feed(Content("oval", "feed.xml", "", info.sha256), info.packages, info.keys, inventory)


def named(name: str, more: str = "") -> str:
    return f"<l:rpminfo_object><l:name{more}>{name}</l:name></l:rpminfo_object>"


def signed(key: str, more: str = "") -> str:
    return f"<l:rpminfo_state><l:signature_keyid{more}>{key}</l:signature_keyid></l:rpminfo_state>"


@pytest.mark.parametrize(
    ("body", "passed"),
    [
        (named("bash") + signed(KEY), True),
        (named("bash"), True),
        (named("bash") + signed("199E2F91FD431D51"), True),
        (named("bash") + signed("fd431d51"), True),
        (named("bash") + signed(OTHER) + signed(KEY), True),
        (named("bash") + signed(f"^({OTHER}|{KEY})$", ' operation="pattern match"'), True),
        (named("bash") + signed("", ' var_ref="v"') + signed(OTHER), True),
        (named("^ba", ' operation="pattern match"'), True),
        (named("other") + named("", ' var_ref="v"'), True),
        ("", True),
        (named("bash") + signed(OTHER), False),
        (named("bash") + signed(f"^{OTHER}$", ' operation="pattern match"'), False),
        (named("other") + signed(KEY), False),
        (named("other"), False),
    ],
)
def test_what_a_feed_asks(tmp_path: pathlib.Path, body: str, passed: bool) -> None:
    check = asked(tmp_path, body, ("bash", KEY), ("glibc", KEY), ("local", ""))
    assert check.check == "feed"
    assert check.passed is passed, check.detail
    assert "packages by key: 199e2f91fd431d51 2, none 1" in check.detail
    assert ("none of its definitions can be true" in check.detail) is not passed


def test_unsigned_packages_and_other_formats(tmp_path: pathlib.Path) -> None:
    body = named("bash") + signed(KEY)
    assert not asked(tmp_path, body, ("bash", "")).passed
    assert asked(tmp_path, body, ("bash", ""), manager="dpkg").passed
    debian = "<l:dpkginfo_object><l:name>openssl</l:name></l:dpkginfo_object>"
    assert asked(tmp_path, debian, ("openssl", ""), manager="dpkg").passed
    assert not asked(tmp_path, debian, ("libssl3", ""), manager="dpkg").passed
