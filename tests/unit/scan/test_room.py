# Copyright (c) 2026, scap.images contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""How wide the window of Jobs is, and what a quota's refusal means."""

from __future__ import annotations

import contextlib

import pytest
from ansible_collections.scap.images.plugins.module_utils.scan.kubernetes_quota import hopeless
from ansible_collections.scap.images.plugins.module_utils.scan.kubernetes_window import Window


def test_the_window_opens_at_the_first_success_and_follows_the_cluster() -> None:
    window = Window(8)
    assert window.size == 1
    window.widen()
    assert window.size == 8
    with contextlib.ExitStack() as used:
        for _number in range(4):
            used.enter_context(window.place())
        window.refused()
    assert window.size == 3
    sizes = []
    for _success in range(7):
        window.widen()
        sizes.append(window.size)
    assert sizes == [3, 3, 4, 4, 4, 4, 5]
    window.narrow()
    assert window.size == 2
    window.narrow()
    window.narrow()
    assert window.size == 1


def test_a_closed_window_gives_no_place() -> None:
    window = Window(1)
    with window.place() as given:
        assert given
        window.close()
    with window.place() as given:
        assert not given


@pytest.mark.parametrize(
    ("said", "expected"),
    [
        ("exceeded quota: q, requested: pods=1, used: pods=0, limited: pods=0", True),
        ("exceeded quota: q, requested: pods=1, used: pods=2, limited: pods=2", False),
        ("exceeded quota: q, requested: limits.memory=2Gi, used: limits.memory=0, limited: limits.memory=1G", True),
        (
            "exceeded quota: q, requested: pods=1,requests.cpu=100m, used: pods=1,requests.cpu=1, "
            "limited: pods=4,requests.cpu=1; if it should be allowed",
            False,
        ),
        ("exceeded quota: q, requested: requests.cpu=100m, used: requests.cpu=0, limited: requests.cpu=50m", True),
        ("failed quota: q: must specify limits.cpu for: scanner", True),
        ("something else", False),
    ],
)
def test_whether_there_can_ever_be_room(said: str, expected: bool) -> None:
    assert hopeless(said) is expected
