# Copyright (c) 2026, scap.images contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Every linter as a test, so that one summary tells all."""

from __future__ import annotations

import typing as t

import pytest

from . import steps


@pytest.mark.timeout(1800)
@pytest.mark.parametrize("step", list(steps.steps()))
def test_lint(step: str, outcomes: t.Mapping[str, steps.Outcome]) -> None:
    assert outcomes[step].passed, outcomes[step].output
