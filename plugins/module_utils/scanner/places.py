# Copyright (c) 2026, scap.images contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Where things are in a scan pod."""

from __future__ import annotations

IMAGE = "/scap/image"
WORK = "/scap/work"
PROGRAM = "/scap/program"
CONTENT = "/scap/content"
PULL_SECRETS = "/scap/pull"
"""Below it a folder a secret, as Kubernetes mounts them."""
READY = f"{WORK}/ready.json"
ARCHIVE = f"{WORK}/evidence.tar"
ACKNOWLEDGED = f"{WORK}/acknowledged"
