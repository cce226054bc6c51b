# Copyright (c) 2026, scap.images contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""How a marking run is asked for, and what it did."""

from __future__ import annotations

import dataclasses

from ..model import Mark, ScapError
from .blast import Blast
from .denied import Exemption


@dataclasses.dataclass(frozen=True)
class Options:
    """How a run marks."""

    namespace: str
    stage: str
    deny_on: tuple[str, ...] = ("non_compliant",)
    report: str = ""
    """Where reports lie: a URL or folder; an image's page is `images/HEX.html` below it."""
    help: str = ""
    """The way to an exemption, as people read it in a refusal."""
    exemptions: tuple[Exemption, ...] | None = None
    max_stopped: float = 10.0
    """Percent of the running pods that a run may deny; more is refused."""
    search_registries: tuple[str, ...] = ()
    check: bool = False


@dataclasses.dataclass
class Outcome:
    """What a run did."""

    marks: list[Mark] = dataclasses.field(default_factory=list)
    failures: dict[str, list[str]] = dataclasses.field(default_factory=dict)
    """Digest to what could not be written."""
    notes: list[str] = dataclasses.field(default_factory=list)
    blast: Blast | None = None
    openshift: str = "absent"
    """`absent` (no OpenShift), else whether its ImagePolicy plug-in obeys the annotation: obeys, ignores, unknown."""
    written: dict[str, int] = dataclasses.field(default_factory=dict)
    """Kind to the number of objects written."""
    entries: int = 0
    lifted: int = 0
    """Images whose denial was taken away."""
    before: list[str] = dataclasses.field(default_factory=list)
    after: list[str] = dataclasses.field(default_factory=list)

    def count(self, kind: str, number: int = 1) -> None:
        if number:
            self.written[kind] = self.written.get(kind, 0) + number


class GuardError(ScapError):
    """A denial that would stop too much; carries the blast radius."""

    def __init__(self, message: str, radius: Blast) -> None:
        super().__init__("too_much_would_stop", message)
        self.blast = radius
