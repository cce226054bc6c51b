# Copyright (c) 2026, scap.images contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""`make lint`: every linter, two at a time. Run as: python -m tests.lint.run [STEP ...]"""

from __future__ import annotations

import sys

from . import steps


def main(names: list[str]) -> int:
    outcomes = steps.run(names or list(steps.steps()), _report)
    failed = [name for name, outcome in outcomes.items() if not outcome.passed]
    print(f"lint: {', '.join(failed)} failed" if failed else f"lint: {len(outcomes)} passed")
    return 1 if failed else 0


def _report(name: str, outcome: steps.Outcome) -> None:
    if not outcome.passed:
        print(outcome.output)
    state = "passed" if outcome.passed else "FAILED"
    print(f"{name:<16} {state} {outcome.seconds:6.1f} s{' (same tree as before)' * outcome.remembered}", flush=True)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
