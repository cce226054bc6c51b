# Copyright (c) 2026, scap.images contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What refusals say: whether there can ever be room (core/v1 ResourceQuota, api-machinery Quantity), or a node."""

from __future__ import annotations

import re

_SAID = re.compile(r"requested: (?P<requested>.*?), used: .*?, limited: (?P<limited>[^;\s]*)")
_QUANTITY = re.compile(r"(?P<number>[0-9]+(?:\.[0-9]+)?)(?P<suffix>m|k|M|G|T|P|E|Ki|Mi|Gi|Ti|Pi|Ei|)")
_FACTORS = {
    "": 1.0,
    "m": 0.001,
    **{suffix: 1000.0**power for power, suffix in enumerate("kMGTPE", 1)},
    **{f"{suffix}i": 1024.0**power for power, suffix in enumerate("KMGTPE", 1)},
}

_NODES = re.compile(r"0/([0-9]+) nodes are available")
_UNFIT = re.compile(r"([0-9]+) node\(s\) (didn't match Pod's node affinity/selector|had untolerated taint)")


def no_such_node(refusal: str) -> bool:
    """Whether the scheduler says that no node is what the pod asks for, however much room there may come to be."""
    nodes = _NODES.search(refusal)
    unfit = _UNFIT.findall(refusal)
    asked = any("selector" in why for _count, why in unfit)
    return nodes is not None and asked and sum(int(count) for count, _why in unfit) == int(nodes[1])


def hopeless(refusal: str) -> bool:
    """Whether one pod alone wants more than the quota allows in all, or something that it does not name."""
    if "must specify" in refusal:
        return True
    said = _SAID.search(refusal)
    if said is None:
        return False
    limited = _amounts(said.group("limited"))
    return any(amount > limited.get(name, amount) for name, amount in _amounts(said.group("requested")).items())


def _amounts(text: str) -> dict[str, float]:
    found = {}
    for entry in text.split(","):
        name, _equals, value = entry.partition("=")
        quantity = _QUANTITY.fullmatch(value.strip())
        if quantity:
            found[name.strip()] = float(quantity.group("number")) * _FACTORS[quantity.group("suffix")]
    return found
