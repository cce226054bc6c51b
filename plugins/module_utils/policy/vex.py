# Copyright (c) 2026, scap.images contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""VEX documents, OpenVEX 0.2 and CSAF 2.0 (profile VEX, section 4.5): statements that a CVE does not affect."""

from __future__ import annotations

import dataclasses
import re
import typing as t
import urllib.parse

from ..files import read_json
from ..model import J, RecordError, ScapError, field

MAX_BYTES = 64 * 1024 * 1024
_CVE = re.compile(r"CVE-[0-9]{4}-[0-9]{4,10}\Z")
_DIGEST = re.compile(r"sha256:[0-9a-f]{64}")


@dataclasses.dataclass(frozen=True)
class Statement:
    """One CVE that does not affect."""

    cve: str
    reason: str
    digests: list[str] = dataclasses.field(default_factory=list)
    """The images that the statement names; every image where there are none."""
    packages: list[str] = dataclasses.field(default_factory=list)
    """The packages that it names; every package where there are none."""


def read_vex(path: str) -> list[Statement]:
    """The `not_affected` (CSAF: known_not_affected) statements of a document; all others waive nothing.

    A statement whose products are neither image digests nor packages (an operating system, a whole application) is
    left out: it cannot be told which finding it is about.
    """
    data = read_json(path, MAX_BYTES)
    if not isinstance(data, dict):
        raise ScapError("vex_invalid", f"{path}: is not a VEX document, but {type(data).__name__}")
    try:
        if "statements" in data:
            return _openvex(data)
        if "document" in data and "vulnerabilities" in data:
            return _csaf(data)
    except (RecordError, AttributeError, TypeError) as error:
        raise ScapError("vex_invalid", f"{path}: {error}") from error
    raise ScapError("vex_invalid", f"{path}: is neither OpenVEX (statements) nor CSAF (document, vulnerabilities)")


def _openvex(data: J) -> list[Statement]:
    found: dict[tuple[str, frozenset[str]], Statement | None] = {}
    for entry in field(data, "statements", list):
        vulnerability = entry.get("vulnerability")
        cve = vulnerability if isinstance(vulnerability, str) else field(vulnerability, "name", str)
        names = [name for product in field(entry, "products", list, []) for name in _openvex_names(product)]
        digests, packages = _split(names)
        if not _CVE.match(cve) or (not digests and not packages):
            continue
        justification = " ".join(str(entry.get("justification") or "").split("_"))
        reason = ": ".join(filter(None, ["VEX not_affected", justification, str(entry.get("impact_statement") or "")]))
        key = (cve, frozenset([*digests, *packages]))
        found[key] = Statement(cve, reason, digests, packages) if entry.get("status") == "not_affected" else None
    return [statement for statement in found.values() if statement is not None]


def _openvex_names(product: t.Any) -> list[str]:
    if isinstance(product, str):
        return [product]
    names = [field(product, "@id", str, ""), *map(str, (product.get("identifiers") or {}).values())]
    hashes = product.get("hashes") or {}
    names += [f"sha256:{hashes['sha-256']}"] if "sha-256" in hashes else []
    for part in field(product, "subcomponents", list, []):
        names += _openvex_names(part)
    return names


def _csaf(data: J) -> list[Statement]:
    products: dict[str, list[str]] = {}
    for branch in _branches(data.get("product_tree") or {}):
        product = branch.get("product") or branch.get("full_product_name")
        if isinstance(product, dict):
            helper = product.get("product_identification_helper") or {}
            products.setdefault(str(product.get("product_id")), []).append(str(helper.get("purl") or ""))
    for relation in field(data.get("product_tree") or {}, "relationships", list, []):
        name = str((relation.get("full_product_name") or {}).get("product_id"))
        products.setdefault(name, []).extend(products.get(str(relation.get("product_reference")), []))
    found = []
    for entry in field(data, "vulnerabilities", list):
        cve = str(entry.get("cve") or "")
        status = entry.get("product_status") or {}
        names = [purl for name in status.get("known_not_affected") or [] for purl in products.get(str(name), [])]
        digests, packages = _split(names)
        affected = [purl for name in status.get("known_affected") or [] for purl in products.get(str(name), [])]
        packages = [name for name in packages if name not in _split(affected)[1]]
        flags = sorted({str(flag.get("label")) for flag in entry.get("flags") or []})
        reason = ": ".join(["VEX known_not_affected", *(" ".join(flag.split("_")) for flag in flags[:3])])
        if _CVE.match(cve) and (digests or packages):
            found.append(Statement(cve, reason, digests, packages))
    return found


def _branches(node: J, depth: int = 0) -> t.Iterator[J]:
    if depth > 20:
        raise RecordError("the product tree is nested more than 20 deep")
    for child in [*(node.get("branches") or []), *(node.get("full_product_names") or [])]:
        yield {"product": child} if "product_id" in child else child
        yield from _branches(child, depth + 1)


def _split(names: t.Iterable[str]) -> tuple[list[str], list[str]]:
    """Image digests, and names of the rpm, deb and apk packages, that purls and references mean."""
    digests: dict[str, None] = {}
    packages: dict[str, None] = {}
    for name in names:
        text = urllib.parse.unquote(name)
        if text.startswith(("pkg:rpm/", "pkg:deb/", "pkg:apk/")):
            packages[re.split(r"[@?#]", text)[0].rpartition("/")[2]] = None
        elif _DIGEST.search(text):
            digests[_DIGEST.findall(text)[-1]] = None
    return list(digests), list(packages)
