# Copyright (c) 2026, scap.images contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The names that marks, admission objects and roles share."""

from __future__ import annotations

GROUP = "scap-images.github.io"
VERSION = "v1alpha1"
API_VERSION = f"{GROUP}/{VERSION}"

FIELD_MANAGER = "scap.images"
MANAGED_BY = "app.kubernetes.io/managed-by"
LABELS = {MANAGED_BY: "scap.images"}

STAGE_LABEL = f"{GROUP}/stage"
"""On a DeniedImages object: the stage at which its entries are obeyed."""

STATE_LABEL = f"{GROUP}/state"
"""On an ImageScan: the verdict's state, for selectors."""

STAGES = ("report", "warn", "deny")
"""What admission does about a marked image, mildest first."""

POD_POLICY = "scap-images-pods"
TEMPLATE_POLICY = "scap-images-templates"
PROOF_POLICY = "scap-images-proof"

NAMESPACE = "scap-images"
SYSTEM_NAMESPACES = ("kube-system", "kube-public", "kube-node-lease")
SYSTEM_PREFIXES = ("kube-", "openshift-")
"""Namespaces that no mark may stop; plain users cannot create names like these on OpenShift."""


def proof_namespace(namespace: str) -> str:
    """Where pods are created with dryRun=All and never for real."""
    return f"{namespace}-proof"


def binding(policy: str, stage: str) -> str:
    """The binding of a policy at one stage."""
    return f"{policy}-{stage}"
