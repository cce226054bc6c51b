"""Files of npm packages that tests need (schemas, axe-core), fetched once into build/npm."""

from __future__ import annotations

import pathlib
import shutil
import subprocess
import tarfile

import pytest

BUILD = pathlib.Path(__file__).resolve().parents[2] / "build" / "npm"


def file(package: str, name: str) -> pathlib.Path:
    """The file `name` of `package` (`name@version`); the test is skipped where npm cannot get it."""
    folder = BUILD / package.lstrip("@").replace("/", "-")
    path = folder / "package" / name
    if not path.exists():
        if shutil.which("npm") is None:
            pytest.skip("npm is not installed")
        folder.mkdir(parents=True, exist_ok=True)
        argv = ["npm", "pack", "--silent", "--cache", str(BUILD / "cache"), package]
        done = subprocess.run(argv, cwd=folder, capture_output=True, text=True, timeout=120, check=False)
        if done.returncode:
            pytest.skip(f"npm cannot get {package}: {done.stderr.strip()[-300:]}")
        with tarfile.open(folder / done.stdout.split()[-1]) as archive:
            member = archive.extractfile(f"package/{name}")
            assert member is not None
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(member.read())
    return path
