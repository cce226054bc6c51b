# Copyright (c) 2026, scap.images contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What oscap's standard error means.

Every line that oscap 1.3.7 and 1.4.2 were seen to write is classed here. A line that nobody has classed fails the
scan: oscap says many of the things that spoil its answer nowhere else, and ends with status 0 all the same.
"""

from __future__ import annotations

import re
import typing as t

from ..model import Check

_HARMLESS = (
    # Remote parts of a data stream are never fetched; the rule that needs them is notchecked, and seen as that.
    r"WARNING: (Datastream|Data-stream|Data stream) component '.*' points out to the remote '.*'\..*",
    r"WARNING: Skipping .* file which is referenced from (datastream|data stream|XCCDF content)",
    # Offline, these probes answer "not applicable" for every object, which the results show.
    r"W: oscap:\s+Requested offline mode is not supported by (uname|shadow|interface|process58|routingtable|runlevel|"
    r"sysctl|selinuxboolean|selinuxsecuritycontext|inetlisteningservers|iflisteners|systemdunitproperty|"
    r"systemdunitdependency|fwupdsecattr|gconf|isainfo|patch|process|sql|sql57|ldap57) probe\.",
    r"(WARNING: )?This content points out to the remote resources\..*",
)
_HARMLESS_SINCE_1_4 = (
    # 1.4 ships no CPE dictionary; a data stream brings its own (contents without one fail the check `content`).
    r".*openscap-cpe-(dict|oval)\.xml.*",
    r"Failed to add default CPE to newly created CPE Session\..*",
)
_SPOILS = (
    (r".*dpkginfo_init has failed.*", "libapt could not open the dpkg database: package rules pass without a look"),
    (r".*fsdev_init\(\) failed.*", "no mount table: recursive searches find nothing"),
    (r".*openscap-cpe-(dict|oval)\.xml.*", "the scanner has no CPE dictionary; install openscap-common"),
    (r".*Probe at sd=\d+ \((?P<probe>\w+)\) reported an error.*", "the {probe} probe failed"),
    (r".*Unable to receive a message from probe.*", "a probe died"),
    (r".*Can't receive message: .*", "a probe died"),
    (r".*Recv: retry limit.*", "a probe died"),
    (r".*Can't read .*/proc: .*", "the environmentvariable58 probe found no /proc in the root"),
    (r".*Invalid oval result type.*", "a probe gave no answer"),
    (r".*cannot open Packages (index|database).*", "librpm could not open the package database"),
    (r".*(rpmdb|sqlite|BDB\d+|db5).*", "librpm could not read the package database"),
    (r".*(out of memory|Cannot allocate memory|memory usage limit).*", "oscap ran out of memory"),
)

_SPACE = re.compile(r"\s+")
_LIMIT = 5


def check_stderr(texts: t.Sequence[tuple[str, bytes]], version: str) -> Check:
    """Class every line of (what was run, its stderr); `version` is oscap's."""
    harmless = list(_HARMLESS)
    if not version.startswith(("1.0", "1.1", "1.2", "1.3")):
        harmless += _HARMLESS_SINCE_1_4
    spoiled: dict[str, int] = {}
    unknown: dict[str, int] = {}
    count = 0
    for what, text in texts:
        for raw in text.decode("utf-8", "replace").splitlines():
            line = _SPACE.sub(" ", raw).strip()
            if not line:
                continue
            count += 1
            if any(re.fullmatch(pattern, line) for pattern in harmless):
                continue
            meaning = _meaning(line)
            if meaning is not None:
                spoiled[f"{what}: {meaning}"] = spoiled.get(f"{what}: {meaning}", 0) + 1
            else:
                unknown[f"{what}: {line[:300]}"] = unknown.get(f"{what}: {line[:300]}", 0) + 1
    if spoiled:
        return Check("stderr", False, "oscap's standard error says: " + "; ".join(list(spoiled)[:_LIMIT]))
    if unknown:
        return Check(
            "stderr",
            False,
            "oscap wrote a line that is not known to be harmless: " + "; ".join(list(unknown)[:_LIMIT]),
        )
    return Check("stderr", True, f"{count} lines, all known to be harmless" if count else "silent")


def _meaning(line: str) -> str | None:
    for pattern, meaning in _SPOILS:
        match = re.fullmatch(pattern, line)
        if match is not None:
            return meaning.format(**match.groupdict())
    return None
