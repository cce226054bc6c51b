# Copyright (c) 2026, scap.images contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Fuzz the readers of ARF, XCCDF and OVAL results: `fuzz_results.py [SECONDS]` (default: $FUZZ_SECONDS, then 60).

Mutates the corpus beside it (bytes flipped, pieces moved, repeated and joined). Anything but records or a ScapError is
a finding: its input is kept in the corpus under its digest, and the run ends with status 1.
"""

from __future__ import annotations

import hashlib
import os
import pathlib
import random
import sys
import tempfile
import time

ROOT = pathlib.Path(__file__).resolve().parents[2]
CORPUS = pathlib.Path(__file__).with_name("results")
sys.path.insert(0, str(ROOT / "build" / "dev"))

from ansible_collections.scap.images.plugins.module_utils.model import ScapError
from ansible_collections.scap.images.plugins.module_utils.results import Limits, parse_file

LIMITS = Limits(packed_bytes=1 << 20, bytes=4 << 20, entries=2000, seconds=5)
SLOW = 2.0


def pieces(data: bytes) -> list[bytes]:
    """The document cut before each tag."""
    return [b"<" + piece for piece in data.split(b"<") if piece]


def mutate(chance: random.Random, corpus: list[bytes]) -> bytes:
    """One new document out of the corpus."""
    parts = pieces(chance.choice(corpus))
    other = pieces(chance.choice(corpus))
    for _time in range(chance.randint(1, 5)):
        at = chance.randrange(len(parts))
        way = chance.randrange(6)
        if way == 0:
            del parts[at]
        elif way == 1:
            parts.insert(at, chance.choice(other))
        elif way == 2:
            parts[at:at] = parts[at : at + chance.randint(1, 12)] * chance.randint(1, 4)
        elif way == 3:
            end = chance.randrange(len(parts))
            parts[at], parts[end] = parts[end], parts[at]
        elif way == 4:
            text = bytearray(parts[at])
            text[chance.randrange(len(text))] = chance.randrange(256)
            parts[at] = bytes(text)
        else:
            start = chance.randrange(len(other))
            parts[at:at] = other[start : start + chance.randint(1, 20)]
        parts = parts or [b"<a/>"]
    return b"".join(parts)


def check(path: pathlib.Path) -> str:
    """What is wrong with the answer about `path`; empty where nothing is."""
    start = time.process_time()
    try:
        parsed = parse_file(str(path), limits=LIMITS)
    except ScapError as problem:
        if str(path) not in problem.message:
            return f"the error does not name the file: {problem.message}"
    except Exception as problem:
        return f"{type(problem).__name__}: {problem}"
    else:
        if not parsed.rule_results and not parsed.definitions:
            return "records without any answer"
        fails = sum(result == "fail" for _rule, result in parsed.rule_results)
        if fails != sum(rule.result == "fail" for rule in parsed.results.rules):
            return "a failed rule was lost"
    return "slow" if time.process_time() - start > SLOW else ""


def main() -> int:
    """Fuzz until the time is over."""
    seconds = float(sys.argv[1] if len(sys.argv) > 1 else os.environ.get("FUZZ_SECONDS", "60"))
    corpus = [path.read_bytes() for path in sorted(CORPUS.iterdir())]
    seed = random.randrange(1 << 32)
    chance = random.Random(seed)
    runs = found = 0
    end = time.monotonic() + seconds
    with tempfile.TemporaryDirectory(prefix="scap-fuzz-results-") as folder:
        path = pathlib.Path(folder) / "input"
        while time.monotonic() < end:
            data = mutate(chance, corpus)
            path.write_bytes(data)
            runs += 1
            problem = check(path)
            if problem:
                kept = CORPUS / hashlib.sha256(data).hexdigest()[:16]
                kept.write_bytes(data)
                found += 1
                print(f"{kept}: {problem}")
            elif runs % 50 == 0 and len(corpus) < 500 and len(data) < 20_000:
                corpus.append(data)
    print(f"results: {runs} inputs in {seconds:g} s, {found} findings (seed {seed})")
    return 1 if found else 0


if __name__ == "__main__":
    sys.exit(main())
