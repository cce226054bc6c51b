# Copyright (c) 2026, scap.images contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""One feed evaluated for one image by its remainders: index, compile, oscap, complete."""

from __future__ import annotations

import dataclasses
import hashlib
import os
import typing as t

from ...files import write_json, write_whole
from ...model import Check, ScapError
from .. import rollcall
from ..confine import Sandbox
from ..evaluate import Evaluation, evaluate_oval
from ..packages import Inventory
from ..packages.deb822 import status_names
from .answers import read_said
from .complete import Answerer, record
from .document import CONSTANTS, open_source, write_document
from .logic import TRUE
from .needs import PACKAGES
from .reader import OURS
from .residual import Feed, Index

MAX_SHARE = 0.9
"""Where more than this part of a larger feed is left, it is evaluated as it is."""
_SMALL = 500


@dataclasses.dataclass(frozen=True)
class Compiled:
    """What became of one feed."""

    evaluation: Evaluation
    """Its results are completed: those of the whole feed."""
    sha256: str
    """Of the document that oscap was given."""
    roll_call: Check
    """The packages that oscap saw in the very run that gave the answers."""
    definitions: int
    remainders: int


def evaluate_compiled(
    sandbox: Sandbox,
    path: str,
    index: Index,
    name: str,
    root: str,
    inventory: Inventory,
    *,
    work: str,
    timeout: float,
    note: str = "",
    kept: t.Collection[str] | None = None,
) -> Compiled:
    """Evaluate the feed `path` by its remainders; the completed results are `NAME.xml` in the sandbox's output folder.

    `index`: the feed's; `note`: path of a file that says what became of every definition; `kept`: the absolute paths
    that are known of a root that holds nothing else. Raises ScapError content_uncompiled where the feed must be
    evaluated as it is, not_kept, and what evaluate_oval raises.
    """
    feed = Feed(index, known_names(root, inventory))
    if not index.manager or index.manager != inventory.manager or not inventory.packages:
        raise ScapError("content_uncompiled", f"{path}: none of its tests can be decided by the image's packages")
    groups = feed.remainders()
    left = [group for group in groups if group.node > TRUE]
    total = int(index.meta["definitions"])
    if len(left) > MAX_SHARE * total and total > _SMALL:
        raise ScapError(
            "content_uncompiled", f"{path}: {len(left)} of {total} definitions have a remainder of their own"
        )
    source = open_source(index, path)
    roll = rollcall.questions(inventory)
    document = write_document(feed, source, left, roll)
    missing = sorted(set(document.needs) - {PACKAGES, *kept}) if kept is not None else []
    if missing:
        raise ScapError("not_kept", f"{path}: reads what the evidence did not keep: {', '.join(missing[:5])}")
    compiled = os.path.join(work, f"{name}-compiled.xml")
    write_whole(compiled, document.data, durable=False)
    try:
        evaluation = evaluate_oval(sandbox, compiled, name, timeout)
    except ScapError as error:
        raise ScapError("content_uncompiled", f"{path}: compiled, {error.message}") from error
    results = os.path.join(sandbox.out, evaluation.results)
    numbers = range(len(CONSTANTS) + 1, len(CONSTANTS) + len(roll) + 1)
    objects = {f"{OURS}obj:{number}" for number in numbers}
    said = read_said(results, objects, {rollcall.PROBES[inventory.manager]})
    for number, question in enumerate(CONSTANTS, 1):
        if said.tests.get(f"{OURS}tst:{number}") != question.title:
            raise ScapError("content_uncompiled", f"{path}: oscap does not take {question.title} for what it is")
    answerer = Answerer(feed, groups, document.tests, said)
    answerer.write(source, results, results)
    digest = hashlib.sha256(document.data).hexdigest()
    if note:
        write_json(note, record(feed, groups, answerer, digest), durable=False)
    roll_call = rollcall.check(inventory, said.roll, {rollcall.PROBES[inventory.manager]})
    return Compiled(evaluation, digest, roll_call, total, len(left))


def known_names(root: str, inventory: Inventory) -> list[str]:
    """Names of packages that oscap could find an item of: installed ones, and those that dpkg still knows."""
    names = [package.name for package in inventory.packages]
    if inventory.manager == "dpkg" and inventory.format == "status":
        names += status_names(root)
    return names
