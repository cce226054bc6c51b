# Copyright (c) 2026, scap.images contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Lists of an API server that are read in full once and by their changes afterwards."""

from __future__ import annotations

import concurrent.futures
import typing as t

from ..kube.client import Client
from ..kube.errors import KubeError
from ..kube.protobuf import Shape
from .checkpoint import Checkpoints

PAGE = 1000
"""Objects of one request: fewer cost the server more, and what is kept of them is small."""

QUIET_SECONDS = 0.25
"""A watch that says nothing for so long after its events has caught up; what is late is read by the next run."""


class Batch(t.NamedTuple):
    """Some rows of a list."""

    rows: dict[str, t.Any]
    anew: bool
    """The batches before this one do not count."""


Extract = t.Callable[[t.Dict[str, t.Any]], t.Any]


class Listing:
    """One list: what `extract` keeps of each object, by `namespace/name`.

    `rows` reads the list in full and remembers its resourceVersion, or reads only the watch events since the one
    that was remembered. HTTP 410 (or a server that cannot watch) leads to a full list.
    """

    def __init__(
        self,
        client: Client,
        store: Checkpoints,
        path: str,
        extract: Extract,
        *,
        params: t.Mapping[str, str] | None = None,
        shape: Shape | None = None,
    ) -> None:
        self.client = client
        self.store = store
        self.path = path
        self.extract = extract
        self.params = dict(params or {})
        self.shape = shape
        self.incremental = False
        self.variant = ""
        """Part of the checkpoint's name, where several extracts read the same list."""

    @property
    def identity(self) -> dict[str, t.Any]:
        variant = {"variant": self.variant} if self.variant else {}
        return {"server": self.client.host, "path": self.path, "params": self.params, **variant}

    def rows(self) -> dict[str, t.Any]:
        """Raises KubeError."""
        found: dict[str, t.Any] = {}
        for batch in self.batches():
            if batch.anew:
                found.clear()
            found.update(batch.rows)
        return found

    def batches(self) -> t.Iterator[Batch]:
        """The rows as they come. Raises KubeError."""
        version = str(self.store.state(self.identity).get("resource_version") or "")
        rows = self._changed(version) if version else None
        if rows is None:
            yield from self._full()
        else:
            yield Batch(rows, True)

    def _full(self) -> t.Iterator[Batch]:
        self.incremental = False
        with self.store.saving(self.identity) as saved:
            for page in self.client.list_pages(self.path, PAGE, params=self.params, shape=self.shape):
                if page.restarted:
                    saved.clear()
                rows = {_key(thing): row for thing in page.objects if (row := self.extract(thing)) is not None}
                saved.add(rows)
                saved.state["resource_version"] = page.resource_version
                yield Batch(rows, page.restarted)

    def _changed(self, version: str) -> dict[str, t.Any] | None:
        """The rows of `version` with what came after it; None where they have to be read in full.

        What was kept is read while the watch waits.
        """
        try:
            with concurrent.futures.ThreadPoolExecutor(1) as waiter:
                watched = waiter.submit(self._events, version)
                kept = self.store.load(self.identity)
                newest, events = watched.result()
        except KubeError as error:
            if error.status in (401, 403):
                self.store.forget(self.identity)
                raise
            return None
        if kept is None or kept[0].get("resource_version") != version:
            return None
        rows = kept[1]
        for key, row in events.items():
            if row is None:
                rows.pop(key, None)
            else:
                rows[key] = row
        self.incremental = True
        if newest != version:
            self.store.save(self.identity, {"resource_version": newest}, rows)
        return rows

    def _events(self, version: str) -> tuple[str, dict[str, t.Any]]:
        """The newest version, and the last row of each object that changed; None where it is gone."""
        newest, found = version, {}
        for event in self.client.changes(self.path, version, quiet=QUIET_SECONDS, params=self.params):
            thing = event.get("object") or {}
            newest = str((thing.get("metadata") or {}).get("resourceVersion") or newest)
            if event.get("type") != "BOOKMARK":
                found[_key(thing)] = None if event.get("type") == "DELETED" else self.extract(thing)
        return newest, found


def _key(thing: t.Mapping[str, t.Any]) -> str:
    metadata = thing.get("metadata") or {}
    namespace = metadata.get("namespace") or ""
    return f"{namespace}/{metadata.get('name') or ''}" if namespace else str(metadata.get("name") or "")
