# Copyright (c) 2026, scap.images contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The traps: what the root and the content of each look like, and what bare oscap and we are known to say of it."""

from __future__ import annotations

import dataclasses
import datetime
import os
import pathlib
import sqlite3
import typing as t

from ansible_collections.scap.images.plugins.module_utils.scan import canary_content
from ansible_collections.scap.images.plugins.module_utils.scanner.questions import (
    INDEPENDENT,
    LINUX,
    UNIX,
    Question,
    document,
)

from tests.data import tiny
from tests.support import package_databases, shared_data

RHEL = 'ID=rhel\nVERSION_ID="9.2"\nPRETTY_NAME="Red Hat Enterprise Linux 9.2"\n'
DEBIAN = 'ID=debian\nVERSION_ID="11"\nPRETTY_NAME="Debian GNU/Linux 11 (bullseye)"\n'
CANARY = 'ID=scap-images-canary\nVERSION_ID="1"\n'
RHEL_PLATFORM, DEBIAN_PLATFORM = "Red Hat Enterprise Linux 9", "Debian GNU/Linux 11"
SYSTEMS = {
    "rhel": (RHEL, RHEL_PLATFORM),
    "debian": (DEBIAN, DEBIAN_PLATFORM),
    "canary": (CANARY, "scap.images canary 1"),
}
USERS = "root:x:0:0:root:/root:/bin/sh\n"
WRONG = "clean"
"""Bare oscap ends with status 0 (or 2: some rule failed) and does not find what is there."""
RIGHT = "right"
LOUD = "fails"
"""Bare oscap ends with another status."""


@dataclasses.dataclass
class Place:
    """Where a trap is laid: a root, and the content that looks at it."""

    root: pathlib.Path
    work: pathlib.Path
    feed: str = ""
    stream: str = ""
    bare: dict[str, t.Any] = dataclasses.field(default_factory=dict)
    """How bare oscap is called: options of bare.Bare."""
    variables: dict[str, str] = dataclasses.field(default_factory=dict)
    """Environment in which both are started."""
    settings: dict[str, t.Any] = dataclasses.field(default_factory=dict)
    policy: dict[str, t.Any] = dataclasses.field(default_factory=dict)
    later: datetime.timedelta = datetime.timedelta()
    """How long after the scan it is judged."""

    def write(self, path: str, data: bytes | str) -> pathlib.Path:
        target = self.root / path
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_bytes(data.encode() if isinstance(data, str) else data)
        return target

    def system(self, name: str) -> None:
        self.write("etc/os-release", SYSTEMS[name][0])
        self.write("etc/passwd", USERS)

    def ask(self, system: str, question: Question, **changes: str) -> None:
        """A feed for the system with one definition, which is true where `question` finds something."""
        text = document([question]).replace('class="inventory"', 'class="patch"')
        platform = changes.pop("platform", SYSTEMS[system][1])
        text = text.replace("</title>", f'</title><affected family="unix"><platform>{platform}</platform></affected>')
        for old, new in changes.items():
            text = text.replace({"schema": "5.11.1", "timestamp": "2026-01-01T00:00:00"}[old], new)
        self.feed = text

    def rpm(self, form: str, path: str = "", names: t.Sequence[str] = ("telnet-server",), **options: t.Any) -> None:
        """An rpm root of the form, with telnet-server among its packages, and a feed that asks for it."""
        self.system("rhel")
        headers = [package_databases.rpm_header("redhat-release", version="9.2")]
        headers += [package_databases.rpm_header(name) for name in names]
        if form == "sqlite":
            package_databases.sqlite_file(self.root / (path or "var/lib/rpm") / "rpmdb.sqlite", headers, **options)
        elif form == "ndb":
            self.write(f"{path or 'var/lib/rpm'}/Packages.db", package_databases.ndb_bytes(headers))
        else:
            self.write(f"{path or 'var/lib/rpm'}/Packages", package_databases.bdb_bytes(headers))
        self.ask("rhel", package("rpminfo", "telnet-server"))

    def dpkg(self, *rows: tuple[str, str, str]) -> None:
        """A dpkg root with (name, architecture, status), and a feed that asks for the last of them."""
        self.system("debian")
        everything = (("base-files", "amd64", "install ok installed"), *rows)
        self.write("var/lib/dpkg/status", "".join(_PARAGRAPH.format(*row) for row in everything))
        self.ask("debian", package("dpkginfo", everything[-1][0]))

    def canary(self, *changes: tuple[str, str]) -> None:
        """The root and the content of the canary that must fail, the content changed."""
        self.system("canary")
        self.write("lib/apk/db/installed", "P:canary\nV:1-r0\n\n")
        self.write("etc/canary.conf", "PermitEverything yes\n")
        self.write("usr/bin/canary", "").chmod(0o4755)
        self.stream = canary_content.stream()
        for old, new in changes:
            if old not in self.stream:
                raise ValueError(old)
            self.stream = self.stream.replace(old, new)


_PARAGRAPH = (
    "Package: {0}\nStatus: {2}\nMaintainer: M <m@example.org>\nArchitecture: {1}\nMulti-Arch: same\n"
    "Version: 11.1\nDescription: d\n\n"
)


def package(family: str, name: str) -> Question:
    return Question("found", family, LINUX, f"<name>{name}</name>")


def text(path: str, pattern: str) -> Question:
    content = f'<filepath>{path}</filepath><pattern operation="pattern match">{pattern}</pattern>'
    return Question("found", "textfilecontent54", INDEPENDENT, content + '<instance datatype="int">1</instance>')


_SEARCH = (
    '<behaviors recurse="directories" recurse_direction="down" max_depth="-1" recurse_file_system="local"/>'
    '<path>/</path><filename operation="pattern match">^planted$</filename>'
)


@dataclasses.dataclass(frozen=True)
class Trap:
    name: str
    lay: t.Callable[[Place], None]
    bare: tuple[str, str]
    """What oscap 1.3.7 and 1.4.2 say alone."""
    ours: tuple[str, str]
    """What we say with either: `cured`, or the state and the codes that stand in its reasons."""


def _signed(place: Place) -> None:
    place.rpm("sqlite")
    place.bare = {"macros": True}
    place.feed = place.feed.replace(
        '<object object_ref="oval:scap-images:obj:1"/>',
        '<object object_ref="oval:scap-images:obj:1"/><state state_ref="oval:scap-images:ste:1"/>',
    ).replace(
        "</oval_definitions>",
        f'<states><rpminfo_state xmlns="{LINUX}" id="oval:scap-images:ste:1" version="1">'
        "<signature_keyid>199e2f91fd431d51</signature_keyid></rpminfo_state></states></oval_definitions>",
    )


def _damaged_header(place: Place) -> None:
    place.write(
        "var/lib/rpm/rpmdb.sqlite", shared_data.path("rpmdb", "amazonlinux2023-sqlite", "rpmdb.sqlite").read_bytes()
    )
    place.system("rhel")
    with sqlite3.connect(place.root / "var/lib/rpm/rpmdb.sqlite") as database:
        number, blob = database.execute("SELECT hnum, blob FROM Packages WHERE hnum = 5").fetchone()
        changed = blob.replace(b"amzn2023", b"amzn2099")
        database.execute("UPDATE Packages SET blob = ? WHERE hnum = ?", (changed, number))
    database.close()
    place.bare = {"macros": True}
    place.ask("rhel", package("rpminfo", "basesystem"))


def _without_packages(place: Place) -> None:
    place.system("debian")
    place.write("lib/apk/db/installed", "P:telnet\nV:1-r0\n\n")
    place.ask("debian", package("dpkginfo", "telnet"))


def _empty(place: Place) -> None:
    place.canary()
    for path in ("etc/os-release", "etc/passwd", "etc/canary.conf", "usr/bin/canary", "lib/apk/db/installed"):
        (place.root / path).unlink()


def _other_system(place: Place) -> None:
    place.canary()
    place.system("debian")


def _container(place: Place) -> None:
    place.dpkg()
    place.ask("debian", Question("found", "file", UNIX, "<filepath>/run/.containerenv</filepath>"))


def _apt_cache(place: Place) -> None:
    place.dpkg(("telnet", "amd64", "install ok installed"))
    place.write("var/cache/apt/pkgcache.bin", "stale")


def _no_chroot(place: Place) -> None:
    place.rpm("sqlite")
    place.bare = {"macros": True, "options": ["--cap-drop", "CAP_SYS_CHROOT"]}


def _one_id(place: Place) -> None:
    place.dpkg()
    os.chown(place.write("srv/owned", ""), 33, 33)
    found = Question("found", "file", UNIX, "<filepath>/srv/owned</filepath>")
    place.ask("debian", found)
    state = f'<file_state xmlns="{UNIX}" id="oval:scap-images:ste:1" version="1">'
    state += '<user_id datatype="int">33</user_id></file_state>'
    place.feed = place.feed.replace(
        '<object object_ref="oval:scap-images:obj:1"/>',
        '<object object_ref="oval:scap-images:obj:1"/><state state_ref="oval:scap-images:ste:1"/>',
    ).replace("</oval_definitions>", f"<states>{state}</states></oval_definitions>")
    place.bare = {"options": ["--unshare-user", "--uid", "0", "--gid", "0"]}


def _mount_table(place: Place) -> None:
    place.dpkg()
    place.write("srv/deep/planted", "")
    place.ask("debian", Question("found", "file", UNIX, _SEARCH))
    place.bare = {"options": ["--tmpfs", "/etc"]}


def _environment(place: Place) -> None:
    place.dpkg()
    place.write("srv/deep/planted", "")
    place.ask("debian", Question("found", "file", UNIX, _SEARCH))
    place.variables = {"OSCAP_PROBE_IGNORE_PATHS": "/srv"}


def _file(data: bytes) -> t.Callable[[Place], None]:
    def lay(place: Place) -> None:
        place.dpkg()
        place.write("etc/ssh/sshd_config", data)
        place.ask("debian", text("/etc/ssh/sshd_config", "^PermitRootLogin"))

    return lay


def _absolute_link(place: Place) -> None:
    place.dpkg()
    place.write("usr/share/defaults/sshd_config", "PermitRootLogin yes\n")
    (place.root / "etc/ssh").mkdir(parents=True)
    (place.root / "etc/ssh/sshd_config").symlink_to("/usr/share/defaults/sshd_config")
    place.ask("debian", text("/etc/ssh/sshd_config", "^PermitRootLogin"))


def _linked_etc(place: Place) -> None:
    place.dpkg()
    place.write("etc/ssh/sshd_config", "PermitRootLogin yes\n")
    (place.root / "etc").rename(place.root / "system")
    (place.root / "etc").symlink_to("/system")
    place.ask("debian", text("/etc/ssh/sshd_config", "^PermitRootLogin"))


def _rpm(form: str, **options: t.Any) -> t.Callable[[Place], None]:
    def lay(place: Place) -> None:
        bare = options.pop("bare", {}) if "bare" in options else {}
        place.rpm(form, **options)
        place.bare = bare

    return lay


def _dpkg(*row: str) -> t.Callable[[Place], None]:
    return lambda place: place.dpkg(t.cast("tuple[str, str, str]", row))


def _distroless(place: Place) -> None:
    place.dpkg(("telnet", "amd64", "install ok installed"))
    whole = (place.root / "var/lib/dpkg/status").read_text()
    (place.root / "var/lib/dpkg/status").unlink()
    for number, paragraph in enumerate(whole.strip().split("\n\n")):
        place.write(f"var/lib/dpkg/status.d/p{number}", paragraph + "\n")


def _lying_release(place: Place) -> None:
    place.dpkg()
    status = (place.root / "var/lib/dpkg/status").read_text().replace("Version: 11.1", "Version: 12.4+deb12u5")
    place.write("var/lib/dpkg/status", status)
    place.ask("debian", package("dpkginfo", "base-files"))
    place.feed = place.feed.replace("<name>base-files</name>", "<name>base-files11</name>")
    place.feed = place.feed.replace("</objects>", _OTHER + "</objects>")


_OTHER = f'<dpkginfo_object xmlns="{LINUX}" id="oval:scap-images:obj:9" version="1">'
_OTHER += "<name>base-files</name></dpkginfo_object>"


def _feed(**changes: str) -> t.Callable[[Place], None]:
    def lay(place: Place) -> None:
        place.dpkg(("telnet", "amd64", "install ok installed"))
        place.ask("debian", package("dpkginfo", "telnet"), **changes)
        if "platform" in changes or "timestamp" in changes or "schema" in changes:
            place.write("var/lib/dpkg/status", tiny.status({"base-files": "11.1", "telnet": "2"}))
            place.feed = place.feed.replace("<name>telnet</name>", "<name>telnetd</name>")
            place.feed = place.feed.replace("</objects>", _OTHER + "</objects>")

    return lay


def _empty_feed(place: Place) -> None:
    place.dpkg(("telnet", "amd64", "install ok installed"))
    start, end = place.feed.index("<definitions>"), place.feed.index("</oval_definitions>")
    place.feed = place.feed[:start] + place.feed[end:]


def _old_feed(place: Place) -> None:
    _feed(timestamp="2019-11-13T00:00:00")(place)
    place.policy = {"freshness": {"content_days": 30}}


def _clock(place: Place) -> None:
    _feed(timestamp="2026-01-01T00:00:00")(place)
    place.policy = {"freshness": {"scan_days": 30}}
    place.later = datetime.timedelta(days=-400)


def _time_limit(place: Place) -> None:
    place.dpkg(("telnet", "amd64", "install ok installed"))
    place.settings = {"timeout": 0.001}
    place.bare = {"timeout": 0.001, "earlier": True}


def _one_check(place: Place) -> None:
    number = list(canary_content.RULES).index("line") + 1
    place.canary((f'name="oval:scap.images:def:{number}"', 'name="oval:scap.images:def:99"'))
    (place.root / "usr/bin/canary").unlink()


def _profile(place: Place) -> None:
    place.canary(('selected="true"', 'selected="false"'))


TRAPS = (
    Trap("1 librpm's own database path", _rpm("sqlite"), (WRONG, WRONG), ("cured", "cured")),
    Trap(
        "2 sqlite in WAL mode, read-only root",
        _rpm("sqlite", wal=True, bare={"macros": True, "read_only": True}),
        (WRONG, WRONG),
        ("cured", "cured"),
    ),
    Trap("3 Berkeley DB without indexes", _rpm("bdb", bare={"macros": True}), (WRONG, WRONG), ("cured", "cured")),
    Trap("4 NDB", _rpm("ndb", bare={"macros": True}), (WRONG, RIGHT), ("cured", "cured")),
    Trap(
        "5 database in usr/lib/sysimage/rpm alone",
        _rpm("sqlite", path="usr/lib/sysimage/rpm", bare={"macros": True}),
        (WRONG, WRONG),
        ("cured", "cured"),
    ),
    Trap("6 packages signed with none of the feed's keys", _signed, (WRONG, WRONG), ("error feed", "error feed")),
    Trap("6 a header with a wrong digest", _damaged_header, (WRONG, WRONG), ("error packages", "error packages")),
    Trap("7 content of another system", _other_system, (WRONG, WRONG), ("error content", "error content")),
    Trap("7 an empty root", _empty, (WRONG, WRONG), ("error content", "error content")),
    Trap("7 a package manager that oscap cannot read", _without_packages, (WRONG, WRONG), ("error packages",) * 2),
    Trap("8 an unpacked image is no container", _container, (WRONG, WRONG), ("cured", "cured")),
    Trap("9 dpkg through libapt, with a cache in the image", _apt_cache, (WRONG, RIGHT), ("cured", "cured")),
    Trap("10 no CAP_SYS_CHROOT", _no_chroot, (LOUD, LOUD), ("cured", "cured")),
    Trap("11 a user namespace of one id", _one_id, (WRONG, WRONG), ("cured", "cured")),
    Trap(
        "12 a platform that is in no CPE dictionary",
        lambda place: place.canary(('<cpe-item name="cpe:/o:scap-images:canary:1">', '<cpe-item name="cpe:/o:x:y:1">')),
        (WRONG, WRONG),
        ("error rules", "error rules"),
    ),
    Trap("13 no mount table beside the scanner", _mount_table, (WRONG, WRONG), ("cured", "cured")),
    Trap("14 an inherited environment", _environment, (RIGHT, WRONG), ("cured", "cured")),
    Trap("15 a NUL byte", _file(b"x\n\0\nPermitRootLogin yes\n"), (WRONG, WRONG), ("error texts", "error texts")),
    Trap(
        "15 a byte order mark", _file(b"\xef\xbb\xbfPermitRootLogin\n"), (WRONG, WRONG), ("error texts", "error texts")
    ),
    Trap("an absolute link to the file", _absolute_link, (WRONG, WRONG), ("cured", "cured")),
    Trap("/etc is an absolute link", _linked_etc, (WRONG, WRONG), ("cured", "cured")),
    Trap(
        "a package on hold", _dpkg("telnet", "amd64", "hold ok installed"), (WRONG, WRONG), ("cured", "error packages")
    ),
    Trap(
        "a package of a foreign architecture",
        _dpkg("wine", "i386", "install ok installed"),
        (WRONG, RIGHT),
        ("error packages", "cured"),
    ),
    Trap("distroless: status.d alone", _distroless, (WRONG, WRONG), ("error packages", "error packages")),
    Trap("an os-release that lies", _lying_release, (WRONG, WRONG), ("error os", "error os")),
    Trap("a feed of another release", _feed(platform="Debian GNU/Linux 12"), (WRONG, WRONG), ("error content",) * 2),
    Trap("a feed without definitions", _empty_feed, (WRONG, WRONG), ("error results_malformed",) * 2),
    Trap("a feed older than the policy allows", _old_feed, (WRONG, WRONG), ("stale content_stale",) * 2),
    Trap("a schema that oscap does not know", _feed(schema="5.99"), (LOUD, LOUD), ("error content", "error content")),
    Trap("a clock that is a year off", _clock, (WRONG, WRONG), ("stale scan_stale", "stale scan_stale")),
    Trap("a profile that selects no rule", _profile, (WRONG, WRONG), ("error profile_empty", "error profile_empty")),
    Trap(
        "the component with the checks is missing",
        lambda place: place.canary(('href="rules.xml"', 'href="gone.xml"')),
        (WRONG, WRONG),
        ("error rules", "error rules"),
    ),
    Trap(
        "one rule's check is missing",
        _one_check,
        (WRONG, WRONG),
        ("error content", "error content"),
    ),
    Trap(
        "rules without white space between them",
        lambda place: place.canary((">\n<", "><")),
        (WRONG, RIGHT),
        ("error rules", "cured"),
    ),
    Trap("cut by the time limit, an earlier result is there", _time_limit, (WRONG, WRONG), ("error time_limit",) * 2),
)
