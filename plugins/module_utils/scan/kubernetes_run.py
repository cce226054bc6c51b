# Copyright (c) 2026, scap.images contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What all images of a run in the cluster share, and why an image's attempt ends without a result."""

from __future__ import annotations

import dataclasses
import threading
import typing as t

from ..kube.client import Client
from ..model import Image
from ..reference import parse
from ..scanner.acquire.records import Access
from ..scanner.pod import PULL, RUNGS
from .interface import Outcome, Settings
from .kubernetes_compiled import Precompiled
from .kubernetes_content import Uploaded
from .kubernetes_job import PodOptions
from .kubernetes_pods import Pods
from .kubernetes_secrets import Secrets
from .kubernetes_window import Window

REGISTRY_FILES = ("ca_file", "registries_conf")
"""Fields of Access that name files; they are sent to the cluster beside the content, under these names."""


@dataclasses.dataclass(frozen=True)
class Run:
    """What all images of a run share."""

    client: Client
    options: PodOptions
    access: Access
    settings: Settings
    fingerprint: str
    program: str
    owner: str
    content: Uploaded
    precompiled: Precompiled | None
    pods: Pods
    window: Window
    ladder: Ladder
    secrets: Secrets


class Stored(t.NamedTuple):
    """An outcome, and where the caller says that he has stored it."""

    outcome: Outcome
    accepted: threading.Event


class Ladder:
    """The privilege ladder of one run: the rung that was last found to work, tried from the lowest."""

    def __init__(self, allowed: t.Sequence[str] = ()) -> None:
        self._rungs = [rung for rung in RUNGS if not allowed or rung in allowed]
        self._proven = False

    def first(self, image: Image) -> str:
        """The rung to begin with; without a digest only a pod that pulls can tell what it scanned, and no node can
        pull out of an archive."""
        return self._rungs[0] if image.digest and parse(image.reference).transport == "docker" else PULL

    def worked(self, rung: str) -> None:
        self._proven = self._proven or rung == self._rungs[0]

    def failed(self, rung: str, alone: bool) -> str:
        """The next rung, or empty. The whole run moves while no image has used this one, unless it is the image's."""
        following = next((name for name in self._rungs if RUNGS.index(name) > RUNGS.index(rung)), "")
        if not alone and not self._proven and following:
            self._rungs = [name for name in self._rungs if name != rung]
        return following


class NextRungError(Exception):
    """The rung does not work for this image; `alone` where that says nothing about others."""

    def __init__(self, reason: str, alone: bool = False) -> None:
        super().__init__(reason)
        self.alone = alone


class MoreMemoryError(Exception):
    """The container was killed at its memory limit."""


class MoreStorageError(Exception):
    """The pod was evicted at its limit of ephemeral storage."""


class NoRoomError(Exception):
    """A quota refuses the Job or its pod; another time there may be room."""
