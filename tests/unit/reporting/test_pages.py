# Copyright (c) 2026, scap.images contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The pages as text: hostile names stay inert, everything is found, nothing is written twice."""

from __future__ import annotations

import dataclasses
import html.parser
import json
import os
import pathlib
import subprocess
import sys
import typing as t

import pytest
from ansible_collections.scap.images.plugins.module_utils.model import (
    Image,
    OperatingSystem,
    Reason,
    ScapError,
    Workload,
    guide_name,
    to_json,
)
from ansible_collections.scap.images.plugins.module_utils.policy.run import judge_folder, load_grounds
from ansible_collections.scap.images.plugins.module_utils.reporting.run import Written, table, write_reports
from ansible_collections.scap.images.plugins.modules import scap_report

from tests.support.fleet import blast, digest, evidence, many, results, rule, stops, store, vulnerability

EVIL = "</title></style><script>alert(1)</script>\"'><img src=x onerror=alert(2)>\u202e\x00\x1b[31m&lt;"
VOID = {"meta", "br", "input", "rect", "line", "img", "link"}


class Reader(html.parser.HTMLParser):
    """Collects what could act, and whether tags nest."""

    def __init__(self) -> None:
        super().__init__()
        self.open: list[str] = []
        self.scripts = 0
        self.links: list[str] = []
        self.ids: list[str] = []
        self.acting: list[str] = []
        self.texts: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        if tag not in VOID:
            self.open.append(tag)
        self.scripts += tag == "script"
        for name, value in attrs:
            if name in ("href", "src"):
                self.links.append(value or "")
            if name == "id":
                self.ids.append(value or "")
            if name.startswith("on") or name == "style" or tag in ("img", "iframe", "object", "link", "base"):
                self.acting.append(f"{tag} {name}")

    def handle_endtag(self, tag: str) -> None:
        if tag not in VOID:
            assert self.open.pop() == tag, f"</{tag}> out of place at {self.getpos()}"

    def handle_data(self, data: str) -> None:
        self.texts.append(data)


def read(path: pathlib.Path) -> Reader:
    reader = Reader()
    reader.feed(path.read_text("utf-8"))
    assert not reader.open
    assert not reader.acting
    assert len(reader.ids) == len(set(reader.ids))
    return reader


def report(root: pathlib.Path, **grounds: t.Any) -> Written:
    judge_folder(str(root), load_grounds(grounds.get("policies", []), grounds.get("waivers", [])), write=True, keep=0)
    return write_reports(str(root), ["html"])


def test_hostile_text_is_inert_everywhere(tmp_path: pathlib.Path) -> None:
    nasty = dataclasses.replace(
        evidence("web", feeds=1), reference=f"docker://r/{EVIL}:1", os=OperatingSystem(EVIL, EVIL), platform=EVIL
    )
    texts = {"title": EVIL, "description": EVIL, "rationale": EVIL, "fix": EVIL, "message": EVIL, "idents": [EVIL]}
    found = vulnerability(1, title=EVIL, cves=[EVIL], packages=[EVIL], fixed_in=[EVIL], description=EVIL)
    store(tmp_path, nasty, results(rule(EVIL, **texts), rule("open", "notchecked", **texts), vulnerabilities=[found]))
    store(tmp_path, evidence(EVIL, error=Reason(EVIL, EVIL), digest=""), None)
    places = [Workload(EVIL, EVIL, EVIL, EVIL, True)]
    image = Image(nasty.reference, nasty.digest, references=[EVIL], workloads=places)
    (tmp_path / "images.jsonl").write_text(json.dumps(to_json(image)) + "\n")
    (tmp_path / "blast.json").write_text(json.dumps(blast(9, [stops(EVIL, EVIL, EVIL)])))
    waiver = {
        "rule": "other",
        "scope": "all",
        "owner": EVIL.replace("\x00", ""),
        "reason": "r",
        "expires": "2999-01-01",
    }
    (tmp_path / "w.yml").write_text(json.dumps({"waivers": [waiver]}))
    written = report(tmp_path, waivers=[str(tmp_path / "w.yml")])
    pages = [tmp_path / "report" / name for name in written.changed if name.endswith(".html")]
    assert len(pages) == 5
    for path in pages:
        reader = read(path)
        assert reader.scripts == (path.name == "index.html")
        assert all(not link.startswith(("http", "javascript", "data")) for link in reader.links)
        raw = path.read_text("utf-8")
        assert "Content-Security-Policy" in raw
        assert not set("\u202e\x00\x1b") & set(raw)
    assert any("<script>alert(1)" in text for path in pages for text in read(path).texts)
    assert "\x1b" not in "".join(table(written.summary.rows))


def test_what_does_not_start_again(tmp_path: pathlib.Path) -> None:
    store(tmp_path, evidence("web"), results(rule("telnet", "fail", "high")))
    path, index = tmp_path / "blast.json", tmp_path / "report" / "index.html"
    path.write_text(json.dumps(blast(40, [stops("shop", f"web-{number}", "shop/web:1") for number in range(201)])))
    report(tmp_path)
    text = " ".join(read(index).texts)
    assert "201 of 40 running pods" in text
    assert "Deployment shop/web-199" in text
    assert "And 1 more in blast.json" in text
    path.write_text(json.dumps(blast(40, [])))
    report(tmp_path)
    assert "What does not start again" not in " ".join(read(index).texts)
    path.write_text(json.dumps({**blast(40, [stops("shop", "web", "x")]), "workloads": [7]}))
    with pytest.raises(ScapError, match=r"blast\.json: expected an object"):
        report(tmp_path)


def test_an_image_page_says_what_failed_why_and_how_to_fix_it(tmp_path: pathlib.Path) -> None:
    rules = [
        rule("nis", "fail", "low", rationale="Nobody needs it."),
        rule(
            "telnet", "fail", "high", rationale="Telnet is clear text.", fix="apt-get remove telnetd", idents=["CCE-1"]
        ),
        rule("manual", "notchecked", "medium"),
    ]
    found = evidence("web", feeds=1, index_digests=[digest("index")])
    store(tmp_path, found, results(*rules, vulnerabilities=[vulnerability(7, description="A hole.")]))
    content = found.content[0]
    guide = tmp_path / "content" / guide_name(content.sha256, content.profile)
    guide.parent.mkdir()
    guide.write_text("<p>guide</p>")
    report(tmp_path)
    page = read(tmp_path / "report" / "images" / f"{found.digest[7:]}.html")
    text = " ".join(" ".join(page.texts).split())
    for word in (
        "Telnet is clear text.", "apt-get remove telnetd", "CCE-1", "Title of manual", "CVE-2026-00007", "A hole.",
        "0:1.2-3", "exit_status: as it should be", "126", digest("index"), "docker://registry.example:5000/shop/web:1",
    ):  # fmt: skip
        assert word in text
    assert text.index("Title of telnet") < text.index("Title of nis")
    assert f"../{guide.name}" in page.links
    assert (tmp_path / "report" / guide.name).read_text() == "<p>guide</p>"
    for link in page.links:
        if not link.startswith("#"):
            assert (tmp_path / "report" / "images" / link).exists(), link


def test_the_fleet_page_links_to_what_there_is(tmp_path: pathlib.Path) -> None:
    many(tmp_path, 60)
    written = report(tmp_path)
    index = read(tmp_path / "report" / "index.html")
    for link in index.links:
        if link.startswith("#") and "=" not in link:
            assert link[1:] in index.ids
        elif not link.startswith("#"):
            assert (tmp_path / "report" / link).exists(), link
    for path in (tmp_path / "report").rglob("*.html"):
        read(path)
    assert sum(1 for name in written.changed if name.startswith("images/")) == 60
    assert written.summary.states["error"]
    assert written.summary.states["non_compliant"]


def test_without_a_feed_the_page_does_not_claim_that_there_are_no_vulnerabilities(tmp_path: pathlib.Path) -> None:
    store(tmp_path, evidence("web"), results())
    report(tmp_path)
    assert "No vulnerability feed was evaluated" in (tmp_path / "report" / "index.html").read_text()


def test_the_same_verdicts_write_nothing_and_what_is_gone_goes(tmp_path: pathlib.Path) -> None:
    folder = store(tmp_path, evidence("web"), results(rule("telnet")))
    store(tmp_path, evidence("db"), results())
    assert len(write_dry(tmp_path).changed) == len(report(tmp_path).changed)
    assert report(tmp_path).changed == []
    for path in folder.iterdir():
        path.unlink()
    folder.rmdir()
    folder.parent.rmdir()
    written = report(tmp_path)
    assert f"images/{digest('web')[7:]}.html" in written.changed
    assert not (tmp_path / "report" / "images" / f"{digest('web')[7:]}.html").exists()
    assert len(list((tmp_path / "report" / "images").iterdir())) == 1


def write_dry(root: pathlib.Path) -> Written:
    judge_folder(str(root), load_grounds([], []), write=True, keep=0)
    written = write_reports(str(root), ["html"], dry=True)
    assert not (root / "report").exists()
    return written


def test_trend_and_changes_follow_the_runs(tmp_path: pathlib.Path) -> None:
    def run(at: str, **states: str) -> str:
        rows = []
        judged = tmp_path / "verdicts.jsonl"
        for name, state in states.items():
            store(tmp_path, evidence(name), results(*[rule("telnet")] * (state == "bad")))
        judge_folder(str(tmp_path), load_grounds([], []), write=True, keep=0)
        for line in judged.read_text().splitlines():
            rows.append({**json.loads(line), "judged_at": at})
        judged.write_text("".join(json.dumps(row) + "\n" for row in rows))
        write_reports(str(tmp_path), ["html"])
        return (tmp_path / "report" / "index.html").read_text()

    first = run("2026-11-20T10:00:00Z", web="good", db="good")
    assert "Changed since" not in first
    assert 'class="trend"' not in first
    second = run("2026-11-21T10:00:00Z", web="bad")
    assert "Changed since 2026-11-20T10:00:00Z (1)" in second
    assert 'class="trend"' in second
    assert run("2026-11-21T10:00:00Z") == second
    assert "No image changed its state" in run("2026-11-22T10:00:00Z")
    for damage in (b"not JSON", b'{"at": 5}\n', b"[]", b'{"at":"x","states":{"error":"y"}}\n', b"\xff"):
        (tmp_path / "report" / "history.jsonl").write_bytes(damage)
        (tmp_path / "report" / "last.json").write_bytes(damage)
        assert "May these 2 images run?" in run("2026-11-23T10:00:00Z")


def test_what_cannot_be_written_is_said(tmp_path: pathlib.Path) -> None:
    store(tmp_path, evidence("web"), results())
    with pytest.raises(ScapError, match="judge what was scanned first"):
        write_reports(str(tmp_path), ["html"])
    (tmp_path / "report").write_text("a file")
    with pytest.raises(ScapError, match=r"report.*cannot be"):
        report(tmp_path)


def test_the_module(tmp_path: pathlib.Path) -> None:
    params: dict[str, t.Any] = {
        "dir": str(tmp_path),
        "formats": ["html"],
        "dest": None,
        "digests": None,
        "apply": False,
    }
    assert scap_report.run(params, True)["summary"]["images"] == 0
    store(tmp_path, evidence("web"), results(rule("telnet")))
    store(tmp_path, evidence("db"), results())
    judge_folder(str(tmp_path), load_grounds([], []), write=True, keep=0)
    checked = scap_report.run(params, True)
    assert checked["changed"]
    assert not (tmp_path / "report").exists()
    answer = scap_report.run({**params, "digests": [digest("db")], "dest": str(tmp_path / "there")}, False)
    assert [line.split()[0] for line in answer["table"]] == ["image", "docker://registry.example:5000/shop/db:1"]
    assert pathlib.Path(answer["index"]).read_text().startswith("<!DOCTYPE html>")
    assert answer["summary"]["non_compliant"] == 1


def test_a_locale_without_utf8(tmp_path: pathlib.Path) -> None:
    store(tmp_path, evidence("web"), results(rule("telnet", title="Größe ✓ 日本")))
    judge_folder(str(tmp_path), load_grounds([], []), write=True, keep=0)
    code = (
        "import sys; from ansible_collections.scap.images.plugins.module_utils.reporting.run import *; "
        "w = write_reports(sys.argv[1], list(FORMATS)); print(*table(w.summary.rows), sep='\\n')"
    )
    environment = {"PATH": os.environ["PATH"], "LC_ALL": "POSIX", "PYTHONUTF8": "0", "PYTHONCOERCECLOCALE": "0"}
    environment |= {"PYTHONPATH": os.pathsep.join(sys.path), "PYTHONDONTWRITEBYTECODE": "1"}
    argv = [sys.executable, "-c", code, str(tmp_path)]
    done = subprocess.run(argv, env=environment, capture_output=True, check=False)
    assert done.returncode == 0, done.stderr
    assert "Größe ✓ 日本" in (tmp_path / "report" / "index.html").read_text("utf-8")
