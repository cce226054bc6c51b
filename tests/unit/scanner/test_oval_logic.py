# Copyright (c) 2026, scap.images contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""OVAL's six values, and that what is left of criteria has the value of the whole, whatever the tests come to."""

from __future__ import annotations

import contextlib
import itertools
import pathlib
import random
import typing as t

import pytest
from ansible_collections.scap.images.plugins.module_utils.files import sha256_file
from ansible_collections.scap.images.plugins.module_utils.model import ScapError
from ansible_collections.scap.images.plugins.module_utils.scanner.oval import index, logic, residual
from ansible_collections.scap.images.plugins.module_utils.scanner.oval.document import open_source, write_document
from ansible_collections.scap.images.plugins.module_utils.scanner.oval.residual import Feed, Index

from tests.support import random_oval

VALUES = ("true", "false", "error", "unknown", "not evaluated", "not applicable")
HEAD = (
    '<oval_definitions xmlns="http://oval.mitre.org/XMLSchema/oval-definitions-5"><generator/><definitions>{}'
    "</definitions></oval_definitions>"
)
DEFINITION = '<definition id="oval:a:def:{}" version="1" class="patch"><metadata/>{}</definition>'


def naive(operator: str, values: t.Sequence[str]) -> str:
    """The table of OVAL's OperatorEnumeration, line by line."""
    true, false, error, unknown, skipped, none = (values.count(value) for value in VALUES)
    if none == len(values):
        return "not applicable"
    blocked = "error" if error else "unknown" if unknown else "not evaluated" if skipped else ""
    if operator == "AND":
        return "false" if false else blocked or "true"
    if operator == "OR":
        return "true" if true else blocked or "false"
    if operator == "ONE":
        return "false" if true > 1 else blocked or ("true" if true == 1 else "false")
    return blocked or ("true" if true % 2 else "false")


@pytest.mark.parametrize("operator", logic.OPERATORS)
def test_combine_is_the_table(operator: str) -> None:
    for count in (1, 2, 3):
        for values in itertools.product(VALUES, repeat=count):
            assert logic.combine(operator, values) == naive(operator, values), values


def value_of(tree: t.Any, values: t.Mapping[int, str]) -> str:
    if isinstance(tree, int):
        value = values[tree >> 3]
        return logic.negated(value) if tree >> 2 & 1 else value
    value = logic.combine(tree[0], [value_of(child, values) for child in tree[2]])
    return logic.negated(value) if tree[1] else value


def value_of_node(residuals: logic.Residuals, node: int, values: t.Mapping[int, str]) -> str:
    kind, members = residuals.nodes[node]
    if kind in ("true", "false"):
        return kind
    if kind == "test":
        return values[members[0]]
    inner = [value_of_node(residuals, member, values) for member in members]
    return logic.negated(inner[0]) if kind == "NOT" else logic.combine(kind, inner)


def test_a_remainder_has_the_value_of_the_whole() -> None:
    pick = random.Random(6)
    residuals, kinds = logic.Residuals(), set()
    for _unused in range(20_000):
        tree = _tree(pick, 3)
        live = set(pick.sample(range(6), 3))
        node = residuals.of_tree(tree, live, lambda number: number)
        kinds.add(residuals.nodes[node][0])
        values = {number: pick.choice(VALUES) for number in range(6)}
        values |= {number: VALUES[1 - number % 2] for number in range(6) if number not in live}
        assert value_of(tree, values) == value_of_node(residuals, node, values), tree
    assert kinds == {"true", "false", "test", "NOT", *logic.OPERATORS}


def _tree(pick: random.Random, depth: int) -> t.Any:
    children = [
        _tree(pick, depth - 1)
        if depth > 1 and pick.random() < 0.4
        else logic.criterion(number, pick.random() < 0.3, number % 2)
        for number in (pick.randrange(6) for _unused in range(pick.randint(1, 4)))
    ]
    return [pick.choice(logic.OPERATORS), int(pick.random() < 0.2), children]


@pytest.mark.parametrize(
    ("definitions", "said"),
    [
        (
            DEFINITION.format(1, '<criteria><extend_definition definition_ref="oval:a:def:1"/></criteria>'),
            "extends itself",
        ),
        (
            "".join(
                DEFINITION.format(n, f'<criteria><extend_definition definition_ref="oval:a:def:{3 - n}"/></criteria>')
                for n in (1, 2)
            ),
            "extends itself",
        ),
        (DEFINITION.format(1, "") * 2, "there twice"),
        (DEFINITION.format(1, "<criteria/>"), "holds nothing"),
        (DEFINITION.format(1, '<criteria operator="NAND"><criterion test_ref="x"/></criteria>'), "NAND"),
        (DEFINITION.format(1, '<criteria><criterion negate="maybe" test_ref="x"/></criteria>'), "maybe"),
        (DEFINITION.format(1, "<criteria>" * 300 + '<criterion test_ref="x"/>' + "</criteria>" * 300), "300|200 deep"),
        (
            DEFINITION.format(1, '<criteria><criterion test_ref="oval:a:tst:9"/></criteria>'),
            "oval:a:tst:9, which is nowh",
        ),
        (
            DEFINITION.format(1, '<criteria><extend_definition definition_ref="oval:a:def:9"/></criteria>'),
            "oval:a:def:9 is extended, which is nowhere",
        ),
        ('<definition id="oval:scap-images:def:1" version="1"/>', "scap-images"),
    ],
)
def test_what_is_not_understood_is_left_to_oscap(tmp_path: pathlib.Path, definitions: str, said: str) -> None:
    path = tmp_path / "feed.xml"
    path.write_text(HEAD.format(definitions))
    with pytest.raises(ScapError, match=said) as caught:
        index.make_index(str(path), sha256_file(str(path)), str(tmp_path / "cache"))
    assert caught.value.code == "content_uncompiled"
    assert str(path) in caught.value.message
    assert not list((tmp_path / "cache").iterdir())


def test_billions_of_criteria_end(tmp_path: pathlib.Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(index, "MAX_NODES", 10_000)
    inner = (
        '<criteria operator="OR"><criterion test_ref="oval:a:tst:1"/><criterion test_ref="oval:a:tst:2"/></criteria>'
    )
    tests = "".join(f'<a_test xmlns="urn:a" id="oval:a:tst:{number}"/>' for number in (1, 2))
    text = DEFINITION.format(1, inner)
    for number in range(2, 60):
        twice = f'<extend_definition definition_ref="oval:a:def:{number - 1}"/>' * 2
        text += DEFINITION.format(number, f'<criteria operator="XOR">{twice}{twice[: len(twice) // 2]}</criteria>')
    path = tmp_path / "feed.xml"
    path.write_text(HEAD.format(text).replace("</definitions>", f"</definitions><tests>{tests}</tests>"))
    with pytest.raises(ScapError, match="criteria are more than"):
        index.make_index(str(path), sha256_file(str(path)), str(tmp_path))


def test_no_document_type(tmp_path: pathlib.Path) -> None:
    path = tmp_path / "feed.xml"
    path.write_text(f'<!DOCTYPE a [<!ENTITY b "c">]>{HEAD.format("")}')
    with pytest.raises(ScapError, match="document type"):
        index.make_index(str(path), sha256_file(str(path)), str(tmp_path))


def test_an_image_has_to_do_with_what_names_its_packages(tmp_path: pathlib.Path) -> None:
    path = tmp_path / "feed.xml"
    path.write_bytes(random_oval.Document(1, "rpm").bytes())
    place = index.make_index(str(path), sha256_file(str(path)), str(tmp_path))
    assert index.make_index(str(path), sha256_file(str(path)), str(tmp_path)) == place
    with contextlib.closing(Index(place)) as opened:
        feed = Feed(opened, [])
        assert (feed.live, feed.affected) == (set(), set())
        nothing = sum(len(group.members) for group in feed.remainders())
        feed = Feed(opened, random_oval.INSTALLED)
        assert feed.live
        names = {number: set(wanted) for number, wanted in opened.names.items()}
        assert feed.affected == {number for number, wanted in names.items() if wanted & set(random_oval.INSTALLED)}
        assert sum(len(group.members) for group in feed.remainders()) == nothing == len(names)


def test_what_is_left_for_an_image_does_not_depend_on_those_before(
    tmp_path: pathlib.Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    pick = random.Random(7)
    images = [pick.sample(random_oval.INSTALLED, pick.randint(0, len(random_oval.INSTALLED))) for _image in range(12)]
    for seed in range(20):
        path = tmp_path / f"feed{seed}.xml"
        path.write_bytes(random_oval.Document(seed, "rpm").bytes())
        place = index.make_index(str(path), sha256_file(str(path)), str(tmp_path))

        def documents(names: t.Sequence[t.Sequence[str]], path: str = str(path), place: str = place) -> list[bytes]:
            with contextlib.closing(Index(place)) as opened:
                feeds = (Feed(opened, some) for some in names)
                return [write_document(feed, open_source(opened, path), feed.remainders(), []).data for feed in feeds]

        alone = [documents([names])[0] for names in images]
        assert documents(images) == alone
        assert documents(images[::-1]) == alone[::-1]
        monkeypatch.setattr(residual, "MAX_REMEMBERED", 30)
        assert documents(images) == alone
        monkeypatch.undo()


def test_a_damaged_index_is_not_used(tmp_path: pathlib.Path) -> None:
    path = tmp_path / "feed.xml"
    path.write_bytes(random_oval.Document(1, "rpm").bytes())
    place = pathlib.Path(index.make_index(str(path), sha256_file(str(path)), str(tmp_path)))
    whole = place.read_bytes()
    for damaged in (b"", whole[:100], bytes(len(whole)), whole[:4096] + bytes(len(whole) - 4096)):
        place.write_bytes(damaged)
        with pytest.raises(ScapError, match="index cannot be read"), contextlib.closing(Index(str(place))) as opened:
            Feed(opened, random_oval.INSTALLED).remainders()
