# Copyright (c) 2026, scap.images contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""How content and feeds are taken, documented once."""

from __future__ import annotations


class ModuleDocFragment:
    """Options shared by every module that takes content from its users."""

    DOCUMENTATION = r"""
options:
  accept_content:
    description:
      - The sha256 of files (unpacked) that are used although they look wrong. The new version of a URL is refused where
        it holds a fifth fewer definitions and rules than the one before, or is older than it, and any content
        that is older than the C(interval) it is named with. The message names the sha256 to put here.
      - While a new version is refused, broken, wrongly signed or cannot be fetched, the one before is used, with a
        warning. The last ten versions of a URL are kept.
    type: list
    elements: str
    default: []
  keyring:
    description:
      - File with the OpenPGP keys, as C(gpg --export) writes them, by which C(gpgv) checks the signatures of
        content that is named with C(signature=).
    type: path
  bundle:
    description:
      - Path of a file that M(scap.images.scap_bundle) wrote. Content is taken out of it by the address that it was
        bundled by; nothing is fetched. C(PATH#sha256=HEX) pins it.
    type: str
notes:
  - Content is named by a path or a URL, and behind it what must be true of it, for instance
    C(https://example.org/feed.xml.bz2#sha256=HEX&interval=7&signature=https://example.org/feed.xml.bz2.asc). C(sha256)
    is that of the file, packed or unpacked; C(interval) is the days after which there should be a newer one, as its
    generator's timestamp says; C(signature) is the path or URL of a detached OpenPGP signature. In such a signature's
    address a C(&) is written as C(%26).
"""
