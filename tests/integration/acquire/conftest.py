# Copyright (c) 2026, scap.images contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What the tests of acquiring share."""

from __future__ import annotations

import os
import pathlib

import pytest

from tests.support.acquiring import Acquirer


@pytest.fixture
def acquirer(tmp_path: pathlib.Path) -> Acquirer:
    if os.geteuid() != 0:
        pytest.skip("owners and mounts need root; an ordinary user is tested in test_rootless")
    return Acquirer(tmp_path / "acquire")
