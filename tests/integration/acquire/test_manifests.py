# Copyright (c) 2026, scap.images contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Manifests, configs and indexes that are wrong or hostile: one sentence, and nothing is unpacked."""

from __future__ import annotations

import json
import os
import pathlib
import subprocess
import sys
import typing as t

import pytest
from ansible_collections.scap.images.plugins.module_utils.model import ScapError

from tests.support.acquiring import Acquirer
from tests.support.layouts import CONFIG, INDEX, J, RawLayout
from tests.support.tars import entry

END = bytes(1024)
OS_RELEASE = entry("etc/os-release", b"ID=test\n") + END
OTHER = "sha256:" + "0" * 64


def changed(key: str, change: t.Callable[[t.Any], t.Any]) -> t.Callable[[J], J]:
    return lambda document: {**document, key: change(document[key])}


def each(**fields: t.Any) -> t.Callable[[J], J]:
    """A manifest whose layers say something else."""
    return changed("layers", lambda layers: [{**layer, **fields} for layer in layers])


def config(**fields: t.Any) -> t.Callable[[J], J]:
    return changed("config", lambda descriptor: {**descriptor, **fields})


_FOREIGN = "application/vnd.docker.image.rootfs.foreign.diff.tar.gzip"
_ENCRYPTED = "application/vnd.oci.image.layer.v1.tar+gzip+encrypted"
MANIFESTS: dict[str, tuple[str, t.Callable[[J], J]]] = {
    "a layer too few": ("manifest_malformed", changed("layers", lambda layers: layers[1:])),
    "a layer too many": ("manifest_malformed", changed("layers", lambda layers: [*layers, layers[0]])),
    "a layer twice in another's place": ("digest_mismatch", changed("layers", lambda layers: [layers[0]] * 2)),
    "layers in another order": ("digest_mismatch", changed("layers", lambda layers: layers[::-1])),
    "a million layers": ("manifest_malformed", changed("layers", lambda layers: layers * 20_000)),
    "layers that are no list": ("manifest_malformed", changed("layers", lambda _layers: {"a": 1})),
    "a layer that is no object": ("manifest_malformed", changed("layers", lambda layers: [1, layers[0]])),
    "a layer that is not there": ("image_incomplete", each(digest=OTHER)),
    "a layer of another hash": ("manifest_malformed", each(digest="md5:" + "0" * 32)),
    "a layer whose digest is a path": ("manifest_malformed", each(digest="sha256:../../../etc/passwd")),
    "a negative size": ("manifest_malformed", each(size=-1)),
    "a size beyond the limit": ("limit_bytes", each(size=1 << 50)),
    "a foreign layer": ("media_type_unsupported", each(mediaType=_FOREIGN)),
    "an encrypted layer": ("media_type_unsupported", each(mediaType=_ENCRYPTED)),
    "a layer of something else": ("media_type_unsupported", each(mediaType="application/wasm")),
    "an artifact": ("media_type_unsupported", config(mediaType="application/vnd.cncf.helm.config.v1+json")),
    "a config that says it is of 100 MB": ("limit_bytes", config(size=100 << 20)),
    "a config whose size is no number": ("limit_bytes", config(size="1")),
    "no config": ("manifest_malformed", lambda manifest: {**manifest, "config": None}),
    "schema 1": ("media_type_unsupported", lambda manifest: {**manifest, "schemaVersion": 1}),
    "a config that is not there": ("image_incomplete", config(digest=OTHER)),
}


@pytest.mark.parametrize("name", MANIFESTS)
def test_a_manifest_is_refused(acquirer: Acquirer, tmp_path: pathlib.Path, name: str) -> None:
    code, change = MANIFESTS[name]
    layout = RawLayout(tmp_path / "layout")
    layers = [layout.layer(OS_RELEASE), layout.layer(entry("other") + END)]
    reference = layout.name(layout.image(layers, manifest=change))
    with pytest.raises(ScapError) as caught, acquirer.root(reference, "storage"):
        pass
    assert caught.value.code == code, caught.value
    assert reference in caught.value.message
    assert len(caught.value.message) < 600


CONFIGS: dict[str, tuple[str, t.Callable[[J], J]]] = {
    "no diff ids": ("manifest_malformed", lambda config: {**config, "rootfs": {}}),
    "a diff id that is a path": ("manifest_malformed", lambda config: {**config, "rootfs": {"diff_ids": ["../../x"]}}),
}


@pytest.mark.parametrize("name", CONFIGS)
def test_a_config_is_refused(acquirer: Acquirer, tmp_path: pathlib.Path, name: str) -> None:
    code, change = CONFIGS[name]
    layout = RawLayout(tmp_path / "layout")
    reference = layout.name(layout.image([layout.layer(OS_RELEASE)], config=change))
    with pytest.raises(ScapError) as caught:
        acquirer.resolve(reference)
    assert caught.value.code == code, caught.value


def test_documents_that_are_too_large_or_too_deep(acquirer: Acquirer, tmp_path: pathlib.Path) -> None:
    """A config of 100 MB that says it is small, and JSON of 100,000 levels: refused before they take memory."""
    layout = RawLayout(tmp_path / "layout")
    layer = layout.layer(OS_RELEASE)
    large = layout.blob(json.dumps({"os": "linux", "x": "y" * (100 << 20)}).encode())
    deep = layout.blob(b"[" * 100_000)
    for number, (digest, code) in enumerate(((large, "limit_bytes"), (deep, "manifest_malformed"))):
        image = layout.image([layer], manifest=config(mediaType=CONFIG, digest=digest, size=100))
        reference = layout.name(image, f"tag{number}")
        program = (
            "import resource, sys; from ansible_collections.scap.images.plugins.module_utils.model import ScapError;"
            "from tests.support.acquiring import Acquirer; import pathlib;"
            "before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss\n"
            "try: Acquirer(pathlib.Path(sys.argv[1])).resolve(sys.argv[2])\n"
            "except ScapError as error: print(error.code)\n"
            "print(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before)"
        )
        done = subprocess.run(
            [sys.executable, "-c", program, str(acquirer.folder), reference],
            env={**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)},
            check=True,
            capture_output=True,
            text=True,
        )
        said, growth = done.stdout.split()
        assert said == code
        assert int(growth) < 50 * 1024, "KiB"


def test_indexes_without_end(acquirer: Acquirer, tmp_path: pathlib.Path) -> None:
    """An index in an index in an index ..."""
    layout = RawLayout(tmp_path / "layout")
    descriptor = layout.image([layout.layer(OS_RELEASE)])
    platform = descriptor["platform"]
    for _level in range(6):
        descriptor = {**layout.index([descriptor]), "mediaType": INDEX, "platform": platform}
    with pytest.raises(ScapError) as caught:
        acquirer.resolve(layout.name(descriptor))
    assert caught.value.code == "media_type_unsupported"
