"""Which files a content's textfilecontent54 objects name."""

from __future__ import annotations

import pathlib

import pytest
from ansible_collections.scap.images.plugins.module_utils.scanner.contentinfo import content_info
from ansible_collections.scap.images.plugins.module_utils.scanner.texts import TextObjects

EQUALS: dict[str, str] = {}
PATTERN = {"operation": "pattern match"}


@pytest.mark.parametrize(
    ("entities", "found"),
    [
        ([("filepath", EQUALS, "/etc/ssh/sshd_config")], {"/etc/ssh\nsshd_config"}),
        ([("path", EQUALS, "/etc"), ("filename", EQUALS, "passwd")], {"/etc\npasswd"}),
        ([("path", EQUALS, "/etc/pam.d"), ("filename", PATTERN, "^.*$")], {"/etc/pam.d\n^.*$"}),
        ([("filepath", PATTERN, r"^/etc/sysctl\.d/.*\.conf$")], {"/etc/sysctl.d\n^/etc/sysctl\\.d/.*\\.conf$"}),
        ([("path", PATTERN, "^/etc$"), ("filename", EQUALS, "fstab")], {"/etc\nfstab"}),
        ([("filepath", {"var_ref": "v"}, "")], set()),
        ([("filepath", PATTERN, "^.*$")], set()),
    ],
)
def test_objects(entities: list[tuple[str, dict[str, str], str]], found: set[str]) -> None:
    reader = TextObjects()
    reader.start("textfilecontent54_object", {})
    for name, attributes, value in entities:
        reader.start(name, attributes)
        reader.characters(value)
        reader.end(name)
    reader.end("textfilecontent54_object")
    assert reader.found == found


def test_a_real_data_stream() -> None:
    path = pathlib.Path("/usr/share/xml/scap/ssg/content/ssg-debian11-ds.xml")
    if not path.exists():
        pytest.skip("ssg-debderived is not installed")
    texts = content_info(str(path)).texts
    assert "/etc/ssh\nsshd_config" in texts
    assert len(texts) > 50
