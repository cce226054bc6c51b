# Copyright (c) 2026, scap.images contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Images of what the tests have."""

from __future__ import annotations

import io
import pathlib
import tarfile

from tests.data.oci_layout import Layout


def files_image(folder: pathlib.Path, archive: tarfile.TarFile) -> str:
    """The reference of an image of one layer, the entries of a tar; its layout is written to `folder`."""
    layer = io.BytesIO()
    with tarfile.open(fileobj=layer, mode="w") as tar:
        for entry in archive:
            tar.addfile(entry, archive.extractfile(entry) if entry.isreg() else None)
    layer.seek(0)
    made = Layout(folder)
    made.add_image("files", [made.add_layer(layer)], "amd64")
    return f"oci:{folder}:files"
