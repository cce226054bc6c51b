# Copyright (c) 2026, scap.images contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""OpenShift's own records: Images, ImageStreams and, where Images may not be listed, ImageStreamTags."""

from __future__ import annotations

import concurrent.futures
import itertools
import os
import re
import tempfile
import typing as t

from ..kube.client import Client
from ..kube.errors import KubeError
from ..model import Image, ScapError, Skipped, Workload, is_digest
from .catalog import shared, shared_mapping
from .cluster import Cluster, Wanted
from .interface import Finding, Option, Source
from .listing import Batch, Listing
from .names import named
from .resolve import platform_text
from .shapes import IMAGE, IMAGE_STREAM, IMAGE_STREAM_TAG

GROUP = "image.openshift.io/v1"
MARKS = (
    "images.openshift.io/deny-execution",
    "quality.images.openshift.io/",
    "security.manageiq.org/",
    "scap-images.github.io/",
)
"""Annotations that a mark, ours or that of an ancestor, left on an Image."""

_TAG = re.compile(r"[A-Za-z0-9_][A-Za-z0-9_.-]{0,127}\Z")

# Rows, as the checkpoint keeps them. A reference is what names.named makes of it, empty where that is none.
# Image: [reference, what stands there instead, platform, bytes, created, labels, marks, [[digest, platform], ...]]
# ImageStream: [[internal repository, public repository], [[tag, [[digest, reference], ...], problem], ...]]


class OpenShift(Source):
    """Every Image of the cluster with the streams that name it."""

    type = "openshift"
    authoritative = True
    options: t.ClassVar[dict[str, Option]] = {}

    def find(self) -> t.Iterator[Finding]:
        cluster = Cluster(self.setting, self.type)
        group = _group(cluster.client, self)
        if group is None:
            yield self.skipped(GROUP, "this cluster does not serve image.openshift.io; it is no OpenShift")
            return
        selector = self.setting.label_selector
        everything = not (self.setting.namespaces or self.setting.namespace_selector or selector)
        known: dict[str, list[Image]] = {}
        images = Listing(cluster.client, self.setting.store, f"{group}/images", _image_row, shape=IMAGE)
        batches = images.batches()
        with concurrent.futures.ThreadPoolExecutor(1) as pool:
            first = pool.submit(next, batches, None)
            streams = Wanted(group, "imagestreams", _stream_row, IMAGE_STREAM, selector)
            for _wanted, rows in cluster.lists([streams]):
                for finding in itertools.chain.from_iterable(itertools.starmap(self._of_stream, rows.items())):
                    if isinstance(finding, Image):
                        known.setdefault(finding.digest, []).append(finding)
                    else:
                        yield finding
        for digest, row in self._image_rows(cluster, group, images, first, batches):
            seen = known.pop(digest, [])
            if seen or everything:
                yield from self._of_image(digest, row, seen)
        for seen in known.values():
            yield from seen
        yield from cluster.skipped
        self.mode = "incremental" if cluster.incremental else "full"

    def _image_rows(
        self,
        cluster: Cluster,
        group: str,
        images: Listing,
        first: concurrent.futures.Future[Batch | None],
        batches: t.Iterator[Batch],
    ) -> t.Iterator[tuple[str, t.Any]]:
        """Where the list begins anew, an image that it named before comes again, and means the same."""
        try:
            for batch in itertools.chain(filter(None, [first.result()]), batches):
                while batch.rows:
                    yield batch.rows.popitem()
        except KubeError as error:
            if error.status != 403:
                raise
            reason = f"{error.message}; ImageStreamTags are read instead"
            cluster.skipped.append(Skipped(images.path, reason, self.type))
            done: set[str] = set()
            tags = Wanted(group, "imagestreamtags", _tag_row, IMAGE_STREAM_TAG)
            for _wanted, rows in cluster.lists([tags]):
                for digest, row in rows.values():
                    if digest not in done:
                        done.add(digest)
                        yield digest, row
            return
        cluster.incremental = cluster.incremental and images.incremental

    def _of_image(self, digest: str, row: t.Any, seen: list[Image]) -> t.Iterator[Finding]:
        reference, unreadable, platform, size, created, labels, marks, inside = row
        if not is_digest(digest):
            yield self.skipped(unreadable or reference or digest, f"no digest: the Image is named {digest!r}")
            return
        references = [reference] if reference else []
        references += [name for image in seen for name in image.references]
        if not references:
            yield self.skipped(digest, f"the Image's reference {unreadable!r} cannot be read, and no stream names it")
            return
        places = [place for image in seen for place in image.workloads]
        for member, own_platform in inside or [[digest, platform]]:
            yield Image(
                references[0],
                member,
                own_platform,
                references=references,
                index_digests=[digest] if inside else [],
                sources=[self.type],
                workloads=places,
                size=size,
                created=created,
                labels=labels,
                annotations=marks,
            )

    def _of_stream(self, key: str, row: t.Any) -> t.Iterator[Finding]:
        namespace, _slash, stream = key.rpartition("/")
        repositories, tags = row
        for tag, history, problem in tags:
            place = Workload("ImageStreamTag", namespace, f"{stream}:{tag}", "", False)
            if problem or not history:
                reason = problem or "nothing was imported yet"
                yield self.skipped(f"{namespace}/{stream}:{tag}", f"unresolvable tag: {reason}")
            for number, (digest, reference) in enumerate(history):
                if not is_digest(digest):
                    yield self.skipped(f"{namespace}/{stream}:{tag}", f"no digest: the tag holds {digest!r}")
                    continue
                references = [f"{name}:{tag}" for name in repositories] if number == 0 and _TAG.match(tag) else []
                references += [reference] if reference else []
                references += [f"{name}@{digest}" for name in repositories[:1]]
                if references:
                    places = [place] if number == 0 else []
                    yield Image(references[0], digest, references=references, sources=[self.type], workloads=places)


def _group(client: Client, source: Source) -> str | None:
    """The path of the API group, found by the openshift client once and remembered; None where it is not served."""
    identity = {"server": client.host, "group": GROUP}
    kept = source.setting.store.load(identity)
    if kept is not None and isinstance(kept[0].get("path"), str):
        return str(kept[0]["path"])
    with tempfile.TemporaryDirectory(prefix="scap-images-") as folder:
        try:
            dynamic = client.openshift(cache_file=os.path.join(folder, "api.json"))
            resource = dynamic.resources.get(api_version=GROUP, kind="Image")
        except ScapError:
            raise
        except Exception as error:  # the library's exceptions come from two packages
            if type(error).__name__ == "ResourceNotFoundError":
                return None
            raise ScapError(
                "kube_failed", f"{client.host}: the API groups cannot be read: {type(error).__name__}: {error}"
            ) from error
    path = str(resource.path()).rpartition("/")[0]
    path = path if path.startswith("/") else f"/{path}"
    source.setting.store.save(identity, {"path": path}, {})
    return path


def _image_row(thing: dict[str, t.Any]) -> t.Any:
    metadata = thing.get("dockerImageMetadata")
    details = metadata if isinstance(metadata, dict) else {}
    config = details.get("Config") or details.get("ContainerConfig") or {}
    labels = config.get("Labels") if isinstance(config, dict) else None
    annotations = (thing.get("metadata") or {}).get("annotations") or {}
    inside = [
        [str(entry.get("digest")), platform_text(entry)]
        for entry in thing.get("dockerImageManifests") or []
        if isinstance(entry, dict) and is_digest(entry.get("digest"))
    ]
    size = details.get("Size")
    written = str(thing.get("dockerImageReference") or "")
    reference = named(written)[0]
    return [
        reference,
        "" if reference else written,
        shared(platform_text({"os": details.get("Os") or "linux", "architecture": details.get("Architecture")})),
        size if isinstance(size, int) else 0,
        str(details.get("Created") or ""),
        _shared(labels),
        {name: value for name, value in annotations.items() if name.startswith(MARKS)},
        inside,
    ]


def _tag_row(thing: dict[str, t.Any]) -> t.Any:
    image = thing.get("image")
    if not isinstance(image, dict):
        return None
    return [str((image.get("metadata") or {}).get("name") or ""), _image_row(image)]


def _stream_row(thing: dict[str, t.Any]) -> t.Any:
    status = thing.get("status") or {}
    tags = []
    for entry in status.get("tags") or []:
        history = [
            [str(item.get("image") or ""), named(str(item.get("dockerImageReference") or ""))[0]]
            for item in entry.get("items") or []
        ]
        problem = ""
        for condition in entry.get("conditions") or []:
            if condition.get("type") == "ImportSuccess" and condition.get("status") == "False" and not history:
                problem = str(condition.get("message") or condition.get("reason") or "the import failed")
        tags.append([str(entry.get("tag") or ""), history, problem])
    there = {tag for tag, _history, _problem in tags}
    for entry in (thing.get("spec") or {}).get("tags") or []:
        if str(entry.get("name")) not in there:
            tags.append([str(entry.get("name") or ""), [], ""])
    written = (status.get("dockerImageRepository"), status.get("publicDockerImageRepository"))
    return [[found for name in written if name and (found := named(str(name))[0])], tags]


def _shared(labels: t.Any) -> dict[str, str]:
    if not isinstance(labels, dict):
        return {}
    return shared_mapping(labels)
