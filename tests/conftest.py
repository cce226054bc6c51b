"""Makes the checkout importable as ansible_collections.scap.images, without installing it."""

from __future__ import annotations

import pathlib
import sys

ROOT = pathlib.Path(__file__).resolve().parent.parent
DEV = ROOT / "build" / "dev"


def _link_checkout() -> None:
    link = DEV / "ansible_collections" / "scap" / "images"
    link.parent.mkdir(parents=True, exist_ok=True)
    if not link.is_symlink():
        try:
            link.symlink_to(ROOT)
        except FileExistsError:
            pass
    sys.path.insert(0, str(DEV))


_link_checkout()
