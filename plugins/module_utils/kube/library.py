# Copyright (c) 2026, scap.images contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The Kubernetes client library, imported in one place and only where a cluster is needed."""

from __future__ import annotations

import importlib
import importlib.metadata
import sys
import types

from ..model import ScapError

DROPS_THE_TOKEN = ("36.0.0", "36.0.1")
"""Releases of the kubernetes package that send no bearer token, without an error."""

BREAKS_PROXIES = ("32.0.0",)
"""Releases whose proxy settings are wrong."""


def kubernetes(proxy: bool = False) -> types.ModuleType:
    """The `kubernetes` package with its `client` and `config`; ScapError where it is missing or unusable.

    `proxy`: whether the connection goes through a proxy.
    """
    try:
        package = importlib.import_module("kubernetes")
        importlib.import_module("kubernetes.client")
        importlib.import_module("kubernetes.config")
    except ImportError as error:
        raise ScapError("library_missing", missing("kubernetes", error)) from error
    version = _version("kubernetes")
    if version in DROPS_THE_TOKEN:
        raise ScapError(
            "library_unusable",
            f"the Python package kubernetes {version} sends no bearer token; install any release but"
            f" {' and '.join(DROPS_THE_TOKEN)} for {sys.executable}",
        )
    if proxy and version in BREAKS_PROXIES:
        raise ScapError(
            "library_unusable",
            f"the Python package kubernetes {version} mishandles proxies; install another release for {sys.executable}",
        )
    return package


def openshift() -> types.ModuleType:
    """The `openshift` package with its `dynamic`; ScapError where it is missing."""
    kubernetes()
    try:
        package = importlib.import_module("openshift")
        importlib.import_module("openshift.dynamic")
    except ImportError as error:
        raise ScapError("library_missing", missing("openshift", error)) from error
    return package


def urllib3() -> types.ModuleType:
    """The HTTP library that comes with the kubernetes package."""
    return importlib.import_module("urllib3")


def missing(name: str, error: ImportError) -> str:
    """The sentence for a package that cannot be imported."""
    return (
        f"the Python package {name} cannot be imported ({error}); install it for {sys.executable}"
        f" (python -m pip install {name}) or set ansible_python_interpreter to a Python that has it"
    )


def _version(name: str) -> str:
    try:
        return importlib.metadata.version(name)
    except importlib.metadata.PackageNotFoundError:
        return ""
