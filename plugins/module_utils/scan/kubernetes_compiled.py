# Copyright (c) 2026, scap.images contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The data stream of a run compiled once on the controller, so that its pods need neither the original nor the time.

Only a data stream that a scan before has found valid: the controller itself may have no oscap.
"""

from __future__ import annotations

import dataclasses
import os
import typing as t

from ..files import write_json
from ..model import Image, OperatingSystem, Reason, to_json
from ..scanner.compiled import is_sampled, prepare
from ..scanner.content import select
from ..scanner.request import Request
from .interface import Settings

STREAM, FACTS = "compiled.xml", "compiled.json"
"""Names of the compiled data stream and of what is known of the original, as a pod finds them."""
REPLACED = ("datastream.xml", "tailoring.xml")


class Precompiled(t.NamedTuple):
    """What was compiled here."""

    files: dict[str, str]
    """Name in the cluster to path."""
    texts: str
    """Path of what the report needs of the rules."""


def precompile(settings: Settings) -> Precompiled | None:
    """Compile the data stream of these settings; None where pods have to look at the original."""
    if not settings.compile or settings.profile == "none" or settings.datastream == "auto":
        return None
    request = Request.from_json({**settings.request(Image(reference="", digest="")), "oval": []})
    selected = select(request, OperatingSystem())
    if isinstance(selected, Reason) or selected.profile is None:
        return None
    info = selected.infos[0]
    if not any(name.startswith(f"{info.sha256}.valid-") for name in os.listdir(settings.cache)):
        return None
    compiled = prepare(selected, settings.cache, True).compiled
    if compiled is None:
        return None
    facts = f"{compiled.path[: -len('.xml')]}.json"
    known = dataclasses.replace(info, profiles=[selected.profile])
    contents = [to_json(content) for content in selected.contents]
    write_json(facts, {"info": dataclasses.asdict(known), "contents": contents})
    return Precompiled({STREAM: compiled.path, FACTS: facts}, compiled.texts)


def is_enough(precompiled: Precompiled | None, image: Image, settings: Settings) -> bool:
    """Whether this image's pod can do without the original."""
    return precompiled is not None and bool(image.digest) and not is_sampled(image.digest, settings.sample)
