# Copyright (c) 2026, scap.images contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The scanner as one file: whole, equal for equal sources, without what only some scans need."""

from __future__ import annotations

import io
import pathlib
import subprocess
import sys
import zipfile

import pytest
from ansible_collections.scap.images.plugins.module_utils.scan import zipapp
from ansible_collections.scap.images.plugins.module_utils.scanner import program

SCANNER = pathlib.Path(str(program.__file__)).parent
HEAVY = ("urllib.request", "concurrent.futures", "sqlite3", "scap_images.scanner.acquire.ways", "xml.etree.ElementTree")


@pytest.mark.parametrize("compiled", [False, True])
def test_it_holds_every_module_and_starts_light(tmp_path: pathlib.Path, compiled: bool) -> None:
    data = zipapp.build(compiled)
    assert zipapp.build.__wrapped__(compiled) == data
    held = set(zipfile.ZipFile(io.BytesIO(data)).namelist())
    sources = {f"scap_images/scanner/{path.relative_to(SCANNER)}" for path in SCANNER.rglob("*.py")}
    assert sources <= held
    modules = {name for name in held if name.endswith(".py")} - {"__main__.py", "scap_images/__init__.py"}
    assert {name for name in held if name.endswith(".pyc")} == {f"{name}c" for name in modules if compiled}
    path = tmp_path / "scanner.pyz"
    path.write_bytes(data)
    code = (
        f"import sys; sys.path.insert(0, {str(path)!r}); import scap_images.scanner.pod as pod;"
        f"print([name for name in {HEAVY!r} if name in sys.modules], pod.__file__);"
        "import scap_images.scanner.acquire.ways, scap_images.scanner.oval.feed, scap_images.scanner.tailor,"
        " scap_images.scanner.compile.stream, scap_images.scanner.again, scap_images.scanner.handover"
    )
    light = (
        f"import sys; sys.path.insert(0, {str(path)!r}); import scap_images.scanner.handover; print(len(sys.modules))"
    )
    loaded = subprocess.run([sys.executable, "-I", "-S", "-c", light], capture_output=True, text=True, check=True)
    assert int(loaded.stdout) < 100
    done = subprocess.run([sys.executable, "-I", "-S", "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout == f"[] {path}/scap_images/scanner/pod.py{'c' * compiled}\n"
