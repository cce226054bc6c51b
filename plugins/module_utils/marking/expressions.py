# Copyright (c) 2026, scap.images contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The CEL of the admission policies (Kubernetes 1.30's CEL environment; `keys.py` says the same in Python).

Variables are evaluated once for each parameter object, lazily, in this order. Only images that a request brings
are looked at: what a pod already names stays as it is, so a denied pod that runs can still be labelled, and its
finalizers removed.
"""

from __future__ import annotations

from ..model import J
from .keys import DEFAULT_PORTS, DOCKER_HUB
from .names import SYSTEM_PREFIXES

POD_SPEC = "object.spec"
TEMPLATE_SPEC = (
    "has(dyn(object).spec.jobTemplate) ? dyn(object).spec.jobTemplate.spec.template.spec : "
    "has(dyn(object).spec.template) ? dyn(object).spec.template.spec : dyn({})"
)

_LISTS = ("containers", "initContainers", "ephemeralContainers")


def _named(spec: str) -> str:
    """CEL of a list: for each image of a pod specification the place that names it and the image."""
    parts = [
        f"(has({spec}.{part}) ? {spec}.{part}.filter(c, has(c.image)).map(c, '{part} ' + c.name + ' ' + c.image) : [])"
        for part in _LISTS
    ]
    parts.append(
        f"(has({spec}.volumes) ? {spec}.volumes.filter(v, has(v.image) && has(v.image.reference))"
        ".map(v, 'volumes ' + v.name + ' ' + v.image.reference) : [])"
    )
    return " + ".join(parts)


_HOST = "'^([^/]*[.:][^/]*|localhost|[^/]*[A-Z][^/]*)/'"
_PATH = "i.substring(i.indexOf('/'))"
_PORTS = "".join(f".replace('{port}/', '/', 1)" for port in DEFAULT_PORTS)
_HUB = " || ".join(f"i.startsWith('{name}/')" for name in DOCKER_HUB)


def _digests(images: str) -> str:
    """CEL of a list: the keys of those images that are named by a digest."""
    return f"{images}.filter(i, i.contains('@')).map(i, i.substring(i.indexOf('@') + 1).lowerAscii())"


def _tagged(images: str) -> str:
    """CEL of a list: the others, each with its tag."""
    return (
        f"{images}.filter(i, !i.contains('@'))"
        ".map(i, i.substring(i.lastIndexOf('/') + 1).contains(':') ? i : i + ':latest')"
    )


def _canonical(tagged: str) -> str:
    """CEL of a list: the canonical keys of images with tags."""
    return (
        f"{tagged}.map(i, i.matches({_HOST}) ? i : 'docker.io/' + i)"
        f".map(i, (i.substring(0, i.indexOf('/')).lowerAscii() + {_PATH}){_PORTS})"
        f".map(i, ({_HUB}) ? 'docker.io' + {_PATH} : i)"
        ".map(i, i.matches('^docker[.]io/[^/]*$') ? 'docker.io/library' + i.substring(9) : i)"
    )


def _short(tagged: str) -> str:
    """CEL of a list: those images with tags that name no registry."""
    return f"{tagged}.filter(i, !i.matches({_HOST}))"


def match_condition(spec: str) -> J:
    """Whether a parameter object holds any image of the specification.

    The API server evaluates it once for each parameter object, but validations and their messages once each, variables
    included: for nearly every pod this is all that happens. It looks no closer: namespaces, exemptions and what a
    pod named before are the variables' business.
    """
    names = [f"(has(s.{part}) ? s.{part}.filter(c, has(c.image)).map(c, c.image.trim()) : [])" for part in _LISTS]
    names.append(
        "(has(s.volumes) ? s.volumes.filter(v, has(v.image) && has(v.image.reference))"
        ".map(v, v.image.reference.trim()) : [])"
    )
    held = ".exists(k, k in params.spec.images)"
    expression = (
        f"[{spec}].exists(s, [{' + '.join(names)}].exists(n, {_digests('n')}{held} ||"
        f" [{_tagged('n')}].exists(t, {_canonical('t')}{held} || {_short('t')}{held})))"
    )
    return {"name": "names-a-marked-image", "expression": expression}


def variables(spec: str) -> list[J]:
    """The variables that end in `denied`: the looked-up keys that the parameter object holds.

    `spec`: CEL of the pod specification in `object`.
    """
    old = spec.replace("object", "oldObject")
    here = _named("variables.spec")
    system = " || ".join(f"request.namespace.startsWith('{prefix}')" for prefix in SYSTEM_PREFIXES)
    today = "has(object.metadata.creationTimestamp) ? string(object.metadata.creationTimestamp).substring(0, 10) : ''"
    steps = [
        ("spec", spec),
        ("old", f"request.operation == 'UPDATE' ? dyn({old}) : dyn({{}})"),
        ("before", _named("variables.old")),
        (
            "images",
            f"({system}) ? [] : "
            f"(request.operation == 'UPDATE' ? ({here}).filter(n, !(n in variables.before)) : ({here}))"
            ".map(n, n.split(' ', 3)[2].trim())",
        ),
        ("tagged", _tagged("variables.images")),
        (
            "keys",
            f"{_digests('variables.images')} + {_canonical('variables.tagged')} + {_short('variables.tagged')}",
        ),
        ("today", today),
        (
            "denied",
            "variables.keys.filter(k, k in params.spec.images && !(has(params.spec.exempt) && ["
            "request.namespace + ' ' + k, '* ' + k].exists(n, n in params.spec.exempt &&"
            " params.spec.exempt[n].substring(0, 10) >= variables.today)))",
        ),
    ]
    return [{"name": name, "expression": expression} for name, expression in steps]


ALLOWED = "variables.denied.size() == 0"

MESSAGE = (
    "variables.denied.map(k, 'image ' + k + ' is marked ' + params.spec.images[k].split(' ')[0] + ' since ' +"
    " params.spec.images[k].split(' ')[1]).join('; ')"
    " + (has(params.spec.report) && params.spec.report != '' ? '; report: ' + params.spec.report : '')"
    " + (has(params.spec.help) && params.spec.help != '' ? '; exemptions: ' + params.spec.help : '')"
)
"""Every denied key of the request; the API server falls back on the plain message beyond 5 KiB."""

DRY_RUN = "request.dryRun"
