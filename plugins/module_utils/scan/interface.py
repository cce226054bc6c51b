# Copyright (c) 2026, scap.images contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What an executor is: something that turns images into staged evidences, many at a time, in any order."""

from __future__ import annotations

import abc
import dataclasses
import typing as t

from ..model import Image, J


@dataclasses.dataclass(frozen=True)
class Settings:
    """What every image of a run is scanned with."""

    dir: str
    """scap_dir."""
    profile: str = "auto"
    """Short or full id, `auto`, or `none` (no XCCDF)."""
    datastream: str = "auto"
    """Path of a data stream, or `auto`."""
    folders: list[str] = dataclasses.field(default_factory=list)
    oval: list[str] = dataclasses.field(default_factory=list)
    """Paths of OVAL definition files, unpacked."""
    platform: str = ""
    parallelism: int = 0
    """Images at a time; 0: the executor chooses."""
    timeout: float = 1200.0
    """Seconds for each program."""
    reuse: bool = True
    compile: bool = True
    """Whether data streams are cut to their profile before they are evaluated."""
    tailoring: str = ""
    """Path of an XCCDF 1.2 tailoring of the data stream; empty: none."""
    sample: float = 0.01
    """Share of the images, from 0 to 1, that are evaluated both ways."""

    archive: str = ""
    """Path of an OCI archive that holds the images; an executor that scans elsewhere takes it there."""
    place: str = "evidence"
    """Folder of scap_dir that takes the evidences."""

    @property
    def evidence(self) -> str:
        return f"{self.dir}/{self.place}"

    @property
    def cache(self) -> str:
        """Folder of content files that were fetched, and of what is known of content."""
        return f"{self.dir}/content"

    def request(self, image: Image) -> J:
        """The fields of scanner.request.Request that do not depend on the executor."""
        return {
            "reference": image.reference,
            "digest": image.digest,
            "platform": image.platform or self.platform,
            "datastream": self.datastream,
            "folders": self.folders,
            "profile": self.profile,
            "oval": self.oval,
            "cache": self.cache,
            "evidence": self.evidence,
            "timeout": self.timeout,
            "reuse": self.reuse,
            "compile": self.compile,
            "sample": self.sample,
            "tailoring": self.tailoring,
        }


@dataclasses.dataclass(frozen=True)
class Outcome:
    """How one image's scan ended: `staging` or `reused` is set, or `problem` where neither could be had."""

    image: Image
    staging: str = ""
    """Hidden folder of a new evidence that is still to be accepted."""
    key: str = ""
    """CONTENT_HEX12 of the new evidence."""
    reused: str = ""
    """Folder of the stored evidence that made a scan unnecessary."""
    problem: str = ""
    """Why the scanner itself did not work."""
    code: str = ""


class Executor(abc.ABC):
    """Drives many scans; see local.py and kubernetes.py."""

    name: str

    @abc.abstractmethod
    def scan(self, images: t.Sequence[Image], settings: Settings) -> t.Iterator[Outcome]:
        """One Outcome for each image, in the order in which they end; ScapError only where no image can be scanned."""

    @abc.abstractmethod
    def archive(self, path: str) -> str:
        """Where the scanner finds the OCI archive that Settings.archive names as `path`."""
