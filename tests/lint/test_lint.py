# Copyright (c) 2026, scap.images contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Every linter as a test, so that one summary tells all."""

from __future__ import annotations

import pytest

from . import steps


@pytest.fixture(scope="session")
def outcomes(request: pytest.FixtureRequest) -> dict[str, steps.Outcome]:
    """The outcomes of the selected steps, which run beside each other."""
    calls = [getattr(item, "callspec", None) for item in request.session.items]
    selected = {call.params["step"] for call in calls if call and "step" in call.params}
    return steps.run(selected, lambda name, outcome: None)


@pytest.mark.timeout(1800)
@pytest.mark.parametrize("step", list(steps.steps()))
def test_lint(step: str, outcomes: dict[str, steps.Outcome]) -> None:
    assert outcomes[step].passed, outcomes[step].output
