"""oscap's standard error: every line is known, or the scan is not proven."""

from __future__ import annotations

import pytest
from ansible_collections.scap.images.plugins.module_utils.scanner.stderr import check_stderr

CPE = b"OpenSCAP Error: Unable to open file: '/usr/share/openscap/cpe/openscap-cpe-dict.xml'"


def test_silence_is_fine() -> None:
    assert check_stderr([("xccdf", b""), ("oval-0", b"\n")], "1.3.7").passed


@pytest.mark.parametrize(
    "line",
    [
        b"WARNING: Datastream component 'x' points out to the remote 'https://r.example/f.xml'. Use "
        b"'--fetch-remote-resources' option to download it.",
        b"WARNING: Skipping ./f.xml file which is referenced from XCCDF content",
        b"W: oscap:     Requested offline mode is not supported by uname probe.",
    ],
)
def test_harmless_lines(line: bytes) -> None:
    assert check_stderr([("xccdf", line)], "1.3.7").passed


@pytest.mark.parametrize(
    ("line", "word"),
    [
        (b"W: oscap:     dpkginfo_init has failed.", "libapt"),
        (b"E: oscap:     fsdev_init() failed.", "mount table"),
        (b"Probe at sd=8 (password) reported an error: Invalid type [./src/OVAL/oval_probe_ext.c:383]", "password"),
        (b"error: cannot open Packages database in /root/.rpmdb", "package database"),
        (CPE, "CPE dictionary"),
    ],
)
def test_lines_that_spoil_the_answer(line: bytes, word: str) -> None:
    check = check_stderr([("xccdf", b"\n" + line + b"\n")], "1.3.7")
    assert not check.passed
    assert word in check.detail
    assert check.detail.count("xccdf") == 1


def test_the_cpe_dictionary_that_1_4_does_not_ship() -> None:
    assert check_stderr([("xccdf", CPE)], "1.4.2").passed


def test_an_unknown_line_fails_and_is_shown() -> None:
    check = check_stderr([("oval-0", b"something never seen before")], "1.4.2")
    assert not check.passed
    assert "oval-0: something never seen before" in check.detail
