# Copyright (c) 2026, scap.images contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Proof that oscap's probes see this root: a roll call of the packages and a canary for each probe family.

One OVAL document of our own, evaluated once in the same confinement as the content. The roll call lists every package
through the probe that the content uses; a canary is a marker in the throw-away root (or environment) that its probe
must find, beside one that it must not.
"""

from __future__ import annotations

import collections
import os
import secrets
import typing as t
import xml.parsers.expat
import xml.sax.saxutils

from ..model import Check, Package, ScapError
from .confine import Sandbox
from .contentinfo import ContentInfo
from .evaluate import Evaluation, evaluate_oval
from .packages import Inventory
from .rootpath import link_in_root, make_in_root

NAME = "probe"
VARIABLE = "SCAP_IMAGES_CANARY"

_DEF = "http://oval.mitre.org/XMLSchema/oval-definitions-5"
_IND, _UNIX, _LINUX = f"{_DEF}#independent", f"{_DEF}#unix", f"{_DEF}#linux"
_SHOWN = 10

_HEAD = f"""<?xml version="1.0" encoding="UTF-8"?>
<oval_definitions xmlns="{_DEF}" xmlns:oval="http://oval.mitre.org/XMLSchema/oval-common-5">
<generator><oval:schema_version>5.11.1</oval:schema_version><oval:timestamp>2026-01-01T00:00:00</oval:timestamp></generator>
"""

_FOLDER = "/.scap-images-{token}"
_CANARIES: t.Mapping[str, tuple[str, str]] = {
    "file": (
        _UNIX,
        '<behaviors recurse="symlinks and directories" recurse_direction="down" max_depth="-1" '
        'recurse_file_system="local"/><path>{folder}</path><filename operation="pattern match">^{mark}$</filename>',
    ),
    "textfilecontent54": (
        _IND,
        '<filepath>{folder}/deep/found</filepath><pattern operation="pattern match">^canary={mark}$</pattern>'
        '<instance datatype="int">1</instance>',
    ),
    "symlink": (_UNIX, "<filepath>{folder}/link-{mark}</filepath>"),
    "xmlfilecontent": (_IND, "<filepath>{folder}/deep/xml</filepath><xpath>/canary/{mark}/text()</xpath>"),
    "environmentvariable58": (
        _IND,
        '<pid xsi:nil="true" xmlns:xsi="http://www.w3.org/2001/XMLSchema-instance" datatype="int"/>'
        f'<name operation="pattern match">^{VARIABLE}_{{mark}}$</name>',
    ),
}
"""Family to (namespace of its schema, content of its object); {mark} is `found` or `absent`."""

_PACKAGE_PROBES = {"rpm": "rpminfo", "dpkg": "dpkginfo"}
_WITHOUT_LOOK = frozenset(("variable", "family", "constant"))
"""Families that read nothing of the root."""


class Probe:
    """The proof for one root."""

    def __init__(self, root: str, inventory: Inventory, infos: t.Sequence[ContentInfo], work: str) -> None:
        self._inventory = inventory
        self._used = sorted({family for info in infos for family in info.families})
        self._token = secrets.token_hex(8)
        self._root = root
        self._work = work
        self._seen: collections.Counter[tuple[str, str]] = collections.Counter()
        self._answers: dict[str, str] = {}

    @property
    def variable(self) -> str:
        """The NAME=VALUE that the image's environment carries for the canary of environmentvariable58."""
        return f"{VARIABLE}_found=1"

    def evaluate(self, sandbox: Sandbox, timeout: float) -> Evaluation:
        """Plant the markers, evaluate, read the answers."""
        self._plant()
        os.makedirs(self._work, mode=0o700, exist_ok=True)
        definitions = os.path.join(self._work, f"{NAME}-definitions.xml")
        with open(definitions, "wb") as stream:
            stream.write(document(self._inventory, self._used, self._token).encode())
        evaluation = evaluate_oval(sandbox, definitions, NAME, timeout)
        self._read(os.path.join(sandbox.out, evaluation.results))
        return evaluation

    def checks(self) -> list[Check]:
        """`packages`, one `probe_FAMILY` each, and `probes` with the families that have no canary."""
        found = [self._roll_call()]
        for family in self._used:
            if family in _CANARIES:
                right, wrong = self._answers.get(f"{family}:found"), self._answers.get(f"{family}:absent")
                passed = (right, wrong) == ("true", "false")
                detail = "found its marker, and only that" if passed else f"marker: {right}, no marker: {wrong}"
                found.append(Check(f"probe_{family}", passed, f"the {family} probe {detail}"))
        without = [
            family
            for family in self._used
            if family not in _CANARIES and family not in _WITHOUT_LOOK and family not in _PACKAGE_PROBES.values()
        ]
        detail = f"not proven by a marker: {', '.join(without)}" if without else "every probe of the content is proven"
        found.append(Check("probes", True, detail))
        return found

    def _plant(self) -> None:
        folder = _FOLDER.format(token=self._token).lstrip("/")
        make_in_root(self._root, f"{folder}/deep/found", b"canary=found\n")
        make_in_root(self._root, f"{folder}/deep/xml", b"<canary><found>1</found></canary>\n")
        link_in_root(self._root, f"{folder}/link-found", "deep/found")

    def _read(self, path: str) -> None:
        reader = _Results()
        try:
            with open(path, "rb") as stream:
                reader.parser.ParseFile(stream)
        except (OSError, xml.parsers.expat.ExpatError) as error:
            raise ScapError("results_malformed", f"the results of the roll call cannot be read: {error}") from error
        self._seen, self._answers = reader.packages, reader.answers

    def _roll_call(self) -> Check:
        inventory = self._inventory
        if inventory.manager not in _PACKAGE_PROBES:
            what = f"oscap cannot read {inventory.manager}" if inventory.manager else "there is no package database"
            return Check("packages", not inventory.packages, f"{len(inventory.packages)} packages; {what}")
        wanted = collections.Counter(_identity(package) for package in inventory.packages)
        missing, strange = wanted - self._seen, self._seen - wanted
        if missing or strange:
            names = [f"{name} {version}" for name, version in [*missing, *strange][:_SHOWN]]
            return Check(
                "packages",
                False,
                f"oscap sees {sum(self._seen.values())} of {sum(wanted.values())} packages; they differ in "
                f"{', '.join(names)}",
            )
        return Check("packages", True, f"oscap and our own reader see the same {sum(wanted.values())} packages")


def _identity(package: Package) -> tuple[str, str]:
    if package.manager == "rpm":
        return package.name, f"{package.epoch}:{package.version}-{package.release}"
    return package.name, package.version


def document(inventory: Inventory, families: t.Sequence[str], token: str) -> str:
    """The OVAL 5.11 definitions: the roll call of the inventory, and the canaries of these families."""
    definitions: list[str] = []
    tests: list[str] = []
    objects: list[str] = []

    def add(name: str, family: str, space: str, content: str, existence: str) -> None:
        number = len(tests) + 1
        note = xml.sax.saxutils.quoteattr(name)
        definitions.append(
            f'<definition class="inventory" id="oval:scap-images:def:{number}" version="1"><metadata><title>'
            f"{xml.sax.saxutils.escape(name)}</title><description>canary</description></metadata>"
            f'<criteria><criterion test_ref="oval:scap-images:tst:{number}"/></criteria></definition>'
        )
        tests.append(
            f'<{family}_test xmlns="{space}" id="oval:scap-images:tst:{number}" version="1" check="all" '
            f'check_existence="{existence}" comment={note}><object object_ref="oval:scap-images:obj:{number}"/>'
            f"</{family}_test>"
        )
        objects.append(
            f'<{family}_object xmlns="{space}" id="oval:scap-images:obj:{number}" version="1">{content}</{family}_object>'
        )

    if inventory.manager == "rpm":
        add("roll call", "rpminfo", _LINUX, '<name operation="pattern match">^.*$</name>', "any_exist")
    elif inventory.manager == "dpkg":
        for name in sorted({package.name for package in inventory.packages}):
            add("roll call", "dpkginfo", _LINUX, f"<name>{xml.sax.saxutils.escape(name)}</name>", "any_exist")
    folder = _FOLDER.format(token=token)
    for family in families:
        if family in _CANARIES:
            space, content = _CANARIES[family]
            for mark in ("found", "absent"):
                add(f"{family}:{mark}", family, space, content.format(folder=folder, mark=mark), "at_least_one_exists")
    if not tests:
        add("nothing", "family", _IND, "", "any_exist")
    parts = ("definitions", definitions), ("tests", tests), ("objects", objects)
    return _HEAD + "\n".join(f"<{name}>{''.join(lines)}</{name}>" for name, lines in parts) + "\n</oval_definitions>\n"


class _Results:
    """Reads package items and answers out of OVAL results, in one pass."""

    def __init__(self) -> None:
        self.packages: collections.Counter[tuple[str, str]] = collections.Counter()
        self.answers: dict[str, str] = {}
        self._titles: dict[str, str] = {}
        self._item: dict[str, str] | None = None
        self._definition = ""
        self._text: list[str] = []
        self.parser = xml.parsers.expat.ParserCreate(namespace_separator=" ")
        self.parser.buffer_text = True
        self.parser.SetParamEntityParsing(xml.parsers.expat.XML_PARAM_ENTITY_PARSING_NEVER)
        self.parser.StartElementHandler = self._start
        self.parser.EndElementHandler = self._end
        self.parser.CharacterDataHandler = self._text.append

    def _start(self, name: str, attributes: dict[str, str]) -> None:
        self._text.clear()
        local = name.rpartition(" ")[2]
        if local in ("rpminfo_item", "dpkginfo_item"):
            self._item = {"status": attributes.get("status", "exists")}
        elif local == "definition":
            if "result" in attributes:
                title = self._titles.get(attributes.get("definition_id", ""), "")
                self.answers[title] = attributes["result"]
            else:
                self._definition = attributes.get("id", "")

    def _end(self, name: str) -> None:
        local = name.rpartition(" ")[2]
        text = "".join(self._text)
        self._text.clear()
        if local == "title":
            self._titles[self._definition] = text
        elif local in ("rpminfo_item", "dpkginfo_item") and self._item is not None:
            if self._item["status"] == "exists":
                self.packages[self._item.get("name", ""), _item_version(local, self._item)] += 1
            self._item = None
        elif self._item is not None:
            self._item[local] = text


def _item_version(kind: str, item: t.Mapping[str, str]) -> str:
    epoch, version, release = item.get("epoch", ""), item.get("version", ""), item.get("release", "")
    if kind == "rpminfo_item":
        return f"{'0' if epoch in ('', '(none)') else epoch}:{version}-{release}"
    text = f"{epoch}:{version}" if epoch not in ("", "0", "(none)") else version
    return f"{text}-{release}" if release else text
