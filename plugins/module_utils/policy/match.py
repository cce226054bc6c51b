# Copyright (c) 2026, scap.images contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Names compared with the globs of policies and waivers (fnmatch, case matters)."""

from __future__ import annotations

import fnmatch
import functools
import re
import typing as t


@functools.lru_cache(maxsize=4096)
def _pattern(glob: str) -> re.Pattern[str]:
    return re.compile(fnmatch.translate(glob))


def any_glob(globs: t.Iterable[str], name: str) -> bool:
    return any(_pattern(glob).match(name) for glob in globs)


def labels_match(wanted: t.Mapping[str, str], labels: t.Mapping[str, str]) -> bool:
    """Whether every wanted label is there and matches its glob."""
    return all(name in labels and any_glob([glob], str(labels[name])) for name, glob in wanted.items())


def short_rule(name: str) -> str:
    """What follows the first `_rule_` in an XCCDF rule id; the whole name where that is not in it."""
    return name.partition("_rule_")[2] or name


class RuleNames:
    """A set of rules, each named in full or by its short name."""

    def __init__(self, names: t.Iterable[str]) -> None:
        self._names = frozenset(names)

    def __contains__(self, rule: str) -> bool:
        return rule in self._names or short_rule(rule) in self._names
