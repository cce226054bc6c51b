# Copyright (c) 2026, scap.images contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What a quota's refusal says: whether there can ever be room (core/v1 ResourceQuota, api-machinery Quantity)."""

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
