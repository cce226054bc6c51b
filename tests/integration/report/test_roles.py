# Copyright (c) 2026, scap.images contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The roles judge and report and their playbooks, as ansible-playbook runs them."""

from __future__ import annotations

import json
import os
import pathlib
import re
import subprocess
import sys
import typing as t

import pytest

from tests.support import receivers
from tests.support.fleet import evidence, results, rule, store

ROOT = pathlib.Path(__file__).resolve().parents[3]


@pytest.fixture
def scanned(tmp_path: pathlib.Path) -> pathlib.Path:
    """A scap_dir with a compliant and a non-compliant image, one in error and one without content."""
    root = tmp_path / "scap"
    root.mkdir()
    store(root, evidence("web"), results(rule("telnet")))
    store(root, evidence("db"), results())
    store(root, evidence("bad", coverage=[]), results())
    return root


def play(root: pathlib.Path, playbook: str, *arguments: str, **variables: t.Any) -> subprocess.CompletedProcess[str]:
    environment = {
        **os.environ,
        "ANSIBLE_COLLECTIONS_PATH": str(ROOT / "build" / "dev"),
        "ANSIBLE_HOME": str(root.parent / "ansible"),
        "ANSIBLE_LOCALHOST_WARNING": "false",
        "ANSIBLE_INVENTORY_UNPARSED_WARNING": "false",
        "ANSIBLE_SHOW_CUSTOM_STATS": "true",
        "ANSIBLE_NOCOLOR": "true",
        "PYTHONDONTWRITEBYTECODE": "1",
    }
    argv = [str(pathlib.Path(sys.executable).parent / "ansible-playbook"), playbook, *arguments]
    argv += ["--extra-vars", json.dumps({"scap_dir": str(root), **variables})]
    return subprocess.run(argv, env=environment, cwd=root.parent, capture_output=True, text=True, check=False)


def own(root: pathlib.Path, *roles: str) -> str:
    path = root.parent / "own.yml"
    plays = [{"hosts": "localhost", "gather_facts": False, "roles": [f"scap.images.{role}" for role in roles]}]
    path.write_text(json.dumps(plays))
    return str(path)


def test_judge_then_report(scanned: pathlib.Path) -> None:
    judged = play(scanned, "scap.images.judge")
    assert judged.returncode == 0, judged.stdout
    reported = play(scanned, "scap.images.report", scap_report_formats="html,csv , junit")
    assert reported.returncode == 0, reported.stdout
    assert f"report: {scanned}/report/index.html" in reported.stdout
    assert "docker://registry.example:5000/shop/web:1  non_compliant" in reported.stdout
    assert "scap_summary" in reported.stdout
    for name in ("index.html", "findings.csv", "junit.xml"):
        assert (scanned / "report" / name).exists()
    again = play(scanned, own(scanned, "judge", "report"), scap_report_formats="html,csv,junit")
    assert "changed=0" in again.stdout


@pytest.mark.parametrize(
    ("fail_on", "message"),
    [
        ("non_compliant", "1 of 3 images are non_compliant"),
        (["error", "stale"], "1 of 3 images are error or stale"),
        ("error,non_compliant", "2 of 3 images are error or non_compliant"),
        ("noncompliant", "the states are non_compliant, error"),
        ("stale", ""),
    ],
)
def test_states_that_fail_a_run(scanned: pathlib.Path, fail_on: t.Any, message: str) -> None:
    alone = play(scanned, "scap.images.judge", scap_fail_on=fail_on)
    assert (alone.returncode == 0) == (message == "")
    assert message in alone.stdout
    together = play(scanned, own(scanned, "judge", "report"), scap_fail_on=fail_on)
    assert (together.returncode == 0) == (message == "")
    assert message in together.stdout
    assert (scanned / "report" / "index.html").exists()


def test_check_mode_writes_nothing_and_shows_the_difference(scanned: pathlib.Path) -> None:
    done = play(scanned, "scap.images.judge", "--check", "--diff")
    assert done.returncode == 0, done.stdout
    assert "+docker://registry.example:5000/shop/web:1: non_compliant (default)" in done.stdout
    assert not (scanned / "verdicts.jsonl").exists()
    empty = play(scanned.parent / "absent", own(scanned, "judge", "report"), "--check")
    assert empty.returncode == 0, empty.stdout
    assert "report: \n" not in empty.stdout


def test_task_files_of_the_users_own(scanned: pathlib.Path) -> None:
    for name in ("bad", "good", "open", "run"):
        said = (
            "{{ scap_verdict.image.reference | default('') }}" if name != "run" else "{{ scap_judged.summary.images }}"
        )
        task = {"name": name, "ansible.builtin.debug": {"msg": f"{name}={said}"}}
        (scanned.parent / f"{name}.yml").write_text(json.dumps([task]))
    here = scanned.parent
    done = play(
        scanned,
        "scap.images.judge",
        scap_on_non_compliant=str(here / "bad.yml"),
        scap_on_compliant=str(here / "good.yml"),
        scap_on_error=str(here / "open.yml"),
        scap_on_run=str(here / "run.yml"),
    )
    assert done.returncode == 0, done.stdout
    base = "docker://registry.example:5000/shop"
    for said in (f"bad={base}/web:1", f"good={base}/db:1", f"open={base}/bad:1", "run=3"):
        assert done.stdout.count(said) == 1


def test_the_examples_of_task_files(scanned: pathlib.Path) -> None:
    """A ticket, a chat and a mail: sent to servers of ours that keep what they get."""
    hooks = ROOT / "examples" / "hooks"
    with receivers.web() as (address, requests), receivers.mail() as (mail_host, mails):
        done = play(
            scanned,
            "scap.images.judge",
            scap_on_non_compliant=str(hooks / "ticket.yml"),
            scap_on_error=str(hooks / "webhook.yml"),
            scap_on_run=str(hooks / "mail.yml"),
            scap_tickets=f"{address}/tickets",
            scap_webhook=f"{address}/chat",
            scap_mail_host=mail_host,
            scap_mail_from="scap@example.org",
            scap_mail_to="team@example.org",
        )
    assert done.returncode == 0, done.stdout
    ticket, chat = requests
    assert (ticket.method, ticket.path) == ("PUT", "/tickets")
    assert ticket.body["key"].startswith("sha256:")
    assert ticket.body["title"] == "docker://registry.example:5000/shop/web:1 is non_compliant"
    assert "telnet" in ticket.body["text"]
    assert (chat.method, chat.path) == ("POST", "/chat")
    assert chat.body["text"].startswith("docker://registry.example:5000/shop/bad:1 is error: ")
    (mail,) = mails
    assert "Subject: 1 of 3 images may not run" in mail
    assert str(scanned / "verdicts.jsonl") in mail


def test_policies_and_waivers_of_files(scanned: pathlib.Path) -> None:
    policy = scanned.parent / "policy.yml"
    policy.write_text("name: lax\nthresholds: {rules: {}}\n")
    done = play(scanned, "scap.images.judge", scap_policy=str(policy), scap_fail_on="non_compliant")
    assert done.returncode == 0, done.stdout
    policy.write_text("name: lax\ntresholds: {}\n")
    wrong = play(scanned, "scap.images.judge", scap_policy=[str(policy)])
    assert wrong.returncode != 0
    assert "policy.yml:2: tresholds: there is no such key; did you mean thresholds?" in wrong.stdout


def test_policy_test(scanned: pathlib.Path) -> None:
    tests = scanned.parent / "own.tests.yml"
    tests.write_text(json.dumps({"tests": [{"image": "*/web:1", "state": "non_compliant"}]}))
    task = {"scap.images.policy_test": {"dir": str(scanned), "tests": [str(tests)]}}
    book = scanned.parent / "own.yml"
    book.write_text(json.dumps([{"hosts": "localhost", "gather_facts": False, "tasks": [task]}]))
    assert play(scanned, str(book)).returncode == 0
    tests.write_text(json.dumps({"tests": [{"image": "*/web:1", "state": "compliant"}]}))
    done = play(scanned, str(book))
    assert done.returncode != 0
    assert "is non_compliant, compliant was expected" in done.stdout


def test_a_report_folder_that_cannot_be_written(scanned: pathlib.Path) -> None:
    assert play(scanned, "scap.images.judge").returncode == 0
    (scanned / "report").write_text("a file")
    done = play(scanned, "scap.images.report")
    assert done.returncode != 0
    assert "cannot be" in done.stdout


def test_a_bundle_is_made_and_judged_by(scanned: pathlib.Path) -> None:
    feed, bundle = scanned.parent / "feed.xml", scanned.parent / "site.tar"
    feed.write_text(
        '<oval_definitions xmlns="http://oval.mitre.org/XMLSchema/oval-definitions-5"><generator/><definitions>'
        '<definition class="patch" id="oval:a:def:1" version="1"/></definitions></oval_definitions>'
    )
    made = play(scanned, "scap.images.bundle", scap_oval=str(feed), scap_bundle=str(bundle))
    assert "changed=1" in made.stdout, made.stdout + made.stderr
    pinned = re.search(r"scap_bundle: (\S+#sha256=[0-9a-f]{64})", made.stdout)
    assert pinned is not None
    assert "changed=0" in play(scanned, "scap.images.bundle", scap_oval=str(feed), scap_bundle=str(bundle)).stdout
    feed.unlink()
    judged = play(scanned, "scap.images.judge", scap_oval=str(feed), scap_bundle=pinned[1])
    assert judged.returncode == 0, judged.stdout
    states = [json.loads(line)["state"] for line in (scanned / "verdicts.jsonl").read_text().splitlines()]
    assert "compliant" not in states
    assert "stale" in states
    refused = play(scanned, "scap.images.judge", scap_oval=str(feed), scap_bundle=f"{bundle}#sha256={'0' * 64}")
    assert refused.returncode != 0
    assert "its sha256 is" in refused.stdout
