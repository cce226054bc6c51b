# Copyright (c) 2026, scap.images contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The pages in a real browser: what is seen, clicked and filtered; without script, on paper, in the dark; axe-core."""

from __future__ import annotations

import importlib.util
import json
import pathlib
import typing as t

import pytest
from ansible_collections.scap.images.plugins.module_utils.policy.run import judge_folder, load_grounds
from ansible_collections.scap.images.plugins.module_utils.reporting.run import write_reports

from tests.support.browser import PROGRAM, chromium
from tests.support.fleet import many

pytestmark = pytest.mark.skipif(PROGRAM is None, reason="chromium is not installed")
IMAGES = 90


def make(root: pathlib.Path, number: int) -> pathlib.Path:
    """The report on a fleet with waivers, marks and a run before; the folder of the report."""
    many(root, number)
    waivers = [
        {"rule": f"rule_{place}", "scope": "all", "owner": "shop", "reason": "until the move", "expires": "2999-01-01"}
        for place in range(5)
    ]
    (root / "w.yml").write_text(json.dumps({"waivers": waivers}))
    judge_folder(str(root), load_grounds([], []), write=True, keep=0)
    write_reports(str(root), ["html"])
    path = root / "report" / "last.json"
    last = json.loads(path.read_text())
    last["at"] = "2026-11-20T08:00:00Z"
    path.write_text(json.dumps(last))
    run = json.loads((root / "report" / "history.jsonl").read_text())
    (root / "report" / "history.jsonl").write_text(json.dumps({**run, "at": "2026-11-20T08:00:00Z"}) + "\n")
    judge_folder(str(root), load_grounds([], [str(root / "w.yml")]), write=True, keep=0)
    write_reports(str(root), ["html"])
    return root / "report"


@pytest.fixture(scope="module")
def report(tmp_path_factory: pytest.TempPathFactory) -> pathlib.Path:
    return make(tmp_path_factory.mktemp("fleet"), IMAGES)


@pytest.fixture(scope="module")
def browser() -> t.Iterator[t.Any]:
    with chromium() as started:
        yield started


class Tab(t.NamedTuple):
    page: t.Any
    complaints: list[str]
    """Errors of the console and of the page, and requests that are not for files."""


@pytest.fixture
def tab(browser: t.Any, request: pytest.FixtureRequest) -> t.Iterator[Tab]:
    context = browser.new_context(**getattr(request, "param", {}))
    page = context.new_page()
    complaints: list[str] = []
    page.on("console", lambda message: complaints.append(message.text) if message.type == "error" else None)
    page.on("pageerror", lambda error: complaints.append(str(error)))
    page.on("request", lambda asked: None if asked.url.startswith("file:") else complaints.append(asked.url))
    yield Tab(page, complaints)
    context.close()
    assert complaints == []


def shown(page: t.Any) -> int:
    return int(page.locator("#rows > tr:visible").count())


def test_filters(tab: Tab, report: pathlib.Path) -> None:
    page = tab.page
    page.goto(f"file://{report}/index.html")
    assert page.title() == f"{IMAGES} container images"
    assert shown(page) == IMAGES
    failing = page.locator('#rows > tr[data-s="error"]').count()
    page.get_by_label("State", exact=True).select_option("error")
    assert shown(page) == failing > 0
    assert page.locator("#count").inner_text() == f"{failing} of {IMAGES} images"
    assert page.evaluate("location.hash") == "#state=error"
    page.get_by_role("button", name="Show all").click()
    assert shown(page) == IMAGES
    page.get_by_label("Runs in namespace").select_option("team-3")
    assert 0 < shown(page) < 10
    page.get_by_role("button", name="Show all").click()
    page.get_by_label("Text").fill("WEB-")
    assert 0 < shown(page) < IMAGES
    page.get_by_role("button", name="Show all").click()
    page.get_by_label("System").select_option("rhel 9.4")
    page.get_by_label("With findings of severity").select_option("critical")
    assert shown(page) == page.locator('#rows > tr[data-o="rhel 9.4"][data-v~="critical"]').count()
    page.get_by_role("link", name="non-compliant", exact=True).click()
    assert shown(page) == page.locator('#rows > tr[data-s="non_compliant"]').count()


def test_a_finding_across_images(tab: Tab, report: pathlib.Path) -> None:
    page = tab.page
    page.goto(f"file://{report}/index.html")
    row = page.locator("section", has=page.locator("#cves")).locator("tbody tr").first
    name, number = row.locator("a").inner_text(), int(row.locator("td").last.inner_text())
    page.get_by_label("CVE or rule").fill(name)
    assert shown(page) == number
    page.reload()
    assert (shown(page), page.get_by_label("CVE or rule").input_value()) == (number, name)
    row.locator("a").click()
    assert page.locator("h1").inner_text() == name
    assert page.locator("tbody tr").count() == number
    page.locator("tbody a").first.click()
    assert page.locator("h1").inner_text().startswith("docker://")
    assert name in page.locator("main").inner_text() or page.locator("text=/CVE|rule/").count()
    page.get_by_role("link", name="All images").click()
    assert page.title() == f"{IMAGES} container images"


def test_what_people_must_not_miss(tab: Tab, report: pathlib.Path) -> None:
    page = tab.page
    page.goto(f"file://{report}/index.html")
    text = page.locator("main").inner_text()
    for word in ("Changed since 2026-11-20T08:00:00Z", "Not proven", "Waivers in use (5)", "2999-01-01", "Trend"):
        assert word in text
    assert "oscap sees 0 of 126 packages" in text
    assert "Denied, but not proven to be refused" in text
    assert page.locator("svg[role=img]").count() == 2


@pytest.mark.parametrize("tab", [{"java_script_enabled": False}], indirect=True)
def test_without_script(tab: Tab, report: pathlib.Path) -> None:
    page = tab.page
    page.goto(f"file://{report}/index.html")
    assert page.locator("#rows > tr").count() == IMAGES
    assert not page.locator("#filters").is_visible()
    assert page.get_by_role("heading", name="Rules that fail").is_visible()
    page.locator("#rows a").first.click()
    assert page.get_by_role("heading", name="Proof that the scanner saw the image").is_visible()


def test_keyboard(tab: Tab, report: pathlib.Path) -> None:
    page = tab.page
    page.goto(f"file://{report}/index.html")
    page.keyboard.press("Tab")
    assert page.evaluate("document.activeElement.textContent") == "To the content"
    page.keyboard.press("Enter")
    page.keyboard.press("Tab")
    assert page.evaluate("document.activeElement.closest('main') !== null")


def test_paper(tab: Tab, report: pathlib.Path, tmp_path: pathlib.Path) -> None:
    page = tab.page
    page.goto(f"file://{report}/index.html")
    page.emulate_media(media="print")
    assert not page.locator("#filters").is_visible()
    page.locator("#rows a").first.click()
    page.emulate_media(media="print")
    assert not page.locator("nav").is_visible()
    closed = page.locator("details:not([open]) p").first
    assert closed.count() == 0 or closed.is_visible()
    assert page.pdf(path=str(tmp_path / "page.pdf")).startswith(b"%PDF")


def axe(page: t.Any) -> list[str]:
    found = importlib.util.find_spec("axe_playwright_python")
    assert found is not None
    assert found.submodule_search_locations
    source = (pathlib.Path(found.submodule_search_locations[0]) / "axe.min.js").read_text()
    page.evaluate(source)
    answer = page.evaluate("axe.run()")
    return [
        f"{violation['id']}: {node['html'][:200]}" for violation in answer["violations"] for node in violation["nodes"]
    ]


@pytest.mark.parametrize("size", [(1280, 900), (390, 844)], ids=["wide", "narrow"])
@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_axe_finds_nothing(browser: t.Any, report: pathlib.Path, scheme: str, size: tuple[int, int]) -> None:
    context = browser.new_context(color_scheme=scheme, viewport={"width": size[0], "height": size[1]}, bypass_csp=True)
    page = context.new_page()
    pages = [
        report / "index.html",
        *sorted((report / "images").glob("*.html"))[:3],
        next((report / "findings").iterdir()),
    ]
    for path in pages:
        page.goto(f"file://{path}")
        assert axe(page) == [], path
        assert page.evaluate("document.documentElement.scrollWidth <= window.innerWidth"), f"{path} scrolls sideways"
    context.close()


def test_a_large_fleet_on_one_page(browser: t.Any, tmp_path: pathlib.Path) -> None:
    """How long 2,000 images take to open is measured in tests/bench/bench_policy.py."""
    folder = make(tmp_path, 400)
    assert (folder / "index.html").stat().st_size <= 3_000_000
    page = browser.new_page()
    page.goto(f"file://{folder}/index.html", wait_until="load")
    assert page.locator("#count").inner_text() == "400 images"
    page.close()
