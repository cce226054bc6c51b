# Copyright (c) 2026, scap.images contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Feeds evaluated on what evidences kept, without their images: one process, many images, an answer a line.

`main` reads a file with `oval` (paths), `cache`, `timeout`, `tools`, `processor` (the only one to use: the threads of
oscap hand everything from one to the next) and `images`: a list of `evidence` (its folder),
`files` (sha256 of its files by name), `packages` (their number), `platform`, `oval` (the numbers of the feeds that are
for it), `staging` (folder for what comes out).
Each line of standard output belongs to the next image: `{"staging", "checks", "contents", "oscap"}`, or `{"code",
"message"}` where that image cannot be judged so.
"""

from __future__ import annotations

import dataclasses
import gzip
import json
import os
import shutil
import sys
import tempfile
import typing as t

from ..files import read_json, sha256_file, write_json
from ..model import Check, Content, J, Package, RecordError, ScapError, field, strings, to_json
from ..process import limit
from .confine import Sandbox, limits, oscap_version, prepare_home
from .content import Selected, check_content, feed_contents, left_out
from .contentinfo import ContentInfo, content_info
from .detect import read_os
from .evaluate import Evaluation
from .kept import NAME as KEPT
from .kept import unpack
from .oval.index import make_index
from .oval.residual import Index
from .oval.run import Compiled, evaluate_compiled
from .packages import Inventory, aptroot
from .packages.deb822 import STATUS
from .program import DPKG_ARCHITECTURES, PACKAGES
from .rootpath import make_in_root, stat_in_root
from .stderr import check_stderr
from .texts import Texts


@dataclasses.dataclass(frozen=True)
class Feeds:
    """What every image is evaluated with."""

    paths: list[str]
    infos: list[ContentInfo]
    indexes: list[Index | ScapError]
    """Or why a feed has none."""
    timeout: float
    tools: str

    def only(self, numbers: t.Sequence[int]) -> Feeds:
        """These of them."""
        return dataclasses.replace(
            self,
            paths=[self.paths[number] for number in numbers],
            infos=[self.infos[number] for number in numbers],
            indexes=[self.indexes[number] for number in numbers],
        )


def main(argv: t.Sequence[str]) -> int:
    """`argv`: the path of the request, and of a scratch folder."""
    request = read_json(argv[0])
    os.umask(0o077)
    os.sched_setaffinity(0, {field(request, "processor", int)})
    limit(limits())
    paths, cache = strings(request, "oval"), field(request, "cache", str)
    infos = [content_info(path, cache) for path in paths]
    indexes = [_index(path, info.sha256, cache) for path, info in zip(paths, infos)]
    feeds = Feeds(paths, infos, indexes, field(request, "timeout", float), field(request, "tools", str))
    for image in field(request, "images", list):
        work = tempfile.mkdtemp(prefix="again-", dir=argv[1])
        try:
            answer = evaluate(feeds, image, work)
        except ScapError as error:
            answer = {"code": error.code, "message": error.message}
        except (OSError, RecordError) as error:
            answer = {"code": "system_error", "message": str(error)}
        finally:
            shutil.rmtree(work, ignore_errors=True)
        sys.stdout.write(json.dumps(answer) + "\n")
        sys.stdout.flush()
    return 0


def _index(path: str, sha256: str, cache: str) -> Index | ScapError:
    try:
        return Index(make_index(path, sha256, cache))
    except ScapError as error:
        return error


def evaluate(feeds: Feeds, image: J, work: str) -> J:
    """Evaluate an image's feeds on one small root; raises ScapError, with the code not_kept where only a scan can
    tell."""
    every, numbers = feeds, field(image, "oval", list)
    feeds = every.only(numbers)
    root, home, out = (os.path.join(work, name) for name in ("root", "home", "out"))
    for folder in (root, out):
        os.mkdir(folder, mode=0o755)
    kept = unpack(*_file(image, KEPT), root)
    inventory = _inventory(image, root)
    platform = field(image, "platform", str).split("/")
    architecture = platform[1] if len(platform) > 1 else "amd64"
    prepare_home(home, DPKG_ARCHITECTURES.get(architecture, architecture))
    make_in_root(root, "run/.containerenv", b"")
    make_in_root(root, "proc", None)
    if inventory.manager == "dpkg":
        aptroot.prepare(root, feeds.tools)
    texts = Texts(root, feeds.infos)
    texts.relink()
    sandbox = Sandbox(root=root, out=out, home=home, tools=feeds.tools)
    staging = field(image, "staging", str)
    contents = feed_contents(feeds.paths, feeds.infos)
    checks: list[Check] = []
    ended: list[Evaluation] = []
    for number, path in enumerate(feeds.paths):
        index = feeds.indexes[number]
        try:
            if isinstance(index, ScapError):
                raise index
            compiled = evaluate_compiled(
                sandbox,
                path,
                index,
                f"oval-{number}",
                root,
                inventory,
                work=work,
                timeout=feeds.timeout,
                note=os.path.join(staging, f"oval-{number}.remainders.json.gz"),
                kept=kept,
            )
        except ScapError as error:
            if error.code == "content_uncompiled":
                raise ScapError("not_kept", error.message) from error
            raise
        contents[number] = dataclasses.replace(contents[number], compiled_sha256=compiled.sha256)
        checks += _checks(contents[number], compiled)
        ended.append(compiled.evaluation)
        _pack(os.path.join(out, f"oval-{number}.xml"), os.path.join(staging, f"oval-{number}.xml.gz"))
    checks.append(texts.check())
    version = _version(sandbox.tools, sandbox)
    checks.append(check_stderr([(entry.what, entry.stderr) for entry in ended], version))
    checks.append(Check("exit_status", True, f"{len(ended)} calls of oscap {version} ended as they should"))
    os_ = read_os(root)
    checks += check_content(Selected("", None, feeds.infos, feeds.paths, contents), os_, inventory.packages)
    checks += left_out(os_, every.paths, every.infos, numbers)
    expected = {"rules": [], "all_rules": 0, "oval": [info.definitions for info in feeds.infos]}
    write_json(os.path.join(staging, "expected.json.gz"), expected, durable=False)
    return {
        "staging": staging,
        "checks": [to_json(check) for check in checks],
        "contents": [to_json(content) for content in contents],
        "oscap": version,
    }


def _file(image: J, name: str) -> tuple[str, str]:
    """Path of a file of the evidence, and what the evidence says is its sha256."""
    return os.path.join(field(image, "evidence", str), name), field(field(image, "files", dict), name, str, "")


def _inventory(image: J, root: str) -> Inventory:
    """The packages as they were read when the image was there. ScapError not_kept where the evidence has them not."""
    path, sha256 = _file(image, PACKAGES)
    try:
        if sha256_file(path) != sha256:
            raise ScapError("not_kept", f"{path}: is not what the evidence says of it")
        packages = [Package.from_json(entry) for entry in read_json(path)]
    except (OSError, ScapError, RecordError) as error:
        raise ScapError("not_kept", f"{path}: cannot be used: {error}") from error
    if len(packages) != field(image, "packages", int):
        raise ScapError("not_kept", f"{len(packages)} of {image['packages']} packages were kept")
    managers = {package.manager for package in packages}
    if len(managers) != 1:
        raise ScapError("not_kept", f"{path}: packages of {len(managers)} managers")
    status = stat_in_root(root, STATUS) is not None
    return Inventory(managers.pop(), "status" if status else "", "", packages)


def _pack(path: str, target: str) -> None:
    with open(path, "rb") as source, gzip.open(target, "wb", compresslevel=1) as packed:
        shutil.copyfileobj(source, packed, 1 << 20)


def _checks(content: Content, compiled: Compiled) -> list[Check]:
    left = f"{compiled.remainders} remainders of its {compiled.definitions} definitions"
    detail = f"{content.id} was evaluated on what the scan kept, as {left}: {compiled.sha256}"
    roll = f"{content.id}, in the run that gave the answers: {compiled.roll_call.detail}"
    return [Check("compiled", True, detail), dataclasses.replace(compiled.roll_call, detail=roll)]


_versions: dict[str, str] = {}


def _version(tools: str, sandbox: Sandbox) -> str:
    if tools not in _versions:
        _versions[tools] = oscap_version(sandbox)
    return _versions[tools]
