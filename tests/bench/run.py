# Copyright (c) 2026, scap.images contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""`make bench`: the rows of every bench_*.py beside this file, as a table and in build/bench.json.

Each of them has `run() -> list[dict]` of rows {name, value, peer, goal, unit}; the ratio is value / peer. `goal` is
what the ratio (or the value, where there is no peer) must not exceed, or must reach where it starts with `>=`.
Run as: python -m tests.bench.run [NAME ...]
"""

from __future__ import annotations

import importlib
import json
import pathlib
import sys
import typing as t

HERE = pathlib.Path(__file__).resolve().parent
TARGET = HERE.parents[1] / "build" / "bench.json"
COLUMNS = ("name", "value", "peer", "ratio", "goal", "unit", "within")

Row = t.Dict[str, t.Any]


def main(names: list[str]) -> int:
    rows: list[Row] = []
    for path in sorted(HERE.glob("bench_*.py")):
        if names and path.stem.partition("_")[2] not in names:
            continue
        print(f"{path.stem} ...", file=sys.stderr, flush=True)
        rows += [complete(row) for row in importlib.import_module(f"{__package__}.{path.stem}").run()]
    TARGET.parent.mkdir(exist_ok=True)
    TARGET.write_text(json.dumps(rows, indent=1) + "\n")
    print(table(rows))
    return 0 if all(row["within"] is not False for row in rows) else 1


def complete(row: Row) -> Row:
    """The row with its ratio and whether that is within the goal (None where there is no goal)."""
    value, peer, goal = row["value"], row.get("peer"), row.get("goal")
    ratio = value / peer if peer else None
    return {
        "name": row["name"],
        "value": value,
        "peer": peer,
        "ratio": ratio,
        "goal": goal,
        "unit": row.get("unit", ""),
        "within": None if goal is None else _within(value if ratio is None else ratio, goal),
    }


def _within(number: float, goal: float | str) -> bool:
    if isinstance(goal, str) and goal.startswith(">="):
        return number >= float(goal[2:])
    return number <= float(goal)


def table(rows: list[Row]) -> str:
    cells = [COLUMNS, *(tuple(_cell(row[column]) for column in COLUMNS) for row in rows)]
    widths = [max(len(line[place]) for line in cells) for place in range(len(COLUMNS))]
    return "\n".join("  ".join(map(_padded, line, widths, COLUMNS)) for line in cells)


def _padded(text: str, width: int, column: str) -> str:
    return text.ljust(width) if column == "name" else text.rjust(width)


def _cell(value: t.Any) -> str:
    if value is None:
        return "-"
    if isinstance(value, bool):
        return "yes" if value else "NO"
    return f"{value:.3g}" if isinstance(value, float) else str(value)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
