# Copyright (c) 2026, scap.images contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""One feed evaluated both ways on one root: by oscap as it is, and by its remainders."""

from __future__ import annotations

import collections
import contextlib
import dataclasses
import os
import pathlib
import typing as t

from ansible_collections.scap.images.plugins.module_utils.files import sha256_file
from ansible_collections.scap.images.plugins.module_utils.model import J, ScapError, to_json
from ansible_collections.scap.images.plugins.module_utils.results import parse_file
from ansible_collections.scap.images.plugins.module_utils.results.interface import ParsedResults
from ansible_collections.scap.images.plugins.module_utils.scanner.evaluate import evaluate_oval
from ansible_collections.scap.images.plugins.module_utils.scanner.oval.index import make_index
from ansible_collections.scap.images.plugins.module_utils.scanner.oval.residual import Index
from ansible_collections.scap.images.plugins.module_utils.scanner.oval.run import Compiled, evaluate_compiled
from ansible_collections.scap.images.plugins.module_utils.scanner.packages import Inventory, aptroot

from tests.integration.inventory.lab import TOOLS, Lab


@dataclasses.dataclass
class Both:
    """One root, ready for oscap, and what it says."""

    lab: Lab
    inventory: Inventory

    @classmethod
    def of(cls, lab: Lab) -> Both:
        inventory = lab.prepare()
        if inventory.manager == "dpkg":
            aptroot.prepare(str(lab.root), str(TOOLS[lab.version]))
        return cls(lab, inventory)

    def whole(self, path: str) -> ParsedResults:
        """The feed as it is."""
        sandbox = self.lab.sandbox()
        evaluate_oval(sandbox, path, "whole", 300)
        return parse_file(os.path.join(sandbox.out, "whole.xml"))

    def compiled(self, path: str, cache: pathlib.Path) -> tuple[ParsedResults, Compiled]:
        """By its remainders; ScapError content_uncompiled where that is refused."""
        sandbox = self.lab.sandbox()
        with contextlib.closing(Index(make_index(path, sha256_file(path), str(cache)))) as index:
            ended = evaluate_compiled(
                sandbox,
                path,
                index,
                "compiled",
                str(self.lab.root),
                self.inventory,
                work=str(self.lab.work),
                timeout=300,
            )
        return parse_file(os.path.join(sandbox.out, "compiled.xml")), ended


def differences(whole: ParsedResults, compiled: ParsedResults) -> list[str]:
    """What is not the same: definition by definition, and the compact record."""
    answers = dict(compiled.definitions)
    pairs = ((name, result, answers.get(name)) for name, result in whole.definitions)
    found = [f"{name}: {result} -> {answer}" for name, result, answer in pairs if answer != result]
    if sorted(whole.definitions) != sorted(compiled.definitions):
        found.append(f"{len(whole.definitions)} definitions -> {len(compiled.definitions)}")
    before, after = comparable(to_json(whole.results)), comparable(to_json(compiled.results))
    found += [f"{name}: {before[name]} -> {after[name]}" for name in before if before[name] != after[name]]
    return found


def comparable(results: J) -> J:
    """A compact record without its time and in an order of our own: oscap's order of definitions has no meaning."""
    record = {**results, "generated_at": ""}
    record["vulnerabilities"] = sorted(record["vulnerabilities"], key=lambda entry: str(entry["id"]))
    for entry in record["vulnerabilities"]:
        entry["packages"], entry["fixed_in"] = sorted(entry["packages"]), sorted(entry["fixed_in"])
    record["undecided"] = sorted(record["undecided"])
    return record


@dataclasses.dataclass
class Tally:
    """What many documents came to."""

    answers: collections.Counter[str] = dataclasses.field(default_factory=collections.Counter)
    """OVAL results to their number, of documents that were evaluated both ways."""
    documents: int = 0
    refused: int = 0
    """The compiler left the document to oscap as it is."""
    unread: int = 0
    """oscap gave no results of the document itself."""
    different: dict[str, list[str]] = dataclasses.field(default_factory=dict)


def tally(both: Both, documents: t.Iterable[tuple[str, bytes]], cache: pathlib.Path) -> Tally:
    """Evaluate each document (name, bytes) both ways."""
    found = Tally()
    for name, data in documents:
        path = both.lab.work / f"{name}.xml"
        path.write_bytes(data)
        found.documents += 1
        try:
            whole = both.whole(str(path))
        except ScapError:
            found.unread += 1
            continue
        try:
            compiled, ended = both.compiled(str(path), cache)
        except ScapError as error:
            if error.code != "content_uncompiled":
                found.different[name] = [error.message]
            found.refused += 1
            continue
        found.answers.update(whole.results.definition_counts)
        problems = differences(whole, compiled)
        problems += [] if ended.roll_call.passed else [ended.roll_call.detail]
        if problems:
            found.different[name] = problems
    return found
