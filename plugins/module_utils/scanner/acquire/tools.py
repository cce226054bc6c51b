# Copyright (c) 2026, scap.images contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""How skopeo is called: private temporary folders, credentials as files, nothing secret in arguments."""

from __future__ import annotations

import json
import os
import shutil
import typing as t

from ...model import ScapError
from ...process import Completed, run
from .errors import failed
from .records import Access, Resolved

_POLICY = "/etc/containers/policy.json"


class Tools:
    """The programs, for one image, with one way to reach registries."""

    def __init__(self, access: Access, work: str) -> None:
        self._access = access
        self._work = work
        self._certificates = ""
        if access.authfile:
            _check_authfile(access.authfile)
        if access.ca_file:
            self._certificates = os.path.join(work, "certificates")
            os.makedirs(self._certificates, mode=0o700, exist_ok=True)
            try:
                shutil.copyfile(access.ca_file, os.path.join(self._certificates, "ca.crt"))
            except OSError as error:
                raise ScapError("ca_file_unreadable", f"{access.ca_file}: cannot be read: {error.strerror}") from error

    @property
    def timeout(self) -> float:
        return self._access.timeout

    def inspect(self, reference: str, options: t.Sequence[str], *, what: str, text: str) -> bytes:
        """What `skopeo inspect` says. ScapError names the image (`text`) and what was tried."""
        registry = self._registry_options("") if reference.startswith("docker://") else ()
        return self._checked([*self._skopeo(), "inspect", *registry, *options, reference], what, text).stdout

    def copy(self, resolved: Resolved, target: t.Sequence[str], *, watch: t.Callable[[], None] | None = None) -> None:
        """Copy an image with skopeo to `target`, which may be followed by options; what `watch` raises ends it."""
        registry = self._registry_options("src-") if resolved.source.startswith("docker://") else ()
        argv = [*self._skopeo(), "copy", "--quiet", *registry, resolved.source, *target]
        self._checked(argv, "copying it", resolved.reference, watch)

    def _skopeo(self) -> list[str]:
        argv = ["skopeo", "--tmpdir", self.private("skopeo")]
        return argv if os.path.exists(_POLICY) else [*argv, "--insecure-policy"]

    def _registry_options(self, side: str) -> list[str]:
        """Options for a command that talks to a registry; `skopeo copy` has those of its two sides apart."""
        options = [f"--{side}tls-verify={'true' if self._access.tls_verify else 'false'}"]
        if self._access.authfile:
            options += ["--authfile", self._access.authfile]
        if self._certificates:
            options += [f"--{side}cert-dir", self._certificates]
        return options

    def private(self, name: str) -> str:
        """An empty folder of our own below the work folder: skopeo is known to delete the parent of its own."""
        path = os.path.join(self._work, "tmp", name)
        os.makedirs(path, mode=0o700, exist_ok=True)
        return path

    def _checked(
        self,
        argv: t.Sequence[str],
        what: str,
        reference: str,
        watch: t.Callable[[], None] | None = None,
    ) -> Completed:
        environment = {
            name: value
            for name, value in os.environ.items()
            if name in ("PATH", "HOME", "XDG_RUNTIME_DIR", "LANG", "SSL_CERT_FILE", "SSL_CERT_DIR")
            or name.startswith(("_CONTAINERS", "CONTAINERS_", "BUILDAH_"))
            or name.lower() in ("http_proxy", "https_proxy", "no_proxy")
        }
        environment["TMPDIR"] = self.private("containers")
        if self._access.registries_conf:
            environment["CONTAINERS_REGISTRIES_CONF"] = self._access.registries_conf
            environment["REGISTRIES_CONFIG_PATH"] = self._access.registries_conf
        done = run(argv, timeout=self._access.timeout, env=environment, watch=watch)
        if done.returncode != 0 or done.timed_out or done.truncated:
            raise failed(reference, what, done)
        return done


def _check_authfile(path: str) -> None:
    cure = "make it again with podman login --authfile"
    try:
        with open(path, "rb") as stream:
            data = json.loads(stream.read(1 << 20).decode("utf-8"))
    except OSError as error:
        raise ScapError("authfile_unreadable", f"{path}: the credentials cannot be read: {error.strerror}") from error
    except (ValueError, RecursionError) as error:
        raise ScapError("authfile_malformed", f"{path}: the credentials are not JSON; {cure}") from error
    if not isinstance(data, dict) or not isinstance(data.get("auths", {}), dict):
        raise ScapError("authfile_malformed", f"{path}: the credentials have no object `auths`; {cure}")
