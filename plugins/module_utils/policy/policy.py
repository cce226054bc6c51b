# Copyright (c) 2026, scap.images contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What a policy says, and how it is read from what a user wrote."""

from __future__ import annotations

import dataclasses
import hashlib
import typing as t

from ..files import dumps
from ..model import SEVERITIES, J, PolicyRef, ScapError


@dataclasses.dataclass(frozen=True)
class Policy:
    """Thresholds: how many findings of a severity an image may have. A severity that is not named may have any
    number."""

    name: str = "default"
    rules: t.Mapping[str, int] = dataclasses.field(default_factory=lambda: {"critical": 0, "high": 0})
    """Severity to the number of failed rules that are tolerated."""
    vulnerabilities: t.Mapping[str, int] = dataclasses.field(default_factory=lambda: {"critical": 0, "high": 0})
    """Severity to the number of true patch and vulnerability definitions that are tolerated."""

    @property
    def reference(self) -> PolicyRef:
        """Its name and the sha256 of what it says."""
        said = {"name": self.name, "rules": dict(self.rules), "vulnerabilities": dict(self.vulnerabilities)}
        return PolicyRef(self.name, hashlib.sha256(dumps(said)).hexdigest())


DEFAULT = Policy()


def parse(data: t.Any, where: str) -> Policy:
    """A policy of plain values; ScapError policy_invalid names the key and the cure."""
    if not isinstance(data, dict):
        raise _invalid(where, "a policy is a mapping with the keys name, rules and vulnerabilities")
    unknown = sorted(str(key) for key in set(data) - {"name", "rules", "vulnerabilities"})
    if unknown:
        raise _invalid(where, f"unknown key {', '.join(unknown)}; a policy has name, rules and vulnerabilities")
    name = data.get("name")
    if not isinstance(name, str) or not name:
        raise _invalid(where, "name must be a text that is not empty")
    return Policy(name, _thresholds(data, "rules", where), _thresholds(data, "vulnerabilities", where))


def _thresholds(data: J, key: str, where: str) -> dict[str, int]:
    values = data.get(key, {"critical": 0, "high": 0})
    if not isinstance(values, dict):
        raise _invalid(where, f"{key} must map severities to numbers")
    for severity, number in values.items():
        if severity not in SEVERITIES:
            raise _invalid(where, f"{key} names the severity {severity!r}; there are {', '.join(SEVERITIES)}")
        if not isinstance(number, int) or isinstance(number, bool) or number < 0:
            raise _invalid(where, f"{key}.{severity} must be a number of findings, 0 or more")
    return dict(values)


def _invalid(where: str, why: str) -> ScapError:
    return ScapError("policy_invalid", f"{where}: {why}")
