# Copyright (c) 2026, scap.images contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The blast radius that marking left in scap_dir: which workloads run what was newly marked."""

from __future__ import annotations

import os
import typing as t

from ..files import read_json
from ..model import RecordError, ScapError, field, strings
from .markup import cells, table, text

BLAST = "blast.json"
_LIMIT = 64 * 1024 * 1024
_SHOWN = 200


def blast_radius(root: str) -> t.Iterator[str]:
    """The section of the fleet page; nothing where no run has measured it or nothing runs. Raises ScapError."""
    path = os.path.join(root, BLAST)
    if not os.path.exists(path):
        return
    data = read_json(path, _LIMIT)
    try:
        running, stopped = field(data, "running", int), field(data, "stopped", int)
        rows = [_row(entry) for entry in field(data, "workloads", list)[:_SHOWN]]
        more = len(data["workloads"]) - len(rows)
    except RecordError as error:
        raise ScapError("blast_damaged", f"{path}: {error}; remove it, or mark again") from error
    if not stopped:
        return
    yield '<section><h2 id="blast">What does not start again</h2>\n'
    yield f"<p>{stopped} of {running} running pods use images that the last change of marks concerned. They go on "
    yield "running; where the stage is deny, they are refused once they have to be created again.</p>\n"
    yield table("blast", ["Workload", "Pods", "Images"])
    yield from rows
    yield "</tbody></table></div>\n"
    yield f"<p>And {more} more in {BLAST}.</p>\n" if more else ""
    yield "</section>\n"


def _row(entry: t.Any) -> str:
    name = f"{field(entry, 'kind', str)} {field(entry, 'namespace', str)}/{field(entry, 'name', str)}"
    images = "".join(f"<li>{text(image, 500)}</li>" for image in strings(entry, "images")[:8])
    return cells(text(name, 500), str(field(entry, "pods", int)), f"<ul>{images}</ul>")
