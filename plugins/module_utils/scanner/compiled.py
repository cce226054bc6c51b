# Copyright (c) 2026, scap.images contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Which bytes oscap evaluates: a data stream as it is, or cut to the profile; and, for a sample of scans, both.

The original stands wherever the compiler does not understand the content, and from the day on which the two gave
different answers.
"""

from __future__ import annotations

import dataclasses
import hashlib
import os
import shutil
import xml.parsers.expat

from ..files import sha256_file
from ..model import Check, J
from .content import Selected

CHECK = "both_ways"
"""The coverage check of a scan that was evaluated both ways."""
DIFFERS = ".differs"
ORIGINAL_RESULTS = "arf-original.xml"
TEXTS = "texts.json.gz"
"""File of a staging folder: what compile_stream calls the texts."""
_XCCDF = "http://checklists.nist.gov/xccdf/1.2"


@dataclasses.dataclass(frozen=True)
class Compiled:
    """What the compiler made of one stream and profile."""

    path: str
    sha256: str
    texts: str
    """Path of the texts: a JSON object, rule id to its XCCDF element inside an element that declares its prefixes.
    Empty where they are somewhere else."""


@dataclasses.dataclass(frozen=True)
class Prepared:
    """What is evaluated of one data stream."""

    datastream: str
    compiled: Compiled | None
    check: Check

    def recorded(self, selected: Selected) -> Selected:
        """`selected` with the digest of what is evaluated."""
        if self.compiled is None:
            return selected
        first, *others = selected.contents
        contents = [dataclasses.replace(first, compiled_sha256=self.compiled.sha256), *others]
        return dataclasses.replace(selected, contents=contents)


def differs_name(sha256: str) -> str:
    """Name, in the folder of content, of the file that says: compiled, this stream gave another answer once."""
    return f"{sha256}{DIFFERS}"


def given(selected: Selected) -> Prepared:
    """The data stream of `selected`, which somebody else has compiled."""
    return _prepared(selected, Compiled(selected.datastream, sha256_file(selected.datastream), ""))


def _prepared(selected: Selected, made: Compiled) -> Prepared:
    detail = (
        f"{selected.contents[0].id} was evaluated as it is compiled to {selected.contents[0].profile}: {made.sha256}"
    )
    return Prepared(made.path, made, Check("compiled", True, detail))


def prepare(selected: Selected, folder: str, compiles: bool) -> Prepared:
    """Compile the data stream of `selected` into `folder`, where that is wanted, possible and safe."""
    from .compile.index import RefusedError
    from .compile.stream import compile_stream

    path, info, profile = selected.datastream, selected.infos[0], selected.profile
    reason = ""
    if not compiles:
        reason = "compiling is switched off"
    elif os.path.exists(os.path.join(folder, differs_name(selected.contents[0].sha256))):
        reason = "compiled, it gave another answer once"
    elif profile is not None:
        try:
            made = compile_stream(path, info.sha256, profile.id, profile.rules, folder)
        except RefusedError as refused:
            reason = str(refused)
        else:
            return _prepared(selected, made)
    return Prepared(path, None, Check("compiled", True, f"the data stream itself was evaluated: {reason}"))


def is_sampled(digest: str, share: float) -> bool:
    """Whether the image with this digest is one of those that are evaluated both ways; `share` between 0 and 1."""
    number = int(hashlib.sha256(digest.encode()).hexdigest()[:8], 16)
    return number < share * 0x1_0000_0000


def compare(compiled: str, original: str) -> Check:
    """Whether two XCCDF results (paths) answer the same rules in the same way."""
    first, second = _answers(compiled), _answers(original)
    differing = sorted(rule for rule in {*first, *second} if first.get(rule) != second.get(rule))
    if not differing:
        return Check(CHECK, True, f"{len(first)} rules have the same answers compiled and not")
    shown = ", ".join(f"{rule}: {first.get(rule, 'none')}, not {second.get(rule, 'none')}" for rule in differing[:5])
    return Check(
        CHECK,
        False,
        f"{len(differing)} of {len(second)} rules have another answer where the content is compiled ({shown}): a "
        "defect, please report it with both results; scap_compile: false evaluates the content itself",
    )


def _answers(path: str) -> dict[str, tuple[str, ...]]:
    """Rule to its results, of the rules that were selected."""
    found: dict[str, tuple[str, ...]] = {}
    parser = xml.parsers.expat.ParserCreate(namespace_separator=" ")
    parser.buffer_text = True
    parser.SetParamEntityParsing(xml.parsers.expat.XML_PARAM_ENTITY_PARSING_NEVER)
    rule = ""
    text: list[str] = []

    def start(name: str, attributes: J) -> None:
        nonlocal rule
        if name == f"{_XCCDF} rule-result":
            rule = attributes.get("idref", "")
        elif rule and name == f"{_XCCDF} result":
            text.clear()
            parser.CharacterDataHandler = text.append

    def end(name: str) -> None:
        nonlocal rule
        if name == f"{_XCCDF} rule-result":
            rule = ""
        elif rule and name == f"{_XCCDF} result":
            parser.CharacterDataHandler = None
            answer = "".join(text).strip()
            if answer != "notselected":
                found[rule] = (*found.get(rule, ()), answer)

    parser.StartElementHandler = start
    parser.EndElementHandler = end
    with open(path, "rb") as stream:
        parser.ParseFile(stream)
    return found


def keep_texts(prepared: Prepared, staging: str) -> None:
    """Put what the report needs of the rules beside results that do not hold it."""
    if prepared.compiled is not None and prepared.compiled.texts:
        shutil.copyfile(prepared.compiled.texts, os.path.join(staging, TEXTS))
