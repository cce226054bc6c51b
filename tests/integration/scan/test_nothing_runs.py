# Copyright (c) 2026, scap.images contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Nothing of an image runs: programs, libraries and hooks planted wherever oscap, libapt and librpm might look.

What is planted is a static program (and a library with a constructor) that leaves a file in every place that it could
reach and knocks at a listener of this host. That it does is shown first, with oscap 1.3 alone.
"""

from __future__ import annotations

import json
import os
import pathlib
import shutil
import socket
import subprocess
import sys
import typing as t

import pytest
from ansible_collections.scap.images.plugins.module_utils.model import Evidence
from ansible_collections.scap.images.plugins.module_utils.scan import zipapp
from ansible_collections.scap.images.plugins.module_utils.scanner.packages import aptroot

from tests.support import trixie

from . import bare
from .traps import Place, package

TOOLS = [pytest.param("/", id="oscap-1.3")]
if pathlib.Path(trixie.path()).is_dir():
    TOOLS.append(pytest.param(trixie.path(), id="oscap-1.4"))

pytestmark = [
    pytest.mark.skipif(os.geteuid() != 0, reason="mounts need root"),
    pytest.mark.skipif(shutil.which("gcc") is None, reason="the planted program is compiled here"),
]

SOURCE = """
#include <arpa/inet.h>
#include <fcntl.h>
#include <sys/socket.h>
#include <unistd.h>
__attribute__((constructor)) static void run(void) {
    static const char *places[] = {"/RAN", "/scap/root/RAN", "/scap/out/RAN", "/tmp/RAN"};
    for (int i = 0; i < 4; i++) open(places[i], O_CREAT | O_WRONLY, 0644);
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_port = htons(PORT)};
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    int line = socket(AF_INET, SOCK_STREAM, 0);
    connect(line, (struct sockaddr *) &address, sizeof address);
    close(line);
}
int main(void) { return 0; }
"""
PROGRAMS = (
    "dpkg", "dpkg-query", "dpkg-deb", "dpkg-split", "dpkg-preconfigure", "apt", "apt-get", "apt-config", "apt-key",
    "gpg", "gpgv", "rpm", "rpmdb", "rpmkeys", "rpmquery", "rpm2cpio", "sh", "bash", "dash", "env", "uname", "getent",
    "ldconfig", "ld.so", "true", "false", "cat", "ls", "id", "sed", "awk", "grep", "find", "stat", "tar", "gzip",
    "bzip2", "xz", "zstd", "lz4", "cpio", "systemctl", "mount", "umount", "chroot", "unshare", "sudo", "su",
    "python3", "perl", "lua", "oscap", "skopeo", "podman", "buildah", "bwrap", "locale", "iconv", "localedef",
    "test", "update-alternatives", "arch",
)  # fmt: skip
LIBRARIES = (
    "lib/x86_64-linux-gnu/libnss_evil.so.2", "usr/lib64/libnss_evil.so.2",
    "usr/lib/x86_64-linux-gnu/libnss_files.so.2", "usr/lib/x86_64-linux-gnu/gconv/UTF-16.so",
    "usr/lib/x86_64-linux-gnu/libc.so.6", "usr/lib/x86_64-linux-gnu/libselinux.so.1",
    "usr/lib/x86_64-linux-gnu/rpm-plugins/evil.so", "usr/lib64/rpm-plugins/evil.so",
    "usr/lib/x86_64-linux-gnu/security/pam_evil.so", "lib64/ld-linux-x86-64.so.2", "usr/lib/apt/solvers/apt",
    "usr/lib/apt/methods/http", "usr/lib/apt/planners/dump",
)  # fmt: skip
MACROS = '%_dbpath %(/usr/bin/true)%{lua: os.execute("/usr/bin/true")}\n%__dbi_other %(/usr/bin/true)\n'
FILES = {
    "etc/ld.so.preload": "/lib/x86_64-linux-gnu/libnss_evil.so.2\n",
    "etc/ld.so.conf": "/usr/lib64\n",
    "etc/ld.so.cache": "glibc-ld.so.cache1.1" + "x" * 200,
    "etc/nsswitch.conf": "passwd: evil files\ngroup: evil files\nshadow: evil files\nhosts: evil\n",
    "etc/locale.alias": "C.UTF-8 evil\n",
    "usr/lib/locale/C.utf8/LC_CTYPE": "x" * 100,
    "usr/lib/x86_64-linux-gnu/gconv/gconv-modules": "module INTERNAL UTF-8// UTF-16 1\n",
    "etc/apt/apt.conf": 'Dir::Bin::dpkg "/usr/bin/true"; #clear APT::Architectures;\n',
    "etc/apt/apt.conf.d/99evil": 'APT::Update::Pre-Invoke {"/usr/bin/true";}; DPkg::Pre-Invoke {"/bin/true";};\n',
    "etc/dpkg/dpkg.cfg": "pre-invoke=/usr/bin/true\nadmindir=/tmp\n",
    "etc/dpkg/dpkg.cfg.d/evil": "post-invoke=/usr/bin/true\n",
    "var/lib/dpkg/arch": "amd64\ni386\n",
    "usr/lib/rpm/macros": MACROS,
    "usr/lib/rpm/macros.d/macros.evil": MACROS,
    "etc/rpm/macros": MACROS,
    "etc/rpm/macros.d/macros.evil": MACROS,
    "root/.rpmmacros": MACROS,
    "usr/lib/rpm/rpmrc": "macrofiles: /usr/lib/rpm/macros\n",
    "usr/lib/rpm/lua/init.lua": 'os.execute("/usr/bin/true")\n',
    "root/.bashrc": "/usr/bin/true\n",
    "etc/profile": "/usr/bin/true\n",
}


@pytest.fixture
def listener() -> t.Iterator[socket.socket]:
    with socket.create_server(("127.0.0.1", 0)) as server:
        server.settimeout(0)
        yield server


@pytest.fixture
def place(tmp_path: pathlib.Path, listener: socket.socket) -> Place:
    """A root with everything planted; its database is still to be made."""
    made = Place(tmp_path / "root", tmp_path)
    made.root.mkdir(mode=0o755)
    tmp_path.chmod(0o755)
    (tmp_path / "evil.c").write_text(SOURCE.replace("PORT", str(listener.getsockname()[1])))
    program, library = tmp_path / "evil", tmp_path / "evil.so"
    for target, options in ((program, ["-static"]), (library, ["-shared", "-fPIC"])):
        subprocess.run(["gcc", "-w", *options, "-o", str(target), str(tmp_path / "evil.c")], check=True)
    for name, data in FILES.items():
        made.write(name, data)
    for folder in ("usr/bin", "usr/sbin", "bin", "sbin", "usr/local/bin"):
        for name in PROGRAMS:
            _plant(program, made.root / folder / name)
    for name in LIBRARIES:
        _plant(library, made.root / name)
    return made


def _plant(source: pathlib.Path, target: pathlib.Path) -> None:
    target.parent.mkdir(parents=True, exist_ok=True)
    os.link(source, target)
    target.chmod(0o4755)


def traces(place: Place, listener: socket.socket) -> list[str]:
    """Where something planted was, and whether it knocked."""
    found = [str(path) for path in place.work.rglob("RAN")]
    found += [path for path in ("/RAN", "/tmp/RAN", "/scap") if os.path.lexists(path)]
    try:
        listener.accept()[0].close()
        found.append("the listener")
    except BlockingIOError:
        pass
    return found


def database(place: Place, manager: str) -> None:
    if manager == "dpkg":
        place.dpkg(("telnet", "amd64", "install ok installed"))
        place.write("var/lib/dpkg/arch", FILES["var/lib/dpkg/arch"])
    else:
        place.rpm("ndb")


def test_the_planted_program_runs_where_oscap_is_alone(place: Place, listener: socket.socket) -> None:
    """oscap 1.3 executes the image's dpkg: what the other test looks for can be seen."""
    database(place, "dpkg")
    place.ask("debian", package("dpkginfo", "telnet"))
    aptroot.prepare(str(place.root), "/")
    (place.work / "apt.conf").write_text(
        'Dir::Etc::Parts "/dev/null"; Dir::Etc::main "/dev/null"; Dir::Etc::sourcelist "/dev/null";'
        'Dir::Etc::sourceparts "/dev/null"; APT::Architecture "amd64";'
    )
    place.variables = {"APT_CONFIG": str(place.work / "apt.conf")}
    bare.ask(place, "/", "alone")
    found = traces(place, listener)
    assert str(place.work / "bare-alone" / "root" / "RAN") in found
    assert "the listener" in found


@pytest.mark.parametrize("tools", TOOLS)
@pytest.mark.parametrize("manager", ["dpkg", "rpm"])
def test_nothing_of_the_image_runs(place: Place, listener: socket.socket, manager: str, tools: str) -> None:
    database(place, manager)
    evidence = scan(place, tools)
    assert evidence.error is None
    assert [check for check in evidence.coverage if not check.passed] == []
    assert evidence.packages == 2
    assert traces(place, listener) == []


def scan(place: Place, tools: str) -> Evidence:
    """The evidence of a scan of the root itself, which stays as it is left."""
    scanner, request = place.work / "scanner.pyz", place.work / "request.json"
    scanner.write_bytes(zipapp.build())
    feed = place.work / "feed.xml"
    feed.write_text(place.feed)
    (place.work / "scratch").mkdir()
    digest = f"sha256:{'0' * 64}"
    request.write_text(
        json.dumps(
            {
                "reference": "planted",
                "way": "root",
                "root": str(place.root),
                "rung": "root",
                "resolved": {"reference": "planted", "digest": digest, "platform": "linux/amd64"},
                "profile": "none",
                "oval": [str(feed)],
                "evidence": str(place.work / "evidence"),
                "tools": tools,
                "timeout": 120.0,
            }
        )
    )
    done = subprocess.run(
        [sys.executable, "-I", "-S", str(scanner), str(request), str(place.work / "scratch")],
        check=True,
        capture_output=True,
        text=True,
    )
    staging = json.loads(done.stdout.splitlines()[-1])["staging"]
    return Evidence.from_json(json.loads((pathlib.Path(staging) / "evidence.json").read_text()))
