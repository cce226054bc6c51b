# Copyright (c) 2026, scap.images contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What the room takes and gives: Limits and ParsedResults."""

from __future__ import annotations

import dataclasses

from ..model import Results


@dataclasses.dataclass(frozen=True)
class Limits:
    """What one result file may cost. A file beyond them is refused with a ScapError, never read in part."""

    packed_bytes: int = 256 << 20
    """Size of the file as stored."""
    bytes: int = 512 << 20
    """Size after decompression."""
    ratio: int = 400
    """Bytes out for each byte in, looked at from `ratio_from` bytes on."""
    ratio_from: int = 32 << 20
    depth: int = 200
    """Nested elements."""
    token_bytes: int = 1 << 20
    """One tag with its attributes, one comment."""
    names: int = 10_000
    """Different names of elements and attributes: the parser remembers each."""
    entries: int = 500_000
    """Rules, rule results, definitions, tests, objects, states and items, each."""
    seconds: float = 300.0


@dataclasses.dataclass(frozen=True)
class ParsedResults:
    """One result file: the compact record, and what proofs of coverage need beside it."""

    results: Results
    kind: str
    """`arf`, `xccdf` or `oval`."""
    rule_results: list[tuple[str, str]] = dataclasses.field(default_factory=list)
    """(rule id, result) of every rule-result in document order, notselected included; one rule can stand there more
    than once (XCCDF 1.2 section 6.6.4.2: one for each instance or check)."""
    definitions: list[tuple[str, str]] = dataclasses.field(default_factory=list)
    """(definition id, OVAL result) of every evaluated definition in document order."""
    benchmark_id: str = ""
    benchmark_href: str = ""
    profile: str = ""
    """Full id of the profile; empty for OVAL and for the default profile."""
    started_at: str = ""
    """As the document has it; with a time zone: RFC 3339 UTC."""
    ended_at: str = ""
    target: str = ""
    tool: str = ""
    """Name or CPE of the program that wrote the results, as it calls itself."""
    tool_version: str = ""
    platforms: list[str] = dataclasses.field(default_factory=list)
    """CPE names and ids that the evaluation found to apply (TestResult/platform); for OVAL, [os_name os_version]."""
