# Copyright (c) 2026, scap.images contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A Rule's texts (XCCDF 1.2 section 6.4.4) as plain text: XHTML becomes lines, `sub` the value that was set."""

from __future__ import annotations

import dataclasses
import re
import typing as t
import xml.etree.ElementTree as ET

from ..model import ScapError
from .stream import local
from .text import clean, line

_TITLE = 300
_PROSE = 4000
_FIX = 16000
_SHELL = "urn:xccdf:fix:script:sh"
_BLOCKS = ("p", "div", "ul", "ol", "table", "tr", "h1", "h2", "h3", "h4", "dl", "dt", "dd", "blockquote")
_SPACE = re.compile(r"[ \t\r\n\f]+")


@dataclasses.dataclass(frozen=True)
class RuleText:
    """What a person needs to know about a rule."""

    title: str = ""
    description: str = ""
    rationale: str = ""
    fix: str = ""
    idents: list[str] = dataclasses.field(default_factory=list)


def read_rule(rule: ET.Element, values: t.Mapping[str, str]) -> RuleText:
    """The texts of a Rule element; `values` maps the ids that `sub` may name to their text."""
    first: dict[str, ET.Element] = {}
    fixes: dict[str, ET.Element] = {}
    idents: list[str] = []
    for child in rule:
        name = local(child.tag)
        first.setdefault(name, child)
        if name == "fix":
            fixes.setdefault(child.get("system", ""), child)
        elif name == "ident" and child.text and len(idents) < 50:
            idents.append(line(child.text, 200))
    remedy = fixes.get(_SHELL)
    if remedy is not None:
        fix = _verbatim(remedy, values)
    elif "fixtext" in first:
        fix = _prose(first["fixtext"], values)
    else:
        fix = _verbatim(next(iter(fixes.values()), None), values)
    return RuleText(
        title=line(_prose(first.get("title"), values), _TITLE),
        description=clean(_prose(first.get("description"), values), _PROSE),
        rationale=clean(_prose(first.get("rationale"), values), _PROSE),
        fix=clean(fix, _FIX),
        idents=idents,
    )


def given_rule(path: str, texts: t.Mapping[str, str], rule: str) -> ET.Element:
    """The Rule element in `texts`, which were kept beside the results at `path`; ScapError where it is not there."""
    try:
        return ET.fromstring(texts[rule])[0]  # noqa: S314
    except (KeyError, IndexError, ET.ParseError) as error:
        raise ScapError("results_damaged", f"{path}: the texts of the rule {rule} are missing; scan again") from error


def _verbatim(element: ET.Element | None, values: t.Mapping[str, str]) -> str:
    """All text below `element` as it stands, `sub` replaced."""
    if element is None:
        return ""
    parts = [element.text or ""]
    for child in element:
        parts += [_value(child, values) if local(child.tag) == "sub" else _verbatim(child, values), child.tail or ""]
    return "".join(parts)


def _value(sub: ET.Element, values: t.Mapping[str, str]) -> str:
    name = sub.get("idref", "")
    if sub.get("use") == "title":
        return name
    return values.get(name, f"({name})")


def _prose(element: ET.Element | None, values: t.Mapping[str, str]) -> str:
    """The text below `element`, XHTML's blocks and breaks as line ends, list items with a dash."""
    if element is None:
        return ""
    parts: list[str] = []
    _walk(element, values, parts, False)
    lines = [text.rstrip() for text in "".join(parts).split("\n")]
    return re.sub(r"\n{3,}", "\n\n", "\n".join(lines)).strip()


def _walk(element: ET.Element, values: t.Mapping[str, str], parts: list[str], verbatim: bool) -> None:
    name = local(element.tag)
    if name == "sub" and element.get("idref"):
        parts.append(_value(element, values))
        return
    if name == "br":
        parts.append("\n")
    elif name == "li":
        parts.append("\n- ")
    elif name == "pre" or name in _BLOCKS:
        parts.append("\n")
    verbatim = verbatim or name == "pre"
    _add(parts, element.text, verbatim)
    for child in element:
        _walk(child, values, parts, verbatim)
        _add(parts, child.tail, verbatim)
    if name == "pre" or name in _BLOCKS:
        parts.append("\n")


def _add(parts: list[str], text: str | None, verbatim: bool) -> None:
    if not text:
        return
    if not verbatim:
        text = _SPACE.sub(" ", text)
        if not parts or parts[-1].endswith("\n"):
            text = text.lstrip(" ")
    parts.append(text)
