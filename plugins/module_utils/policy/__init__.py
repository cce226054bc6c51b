# Copyright (c) 2026, scap.images contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Policy, waivers and the judge: pure functions of records, and the readers of their YAML files. See judge.py first."""

from __future__ import annotations

from .judge import STRICTEST, judge, judge_strictest
from .policy import Policy, load_policies, parse_policies
from .waivers import Waiver, Waivers, load_waivers, parse_waivers

__all__ = [
    "STRICTEST",
    "Policy",
    "Waiver",
    "Waivers",
    "judge",
    "judge_strictest",
    "load_policies",
    "load_waivers",
    "parse_policies",
    "parse_waivers",
]
