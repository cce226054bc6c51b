# Copyright (c) 2026, scap.images contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Feeds that are wrong in themselves: never proven, and a sentence that names the file and the id."""

from __future__ import annotations

import lzma
import os
import pathlib
import typing as t

import pytest

from tests.support import shared_data
from tests.support.local_scans import Scanner, unproven

pytestmark = pytest.mark.skipif(os.geteuid() != 0, reason="needs root")
P = "oval:com.redhat.rhsa:"


def define(number: int, *extended: int) -> str:
    inner = "".join(f'<extend_definition definition_ref="{P}def:{other}"/>' for other in extended)
    criterion = f'<criterion test_ref="{P}tst:20190966006"/>'
    return (
        f'<definition class="patch" id="{P}def:{number}" version="1"><metadata><title>t</title><description>d'
        f"</description></metadata><criteria>{inner or criterion}</criteria></definition>"
    )


def and_define(*definitions: str) -> tuple[str, str]:
    return "</definitions>", f"{''.join(definitions)}</definitions>"


BAD: dict[str, tuple[tuple[str, str], str]] = {
    "cut": (("</oval_definitions>", ""), "not well-formed"),
    "an unknown schema": (("5.10<", "5.99<"), "schema 5.99"),
    "a circle": (and_define(define(1, 2), define(2, 1)), f"definition {P}def:1 extends itself"),
    "a definition twice": (and_define(define(20190966)), f"'{P}def:20190966' is no definition, or there twice"),
    "a test twice": ((f'id="{P}tst:20190966005"', f'id="{P}tst:20190966006"'), f"'{P}tst:20190966006' twice"),
    "no definition": (and_define(define(1, 9)), f"{P}def:9 is extended, which is nowhere"),
    "no test": ((f'test_ref="{P}tst:20190966006"', f'test_ref="{P}tst:9"'), f"{P}tst:9, which is nowhere"),
    "no object": ((f'object_ref="{P}obj:20190966001"', f'object_ref="{P}obj:9"'), f"{P}obj:9, which is nowhere"),
    "no state": ((f'state_ref="{P}ste:20190966002"', f'state_ref="{P}ste:9"'), f"{P}ste:9, which is nowhere"),
}


@pytest.fixture(scope="module")
def scan(tmp_path_factory: pytest.TempPathFactory) -> t.Callable[..., t.Any]:
    """One scap_dir, so that the image is unpacked once."""
    scanner = Scanner(tmp_path_factory.mktemp("scaps"))
    reference = f"oci-archive:{shared_data.path('images', 'rhel8-ubi8.0-bdb.oci.tar')}"
    return lambda feed: scanner.one(reference, profile="none", oval=[str(feed)], compile=True, sample=0.0)


@pytest.mark.parametrize("name", BAD)
def test_a_wrong_feed_proves_nothing(tmp_path: pathlib.Path, scan: t.Callable[..., t.Any], name: str) -> None:
    (old, new), said = BAD[name]
    text = lzma.decompress(shared_data.path("oval", "com.redhat.rhsa-RHEL8.xml.xz").read_bytes()).decode()
    feed = tmp_path / "wrong.xml"
    feed.write_text(text.replace(old, new, 1))
    evidence = scan(feed)
    if evidence.error is not None:
        sentences = evidence.error.message
    else:
        assert unproven(evidence)
        sentences = " ".join(check.detail for check in evidence.coverage)
    assert said in sentences
    assert "wrong.xml" in sentences
