# Copyright (c) 2026, scap.images contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What a source of images is: a class with a `type`, the keys of its mapping, and `find`.

A new source is one file: subclass Source, say its keys in `options`, yield an Image for everything that can be used
and a Skipped for everything that cannot, and add the class to `sources.py`. Images may be partial (a reference only,
or a digest and one workload): the catalog merges what all sources know, the resolver finds missing digests.
"""

from __future__ import annotations

import abc
import dataclasses
import fnmatch
import typing as t

from ..kube.client import Client
from ..model import Image, ScapError, Skipped
from .checkpoint import Checkpoints
from .registries import Registries

Finding = t.Union[Image, Skipped]


@dataclasses.dataclass(frozen=True)
class Option:
    """One key of a source's mapping."""

    kind: str
    """`str`, `int`, `bool`, `list` (of texts) or `dicts` (a list of mappings)."""
    default: t.Any = None
    required: bool = False


@dataclasses.dataclass
class Setting:
    """What all sources of one run share."""

    connect: t.Callable[[], Client]
    """Makes the cluster's client; called at most once."""
    registries: Registries
    store: Checkpoints
    namespaces: list[str] = dataclasses.field(default_factory=list)
    """Names or shell patterns; empty: all."""
    namespace_selector: str = ""
    """Label selector of namespaces."""
    label_selector: str = ""
    """Label selector of workloads and image streams."""
    platforms: list[str] = dataclasses.field(default_factory=list)
    """`os/architecture[/variant]` of the images that are wanted; empty: those of the nodes where a cluster is asked."""
    parallelism: int = 16
    exposure: bool = False
    """Whether it is asked what faces outside."""
    node_platforms: dict[str, str] | None = None
    """Node name to `os/architecture`, once a source has asked."""
    chosen_namespaces: set[str] | None = None
    """Those that `namespace_selector` selects, once a source has asked."""
    _client: Client | None = None

    def client(self) -> Client:
        """The cluster's client, one for all sources."""
        if self._client is None:
            self._client = self.connect()
        return self._client

    @property
    def requests(self) -> int:
        """HTTP requests so far."""
        return self.registries.requests + (self._client.requests if self._client else 0)


class Source(abc.ABC):
    """One source of images."""

    type: t.ClassVar[str]
    options: t.ClassVar[dict[str, Option]]
    authoritative: t.ClassVar[bool] = False
    """Whether what it says about a tag is the registry's own word."""

    def __init__(self, values: dict[str, t.Any], setting: Setting) -> None:
        self.values = values
        self.setting = setting
        self.mode = "full"
        """`incremental` where only changes were read."""

    @abc.abstractmethod
    def find(self) -> t.Iterator[Finding]:
        """Everything that the source knows; ScapError only where nothing at all can be said."""

    def skipped(self, reference: str, reason: str) -> Skipped:
        return Skipped(reference, reason, self.type)


def checked(kind: type[Source], values: t.Mapping[str, t.Any], number: int) -> dict[str, t.Any]:
    """The values of one source mapping in their types, defaults filled in; ScapError `source_invalid` names the key."""
    where = f"source {number} ({kind.type})"
    found: dict[str, t.Any] = {}
    for name, value in values.items():
        if name == "type":
            continue
        option = kind.options.get(name)
        if option is None:
            known = ", ".join(sorted(kind.options)) or "no keys"
            raise ScapError("source_invalid", f"{where}: {name!r} is none of its keys; it knows {known}")
        if value is not None:
            found[name] = _typed(option.kind, value, f"{where}: {name}")
    for name, option in kind.options.items():
        if option.required and found.get(name) in (None, "", []):
            raise ScapError("source_invalid", f"{where}: the key {name!r} is missing")
        found.setdefault(name, list(option.default) if isinstance(option.default, list) else option.default)
    return found


def _typed(kind: str, value: t.Any, where: str) -> t.Any:
    """`value` as `kind`, texts of surveys included."""
    if kind == "str" and isinstance(value, (str, int, float)) and not isinstance(value, bool):
        return str(value)
    if kind == "bool":
        text = str(value).strip().lower()
        if text in ("true", "yes", "on", "1", "false", "no", "off", "0"):
            return text in ("true", "yes", "on", "1")
    if kind == "int" and not isinstance(value, bool):
        try:
            number = int(str(value))
        except ValueError:
            number = -1
        if number >= 0:
            return number
    if kind == "list":
        texts = [word.strip() for word in value.replace("\n", ",").split(",")] if isinstance(value, str) else value
        if isinstance(texts, list) and all(isinstance(text, str) for text in texts):
            return [text for text in texts if text]
    if kind == "dicts" and isinstance(value, list) and all(isinstance(entry, dict) for entry in value):
        return value
    words = {
        "list": "a list of texts",
        "dicts": "a list of mappings",
        "int": "a number, 0 or more",
        "bool": "true or false",
    }
    raise ScapError("source_invalid", f"{where} is {str(value)[:80]!r}, not {words.get(kind, 'a text')}")


def matches(name: str, patterns: t.Sequence[str]) -> bool:
    """Whether a name equals one of the patterns (shell wildcards, case sensitive); no patterns: any name does."""
    return not patterns or any(fnmatch.fnmatchcase(name, pattern) for pattern in patterns)
