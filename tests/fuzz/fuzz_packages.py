"""Mutated package databases: a reader either reads them or says package_database_damaged, within a second.

Run as: fuzz_packages.py [SECONDS] (or the variable FUZZ_SECONDS). Inputs are the corpus beside this file, databases
made here and real ones of the shared data; what breaks a reader is written into the corpus as `crash-HASH.FORMAT`.
"""

from __future__ import annotations

import hashlib
import importlib
import os
import pathlib
import random
import sys
import tempfile
import time
import traceback

HERE = pathlib.Path(__file__).resolve().parent
sys.path.insert(0, str(HERE.parents[1]))
importlib.import_module("tests.conftest")  # makes the collection importable

from ansible_collections.scap.images.plugins.module_utils.model import ScapError
from ansible_collections.scap.images.plugins.module_utils.scanner.packages import read_inventory

from tests.support import package_databases as made
from tests.support import shared_data

CORPUS = HERE / "packages"
PLACES = {
    "sqlite": "var/lib/rpm/rpmdb.sqlite",
    "wal": "var/lib/rpm/rpmdb.sqlite-wal",
    "ndb": "var/lib/rpm/Packages.db",
    "bdb": "var/lib/rpm/Packages",
    "dpkg": "var/lib/dpkg/status",
    "apk": "lib/apk/db/installed",
}
REAL = {
    "sqlite": "amazonlinux2023-sqlite/rpmdb.sqlite",
    "ndb": "sle15-bci-ndb/Packages.db",
    "bdb": "rhel8-libuuid-bdb/Packages",
}
TIME_LIMIT = 5.0
NUMBERS = (0, 1, 0x7F, 0x80, 0xFF, 0x7FFF, 0xFFFF, 0x7FFFFFFF, 0x80000000, 0xFFFFFFFF)


def seeds(folder: pathlib.Path) -> list[tuple[str, bytes, bytes]]:
    """(format, bytes, bytes of the database that a log belongs to)."""
    headers = [made.rpm_header(f"p{number}", filler=500 * number) for number in range(6)]
    path = folder / "seed" / "rpmdb.sqlite"
    made.sqlite_file(path, headers, wal=True)
    log, base = path.with_name("rpmdb.sqlite-wal").read_bytes(), path.read_bytes()
    path.with_name("rpmdb.sqlite-wal").unlink()
    made.sqlite_file(path, headers)
    found = [
        ("sqlite", path.read_bytes(), b""),
        ("wal", log, base),
        ("ndb", made.ndb_bytes(headers), b""),
        ("bdb", made.bdb_bytes(headers), b""),
        ("bdb", made.bdb_bytes(headers, btree=True), b""),
        ("dpkg", made.dpkg_status(["a", "b"]), b""),
        ("apk", made.apk_installed(["a", "b"]), b""),
    ]
    for form, name in REAL.items():
        real = shared_data.FOLDER / "rpmdb" / name
        if real.exists():
            found.append((form, real.read_bytes(), b""))
    found += [(path.suffix[1:], path.read_bytes(), base) for path in sorted(CORPUS.iterdir()) if path.suffix]
    return found


def mutate(data: bytes, chance: random.Random) -> bytes:
    """A few of: bits flipped, numbers put in either order, pieces cut, repeated or moved."""
    changed = bytearray(data)
    for _unused in range(chance.choice((1, 1, 2, 4, 16))):
        if not changed:
            break
        place = chance.randrange(min(len(changed), chance.choice((64, 512, 8192, len(changed)))) or 1)
        kind = chance.randrange(5)
        if kind == 0:
            changed[place] ^= 1 << chance.randrange(8)
        elif kind == 1:
            width = chance.choice((1, 2, 4))
            number = chance.choice(NUMBERS) & ((1 << 8 * width) - 1)
            changed[place : place + width] = number.to_bytes(width, chance.choice(("big", "little")))
        elif kind == 2:
            del changed[place : place + chance.choice((1, 4, 100, 4096, len(changed)))]
        elif kind == 3:
            piece = changed[place : place + chance.choice((4, 16, 4096))]
            changed[chance.randrange(len(changed)) :][: len(piece)] = piece
        else:
            target = chance.randrange(len(changed))
            changed[target : target + 16] = changed[place : place + 16]
    return bytes(changed)


def fuzz(seconds: float, seed: int = 0) -> tuple[int, int]:
    """(inputs tried, failures)."""
    chance, tried, failures = random.Random(seed), 0, 0
    with tempfile.TemporaryDirectory(prefix="inventory-fuzz-") as name:
        inputs = seeds(pathlib.Path(name))
        root = pathlib.Path(name) / "root"
        end = time.monotonic() + seconds
        while time.monotonic() < end:
            form, data, base = chance.choice(inputs)
            changed = mutate(data, chance)
            target = root / PLACES[form]
            target.parent.mkdir(parents=True, exist_ok=True)
            target.write_bytes(changed)
            if form == "wal":
                (root / PLACES["sqlite"]).write_bytes(base)
            failures += not survives(root, form, changed)
            for place in PLACES.values():
                (root / place).unlink(missing_ok=True)
            tried += 1
    return tried, failures


def survives(root: pathlib.Path, form: str, data: bytes) -> bool:
    started = time.monotonic()
    try:
        read_inventory(str(root))
    except ScapError as error:
        if error.code == "package_database_damaged" and time.monotonic() - started < TIME_LIMIT:
            return True
        traceback.print_exc()
    except Exception:
        traceback.print_exc()
    else:
        if time.monotonic() - started < TIME_LIMIT:
            return True
        print(f"{form}: {time.monotonic() - started:.1f} s", file=sys.stderr)
    (CORPUS / f"crash-{hashlib.sha256(data).hexdigest()[:12]}.{form}").write_bytes(data)
    return False


def main(argv: list[str]) -> int:
    seconds = float(argv[0] if argv else os.environ.get("FUZZ_SECONDS", "60"))
    tried, failures = fuzz(seconds, seed=int(time.time()))
    print(f"package databases: {tried} inputs in {seconds:.0f} s, {failures} failures")
    return 1 if failures else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
