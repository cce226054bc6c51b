# Copyright (c) 2026, scap.images contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The sources that exist. A new one is added to SOURCES."""

from __future__ import annotations

import typing as t

from ..model import ScapError
from .discovered import Discovered
from .interface import Setting, Source, checked
from .listed import Listed
from .nodes import Nodes
from .oci import Oci
from .openshift import OpenShift
from .registry import Registry
from .store import Store
from .workloads import Workloads

SOURCES: tuple[type[Source], ...] = (OpenShift, Workloads, Nodes, Registry, Oci, Store, Listed, Discovered)


def build(mappings: t.Sequence[t.Any], setting: Setting) -> list[Source]:
    """A Source for every mapping with a `type`; ScapError `source_invalid` says which one is wrong, and how."""
    known = {kind.type: kind for kind in SOURCES}
    built = []
    for number, mapping in enumerate(mappings, 1):
        if not isinstance(mapping, dict):
            raise ScapError("source_invalid", f"source {number} is {str(mapping)[:80]!r}, not a mapping with a type")
        kind = known.get(str(mapping.get("type")))
        if kind is None:
            raise ScapError(
                "source_invalid", f"source {number}: type is {mapping.get('type')!r}, not one of {', '.join(known)}"
            )
        built.append(kind(checked(kind, mapping, number), setting))
    if not built:
        raise ScapError("source_invalid", "no source was given; sources is a list of mappings with a type")
    return built
