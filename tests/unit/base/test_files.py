"""Files are written whole and read within bounds."""

from __future__ import annotations

import gzip
import os
import pathlib

import pytest
from ansible_collections.scap.images.plugins.module_utils import files
from ansible_collections.scap.images.plugins.module_utils.model import ScapError


def test_a_write_that_fails_leaves_the_old_file(tmp_path: pathlib.Path) -> None:
    path = tmp_path / "verdicts.jsonl"
    files.write_jsonl(str(path), [{"a": 1}])

    def rows() -> object:
        yield {"a": 2}
        raise RuntimeError("killed")

    with pytest.raises(RuntimeError):
        files.write_jsonl(str(path), rows())
    assert list(files.read_jsonl(str(path))) == [{"a": 1}]
    assert os.listdir(tmp_path) == ["verdicts.jsonl"]


def test_files_are_private(tmp_path: pathlib.Path) -> None:
    path = tmp_path / "x.json"
    files.write_json(str(path), {})
    assert path.stat().st_mode & 0o777 == 0o600


def test_equal_values_give_equal_bytes(tmp_path: pathlib.Path) -> None:
    for name, value in (("a.json.gz", {"x": 1, "y": 2}), ("b.json.gz", {"y": 2, "x": 1})):
        files.write_json(str(tmp_path / name), value)
    assert (tmp_path / "a.json.gz").read_bytes() == (tmp_path / "b.json.gz").read_bytes()


def test_a_bomb_is_not_read(tmp_path: pathlib.Path) -> None:
    path = tmp_path / "bomb.json.gz"
    path.write_bytes(gzip.compress(b"0" * (1 << 22)))
    with pytest.raises(ScapError, match="larger than") as caught:
        files.read_json(str(path), limit=1 << 20)
    assert caught.value.code == "file_too_large"


@pytest.mark.parametrize("text", [b"{", b"\xff", b"[" * 100_000])
def test_damage_names_the_file(tmp_path: pathlib.Path, text: bytes) -> None:
    path = tmp_path / "x.json"
    path.write_bytes(text)
    with pytest.raises(ScapError, match=r"x\.json"):
        files.read_json(str(path))


def test_a_damaged_line_is_named(tmp_path: pathlib.Path) -> None:
    path = tmp_path / "x.jsonl"
    path.write_bytes(b'{"a":1}\n\nnot json\n')
    rows = files.read_jsonl(str(path))
    assert next(rows) == {"a": 1}
    with pytest.raises(ScapError, match="line 3"):
        next(rows)
