# Copyright (c) 2026, scap.images contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Everything that marking needs in a cluster, as data, in the order in which it has to be applied."""

from __future__ import annotations

import typing as t

from ..model import J
from . import admission, denied, imagescan, rbac


def manifests(
    namespace: str, exempt_namespaces: t.Iterable[str] = (), stages: t.Mapping[str, J] | None = None
) -> list[J]:
    """CRDs, namespaces, roles, policies and bindings.

    `exempt_namespaces`: namespaces besides the system's and `namespace` that no mark may stop. `stages`: `report`,
    `warn` or `deny` to the label selector of the namespaces where that stage is in force (left out: everywhere).
    """
    return [
        imagescan.definition(),
        denied.definition(),
        *rbac.objects(namespace, stages),
        *admission.objects(namespace, exempt_namespaces, stages),
    ]
