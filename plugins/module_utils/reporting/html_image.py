# Copyright (c) 2026, scap.images contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The page of one image: what failed, worst first, why it matters, how to fix it, and what the verdict stands on."""

from __future__ import annotations

import os
import typing as t

from ..model import SEVERITIES, Image, Mark, Results, RuleResult, Verdict, Vulnerability, guide_name
from ..policy.match import short_rule
from ..store import EVIDENCE
from .interface import Fleet, Report, page_name
from .markup import FOOTER, badge, cells, page, severity, table, text
from .output import Output

FOLDER = "images"
_ROWS = 5000
"""Definitions that one page lists."""


class ImagePages(Report):
    """images/DIGEST_HEX.html for each verdict, and the tool's own guide beside it where the evidence holds one."""

    name = "images"

    def write(self, fleet: Fleet, output: Output) -> str:
        for verdict in fleet.verdicts():
            write_page(fleet, verdict, output)
        output.remove_others(FOLDER)
        return FOLDER


def write_page(fleet: Fleet, verdict: Verdict, output: Output) -> None:
    guide = _guide(fleet, verdict, output)
    image, mark = fleet.images.get(verdict.image.digest), fleet.marks.get(verdict.image.digest)
    evidence = os.path.relpath(os.path.join(fleet.root, verdict.evidence), os.path.join(output.folder, FOLDER))
    body = _body(verdict, fleet.results(verdict), image, mark, guide, evidence if verdict.evidence else "")
    output.write(f"{FOLDER}/{page_name(verdict)}.html", page(f"{verdict.image.reference}: {verdict.state}", body))


def _guide(fleet: Fleet, verdict: Verdict, output: Output) -> str:
    """Address, seen from the page, of the scanner's guide to the profile; empty where there is none."""
    for content in verdict.content:
        name = guide_name(content.sha256, content.profile)
        path = os.path.join(fleet.root, "content", name)
        if content.profile and os.path.exists(path):
            output.copy(name, path)
            return f"../{name}"
    return ""


def _body(
    verdict: Verdict, results: Results | None, image: Image | None, mark: Mark | None, guide: str, evidence: str
) -> t.Iterator[str]:
    rules = {rule.id: rule for rule in results.rules} if results else {}
    yield from _header(verdict, guide)
    yield '<main id="main" tabindex="-1">\n'
    yield from _why(verdict)
    yield from _rules(verdict, rules)
    yield from _undecided(verdict, rules)
    yield from _vulnerabilities(verdict, results)
    yield from _waived(verdict)
    yield from _coverage(verdict)
    yield from _facts(verdict, image, mark, evidence)
    yield f"</main>\n{FOOTER}"


def _header(verdict: Verdict, guide: str) -> t.Iterator[str]:
    image = verdict.image
    counts = ", ".join(f"{verdict.severity[name]} {name}" for name in SEVERITIES if verdict.severity.get(name))
    yield '<header>\n<nav aria-label="Report"><ul><li><a href="../index.html">All images</a></li>'
    if guide:
        yield f'<li><a href="{text(guide)}">The full guide of the scanner</a></li>'
    yield f"</ul></nav>\n<h1>{text(image.reference)}</h1>\n<p>{badge(verdict.state)} {text(counts)}</p>\n"
    facts = [image.os, image.platform, f"scanned {verdict.scanned_at}" if verdict.scanned_at else ""]
    yield f"<p>{text(', '.join(fact for fact in facts if fact))}</p>\n</header>\n"


def _why(verdict: Verdict) -> t.Iterator[str]:
    yield '<section><h2 id="why">Why</h2>\n'
    if verdict.reasons:
        yield '<ul class="reasons">'
        yield from (f"<li>{text(reason.message, 2000)}</li>" for reason in verdict.reasons)
        yield "</ul>\n"
    elif verdict.state == "compliant":
        yield "<p>Every proof of coverage holds, and the policy found nothing to object to.</p>\n"
    yield f'<p class="muted small">Policy {text(verdict.policy.name)} ({text(verdict.policy.sha256[:12])}), '
    yield f"judged {text(verdict.judged_at)}</p></section>\n"


def _rules(verdict: Verdict, rules: t.Mapping[str, RuleResult]) -> t.Iterator[str]:
    if not verdict.failed:
        return
    worst = sorted(verdict.failed, key=lambda rule: (SEVERITIES.index(rule.severity), rule.id))
    yield f'<section><h2 id="rules">Rules that failed ({len(worst)})</h2>\n'
    for failed in worst:
        rule = rules.get(failed.id) or RuleResult(failed.id, "fail", failed.severity, failed.title)
        opened = " open" if failed.severity in ("critical", "high") else ""
        yield f"<details{opened}><summary>{severity(failed.severity)} {text(rule.title or rule.id, 500)}</summary>\n"
        yield from _paragraph("Why it matters", rule.rationale)
        if rule.fix:
            yield f'<h3>How to fix it</h3><pre tabindex="0">{text(rule.fix)}</pre>\n'
        yield from _paragraph("What is asked", rule.description)
        yield from _paragraph("What the scanner says", rule.message)
        idents = f" ({text(', '.join(rule.idents), 1000)})" if rule.idents else ""
        yield f'<p class="muted small"><code>{text(rule.id, 500)}</code>{idents}</p></details>\n'
    yield "</section>\n"


def _paragraph(title: str, content: str) -> t.Iterator[str]:
    if content:
        yield f'<h3>{title}</h3><p class="text">{text(content)}</p>\n'


def _undecided(verdict: Verdict, rules: t.Mapping[str, RuleResult]) -> t.Iterator[str]:
    left = [rule for rule in rules.values() if rule.result in ("error", "unknown", "notchecked")]
    if not left:
        return
    yield f'<section><h2 id="open">Rules that the scanner did not decide ({len(left)})</h2>\n'
    yield table("open", ["Severity", "Result", "Rule"])
    for rule in sorted(left, key=lambda rule: (SEVERITIES.index(rule.severity), rule.id)):
        name = text(rule.title or short_rule(rule.id), 300)
        yield cells(severity(rule.severity), rule.result, f"{name} {text(rule.message, 500)}")
    yield "</tbody></table></div></section>\n"


def _vulnerabilities(verdict: Verdict, results: Results | None) -> t.Iterator[str]:
    waived = {entry.id for entry in verdict.waived}
    found = [entry for entry in verdict.vulnerabilities if entry.id not in waived]
    if not found:
        return
    told = {entry.id: entry.description for entry in results.vulnerabilities} if results else {}
    found.sort(key=lambda entry: (SEVERITIES.index(entry.severity), entry.id))
    yield f'<section><h2 id="cves">Vulnerabilities ({len(found)})</h2>\n'
    yield table("cves", ["Severity", "What", "CVEs", "Package, and the version that fixes it"])
    for entry in found[:_ROWS]:
        yield _vulnerability(entry, told.get(entry.id, ""))
    yield "</tbody></table></div>\n"
    if len(found) > _ROWS:
        yield f"<p>And {len(found) - _ROWS} more; verdicts.jsonl has them all.</p>\n"
    yield "</section>\n"


def _vulnerability(entry: Vulnerability, description: str) -> str:
    fixed = [*entry.fixed_in, *[""] * len(entry.packages)]
    packages = "".join(
        f"<li><code>{text(name, 200)}</code> {('&lt; ' + text(version, 200)) if version else 'no fix yet'}</li>"
        for name, version in zip(entry.packages[:40], fixed)
    )
    more = f"<li>and {len(entry.packages) - 40} more</li>" if len(entry.packages) > 40 else ""
    title = text(entry.title or entry.id, 300)
    what = (
        f"<details><summary>{title}</summary><p class='text'>{text(description, 4000)}</p></details>"
        if description
        else title
    )
    cves = text(", ".join(entry.cves[:30]) + (f" and {len(entry.cves) - 30} more" if len(entry.cves) > 30 else ""))
    return cells(severity(entry.severity), what, cves, f"<ul>{packages}{more}</ul>" if packages else "")


def _waived(verdict: Verdict) -> t.Iterator[str]:
    if not verdict.waived:
        return
    yield f'<section><h2 id="waived">Waived ({len(verdict.waived)})</h2>\n'
    yield table("waived", ["Severity", "Finding", "Until", "Owner", "Reason"])
    for entry in sorted(verdict.waived, key=lambda entry: (entry.expires, entry.id)):
        ticket = f" ({text(entry.ticket, 300)})" if entry.ticket else ""
        yield cells(
            severity(entry.severity),
            text(short_rule(entry.id), 300),
            text(entry.expires),
            text(entry.owner, 300),
            f"{text(entry.reason, 2000)}{ticket}",
        )
    yield "</tbody></table></div></section>\n"


def _coverage(verdict: Verdict) -> t.Iterator[str]:
    yield '<section><h2 id="proof">Proof that the scanner saw the image</h2>\n'
    if not verdict.coverage:
        yield "<p>There is none: nothing was evaluated.</p></section>\n"
        return
    yield table("proof", ["Check", "Proven", "How"])
    for check in verdict.coverage:
        passed = '<span class="passed">✓ yes</span>' if check.passed else '<span class="failed">✕ no</span>'
        yield cells(text(check.check), passed, text(check.detail, 4000))
    yield "</tbody></table></div></section>\n"


def _facts(verdict: Verdict, image: Image | None, mark: Mark | None, evidence: str) -> t.Iterator[str]:
    scan = verdict.scan
    rows = [
        ("Digest", verdict.image.digest or "unknown"),
        ("Contained in", ", ".join(verdict.index_digests)),
        ("Packages", str(verdict.packages)),
        ("Rule results", ", ".join(f"{number} {name}" for name, number in verdict.rules.items() if number)),
        ("Scan", f"{scan.executor} ({scan.rung}), oscap {scan.oscap or '-'}, {scan.seconds:.1f} s"),
    ]
    for it in verdict.content:
        compiled = f", evaluated as compiled sha256:{it.compiled_sha256}" if it.compiled_sha256 else ""
        rows.append(("Content", f"{it.id} {it.profile} sha256:{it.sha256}{compiled}"))
    if image is not None:
        names = [name for name in image.references if name != verdict.image.reference]
        rows.append(("Also known as", ", ".join(names[:50])))
        rows += [
            ("Runs in" if it.running else "Named by", f"{it.namespace}/{it.kind}/{it.name}")
            for it in image.workloads[:100]
        ]
    if mark is not None:
        denied = f"denied ({mark.stage}), refusal {mark.blocked}" if mark.denied else f"not denied ({mark.stage})"
        rows.append(("In the cluster", f"{denied} {mark.detail}, {mark.marked_at}"))
    yield '<section><h2 id="facts">Image and scan</h2>\n<dl>'
    yield from (f"<dt>{name}</dt><dd>{text(value, 5000)}</dd>" for name, value in rows if value)
    if evidence:
        yield f'<dt>Evidence</dt><dd><a href="{text(evidence)}/{EVIDENCE}">{text(verdict.evidence)}</a></dd>'
    yield "</dl></section>\n"
