"""Makes the checkout importable as ansible_collections.scap.images, without installing it, and keeps the tree clean."""

from __future__ import annotations

import contextlib
import os
import pathlib
import sys

ROOT = pathlib.Path(__file__).resolve().parent.parent
BUILD = ROOT / "build"


def _link_checkout() -> None:
    link = BUILD / "dev" / "ansible_collections" / "scap" / "images"
    link.parent.mkdir(parents=True, exist_ok=True)
    with contextlib.suppress(FileExistsError):
        link.symlink_to(ROOT)
    sys.path.insert(0, str(BUILD / "dev"))


sys.pycache_prefix = str(BUILD / "pycache")
os.environ.setdefault("HYPOTHESIS_STORAGE_DIRECTORY", str(BUILD / "hypothesis"))
_link_checkout()
