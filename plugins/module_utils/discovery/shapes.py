# Copyright (c) 2026, scap.images contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The fields of objects that discovery reads, by their numbers: generated.proto of k8s.io/api (core, apps, batch) and
of github.com/openshift/api (image/v1)."""

from __future__ import annotations

from ..kube.protobuf import ANNOTATED, INLINE, MANY, MAP, METADATA, ONE, RAW, TEXT, Shape

_NAME = Shape(name=(1, TEXT))
_CONTAINER = Shape(name=(1, TEXT), image=(2, TEXT))
_VOLUME = Shape(name=(1, TEXT), volumeSource=(2, INLINE, Shape(image=(30, ONE, Shape(reference=(1, TEXT))))))
_POD_SPEC = Shape(
    volumes=(1, MANY, _VOLUME),
    containers=(2, MANY, _CONTAINER),
    nodeName=(10, TEXT),
    imagePullSecrets=(15, MANY, _NAME),
    initContainers=(20, MANY, _CONTAINER),
    ephemeralContainers=(34, MANY, Shape(ephemeralContainerCommon=(1, INLINE, _CONTAINER))),
)
_STATUS = Shape(name=(1, TEXT), state=(2, ONE, Shape(running=(2, ONE, Shape()))), imageID=(7, TEXT))
_POD_STATUS = Shape(
    phase=(1, TEXT),
    containerStatuses=(8, MANY, _STATUS),
    initContainerStatuses=(10, MANY, _STATUS),
    ephemeralContainerStatuses=(13, MANY, _STATUS),
)
POD = Shape(metadata=(1, ONE, METADATA), spec=(2, ONE, _POD_SPEC), status=(3, ONE, _POD_STATUS))

_TEMPLATE = Shape(
    metadata=(1, ONE, Shape(labels=(11, MAP))),
    spec=(2, ONE, _POD_SPEC),
)


def _controller(number: int) -> Shape:
    """A kind whose pod template is the field `number` of its specification."""
    return Shape(metadata=(1, ONE, METADATA), spec=(2, ONE, Shape(template=(number, ONE, _TEMPLATE))))


_JOB_TEMPLATE = Shape(spec=(2, ONE, Shape(template=(6, ONE, _TEMPLATE))))

SHAPES = {
    "Pod": POD,
    "ReplicationController": _controller(3),
    "Deployment": _controller(3),
    "StatefulSet": _controller(3),
    "DaemonSet": _controller(2),
    "ReplicaSet": _controller(3),
    "Job": _controller(6),
    "CronJob": Shape(metadata=(1, ONE, METADATA), spec=(2, ONE, Shape(jobTemplate=(5, ONE, _JOB_TEMPLATE)))),
}
"""Kind to what is read of it; a kind that is not here is read as JSON."""

_MANIFEST = Shape(digest=(1, TEXT), architecture=(4, TEXT), os=(5, TEXT), variant=(6, TEXT))
IMAGE = Shape(
    metadata=(1, ONE, ANNOTATED),
    dockerImageReference=(2, TEXT),
    dockerImageMetadata=(3, RAW),
    dockerImageManifests=(11, MANY, _MANIFEST),
)
IMAGE_STREAM_TAG = Shape(metadata=(1, ONE, METADATA), image=(5, ONE, IMAGE))

_EVENT = Shape(dockerImageReference=(2, TEXT), image=(3, TEXT))
_CONDITION = Shape(type=(1, TEXT), status=(2, TEXT), reason=(4, TEXT), message=(5, TEXT))
_HISTORY = Shape(tag=(1, TEXT), items=(2, MANY, _EVENT), conditions=(3, MANY, _CONDITION))
_STREAM_STATUS = Shape(dockerImageRepository=(1, TEXT), tags=(2, MANY, _HISTORY), publicDockerImageRepository=(3, TEXT))
IMAGE_STREAM = Shape(
    metadata=(1, ONE, METADATA),
    spec=(2, ONE, Shape(tags=(2, MANY, Shape(name=(1, TEXT))))),
    status=(3, ONE, _STREAM_STATUS),
)
