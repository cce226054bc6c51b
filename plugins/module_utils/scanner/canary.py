# Copyright (c) 2026, scap.images contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Canaries: for each probe family a marker in the throw-away root that it must find, beside one that it must not.

The markers lie in a folder of their own below the root, root's, 0755 and 0644, so that no rule's search is answered
differently by them; the folder's name is random, so that no image can bring it. The password probe has none: planting
a user would change what rules see, so the users of the root's own etc/passwd are asked for.
"""

from __future__ import annotations

import hashlib
import typing as t

from ..model import Check
from .questions import INDEPENDENT, UNIX, Answers, Question
from .rootpath import link_in_root, make_in_root, read_in_root

VARIABLE = "SCAP_IMAGES_CANARY"
"""Name, with `_found`, of the variable that the environmentvariable58 probe must find."""

MARKS = ("found", "absent")
_TEXT = b"canary=found\n"
_USERS_FILE = "etc/passwd"
_USERS_LIMIT = 16 * 1024 * 1024

_OBJECTS: t.Mapping[str, tuple[str, str]] = {
    "file": (
        UNIX,
        '<behaviors recurse="directories" recurse_direction="down" max_depth="-1" recurse_file_system="local"/>'
        '<path>{folder}</path><filename operation="pattern match">^{mark}$</filename>',
    ),
    "textfilecontent54": (
        INDEPENDENT,
        '<filepath>{folder}/deep/found</filepath><pattern operation="pattern match">^canary={mark}$</pattern>'
        '<instance datatype="int">1</instance>',
    ),
    "symlink": (UNIX, "<filepath>{folder}/link-{mark}</filepath>"),
    "xmlfilecontent": (INDEPENDENT, "<filepath>{folder}/deep/xml</filepath><xpath>/canary/{mark}/text()</xpath>"),
    "yamlfilecontent": (
        INDEPENDENT,
        "<filepath>{folder}/deep/yaml</filepath><yamlpath>.{mark}</yamlpath>",
    ),
    "filehash58": (INDEPENDENT, "<filepath>{folder}/deep/{mark}</filepath><hash_type>SHA-256</hash_type>"),
    "environmentvariable58": (
        INDEPENDENT,
        '<pid xsi:nil="true" xmlns:xsi="http://www.w3.org/2001/XMLSchema-instance" datatype="int"/>'
        f'<name operation="pattern match">^{VARIABLE}_{{mark}}$</name>',
    ),
    "password": (UNIX, '<username operation="pattern match">{mark}</username>'),
}
"""Family to (namespace of its schema, content of its object)."""

_WITHOUT_LOOK = frozenset(("variable", "family", "constant"))
"""Families that read nothing of the root."""
_SILENT_OFFLINE = frozenset(
    (
        "iflisteners",
        "inetlisteningservers",
        "interface",
        "process58",
        "routingtable",
        "runlevel",
        "selinuxboolean",
        "selinuxsecuritycontext",
        "shadow",
        "sysctl",
        "systemdunitdependency",
        "systemdunitproperty",
        "uname",
    )
)
"""Families that oscap refuses on an image: it says so of each object, and the rule is notapplicable or an error."""


def plant(root: str, token: str) -> None:
    """Make the markers; ScapError root_unwritable. `token`: some random word characters."""
    folder = _folder(token).lstrip("/")
    make_in_root(root, f"{folder}/deep/found", _TEXT)
    make_in_root(root, f"{folder}/deep/xml", b"<canary><found>1</found></canary>\n")
    make_in_root(root, f"{folder}/deep/yaml", b'found: "1"\n')
    link_in_root(root, f"{folder}/link-found", "deep/found")


def questions(root: str, families: t.Iterable[str], token: str) -> list[Question]:
    """Two for each family that has a canary; their titles are FAMILY:found and FAMILY:absent.

    Not for password where the root has no etc/passwd: that probe would break, and end oscap.
    """
    asked = []
    for family in sorted(_OBJECTS.keys() & set(families)):
        if family == "password" and _users(root) is None:
            continue
        space, content = _OBJECTS[family]
        for mark in MARKS:
            word = {"found": "^.*$", "absent": f"^canary-{token}$"}[mark] if family == "password" else mark
            filled = content.format(folder=_folder(token), mark=word)
            asked.append(Question(f"{family}:{mark}", family, space, filled))
    return asked


def checks(root: str, families: t.Iterable[str], answers: Answers) -> list[Check]:
    """`probe_FAMILY` for each family with a canary, and `probes`, which names those that have none.

    `probes` passes: whether unproven families are allowed is the policy's to say, which finds them in its detail.
    """
    used = set(families)
    found = []
    for family in sorted(_OBJECTS.keys() & used):
        right, wrong = answers.results.get(f"{family}:found"), answers.results.get(f"{family}:absent")
        why = _passwd_problem(root, answers) if family == "password" else ""
        passed = (right, wrong) == ("true", "false") and not why and _hash_right(family, answers)
        detail = "found what is there, and only that" if passed else f"marker: {right}, no marker: {wrong}{why}"
        found.append(Check(f"probe_{family}", passed, f"the {family} probe {detail}"))
    without = used - _OBJECTS.keys() - _WITHOUT_LOOK - {"rpminfo", "dpkginfo"}
    silent = sorted(without & _SILENT_OFFLINE)
    unproven = sorted(without - _SILENT_OFFLINE)
    parts = [f"not proven: {', '.join(unproven)}"] if unproven else ["every probe that answers on an image is proven"]
    parts += [f"oscap refuses on images, and says so: {', '.join(silent)}"] if silent else []
    found.append(Check("probes", True, "; ".join(parts)))
    return found


def _folder(token: str) -> str:
    return f"/.scap-images-{token}"


def _hash_right(family: str, answers: Answers) -> bool:
    if family != "filehash58":
        return True
    wanted = hashlib.sha256(_TEXT).hexdigest()
    return any(kind == family and item.get("hash") == wanted for kind, item in answers.items)


def _users(root: str) -> set[str] | None:
    data = read_in_root(root, _USERS_FILE, _USERS_LIMIT)
    if data is None:
        return None
    lines = [line for line in data.decode("utf-8", "replace").splitlines() if line and line[0] not in "#+-"]
    return {line.split(":")[0] for line in lines if line.count(":") == 6}


def _passwd_problem(root: str, answers: Answers) -> str:
    wanted = _users(root)
    if wanted is None:
        return f"; the image has no /{_USERS_FILE}, on which that probe breaks"
    seen = {item.get("username", "") for family, item in answers.items if family == "password"}
    differing = sorted(wanted ^ seen)
    return f"; it and /{_USERS_FILE} differ in {', '.join(differing[:10])}" if differing else ""
