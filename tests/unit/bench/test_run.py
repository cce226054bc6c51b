# Copyright (c) 2026, scap.images contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What the table of numbers calls within its goal."""

from __future__ import annotations

import pytest
from ansible_collections.scap.images.tests.bench.run import complete, table


@pytest.mark.parametrize(
    ("row", "ratio", "within"),
    [
        ({"name": "r", "value": 3.0, "peer": 2.0, "goal": 1.5}, 1.5, True),
        ({"name": "r", "value": 3.1, "peer": 2.0, "goal": 1.5}, 1.55, False),
        ({"name": "r", "value": 6.0, "peer": 1.0, "goal": ">=6"}, 6.0, True),
        ({"name": "r", "value": 5.0, "peer": 1.0, "goal": ">=6"}, 5.0, False),
        ({"name": "r", "value": 80, "goal": 80, "unit": "MB"}, None, True),
        ({"name": "r", "value": 1.0}, None, None),
    ],
)
def test_goal(row: dict[str, object], ratio: float | None, within: bool | None) -> None:
    done = complete(row)
    assert (done["ratio"], done["within"]) == (ratio, within)
    assert "r" in table([done])
