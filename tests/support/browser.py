# Copyright (c) 2026, scap.images contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Debian's Chromium, driven by Playwright."""

from __future__ import annotations

import contextlib
import shutil
import typing as t

from playwright.sync_api import sync_playwright

PROGRAM = shutil.which("chromium")


@contextlib.contextmanager
def chromium() -> t.Iterator[t.Any]:
    """A browser without a window (playwright.sync_api.Browser)."""
    with sync_playwright() as driver:
        browser = driver.chromium.launch(executable_path=PROGRAM, args=["--no-sandbox", "--disable-gpu"])
        yield browser
        browser.close()
