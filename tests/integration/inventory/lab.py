"""A root, an oscap of either version, and what it says of that root: alone, and through our own probes."""

from __future__ import annotations

import dataclasses
import os
import pathlib
import subprocess
import tarfile
import typing as t

import pytest
from ansible_collections.scap.images.plugins.module_utils.model import Check
from ansible_collections.scap.images.plugins.module_utils.process import Completed
from ansible_collections.scap.images.plugins.module_utils.scanner import confine, rollcall
from ansible_collections.scap.images.plugins.module_utils.scanner.contentinfo import ContentInfo
from ansible_collections.scap.images.plugins.module_utils.scanner.packages import Inventory, read_inventory
from ansible_collections.scap.images.plugins.module_utils.scanner.packages.rebuild import install, rebuild
from ansible_collections.scap.images.plugins.module_utils.scanner.probe import Probe
from ansible_collections.scap.images.plugins.module_utils.scanner.questions import document, read_answers

from tests.support import shared_data, trixie

TOOLS = {"1.3.7": "/", "1.4.2": trixie.path()}
"""Version of oscap to the root that holds it; tests/setup/trixie makes the second."""


def versions() -> list[str]:
    """The versions of oscap that are here."""
    return [version for version, root in TOOLS.items() if os.path.exists(os.path.join(root, "usr/bin/oscap"))]


@dataclasses.dataclass
class Lab:
    """One root and one oscap."""

    version: str
    root: pathlib.Path
    work: pathlib.Path
    architecture: str = "amd64"
    count: int = 0

    def unpack(self, name: str) -> None:
        """Fill the root with a root of the shared data."""
        with tarfile.open(shared_data.path("roots", f"{name}.tar.xz")) as archive:
            archive.extractall(self.root)

    def database(self, source: str, name: str, place: str = "var/lib/rpm") -> None:
        """Put a database of the shared data into the root."""
        self.write(f"{place}/{name}", shared_data.path("rpmdb", source, name).read_bytes())

    def write(self, path: str, data: bytes) -> None:
        target = self.root / path
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_bytes(data)

    def sandbox(self, variables: t.Sequence[str] = (), **changes: t.Any) -> confine.Sandbox:
        self.count += 1
        home, out = self.work / f"home{self.count}", self.work / f"out{self.count}"
        out.mkdir()
        (self.root / "proc").mkdir(exist_ok=True)
        confine.prepare_home(str(home), self.architecture)
        values: dict[str, t.Any] = {"tools": TOOLS[self.version], "variables": variables, **changes}
        return confine.Sandbox(root=str(self.root), out=str(out), home=str(home), **values)

    def bare(self, definitions: str) -> tuple[int, dict[str, str], int]:
        """(exit status, answers, package items) of oscap as people call it: OSCAP_PROBE_ROOT and nothing else."""
        self.count += 1
        path, results = self.work / f"bare{self.count}.xml", self.work / f"bare{self.count}-results.xml"
        path.write_text(definitions)
        argv = ["oscap", "oval", "eval", "--results", str(results), str(path)]
        tools, view = TOOLS[self.version], str(self.root)
        if tools != "/":
            argv = ["bwrap", "--bind", tools, "/", "--proc", "/proc", "--dev", "/dev", "--bind", str(self.work)]
            argv += [
                str(self.work),
                "--bind",
                view,
                view,
                "oscap",
                "oval",
                "eval",
                "--results",
                str(results),
                str(path),
            ]
        environment = {"PATH": "/usr/sbin:/usr/bin:/sbin:/bin", "HOME": "/root", "OSCAP_PROBE_ROOT": view}
        done = subprocess.run(argv, env=environment, capture_output=True, check=False, timeout=120)
        answers = read_answers(str(results), {"rpminfo", "dpkginfo"})
        return done.returncode, answers.results, len(answers.items)

    def bare_roll_call(self) -> tuple[int, int]:
        """(exit status, packages that bare oscap sees)."""
        status, _answers, items = self.bare(document(rollcall.questions(read_inventory(str(self.root)))))
        return status, items

    def prepare(self) -> Inventory:
        """Read the inventory and give an rpm root its fresh database, as a scan does."""
        inventory = read_inventory(str(self.root))
        if inventory.manager == "rpm":
            sandbox = self.sandbox()

            def confined(argv: t.Sequence[str], stdin: bytes) -> Completed:
                return sandbox.run(argv, timeout=60, stdin=stdin, probe=False)

            target = os.path.join(sandbox.out, "rpmdb")
            rebuild(str(self.root), inventory, target, f"{confine.OUT}/rpmdb", confined)
            install(str(self.root), target)
        return inventory

    def prove(self, *families: str, texts: t.Sequence[str] = (), **changes: t.Any) -> dict[str, Check]:
        """The checks of a scan whose content uses these families."""
        inventory = self.prepare()
        info = ContentInfo(sha256="0" * 64, kind="oval", families=list(families), texts=list(texts))
        prober = Probe(str(self.root), inventory, [info], str(self.work / "probe"))
        evaluation = prober.evaluate(self.sandbox([prober.variable], **changes), 60)
        self.stderr = evaluation.stderr.decode("utf-8", "replace")
        return {check.check: check for check in prober.checks()}


@pytest.fixture(params=versions() or ["none"])
def lab(request: pytest.FixtureRequest, tmp_path: pathlib.Path) -> Lab:
    if request.param == "none" or os.geteuid() != 0:
        pytest.skip("needs root and oscap")
    (tmp_path / "root").mkdir(mode=0o755)
    tmp_path.chmod(0o755)
    return Lab(request.param, tmp_path / "root", tmp_path)
