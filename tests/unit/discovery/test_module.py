"""The module as Ansible runs it: options documented as they are, check mode writes nothing, dest instead of images."""

from __future__ import annotations

import json
import os

import pytest
import yaml
from ansible_collections.scap.images.plugins.doc_fragments.kube_auth import ModuleDocFragment
from ansible_collections.scap.images.plugins.module_utils.kube.auth import OPTIONS
from ansible_collections.scap.images.plugins.module_utils.model import Image, ScapError
from ansible_collections.scap.images.plugins.modules import image_discover

BASE = {name: option.get("default") for name, option in image_discover.ARGUMENTS.items()}
DIGEST = f"sha256:{'a' * 64}"
SOURCE = {"type": "list", "images": [f"quay.io/a/b@{DIGEST}", f"quay.io/kube/x@{DIGEST[:-1]}b", "No/Name"]}


def shape(option):
    found = {name: option[name] for name in ("type", "choices", "elements", "required", "aliases") if option.get(name)}
    inner = option.get("options") or option.get("suboptions")
    return {**found, **({"inner": {name: shape(one) for name, one in inner.items()}} if inner else {})}


@pytest.mark.parametrize(
    ("documented", "spec"),
    [
        (image_discover.DOCUMENTATION, image_discover.ARGUMENTS),
        (ModuleDocFragment.DOCUMENTATION, OPTIONS),
    ],
)
def test_every_option_is_documented_as_it_is(documented, spec):
    options = yaml.safe_load(documented)["options"]
    assert {name: shape(one) for name, one in options.items()} == {name: shape(one) for name, one in spec.items()}
    assert {name: one.get("default") for name, one in options.items()} == {
        name: one.get("default") for name, one in spec.items()
    }


def test_the_role_has_the_modules_options():
    folder = os.path.join(os.path.dirname(image_discover.__file__), "..", "..", "roles", "discover")
    with open(os.path.join(folder, "tasks", "main.yml")) as stream:
        used = yaml.safe_load(stream)[0]["scap.images.image_discover"]
    assert set(image_discover.ARGUMENTS) - set(used) == {"parallelism"}


def test_dest_and_skipped_files(tmp_path):
    dest = tmp_path / "due.jsonl"
    found = image_discover.run({**BASE, "sources": [SOURCE], "dir": str(tmp_path), "dest": str(dest)}, False, True)
    assert found["changed"] is True
    assert "images" not in found
    assert found["path"] == str(dest)
    rows = [Image.from_json(json.loads(line)) for line in dest.read_text().splitlines()]
    assert [row.digest for row in rows] == [DIGEST, f"{DIGEST[:-1]}b"]
    assert dest.read_bytes() == (tmp_path / "images.jsonl").read_bytes()
    assert json.loads((tmp_path / "skipped.jsonl").read_text())["reference"] == "No/Name"
    assert found["diff"]["prepared"].splitlines()[0] == f"+ docker://quay.io/a/b@{DIGEST}"
    assert {oct(path.stat().st_mode & 0o777) for path in tmp_path.glob("*.jsonl")} == {"0o600"}
    again = image_discover.run({**BASE, "sources": [SOURCE], "dir": str(tmp_path), "dest": str(dest)}, False)
    assert again["changed"] is False


def test_check_mode_tells_and_writes_nothing(tmp_path):
    folder = tmp_path / "dir"
    found = image_discover.run({**BASE, "sources": [SOURCE], "dir": str(folder), "dest": str(folder / "x")}, True)
    assert (found["changed"], folder.exists()) == (True, False)
    assert found["summary"]["difference"]["added"]["count"] == 2


@pytest.mark.parametrize(
    ("options", "says"),
    [
        ({"sources": []}, "no source was given"),
        ({"max_size": "big"}, "max_size is 'big'"),
        ({"evidence_max_age": "soon"}, "evidence_max_age is 'soon'"),
        ({"scope": "due"}, "set dir"),
        ({"authfile": "/nowhere"}, "/nowhere does not exist"),
        ({"sources": [{"type": "oci", "path": "/nowhere"}]}, "/nowhere does not exist"),
        ({"sources": [{"type": "store", "root": "/nowhere"}]}, "no containers storage"),
    ],
)
def test_what_cannot_be_meant(options, says):
    with pytest.raises(ScapError, match=says):
        image_discover.run({**BASE, "sources": [SOURCE], **options}, False)


def test_a_containers_storage_by_its_own_index(tmp_path):
    index = tmp_path / "overlay-images" / "images.json"
    index.parent.mkdir()
    entries = [
        {"id": "1" * 64, "digest": DIGEST, "names": ["quay.io/a/b:1"], "big-data-digests": {"manifest": DIGEST}},
        {"id": "2" * 64, "names": ["localhost/new:1"]},
        "odd",
    ]
    index.write_text(json.dumps(entries))
    found = image_discover.run({**BASE, "sources": [{"type": "store", "root": str(tmp_path)}]}, False)
    (image,) = found["images"]
    assert (image["reference"], image["digest"]) == ("containers-storage:quay.io/a/b:1", DIGEST)
    assert [record["reference"] for record in found["skipped"]] == ["containers-storage:localhost/new:1"]
