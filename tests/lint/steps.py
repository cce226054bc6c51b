# Copyright (c) 2026, scap.images contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Every linter as a step: what is started, where, and whether its answer for this very tree is known already."""

from __future__ import annotations

import concurrent.futures
import dataclasses
import hashlib
import json
import os
import pathlib
import shutil
import subprocess
import sys
import time
import typing as t

ROOT = pathlib.Path(__file__).resolve().parents[2]
BUILD = ROOT / "build"
BIN = pathlib.Path(sys.executable).parent
COPY = BUILD / "sanity" / "ansible_collections" / "scap" / "images"
"""ansible-test and ansible-lint want a real folder under that name, not a link."""
HOME = BUILD / "sanity" / "home"
KNOWN = BUILD / "lint"

_TYPED = ("plugins", "tests/support", "tests/data", "tests/lint", "tests/bench/run.py", "tests/integration/matrix")


@dataclasses.dataclass(frozen=True)
class Step:
    """One linter."""

    argv: list[str]
    cwd: pathlib.Path = ROOT
    env: dict[str, str] = dataclasses.field(default_factory=dict)
    complaint: tuple[str, ...] = ()
    """Words in the output that mean a finding even where the exit status is 0."""


@dataclasses.dataclass(frozen=True)
class Outcome:
    """How a step ended."""

    passed: bool
    output: str
    seconds: float
    """Of the run that gave this answer."""
    remembered: bool = False


def steps() -> dict[str, Step]:
    """Every step by its name, the longest first."""
    python = f"{sys.version_info.major}.{sys.version_info.minor}"
    return {
        "sanity": Step(
            ["ansible-test", "sanity", "--python", python, "--color", "no"],
            COPY,
            {"HOME": str(HOME), "PIP_CACHE_DIR": str(_pip_cache())},
            complaint=('Required program "',),
        ),
        "galaxy-importer": Step(
            ["python", "-m", "galaxy_importer.main", str(_tarball())],
            BUILD,
            {"GALAXY_IMPORTER_CONFIG": str(ROOT / "tests" / "lint" / "galaxy-importer.cfg")},
            complaint=("WARNING", "ERROR"),
        ),
        "mypy": Step(
            ["mypy", "--config-file", str(ROOT / "pyproject.toml"), "--cache-dir", str(BUILD / "mypy"), *_typed()],
            BUILD / "sanity",
            {"MYPYPATH": str(BUILD / "sanity")},
        ),
        "ansible-lint": Step(
            ["ansible-lint", "--offline", "--profile", "production", "--nocolor"],
            COPY,
            {"ANSIBLE_COLLECTIONS_PATH": str(BUILD / "sanity")},
        ),
        "yamllint": Step(["yamllint", "--strict", "."]),
        "changelog": Step(["antsibull-changelog", "lint"]),
        "ruff check": Step(["ruff", "check"]),
        "ruff format": Step(["ruff", "format", "--check"]),
    }


def run(names: t.Collection[str], report: t.Callable[[str, Outcome], None]) -> dict[str, Outcome]:
    """The outcome of each step in `names`; `report` is called as they end."""
    files = tree()
    mirror(files)
    state = fingerprint(files)
    chosen = {name: step for name, step in steps().items() if name in names}
    outcomes: dict[str, Outcome] = {}
    with concurrent.futures.ThreadPoolExecutor(os.cpu_count()) as pool:
        waiting = {pool.submit(_once, name, step, state): name for name, step in chosen.items()}
        for future in concurrent.futures.as_completed(waiting):
            name = waiting[future]
            outcomes[name] = future.result()
            report(name, outcomes[name])
    return outcomes


def tree() -> list[str]:
    """The paths of all files that belong to the checkout, committed or not yet."""
    argv = ["git", "-c", "safe.directory=*", "ls-files", "-z", "--cached", "--others", "--exclude-standard"]
    names = subprocess.run(argv, cwd=ROOT, check=True, capture_output=True, text=True).stdout.split("\0")
    return sorted({name for name in names if name and (ROOT / name).is_file()})


def mirror(files: list[str]) -> None:
    """Make COPY a git checkout with exactly `files`, and HOME what ansible-test needs there."""
    COPY.mkdir(parents=True, exist_ok=True)
    for entry in COPY.iterdir():
        if entry.is_dir() and not entry.is_symlink():
            if entry.name != ".git":
                shutil.rmtree(entry)
        else:
            entry.unlink()
    for name in files:
        target = COPY / name
        target.parent.mkdir(parents=True, exist_ok=True)
        shutil.copy2(ROOT / name, target)
    subprocess.run(["git", "init", "-q", "."], cwd=COPY, check=True)
    cache = HOME / ".ansible" / "test" / "cache"
    cache.mkdir(parents=True, exist_ok=True)
    shutil.copy2(ROOT / "tests" / "lint" / "get_pip.py", cache / "get_pip_24_2.py")


def fingerprint(files: list[str]) -> str:
    """A digest of every file's name and bytes."""
    total = hashlib.sha256(sys.version.encode())
    for name in files:
        total.update(name.encode() + b"\0" + hashlib.sha256((ROOT / name).read_bytes()).digest())
    return total.hexdigest()


def _once(name: str, step: Step, state: str) -> Outcome:
    """The step's outcome: remembered where it passed for the same tree, else of a run made now."""
    memory = KNOWN / f"{name.replace(' ', '-')}.json"
    if memory.exists():
        known = json.loads(memory.read_text())
        if known["state"] == state:
            return Outcome(True, "", known["seconds"], remembered=True)
    start = time.monotonic()
    ended = subprocess.run(
        [str(BIN / step.argv[0]), *step.argv[1:]],
        cwd=step.cwd,
        env={**os.environ, "PATH": f"{BIN}{os.pathsep}{os.environ['PATH']}", "NO_COLOR": "1", **step.env},
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        errors="replace",
        check=False,
    )
    seconds = time.monotonic() - start
    passed = ended.returncode == 0 and not any(word in ended.stdout for word in step.complaint)
    if passed:
        memory.parent.mkdir(parents=True, exist_ok=True)
        memory.write_text(json.dumps({"state": state, "seconds": seconds}))
    return Outcome(passed, ended.stdout, seconds)


def _typed() -> list[str]:
    return [f"{COPY.relative_to(BUILD / 'sanity')}/{name}" for name in _TYPED]


def _tarball() -> pathlib.Path:
    found = sorted((BUILD / "galaxy").glob("*.tar.gz"))
    return found[-1] if found else BUILD / "galaxy" / "missing: make collection"


def _pip_cache() -> pathlib.Path:
    return pathlib.Path(os.environ.get("XDG_CACHE_HOME") or pathlib.Path.home() / ".cache") / "pip"
