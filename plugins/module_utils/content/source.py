# Copyright (c) 2026, scap.images contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""How users name content: a path or a URL, and behind a `#` what must be true of it.

`ADDRESS#sha256=HEX&interval=DAYS&signature=ADDRESS`, each at will and in any order.
"""

from __future__ import annotations

import dataclasses
import re
import urllib.parse

from ..model import ScapError

_TERMS = re.compile(r"#(?=(?:sha256|interval|signature)=)")


@dataclasses.dataclass(frozen=True)
class Source:
    """One content as its user names it."""

    address: str
    """Path or URL."""
    sha256: str = ""
    """Of the file, packed or unpacked; whoever names it has said yes to these very bytes."""
    interval: float = 0.0
    """Days after which its maker should have made a new one; 0: not known."""
    signature: str = ""
    """Path or URL of a detached OpenPGP signature of the file as it is fetched."""

    @property
    def remote(self) -> bool:
        return is_url(self.address)


def is_url(address: str) -> bool:
    return urllib.parse.urlsplit(address).scheme in ("http", "https")


def parse(text: str) -> Source:
    """Raises ScapError option_wrong."""
    address, *terms = _TERMS.split(text, maxsplit=1)
    if not terms:
        return Source(text)
    pairs = urllib.parse.parse_qsl(terms[0], keep_blank_values=True)
    named = dict(pairs)
    if len(named) != len(pairs) or set(named) - {"sha256", "interval", "signature"}:
        raise ScapError("option_wrong", f"{text}: behind # stand sha256, interval and signature, each once")
    sha256 = named.get("sha256", "").lower()
    if "sha256" in named and not re.fullmatch("[0-9a-f]{64}", sha256):
        raise ScapError("option_wrong", f"{text}: a sha256 has 64 hex digits")
    if "signature" in named and not named["signature"]:
        raise ScapError("option_wrong", f"{text}: signature= wants the path or URL of the signature")
    if "interval" in named and not re.fullmatch(r"0*[1-9][0-9]{0,3}", named["interval"]):
        raise ScapError("option_wrong", f"{text}: interval= wants a number of days")
    return Source(address, sha256, float(named.get("interval", 0)), named.get("signature", ""))
