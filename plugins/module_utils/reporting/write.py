# Copyright (c) 2026, scap.images contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Write the report of a scap_dir: one image in memory at a time."""

from __future__ import annotations

import os
import shutil
import typing as t

from ..files import whole
from ..model import Results, Verdict, guide_name, now
from . import fleet_page, image_page


def write_report(folder: str, verdicts: t.Iterable[tuple[Verdict, Results | None]]) -> list[fleet_page.Row]:
    """report/index.html and report/images/*.html below `folder`; returns a row an image."""
    images = os.path.join(folder, "report", "images")
    os.makedirs(images, mode=0o700, exist_ok=True)
    rows = []
    for verdict, results in verdicts:
        row = fleet_page.row(verdict)
        guide = _guide(folder, verdict)
        _write(os.path.join(images, row.page), image_page.render(verdict, results, guide))
        rows.append(row)
    _write(os.path.join(folder, "report", "index.html"), fleet_page.render(rows, now()))
    return rows


def _guide(folder: str, verdict: Verdict) -> str:
    """Copy oscap's guide beside the pages once; its address seen from an image's page."""
    for content in verdict.content:
        name = guide_name(content.sha256, content.profile)
        source = os.path.join(folder, "content", name)
        if content.profile and os.path.exists(source):
            target = os.path.join(folder, "report", name)
            if not os.path.exists(target):
                with open(source, "rb") as stream, whole(target) as copy:
                    shutil.copyfileobj(stream, copy)
            return f"../{name}"
    return ""


def _write(path: str, pieces: t.Iterable[str]) -> None:
    with whole(path) as stream:
        for piece in pieces:
            stream.write(piece.encode("utf-8", "replace"))
