# Copyright (c) 2026, scap.images contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The fleet page, its images and its findings: report/index.html, images/*.html, findings/*.html."""

from __future__ import annotations

import collections
import typing as t

from ..model import SEVERITIES, Mark
from ..policy import STRICTEST
from ..policy.match import short_rule
from .history import Past, remember
from .html_blast import blast_radius
from .html_finding import FOLDER as FINDINGS
from .html_finding import finding_page
from .html_image import FOLDER as IMAGES
from .html_image import write_page
from .interface import Fleet, Report
from .markup import FOOTER, STATE_WORDS, badge, cells, page, severity, table, text
from .output import Output
from .picture import state_bar, trend
from .script import SCRIPT
from .summary import Finding, Gatherer, Row, Summary

INDEX = "index.html"
_SHOWN = 15
"""Findings, changes and groups that are open at once; the others stand behind a click."""
_NAMED = 8
"""Images that one line names."""


class Pages(Report):
    """What people read."""

    name = "html"

    def __init__(self) -> None:
        self.summary = Summary()
        """Of what was written last."""

    def write(self, fleet: Fleet, output: Output) -> str:
        gatherer = Gatherer(fleet)
        for verdict in fleet.verdicts():
            gatherer.add(verdict)
            write_page(fleet, verdict, output)
        self.summary = write_index(fleet, gatherer.summary(), output)
        output.remove_others(IMAGES)
        return INDEX


def write_index(fleet: Fleet, summary: Summary, output: Output) -> Summary:
    """The fleet page and the pages of its findings."""
    for finding in summary.listed:
        rows = [summary.rows[place] for place in finding.rows]
        output.write(f"{FINDINGS}/{finding.page}.html", finding_page(finding, rows))
    output.remove_others(FINDINGS)
    body = _body(summary, remember(summary, output), fleet)
    output.write(INDEX, page(f"{len(summary.rows)} container images", body, SCRIPT))
    return summary


def _body(summary: Summary, past: Past, fleet: Fleet) -> t.Iterator[str]:
    yield from _header(summary)
    yield '<main id="main" tabindex="-1">\n'
    yield from _tiles(summary)
    yield from _changes(past)
    yield from _images(summary)
    yield from _findings(summary)
    yield from _unproven(summary)
    yield from _waivers(summary)
    yield from _enforcement(list(fleet.marks.values()))
    yield from blast_radius(fleet.root)
    yield from _trend(past)
    yield f"</main>\n{FOOTER}"


def _header(summary: Summary) -> t.Iterator[str]:
    names = [("images", "Images"), ("findings", "Findings"), ("unproven", "Not proven"), ("waivers", "Waivers")]
    links = "".join(f'<li><a href="#{name}">{word}</a></li>' for name, word in names)
    yield f"<header>\n<h1>May these {len(summary.rows)} images run?</h1>\n<p>As judged at {text(summary.at)}</p>\n"
    yield f'<nav aria-label="This page"><ul>{links}</ul></nav>\n</header>\n'


def _tiles(summary: Summary) -> t.Iterator[str]:
    yield '<h2 class="skip">At a glance</h2>\n'
    yield '<ul class="tiles">'
    for name in STRICTEST:
        if summary.states[name] or name in ("non_compliant", "compliant", "error"):
            link = f'<a href="#state={name}">{STATE_WORDS[name]}</a>'
            yield f'<li class="t-{name}"><strong>{summary.states[name]}</strong>{link}</li>'
    counts = ", ".join(f"{summary.severity[name]} {name}" for name in SEVERITIES if summary.severity[name])
    yield f"</ul>\n<section><h3 id='state-bar'>The fleet by state</h3>{state_bar(summary.states)}"
    yield f'<p class="small muted">Findings that count: {text(counts) or "none"}.</p></section>\n'


def _changes(past: Past) -> t.Iterator[str]:
    if not past.since:
        return
    yield f'<section><h2 id="changes">Changed since {text(past.since)} ({len(past.changes)})</h2>\n'
    if not past.changes:
        yield "<p>No image changed its state.</p></section>\n"
        return
    yield table("changes", ["Image", "Was", "Is"])
    for change in past.changes[:200]:
        name = text(change.reference, 500)
        link = f'<a href="{IMAGES}/{change.page}.html">{name}</a>' if change.after else name
        yield cells(
            link, badge(change.before) if change.before else "new", badge(change.after) if change.after else "gone"
        )
    yield "</tbody></table></div>\n"
    if len(past.changes) > 200:
        yield f"<p>And {len(past.changes) - 200} more.</p>\n"
    yield "</section>\n"


def _images(summary: Summary) -> t.Iterator[str]:
    yield '<section><h2 id="images">Images, the worst first</h2>\n'
    yield from _filters(summary)
    numeric = "".join(f'<th scope="col" class="num">{name.capitalize()}</th>' for name in SEVERITIES)
    placed = any(row.namespaces for row in summary.rows)
    yield '<div class="scroll" tabindex="0" role="region" aria-labelledby="images"><table><thead><tr>'
    yield f'<th scope="col">Image</th><th scope="col">Verdict</th>{numeric}'
    yield '<th scope="col" class="wide">Runs in</th>' if placed else ""
    yield '<th scope="col" class="wide">Why</th></tr></thead><tbody id="rows">\n'
    for row in sorted(summary.rows, key=lambda row: row.order):
        yield _row(row, placed)
    yield "</tbody></table></div></section>\n"


def _row(row: Row, placed: bool) -> str:
    counts = [row.severity.get(name, 0) for name in SEVERITIES]
    found = " ".join(name for name in SEVERITIES if row.severity.get(name))
    namespaces = text("\n".join(row.namespaces), 4000)
    places = text(
        ", ".join(row.namespaces[:4]) + (f" and {len(row.namespaces) - 4} more" if len(row.namespaces) > 4 else "")
    )
    why = "" if row.state == "compliant" or not row.reasons else f"<p>{text(row.reasons[0])}</p>"
    why += f'<p class="muted">and {len(row.reasons) - 1} more</p>' if why and len(row.reasons) > 1 else ""
    numbers = "".join(f'<td class="num">{number or ""}</td>' for number in counts)
    cell = f'<td class="wide small">{places}</td>' if placed else ""
    listed = f' data-f="{" ".join(map(str, row.findings))}"' if row.findings else ""
    return (
        f'<tr data-s="{row.state}" data-o="{text(row.os)}" data-v="{found}" data-n="{namespaces}"{listed}>'
        f'<th scope="row"><a href="{IMAGES}/{row.page}.html">{text(row.reference, 500)}</a><br>'
        f'<span class="small muted">{text(row.os) or "unknown system"}</span></th><td>{badge(row.state)}</td>{numbers}'
        f'{cell}<td class="wide small">{why}</td></tr>\n'
    )


def _filters(summary: Summary) -> t.Iterator[str]:
    spaces = sorted({name for row in summary.rows for name in row.namespaces})
    systems = sorted({row.os for row in summary.rows if row.os})
    yield '<form id="filters" class="filters" hidden role="search" aria-label="Filter the images">\n'
    yield '<div><label for="by-text">Text</label><input id="by-text" type="search" autocomplete="off"></div>\n'
    yield _choice("state", "State", [(name, STATE_WORDS[name]) for name in STRICTEST])
    yield _choice("severity", "With findings of severity", [(name, name) for name in SEVERITIES])
    yield _choice("namespace", "Runs in namespace", [(name, name) for name in spaces])
    yield _choice("os", "System", [(name, name) for name in systems])
    yield '<div><label for="by-finding">CVE or rule</label>'
    yield '<input id="by-finding" type="search" list="finding-names" autocomplete="off"></div>\n'
    yield '<datalist id="finding-names">'
    yield from (f'<option value="{text(finding.label, 300)}"></option>' for finding in summary.listed)
    yield '</datalist>\n<div><button id="clear" type="button">Show all</button> '
    yield '<span id="count" role="status"></span></div></form>\n'


def _choice(name: str, label: str, values: t.Sequence[tuple[str, str]]) -> str:
    options = "".join(f'<option value="{text(value)}">{text(word)}</option>' for value, word in values)
    choice = f'<select id="by-{name}"><option value="">all</option>{options}</select>'
    return f'<div><label for="by-{name}">{label}</label>{choice}</div>\n'


def _findings(summary: Summary) -> t.Iterator[str]:
    yield '<h2 class="skip" id="findings">Findings</h2>\n<div class="pair">\n'
    none = "None." if summary.feeds else "No vulnerability feed was evaluated: nothing is known of them."
    rules = [entry for entry in summary.listed if entry.kind == "rule"]
    yield from _found("Rules that fail", "rules", rules, "None.")
    cves = [entry for entry in summary.listed if entry.kind == "vulnerability"]
    yield from _found("Vulnerabilities", "cves", cves, none)
    yield "</div>\n"
    if summary.findings > len(summary.listed):
        more = summary.findings - len(summary.listed)
        yield f'<p class="muted">{more} findings of lesser weight stand in the pages of the images.</p>\n'
    yield "<p></p>\n"


def _found(title: str, name: str, findings: t.Sequence[Finding], none: str) -> t.Iterator[str]:
    yield f'<section><h2 id="{name}">{title}</h2>\n'
    if not findings:
        yield f"<p>{none}</p></section>\n"
        return
    yield table(name, ["Severity", "What", "Images"])
    yield from (_finding(entry) for entry in findings[:_SHOWN])
    yield "</tbody></table></div>\n"
    if len(findings) > _SHOWN:
        yield f"<details><summary>{len(findings) - _SHOWN} more</summary>\n"
        yield f'<h3 class="skip" id="{name}-more">More</h3>{table(f"{name}-more", ["Severity", "What", "Images"])}'
        yield from (_finding(entry) for entry in findings[_SHOWN:])
        yield "</tbody></table></div></details>\n"
    yield "</section>\n"


def _finding(entry: Finding) -> str:
    title = f'<br><span class="small muted">{text(entry.title, 200)}</span>' if entry.title != entry.label else ""
    link = f'<a href="{FINDINGS}/{entry.page}.html">{text(entry.label, 300)}</a>{title}'
    return cells(severity(entry.severity), link, str(len(entry.rows)))


def _unproven(summary: Summary) -> t.Iterator[str]:
    groups: dict[str, list[Row]] = collections.defaultdict(list)
    for row in summary.rows:
        if row.state in ("error", "stale", "not_applicable"):
            groups[row.code].append(row)
    number = sum(map(len, groups.values()))
    yield f'<section><h2 id="unproven">Not proven ({number})</h2>\n'
    if not groups:
        yield "<p>Every image was seen by the scanner, and that is proven.</p></section>\n"
        return
    yield "<p>Nothing is said of these images. None of them counts as compliant.</p>\n"
    yield table("unproven", ["Cause", "Images", "As"])
    for code, rows in sorted(groups.items(), key=lambda item: -len(item[1])):
        names = "".join(
            f'<li><a href="{IMAGES}/{row.page}.html">{text(row.reference, 300)}</a></li>' for row in rows[:_NAMED]
        )
        more = f"<li>and {len(rows) - _NAMED} more</li>" if len(rows) > _NAMED else ""
        first = text(rows[0].reasons[0], 300) if rows[0].reasons else ""
        yield cells(
            f"<code>{text(code)}</code><br><span class='small muted'>{first}</span>",
            str(len(rows)),
            f"<ul>{names}{more}</ul>",
        )
    yield "</tbody></table></div></section>\n"


def _waivers(summary: Summary) -> t.Iterator[str]:
    yield f'<section><h2 id="waivers">Waivers in use ({len(summary.waived)})</h2>\n'
    if not summary.waived and not summary.expired:
        yield "<p>None.</p></section>\n"
        return
    if summary.expired:
        yield '<ul class="reasons">'
        for message, number in sorted(summary.expired.items())[:50]:
            yield f'<li><span class="failed">Ended:</span> {text(message, 500)}, {number} images</li>'
        yield "</ul>\n"
    if summary.waived:
        yield table("waivers", ["Until", "Finding", "Severity", "Owner", "Reason", "Images"])
        for entry in summary.waived[:500]:
            ticket = f" ({text(entry.ticket, 300)})" if entry.ticket else ""
            yield cells(
                text(entry.expires),
                text(short_rule(entry.id), 300),
                severity(entry.severity),
                text(entry.owner, 300),
                f"{text(entry.reason, 1000)}{ticket}",
                str(entry.images),
            )
        yield "</tbody></table></div>\n"
    yield "</section>\n"


def _enforcement(marks: t.Sequence[Mark]) -> t.Iterator[str]:
    if not marks:
        return
    denied = [mark for mark in marks if mark.denied]
    proven = sum(mark.blocked == "proven" for mark in denied)
    yield '<section><h2 id="enforcement">In the cluster</h2>\n'
    yield f"<p>{len(denied)} of {len(marks)} marked images are denied; "
    yield f"the API server itself was seen to refuse {proven} of them.</p>\n"
    open_ = [mark for mark in denied if mark.blocked != "proven" and mark.stage == "deny"]
    if open_:
        yield table("enforcement", ["Denied, but not proven to be refused", "Stage", "Detail"])
        for mark in open_[:200]:
            name = text(mark.reference or mark.digest, 500)
            yield cells(name, text(mark.stage), text(f"{mark.blocked} {mark.detail}", 500))
        yield "</tbody></table></div>\n"
    yield "</section>\n"


def _trend(past: Past) -> t.Iterator[str]:
    picture = trend(past.runs)
    if not picture:
        return
    yield f'<section><h2 id="trend">Trend</h2>\n{picture}\n<details><summary>The numbers</summary>'
    yield f'<h3 class="skip" id="runs">Runs</h3>{table("runs", ["Run", *(STATE_WORDS[name] for name in STRICTEST)])}'
    for run in reversed(past.runs[-60:]):
        yield cells(text(run["at"]), *(str(run["states"].get(name, 0)) for name in STRICTEST))
    yield "</tbody></table></div></details></section>\n"
