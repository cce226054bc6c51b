# Copyright (c) 2026, scap.images contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The table of traps: bare oscap says clean, or nothing; we say `error` with the check's name, or what is right.

`pytest -s` prints it, one line a trap and version.
"""

from __future__ import annotations

import datetime
import io
import os
import pathlib
import tarfile
import typing as t

import pytest
from ansible_collections.scap.images.plugins.module_utils.files import dumps, read_json
from ansible_collections.scap.images.plugins.module_utils.model import Results
from ansible_collections.scap.images.plugins.module_utils.policy.judge import judge
from ansible_collections.scap.images.plugins.module_utils.policy.policy import Policy, parse_policies
from ansible_collections.scap.images.plugins.module_utils.scan import canary_content
from ansible_collections.scap.images.plugins.module_utils.scan.accept import accept
from ansible_collections.scap.images.plugins.module_utils.scan.engine import to_images
from ansible_collections.scap.images.plugins.module_utils.scan.interface import Settings
from ansible_collections.scap.images.plugins.module_utils.scan.local import LocalExecutor, LocalOptions
from ansible_collections.scap.images.plugins.module_utils.scanner.acquire.records import Access

from tests.data.oci_layout import Layout
from tests.support import trixie

from . import bare
from .traps import TRAPS, Place, Trap

VERSIONS = ("1.3.7", "1.4.2")
TOOLS = {"1.3.7": "/", "1.4.2": trixie.path()}

pytestmark = pytest.mark.skipif(os.geteuid() != 0, reason="files of several owners")


@pytest.fixture(scope="module")
def table() -> t.Iterator[dict[str, list[str]]]:
    """Name of the trap to what was said of it; printed in the end."""
    rows: dict[str, list[str]] = {}
    yield rows
    width = max(map(len, rows), default=0)
    for name, cells in rows.items():
        print(f"\n{name:{width}} | " + " | ".join(cells), end="")


@pytest.mark.parametrize("version", VERSIONS)
@pytest.mark.parametrize("trap", TRAPS, ids=lambda trap: trap.name)
def test_trap(
    tmp_path: pathlib.Path,
    trap: Trap,
    version: str,
    table: dict[str, list[str]],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    if not os.path.exists(os.path.join(TOOLS[version], "usr/bin/oscap")):
        pytest.skip(f"oscap {version} is not here")
    which = VERSIONS.index(version)
    place = Place(tmp_path / "root", tmp_path)
    place.root.mkdir(mode=0o755)
    tmp_path.chmod(0o755)
    trap.lay(place)
    said = bare.ask(place, TOOLS[version], version)
    for name, value in place.variables.items():
        monkeypatch.setenv(name, value)
    state, codes, found = ours(place, TOOLS[version])
    answer = "cured" if found and not any(code.startswith("unproven") for code in codes) else f"{state} {codes[0]}"
    table.setdefault(trap.name, []).append(f"{version}: {said} | {answer}")
    assert said == trap.bare[which]
    wanted = trap.ours[which]
    if wanted == "cured":
        assert answer == "cured"
    else:
        assert state == wanted.split()[0]
        assert {wanted.split()[1], f"unproven_{wanted.split()[1]}"}.intersection(codes), codes


def ours(place: Place, tools: str) -> tuple[str, list[str], bool]:
    """(state, codes of its reasons, whether what is there was found): the verdict on an image of the root."""
    settings = _settings(place)
    executor = LocalExecutor(LocalOptions(Access(tls_verify=False), "/usr/bin/python3", "unpack", tools=tools))
    (outcome,) = executor.scan(to_images([_image(place)]), settings)
    evidence, path = accept(outcome, settings, executor.name)
    stored = os.path.join(path, "results.json.gz")
    results = Results.from_json(read_json(stored)) if os.path.exists(stored) else None
    (policy,) = parse_policies(dumps({"name": "p", **place.policy}).decode()) if place.policy else [Policy()]
    verdict = judge(evidence, results, policy, [], datetime.datetime.now(datetime.timezone.utc) + place.later)
    failed = {rule.id.rpartition("_rule_")[2] for rule in results.rules if rule.result == "fail"} if results else set()
    found = results is not None and (bool(results.vulnerabilities) or bare.RULE in failed)
    return verdict.state, [reason.code for reason in verdict.reasons], found


def _settings(place: Place) -> Settings:
    changes: dict[str, t.Any] = {"timeout": 120.0, "profile": "none", **place.settings}
    if place.stream:
        (place.work / "stream.xml").write_text(place.stream)
        changes |= {"profile": canary_content.PROFILE, "datastream": str(place.work / "stream.xml")}
    else:
        (place.work / "feed.xml").write_text(place.feed)
        changes["oval"] = [str(place.work / "feed.xml")]
    settings = Settings(dir=str(place.work / "scap"), **changes)
    for folder in (settings.cache, settings.evidence):
        os.makedirs(folder)
    return settings


def _image(place: Place) -> str:
    layer = io.BytesIO()
    with tarfile.open(fileobj=layer, mode="w") as tar:
        for path in sorted(place.root.rglob("*")):
            tar.add(path, str(path.relative_to(place.root)), recursive=False)
    layer.seek(0)
    made = Layout(place.work / "layout")
    made.add_image("trap", [made.add_layer(layer)], "amd64")
    return f"oci:{place.work}/layout:trap"
