# Copyright (c) 2026, scap.images contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Proof that oscap's probes see this root: the roll call and the canaries in one document and one call of oscap.

It runs in the same confinement and environment as the content.
"""

from __future__ import annotations

import os
import secrets
import typing as t

from ..model import Check
from . import canary, rollcall
from .confine import Sandbox
from .contentinfo import ContentInfo
from .evaluate import Evaluation, evaluate_oval
from .packages import Inventory, aptroot
from .questions import INDEPENDENT, Answers, Question, document, read_answers
from .texts import Texts

NAME = "probe"
_ITEMS = frozenset(("rpminfo", "dpkginfo", "password", "filehash58"))
"""Families of which the collected items are compared."""


class Probe:
    """The proof for one root."""

    def __init__(self, root: str, inventory: Inventory, infos: t.Sequence[ContentInfo], work: str) -> None:
        self._root = root
        self._inventory = inventory
        self._texts = Texts(root, infos)
        self._families = {family for info in infos for family in info.families}
        self._token = secrets.token_hex(8)
        self._work = work
        self._answers = Answers()

    @property
    def variable(self) -> str:
        """The NAME=VALUE that the image's environment carries for the canary of environmentvariable58."""
        return f"{canary.VARIABLE}_found=1"

    def evaluate(self, sandbox: Sandbox, timeout: float) -> Evaluation:
        """Prepare a dpkg root for libapt, plant the markers, evaluate, read the answers."""
        if self._inventory.manager == "dpkg":
            aptroot.prepare(self._root, sandbox.tools)
        self._texts.relink()
        canary.plant(self._root, self._token)
        os.makedirs(self._work, mode=0o700, exist_ok=True)
        definitions = os.path.join(self._work, f"{NAME}-definitions.xml")
        with open(definitions, "wb") as stream:
            stream.write(self._document().encode())
        evaluation = evaluate_oval(sandbox, definitions, NAME, timeout)
        self._answers = read_answers(os.path.join(sandbox.out, evaluation.results), _ITEMS)
        return evaluation

    def checks(self) -> list[Check]:
        """`packages`, one `probe_FAMILY` each, `probes` and `texts`."""
        return [
            rollcall.check(self._inventory, self._answers, self._families),
            *canary.checks(self._root, self._families, self._answers),
            self._texts.check(),
        ]

    def _document(self) -> str:
        asked = [*rollcall.questions(self._inventory), *canary.questions(self._root, self._families, self._token)]
        return document(asked or [Question("nothing", "family", INDEPENDENT, "", "any_exist")])
