# Copyright (c) 2026, scap.images contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Feeds are indexed by whoever starts the scans, once, and not by each of them."""

from __future__ import annotations

import contextlib
import os

from ..files import sha256_file
from ..model import ScapError
from ..scanner.oval.index import index_path, make_index
from .interface import Settings


def index_feeds(settings: Settings) -> None:
    """Make the missing indexes in settings.cache; a feed that has none is evaluated as it is."""
    for path in settings.oval if settings.compile else ():
        with contextlib.suppress(ScapError, OSError):
            make_index(path, sha256_file(path), settings.cache)


def indexes(settings: Settings) -> dict[str, str]:
    """File name to path of the indexes of this run's feeds, as far as there are any."""
    places = [index_path(settings.cache, sha256_file(path)) for path in settings.oval] if settings.compile else []
    return {os.path.basename(place): place for place in places if os.path.exists(place)}
