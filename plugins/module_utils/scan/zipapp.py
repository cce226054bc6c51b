# Copyright (c) 2026, scap.images contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The scanner as one file that any Python 3.9 runs: `python3 -I scanner.pyz REQUEST SCRATCH`.

Made from the sources of the modules that are loaded, so that it works from a checkout, an installed collection and
inside a module's payload alike. Equal sources give equal bytes.
"""

from __future__ import annotations

import functools
import importlib
import importlib.util
import io
import marshal
import os
import sys
import types
import zipfile

from ..files import write_whole
from ..model import ScapError
from ..scanner import again, handover, pod, program, tailor
from ..scanner.acquire import resolve, ways
from ..scanner.compile import stream
from ..scanner.oval import feed

_BASE = ("model", "files", "process", "reference")
_PACKAGE = "scap_images"
_MAIN = f"import sys\n\nfrom {_PACKAGE}.scanner.program import main\n\nsys.exit(main(sys.argv[1:]))\n"
_LOADED = (program, pod, handover, again, feed, resolve, stream, tailor, ways)
"""What the zipapp is started with, and what it imports where a scan needs it; all that these import is in it too."""
_WHEN = (2026, 1, 1, 0, 0, 0)


@functools.cache
def build(compiled: bool = False) -> bytes:
    """The bytes of the zipapp; `compiled`: with bytecode for the Python that runs here; others read the sources."""
    utils = _LOADED[0].__name__.rpartition(".scanner.")[0]
    names = [f"{utils}.{name}" for name in _BASE]
    names += sorted(name for name in sys.modules if name == f"{utils}.scanner" or name.startswith(f"{utils}.scanner."))
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w", zipfile.ZIP_DEFLATED) as archive:
        _add(archive, "__main__.py", _MAIN)
        _add(archive, f"{_PACKAGE}/__init__.py", "")
        for name in names:
            module = importlib.import_module(name)
            path = name[len(utils) + 1 :].replace(".", "/")
            suffix = "/__init__.py" if hasattr(module, "__path__") else ".py"
            source = _source(module)
            _add(archive, f"{_PACKAGE}/{path}{suffix}", source)
            if compiled:
                _add(archive, f"{_PACKAGE}/{path}{suffix}c", _bytecode(name, source))
    return packed.getvalue()


def write(folder: str) -> str:
    """The path of the program in `folder`, with bytecode; ScapError `disk_full` where it cannot be written there."""
    path = os.path.join(folder, "scanner.pyz")
    try:
        write_whole(path, build(compiled=True), durable=False)
    except OSError as error:
        text = f"{path}: the scanner's program cannot be written: {error.strerror}; free some space there or set TMPDIR"
        raise ScapError("disk_full", text) from error
    return path


def _source(module: types.ModuleType) -> str:
    spec = module.__spec__
    get_source = getattr(spec.loader, "get_source", None) if spec is not None else None
    source = get_source(module.__name__) if get_source is not None else None
    return source or ""


def _bytecode(name: str, source: str) -> bytes:
    """As PEP 552 has it, not to be checked against a source."""
    code = compile(source, name, "exec", dont_inherit=True)
    return importlib.util.MAGIC_NUMBER + (1).to_bytes(4, "little") + bytes(8) + marshal.dumps(code)


def _add(archive: zipfile.ZipFile, name: str, data: str | bytes) -> None:
    info = zipfile.ZipInfo(name, _WHEN)
    info.compress_type = zipfile.ZIP_DEFLATED
    archive.writestr(info, data)
