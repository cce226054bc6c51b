# Copyright (c) 2026, scap.images contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What a person gives a marking run, checked: verdicts, images, exemptions, the marks of the run before."""

from __future__ import annotations

import dataclasses
import datetime
import os
import re
import typing as t

from ..files import read_jsonl, write_json, write_jsonl
from ..model import Image, J, Mark, RecordError, ScapError, Verdict, is_digest, to_json
from ..store import CANARY_CHECK
from . import keys
from .blast import Blast
from .denied import Exemption
from .names import STAGES

ALL = "all"
BLAST = "blast.json"
MAX_EXEMPTIONS = 1000
MAX_NAMESPACES = 100
MAX_REASON = 200
_NAMESPACE = re.compile(r"(\*|[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?)\Z")


def verdicts(inline: t.Sequence[t.Any] | None, path: str | None) -> list[Verdict]:
    """The verdicts of a list or of a JSON Lines file; ScapError names the one that is damaged."""
    rows = inline if inline is not None else read_jsonl(path or "")
    return _records(rows, Verdict.from_json, path or "verdicts")


def believable(found: t.Sequence[Verdict]) -> tuple[list[Verdict], str]:
    """The verdicts of runs whose canary images had the known answers, and what to say of the others.

    No mark changes through the others: neither what denies an image nor what lets it run can be believed.
    """
    code = f"unproven_{CANARY_CHECK}"
    left = [verdict for verdict in found if all(reason.code != code for reason in verdict.reasons)]
    number = len(found) - len(left)
    if not number:
        return left, ""
    return left, f"{number} images were scanned by a run whose canary images got wrong answers; their marks are left"


def images(path: str | None) -> list[Image]:
    """The images of images.jsonl; none where no path is given."""
    return _records(read_jsonl(path), Image.from_json, path) if path else []


T = t.TypeVar("T")


def _records(rows: t.Iterable[t.Any], read: t.Callable[[t.Any], T], source: str) -> list[T]:
    found = []
    for number, row in enumerate(rows, 1):
        try:
            found.append(read(row))
        except RecordError as error:
            raise ScapError("record_damaged", f"{source}: entry {number}: {error}; nothing was marked") from error
    return found


def targets(names: t.Sequence[str], records: t.Iterable[Image]) -> tuple[set[str] | None, set[str]]:
    """The digests and the keys that a list of digests and references means; (None, ...) for `all`."""
    if ALL in names:
        return None, set()
    digests = {name for name in names if is_digest(name)}
    wanted: set[str] = set()
    for name in names:
        if name not in digests:
            wanted.add(key_of(name))
    for image in records:
        known = keys.of_image(image.digest, [image])
        if image.digest and wanted.intersection(known):
            digests.add(image.digest)
    return digests, wanted | digests


def key_of(name: str) -> str:
    """The key of a digest or of a reference with a tag or a digest; ScapError for anything else."""
    if is_digest(name):
        return name
    if name.startswith("sha256:"):
        raise ScapError("reference_invalid", f"{name!r} is no digest (sha256: and 64 lower-case hex digits)")
    bare = name[len("docker://") :] if name.startswith("docker://") else name
    key = keys.canonical(bare)
    if not is_digest(key) and not keys.of_reference(bare):
        raise ScapError("reference_invalid", f"{name!r} is neither a digest nor a reference that a pod could name")
    return key


def exemptions(given: t.Sequence[J] | None) -> tuple[Exemption, ...] | None:
    """Exemptions with all that they need; None where none were given. ScapError says what is missing."""
    if given is None:
        return None
    if len(given) > MAX_EXEMPTIONS:
        raise ScapError("exemption_invalid", f"{len(given)} exemptions are more than {MAX_EXEMPTIONS}")
    return tuple(_exemption(entry) for entry in given)


def _exemption(entry: J) -> Exemption:
    name, owner, reason, expires = (
        str(entry.get(key) or "").strip() for key in ("image", "owner", "reason", "expires")
    )
    namespaces = tuple(entry.get("namespaces") or ("*",))
    wrong = [word for word, value in (("image", name), ("owner", owner), ("reason", reason)) if not value]
    if wrong:
        raise ScapError("exemption_invalid", f"the exemption of {name or 'an image'} has no {' and no '.join(wrong)}")
    try:
        datetime.date.fromisoformat(expires)
    except ValueError as error:
        text = f"the exemption of {name} expires on {expires!r}, which is not a day (YYYY-MM-DD)"
        raise ScapError("exemption_invalid", text) from error
    bad = [one for one in namespaces if not _NAMESPACE.match(str(one))]
    if bad or len(namespaces) > MAX_NAMESPACES:
        raise ScapError("exemption_invalid", f"the exemption of {name} names {bad or 'too many namespaces'}")
    if len(owner) > MAX_REASON or len(reason) > MAX_REASON:
        raise ScapError("exemption_invalid", f"owner and reason of {name} may have {MAX_REASON} characters each")
    return Exemption(key_of(name), namespaces, " ".join(owner.split()), " ".join(reason.split()), expires)


def keep_marks(path: str, new: t.Sequence[Mark]) -> None:
    """Write marks.jsonl whole: the new marks, and those of before whose images this run did not concern.

    A mark that says what it said before keeps its time, so the same run writes the same bytes.
    """
    marks: dict[str, Mark] = {}
    if os.path.exists(path):
        for mark in _records(read_jsonl(path), Mark.from_json, path):
            marks[mark.digest or mark.reference] = mark
    for mark in new:
        old = marks.get(mark.digest or mark.reference)
        if old is not None and not mark.changed and _said(old) == _said(mark):
            continue
        marks[mark.digest or mark.reference] = mark
    write_jsonl(path, (to_json(marks[name]) for name in sorted(marks)))


def keep_blast(marks: str, radius: Blast) -> None:
    """Write blast.json, the radius with all its workloads, beside the file of the marks."""
    folder = os.path.dirname(os.path.abspath(marks))
    write_json(os.path.join(folder, BLAST), {**dataclasses.asdict(radius), "percent": round(radius.percent, 1)})


def _said(mark: Mark) -> J:
    return {name: value for name, value in to_json(mark).items() if name not in ("changed", "marked_at")}


def stage_selectors(given: t.Mapping[str, t.Any] | None) -> dict[str, J]:
    """Stage to namespace selector, checked."""
    selectors = dict(given or {})
    for stage, selector in selectors.items():
        if stage not in STAGES or not isinstance(selector, dict) or set(selector) - {"matchLabels", "matchExpressions"}:
            raise ScapError(
                "stage_invalid",
                f"stages maps {', '.join(STAGES)} to label selectors (matchLabels, matchExpressions), not {stage!r}:"
                f" {selector!r}",
            )
    return selectors
