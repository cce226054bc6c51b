# Copyright (c) 2026, scap.images contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The same profile on the same root, evaluated from the original data stream and from the compiled one."""

from __future__ import annotations

import dataclasses
import os
import pathlib
import re
import tarfile
import tempfile
import typing as t
import xml.etree.ElementTree as ET

from ansible_collections.scap.images.plugins.module_utils.process import Completed
from ansible_collections.scap.images.plugins.module_utils.scanner import confine, contentinfo
from ansible_collections.scap.images.plugins.module_utils.scanner.compile.stream import compile_stream

from tests.data import demo_images
from tests.integration.inventory.lab import TOOLS, Lab
from tests.support import random_streams

XCCDF = "{http://checklists.nist.gov/xccdf/1.2}"
SSG = "usr/share/xml/scap/ssg/content"
_CRASHED = (-11, 139)
_PLATFORM = re.compile(rb"""<[\w.:-]*platform\s+idref="cpe:/o:[^"]*"\s*/>""")

Answers = t.Dict[str, t.Tuple[str, ...]]


def streams(version: str) -> list[pathlib.Path]:
    """The data streams that come with this version's distribution."""
    return sorted((pathlib.Path(TOOLS[version]) / SSG).glob("ssg-*-ds*.xml"))


def everywhere(source: pathlib.Path, folder: pathlib.Path) -> pathlib.Path:
    """The data stream without the operating systems that it is for, so that its rules are evaluated on any root."""
    target = folder / source.name
    target.write_bytes(_PLATFORM.sub(b"", source.read_bytes()))
    return target


@dataclasses.dataclass(frozen=True)
class Difference:
    """What two evaluations of a profile did not agree about."""

    rules: int
    evaluated: int
    """Rules that were pass or fail."""
    differing: dict[str, tuple[t.Any, t.Any]]
    failed: bool
    """Whether oscap gives no answers to the original."""


class Ways:
    """One root and one oscap; evaluates both ways."""

    def __init__(self, version: str, root: pathlib.Path, work: pathlib.Path, timeout: float = 90.0) -> None:
        self.version = version
        self._root = root
        self._work = work
        self._timeout = timeout

    def compare(self, stream: pathlib.Path, profile: contentinfo.Profile, sha256: str) -> Difference:
        """RefusedError where it cannot be compiled."""
        with tempfile.TemporaryDirectory(dir=self._work) as name:
            folder = pathlib.Path(name)
            compiled = compile_stream(str(stream), sha256, profile.id, profile.rules, str(folder / "compiled"))
            first = self.evaluate(str(stream), profile.id, folder / "original")
            second = self.evaluate(compiled.path, profile.id, folder / "cut")
            said = [set((folder / way / "stderr").read_text().splitlines()) for way in ("original", "cut")]
        differing: dict[str, tuple[t.Any, t.Any]] = {
            rule: (first.get(rule), second.get(rule))
            for rule in {*first, *second}
            if first.get(rule) != second.get(rule)
        }
        if said[1] - said[0] and "" not in first:
            differing["stderr"] = (None, sorted(said[1] - said[0])[:5])
        evaluated = sum(answer[0] in ("pass", "fail") for answer in first.values())
        return Difference(len(first), evaluated, differing, "" in first)

    def compiled(self, stream: pathlib.Path, profile: contentinfo.Profile, sha256: str) -> str:
        """Path of the compiled stream."""
        folder = str(self._work / "compiled")
        return compile_stream(str(stream), sha256, profile.id, profile.rules, folder).path

    def validate(self, stream: str) -> Completed:
        """oscap's own validation."""
        with tempfile.TemporaryDirectory(dir=self._work) as name:
            argv = ["oscap", "ds", "sds-validate", stream]
            sandbox = self._sandbox(pathlib.Path(name))
            return sandbox.run(argv, timeout=self._timeout, readable=[stream], probe=False)

    def evaluate(self, stream: str, profile: str, folder: pathlib.Path, tailoring: str = "") -> Answers:
        """Rule to its result and what else the report takes from it; how oscap ended, where it gave none."""
        sandbox = self._sandbox(folder)
        results = sandbox.path(f"{confine.OUT}/results.xml")
        argv = ["oscap", "xccdf", "eval", "--skip-validation", "--profile", profile, "--results", results, stream]
        if tailoring:
            argv[3:3] = ["--tailoring-file", tailoring]
        for _attempt in range(5):
            done = sandbox.run(argv, timeout=self._timeout, readable=[stream, *filter(None, [tailoring])])
            if done.returncode not in _CRASHED and not done.timed_out:
                break
        text = done.stderr.decode("utf-8", "replace").replace(stream, "STREAM")
        (folder / "stderr").write_text("\n".join(line.strip() for line in text.splitlines()))
        if done.returncode not in (0, 2):
            return {"": ("none", str(done.returncode), done.error.rpartition("|")[2].strip())}
        return read_answers(folder / "out" / "results.xml")

    def _sandbox(self, folder: pathlib.Path) -> confine.Sandbox:
        (folder / "out").mkdir(parents=True)
        confine.prepare_home(str(folder / "home"), "amd64")
        return confine.Sandbox(
            root=str(self._root), out=str(folder / "out"), home=str(folder / "home"), tools=TOOLS[self.version]
        )


def read_answers(path: pathlib.Path) -> Answers:
    """The selected rules of an XCCDF result: result, severity, role, weight, messages, idents, check."""
    found: Answers = {}
    for _event, element in ET.iterparse(path):
        if element.tag == f"{XCCDF}rule-result":
            result = element.findtext(f"{XCCDF}result") or ""
            if result != "notselected":
                attributes = [element.get(name, "") for name in ("severity", "role", "weight")]
                words = [child.text or "" for name in ("message", "ident") for child in element.iter(XCCDF + name)]
                checks = [str(sorted(child.attrib.items())) for child in element.iter(f"{XCCDF}check-content-ref")]
                exports = [str(sorted(child.attrib.items())) for child in element.iter(f"{XCCDF}check-export")]
                found[element.get("idref", "")] = (result, *attributes, *words, *checks, *exports)
        elif element.tag in (f"{XCCDF}Rule", f"{XCCDF}Group"):
            element.clear()
    return found


# Roots


def debian(folder: pathlib.Path) -> pathlib.Path:
    """The demo's Debian 11, as an image: with the file by which SSG knows a container."""
    layout = demo_images.layout()
    folder.mkdir(parents=True)
    largest = max((layout / "blobs" / "sha256").iterdir(), key=lambda path: path.stat().st_size)
    with tarfile.open(largest) as archive:
        archive.extractall(folder)
    (folder / "run").mkdir(exist_ok=True)
    (folder / "run" / ".containerenv").write_bytes(b"")
    (folder / "proc").mkdir(exist_ok=True)
    return folder


def red_hat(folder: pathlib.Path, name: str, version: str) -> pathlib.Path:
    """A root of the shared data, with a package database that this oscap reads."""
    lab = Lab(version, folder, folder.parent / f"{folder.name}-work")
    lab.work.mkdir()
    folder.mkdir()
    lab.unpack(name)
    lab.prepare()
    lab.write("run/.containerenv", b"")
    return folder


def random_root(folder: pathlib.Path) -> pathlib.Path:
    """The root that random data streams look at."""
    empty(folder)
    for name, text in random_streams.FILES.items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_text(text)
    return folder


def compare_random(version: str, root: pathlib.Path, work: pathlib.Path, seed: int) -> list[str]:
    """What is not as it must be with the random data stream of this seed, one sentence each."""
    stream = work / f"random-{seed}.xml"
    stream.write_text(random_streams.make(seed))
    ways = Ways(version, root, work, 60)
    info = contentinfo.content_info(str(stream))
    found = []
    for profile in info.profiles:
        if profile.rules:
            difference = ways.compare(stream, profile, info.sha256)
            if difference.differing or difference.failed or difference.rules != len(profile.rules):
                found.append(f"seed {seed}, {profile.id}, {len(profile.rules)} rules: {difference}")
    return found


def empty(folder: pathlib.Path) -> pathlib.Path:
    (folder / "proc").mkdir(parents=True)
    return folder


def minimal(folder: pathlib.Path) -> pathlib.Path:
    """An os-release and a handful of files."""
    empty(folder)
    (folder / "etc").mkdir()
    (folder / "etc" / "os-release").write_text('ID=rhel\nVERSION_ID="8.6"\nNAME="Red Hat Enterprise Linux"\n')
    (folder / "etc" / "passwd").write_text("root:x:0:0:root:/root:/bin/bash\nuser:x:1000:1000::/home/user:/bin/sh\n")
    (folder / "etc" / "group").write_text("root:x:0:\n")
    return folder


_CONFIGURATION: dict[str, bytes] = {
    "etc/ssh/sshd_config": (
        b"PermitRootLogin yes\nX11Forwarding no\nprotocol 2\n\nCiphers aes256-ctr\nMatch all\nMaxAuthTries 4\n"
    ),
    "etc/ssh/sshd_config.d/10-a.conf": b"\xef\xbb\xbfPermitRootLogin no\nClientAliveInterval\t600 # x\n",
    "etc/login.defs": b"PASS_MAX_DAYS 60\nPASS_MIN_DAYS\t7\nPASS_MIN_LEN 15\nUMASK 077\nENCRYPT_METHOD SHA512\n",
    "etc/pam.d/system-auth": (
        b"auth required pam_faillock.so preauth deny=3 unlock_time=0\n"
        b"password sufficient pam_unix.so sha512 remember=5\n"
    ),
    "etc/pam.d/common-password": (
        b"password requisite pam_pwquality.so retry=3\npassword [success=1 default=ignore] pam_unix.so sha512\n"
    ),
    "etc/security/pwquality.conf": b"minlen = 15\ndcredit=-1\n ucredit = -1\n# lcredit\n",
    "etc/sysctl.conf": b"net.ipv4.ip_forward = 0\nkernel.randomize_va_space=2\n",
    "etc/sysctl.d/99-x.conf": b"net.ipv4.conf.all.accept_redirects = 1\nkernel.dmesg_restrict=1\n",
    "etc/audit/auditd.conf": b"max_log_file = 6\nspace_left_action = email\nadmin_space_left_action=HALT\n",
    "etc/audit/rules.d/audit.rules": (
        b"-D\n-a always,exit -F arch=b64 -S chmod -F auid>=1000 -F auid!=unset -k perm_mod\n-e 2\n"
    ),
    "etc/modprobe.d/x.conf": b"install cramfs /bin/true\nblacklist usb-storage\n",
    "etc/default/grub": b'GRUB_CMDLINE_LINUX="audit=1 audit_backlog_limit=8192 page_poison=1"\n',
    "boot/grub2/grub.cfg": b"set superusers=root\n",
    "boot/grub2/user.cfg": b"GRUB2_PASSWORD=grub.pbkdf2.sha512.10000.AA\n",
    "etc/fstab": b"/dev/a /tmp ext4 nodev,nosuid,noexec 0 0\n/dev/b /var/log ext4 defaults 0 0\n",
    "etc/yum.conf": b"[main]\ngpgcheck=1\nlocalpkg_gpgcheck = 0\n",
    "etc/dnf/dnf.conf": b"[main]\ngpgcheck=1\nclean_requirements_on_remove=True\n",
    "etc/yum.repos.d/a.repo": b"[a]\nname=a\ngpgcheck=0\n[b]\ngpgcheck=1\n",
    "etc/sudoers": b"Defaults use_pty\nroot ALL=(ALL) ALL\n%wheel ALL=(ALL) NOPASSWD: ALL\n",
    "etc/sudoers.d/x": b"user ALL=(ALL) NOPASSWD:ALL\nDefaults !authenticate\n",
    "etc/profile": b"umask 022\nTMOUT=600\nexport TMOUT\n",
    "etc/bashrc": b"umask 077\n",
    "etc/issue": b"Welcome\n",
    "etc/motd": b"",
    "etc/rsyslog.conf": b"*.* @@logs.example.org\nauth.* /var/log/secure\n",
    "etc/chrony.conf": b"server 0.rhel.pool.ntp.org iburst maxpoll 16\nport 0\n",
    "etc/selinux/config": b"SELINUX=permissive\nSELINUXTYPE=targeted\n",
    "etc/crypto-policies/config": b"FIPS\n",
    "etc/systemd/coredump.conf": b"[Coredump]\nStorage=none\nProcessSizeMax=0\n",
    "etc/systemd/journald.conf": b"[Journal]\nCompress=yes\n#Storage=persistent\n",
    "etc/ld.so.preload": b"\x00hidden\n",
    "etc/hosts.equiv": b"\xff\xfe+\x00 \x00+\x00",
    "etc/security/limits.conf": b"* hard core 0\n* hard maxlogins 10\n",
    "etc/security/faillock.conf": b"deny = 3\nunlock_time = 0\nfail_interval = 900\n",
    "etc/aide.conf": b"All = p+i+n+u+g+s+m+S+sha512+acl+xattrs+selinux\n/bin All\n",
    "etc/kubernetes/kubelet.conf": b"authentication:\n  anonymous:\n    enabled: false\n",
    "etc/firefox/policies/policies.json": b'{"policies": {"DisableTelemetry": true}}',
    "etc/shadow": b"root:$6$abc$def:19000:7:60:7:::\nuser:!!:19000:0:99999:7:::\nempty::19000:0:99999:7:::\n",
}


def hostile(folder: pathlib.Path, base: t.Callable[[pathlib.Path], pathlib.Path] = debian) -> pathlib.Path:
    """A machine (no container) with configuration of every kind, two package managers, and files that mislead oscap."""
    base(folder)
    (folder / "run" / ".containerenv").unlink(missing_ok=True)
    for name, data in _CONFIGURATION.items():
        path = folder / name
        if not os.path.realpath(path.parent).startswith(str(folder)):
            continue
        if path.is_symlink():
            path.unlink()
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(data)
    (folder / "etc" / "sudoers").chmod(0o666)
    (folder / "etc" / "shadow").chmod(0o644)
    os.chown(folder / "etc" / "shadow", 4321, 4321)
    with (folder / "etc" / "passwd").open("ab") as stream:
        stream.write(b"toor:x:0:0::/root:/bin/bash\nuser:x:1000:1000::/home/user:/bin/sh\n\xff\xfe:x:1001:0::/:\n:::\n")
    for name in ("home/user", "srv/odd"):
        (folder / name).mkdir(parents=True, exist_ok=True)
    os.chown(folder / "home" / "user", 1000, 1000)
    (folder / "home" / "user" / ".netrc").write_bytes(b"machine a login b password c\n")
    (folder / "home" / "user" / ".rhosts").write_bytes(b"+ +\n")
    (folder / "srv" / "odd" / "suid").write_bytes(b"#!/bin/sh\n")
    (folder / "srv" / "odd" / "suid").chmod(0o6777)
    os.chown(folder / "srv" / "odd", 9999, 9999)
    (folder / "srv" / "odd" / "loop").symlink_to("loop")
    (folder / "etc" / "modprobe.d" / "loop.conf").symlink_to("/etc/modprobe.d/loop.conf")
    (folder / "etc" / "sysctl.d" / "long.conf").write_bytes(b"kernel.x = " + b"9" * 4_000 + b"\n")
    os.mkfifo(folder / "etc" / "sysctl.d" / "fifo.conf")
    return folder
