# Copyright (c) 2026, scap.images contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Which pods face outside: a Service opens them on nodes or a load balancer, or an Ingress or a Route leads to them."""

from __future__ import annotations

import typing as t

from .cluster import Wanted

_SERVICE, _INGRESS, _ROUTE = "Service", "Ingress", "Route"
_OUTSIDE = ("LoadBalancer", "NodePort")


def wanted() -> dict[Wanted, str]:
    """What is to be listed, and its kind."""
    return {
        Wanted("/api/v1", "services", _service): _SERVICE,
        Wanted("/apis/networking.k8s.io/v1", "ingresses", _ingress): _INGRESS,
        Wanted("/apis/route.openshift.io/v1", "routes", _route): _ROUTE,
    }


class Exposure:
    """Feed it with `add`, all of it before the first question."""

    def __init__(self) -> None:
        self._services: dict[tuple[str, str], tuple[dict[str, str], str]] = {}
        self._ways: dict[tuple[str, str], set[str]] = {}
        """Namespace and name of a service to what leads to it."""

    def add(self, kind: str, namespace: str, name: str, row: t.Any) -> None:
        title = f"{kind} {namespace}/{name}"
        if kind == _SERVICE:
            selector, opened = row
            self._services[namespace, name] = (selector, f"{title} ({opened})" if opened else "")
        else:
            for service in row:
                self._ways.setdefault((namespace, service), set()).add(title)

    def of(self, namespace: str, labels: t.Mapping[str, str]) -> set[str]:
        """What leads from outside to a pod with these labels."""
        found: set[str] = set()
        for (where, name), (selector, opened) in self._services.items():
            if where == namespace and selector.items() <= labels.items():
                found.update([opened] if opened else [], self._ways.get((where, name), ()))
        return found


def _service(thing: dict[str, t.Any]) -> t.Any:
    """[selector, how it is open to the outside]; None for one that selects no pods."""
    spec = _mapping(thing.get("spec"))
    selector = spec.get("selector")
    if not isinstance(selector, dict) or not selector:
        return None
    opened = spec.get("type") if spec.get("type") in _OUTSIDE else "externalIPs" if spec.get("externalIPs") else ""
    return [selector, opened]


def _ingress(thing: dict[str, t.Any]) -> t.Any:
    spec = _mapping(thing.get("spec"))
    backends = [spec.get("defaultBackend")]
    for rule in _mappings(spec.get("rules")):
        backends += [path.get("backend") for path in _mappings(_mapping(rule.get("http")).get("paths"))]
    names = {_mapping(_mapping(backend).get("service")).get("name") for backend in backends}
    return sorted(name for name in names if isinstance(name, str)) or None


def _route(thing: dict[str, t.Any]) -> t.Any:
    spec = _mapping(thing.get("spec"))
    names = {one.get("name") for one in [_mapping(spec.get("to")), *_mappings(spec.get("alternateBackends"))]}
    return sorted(name for name in names if isinstance(name, str)) or None


def _mapping(value: t.Any) -> dict[str, t.Any]:
    return value if isinstance(value, dict) else {}


def _mappings(value: t.Any) -> list[dict[str, t.Any]]:
    return [entry for entry in value if isinstance(entry, dict)] if isinstance(value, list) else []
