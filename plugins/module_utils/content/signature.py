# Copyright (c) 2026, scap.images contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Detached OpenPGP signatures, checked by gpgv with the keys that the user names and no others."""

from __future__ import annotations

import os
import tempfile
import urllib.parse

from ..files import read_bounded
from ..model import ScapError
from ..process import run
from .fetch import Validators, fetch
from .source import Source, is_url

MAX_BYTES = 64 * 1024
_SECONDS = 60.0


def check(path: str, source: Source, keyring: str, timeout: float) -> None:
    """Raises ScapError signature_wrong, or option_wrong where no keyring was named."""
    if not keyring:
        raise ScapError("option_wrong", f"{source.address}: its signature is to be checked, and no keyring is named")
    with tempfile.TemporaryDirectory(prefix="scap-signature-") as folder:
        signature = os.path.abspath(source.signature)
        if is_url(source.signature):
            signature = os.path.join(folder, "signature")
            copy = fetch(source.signature, folder, Validators(), timeout, _nothing, MAX_BYTES)
            if copy is None:
                raise ScapError("content_missing", f"{source.signature}: the server sends no signature")
            os.rename(copy.path, signature)
        read_bounded(signature, MAX_BYTES)
        argv = ["gpgv", "--homedir", folder, "--keyring", os.path.abspath(keyring), signature, os.path.abspath(path)]
        ended = run(argv, timeout=_SECONDS)
    if ended.returncode or ended.timed_out:
        name = os.path.basename(urllib.parse.urlsplit(source.signature).path)
        raise ScapError(
            "signature_wrong",
            f"{source.address}: the signature {name} is not one of the keys in {keyring}: {ended.error}",
        )


def _nothing(_path: str) -> None:
    """A signature has no signature."""
