# Copyright (c) 2026, scap.images contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The page of one rule or CVE: the images that it is found in."""

from __future__ import annotations

import typing as t

from .markup import FOOTER, badge, cells, page, severity, table, text
from .summary import Finding, Row

FOLDER = "findings"


def finding_page(finding: Finding, rows: t.Sequence[Row]) -> t.Iterator[str]:
    """The whole page; `rows`: the images, in any order."""
    return page(f"{finding.label}: {len(rows)} images", _body(finding, rows))


def _body(finding: Finding, rows: t.Sequence[Row]) -> t.Iterator[str]:
    yield '<header>\n<nav aria-label="Report"><ul><li><a href="../index.html">All images</a></li></ul></nav>\n'
    yield f"<h1>{text(finding.label, 500)}</h1>\n<p>{severity(finding.severity)} {text(finding.title, 500)}</p>\n"
    yield f'<p class="small"><code>{text(finding.id, 500)}</code></p>\n</header>\n<main id="main" tabindex="-1">\n'
    yield f'<section><h2 id="images">Images with it ({len(rows)})</h2>\n'
    yield table("images", ["Image", "Verdict", "Runs in"])
    for row in sorted(rows, key=lambda row: row.order):
        link = f'<a href="../images/{row.page}.html">{text(row.reference, 500)}</a>'
        yield cells(link, badge(row.state), text(", ".join(row.namespaces[:10]), 1000))
    yield f"</tbody></table></div></section>\n</main>\n{FOOTER}"
