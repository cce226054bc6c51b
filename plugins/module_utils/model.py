# Copyright (c) 2026, scap.images contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The records that every room speaks of: Image, Evidence, Results, Verdict, Mark.

Each is a frozen dataclass that `to_json` turns into plain JSON values and `from_json` reads back.
`from_json` is strict about what a later step relies on: it raises `RecordError` for a missing
field, a wrong type or an unknown state, so that a damaged file is never read as a milder answer.
Fields that it does not know are ignored: a newer release may have written them.

Times are RFC 3339 UTC strings with a `Z`, digests are `sha256:` and 64 lower-case hex digits,
durations are seconds, sizes are bytes.
"""

from __future__ import annotations

import dataclasses
import datetime
import functools
import re
import typing as t

STATES = ("compliant", "non_compliant", "error", "not_applicable", "stale")
"""Every state of a Verdict. Only a proven `compliant` ever lifts a denial."""

SEVERITIES = ("critical", "high", "medium", "low", "unknown")
"""Severities, worst first: XCCDF's high, medium, low, unknown (info counts as low) and the vendors'
Critical, Important (high), Moderate (medium), Low."""

RULE_RESULTS = (
    "pass",
    "fail",
    "error",
    "unknown",
    "notapplicable",
    "notchecked",
    "notselected",
    "informational",
    "fixed",
)
"""The results of a rule, XCCDF 1.2 section 6.6.4.2."""

FINDING_CLASSES = ("patch", "vulnerability")
"""The OVAL definition classes whose `true` is a finding (OVAL 5.11, ClassEnumeration)."""

_DIGEST = re.compile(r"sha256:[0-9a-f]{64}\Z")

J = t.Dict[str, t.Any]
T = t.TypeVar("T")


class RecordError(ValueError):
    """A stored record lacks what a later step relies on."""


class ScapError(Exception):
    """A problem that a person can understand: what was tried, on which image or file, what came back, the cure.

    `code` is one stable word for programs (`registry_unauthorized`, `packages_differ` ...).
    """

    def __init__(self, code: str, message: str) -> None:
        super().__init__(message)
        self.code = code
        self.message = message


def is_digest(text: t.Any) -> bool:
    """Whether `text` is a sha256 digest in the only spelling that clusters accept (lower case)."""
    return isinstance(text, str) and _DIGEST.match(text) is not None


def now() -> str:
    """The present time, RFC 3339 UTC, whole seconds."""
    return datetime.datetime.now(datetime.timezone.utc).strftime("%Y-%m-%dT%H:%M:%SZ")


def parse_time(text: str) -> datetime.datetime:
    """An aware datetime of an RFC 3339 time; raises RecordError where it is none."""
    try:
        moment = datetime.datetime.fromisoformat(text.replace("Z", "+00:00"))
    except (ValueError, AttributeError) as error:
        raise RecordError(f"{text!r} is not an RFC 3339 time") from error
    if moment.tzinfo is None:
        raise RecordError(f"{text!r} has no time zone")
    return moment


def guide_name(sha256: str, profile: str) -> str:
    """Name of oscap's guide to a profile of a data stream, in the content folder of scap_dir."""
    return f"{sha256}-{profile.rpartition('_profile_')[2]}.guide.html"


def field(data: t.Any, name: str, kind: type[T], default: t.Any = dataclasses.MISSING) -> T:
    """`data[name]`, checked to be of `kind`; the default where it is absent and a default is given."""
    if not isinstance(data, dict):
        raise RecordError(f"expected an object with {name!r}, found {type(data).__name__}")
    value = data.get(name)
    if value is None:
        if default is dataclasses.MISSING:
            raise RecordError(f"the field {name!r} is missing")
        return t.cast("T", default)
    if kind is float and isinstance(value, int) and not isinstance(value, bool):
        value = float(value)
    if not isinstance(value, kind) or (kind is int and isinstance(value, bool)):
        raise RecordError(f"the field {name!r} is {type(value).__name__}, not {kind.__name__}")
    return value


def strings(data: t.Any, name: str) -> list[str]:
    """The list of strings `data[name]`, empty where it is absent."""
    values: list[t.Any] = field(data, name, list, [])
    for value in values:
        if not isinstance(value, str):
            raise RecordError(f"{name!r} holds {type(value).__name__}, not only strings")
    return list(values)


def _one_of(value: str, allowed: t.Sequence[str], name: str) -> str:
    if value not in allowed:
        raise RecordError(f"{name} is {value!r}, not one of {', '.join(allowed)}")
    return value


def to_json(record: t.Any) -> J:
    """A record as plain JSON values, nothing of it shared with the record but texts and numbers."""
    return t.cast("J", _plain(record))


_SCALARS = (str, int, float, bool, type(None))


def _plain(value: t.Any) -> t.Any:
    if isinstance(value, _SCALARS):
        return value
    if isinstance(value, (list, tuple)):
        return [_plain(entry) for entry in value]
    if isinstance(value, dict):
        return {key: _plain(entry) for key, entry in value.items()}
    return {name: _plain(getattr(value, name)) for name in _field_names(t.cast("t.Any", type(value)))}


@functools.lru_cache(maxsize=256)
def _field_names(kind: t.Any) -> tuple[str, ...]:
    return tuple(entry.name for entry in dataclasses.fields(kind))


@dataclasses.dataclass(frozen=True)
class Workload:
    """One place that names an image."""

    kind: str
    """`Pod`, `Deployment`, ..."""
    namespace: str
    name: str
    container: str
    """The container's (or volume's) name in it."""
    running: bool
    """Whether a container of this image runs there now."""

    @classmethod
    def from_json(cls, data: t.Any) -> Workload:
        return cls(
            kind=field(data, "kind", str),
            namespace=field(data, "namespace", str, ""),
            name=field(data, "name", str),
            container=field(data, "container", str, ""),
            running=field(data, "running", bool, False),
        )


@dataclasses.dataclass(frozen=True)
class Image:
    """One manifest digest and platform, with every reference by which it is known."""

    reference: str
    """What the user or the source wrote, `docker://` before it where the transport was left out."""
    digest: str
    """The manifest's digest; empty where the source could not tell (the scan then resolves the reference)."""
    platform: str = ""
    """`os/architecture[/variant]`, empty where unknown."""
    references: list[str] = dataclasses.field(default_factory=list)
    """Every reference that is known to mean this image, the first one included."""
    index_digests: list[str] = dataclasses.field(default_factory=list)
    """Digests of the indexes that contain it: a pod may name any of them."""
    sources: list[str] = dataclasses.field(default_factory=list)
    workloads: list[Workload] = dataclasses.field(default_factory=list)
    pull_secrets: list[str] = dataclasses.field(default_factory=list)
    """`namespace/name` of the secrets that its pods pull it with."""
    nodes: list[str] = dataclasses.field(default_factory=list)
    """Names of the nodes that have it."""
    exposed: list[str] = dataclasses.field(default_factory=list)
    """What leads to its pods from outside (`Route shop/web`), where discovery was asked for it."""
    size: int = 0
    """Compressed bytes, 0 where unknown."""
    created: str = ""
    labels: dict[str, str] = dataclasses.field(default_factory=dict)
    annotations: dict[str, str] = dataclasses.field(default_factory=dict)
    """The annotations of an earlier mark."""

    @property
    def namespaces(self) -> list[str]:
        return sorted({workload.namespace for workload in self.workloads if workload.namespace})

    @classmethod
    def from_json(cls, data: t.Any) -> Image:
        digest = field(data, "digest", str, "")
        if digest and not is_digest(digest):
            raise RecordError(f"{digest!r} is not a sha256 digest")
        return cls(
            reference=field(data, "reference", str),
            digest=digest,
            platform=field(data, "platform", str, ""),
            references=strings(data, "references"),
            index_digests=strings(data, "index_digests"),
            sources=strings(data, "sources"),
            workloads=[Workload.from_json(entry) for entry in field(data, "workloads", list, [])],
            pull_secrets=strings(data, "pull_secrets"),
            nodes=strings(data, "nodes"),
            exposed=strings(data, "exposed"),
            size=field(data, "size", int, 0),
            created=field(data, "created", str, ""),
            labels=field(data, "labels", dict, {}),
            annotations=field(data, "annotations", dict, {}),
        )


@dataclasses.dataclass(frozen=True)
class Skipped:
    """What a source named but could not be used: a record, never silence."""

    reference: str
    reason: str
    source: str = ""


@dataclasses.dataclass(frozen=True)
class OperatingSystem:
    """What os-release says of a root (os-release(5)); empty strings where it is silent."""

    id: str = ""
    """`ID`: debian, rhel, ..."""
    version: str = ""
    """`VERSION_ID`: 11, 8.4, ..."""
    name: str = ""
    """`PRETTY_NAME`."""
    cpe: str = ""
    """`CPE_NAME`."""
    id_like: list[str] = dataclasses.field(default_factory=list)

    @property
    def label(self) -> str:
        """`debian 11`: the form in verdicts and policies."""
        return f"{self.id} {self.version}".strip()

    @classmethod
    def from_json(cls, data: t.Any) -> OperatingSystem:
        return cls(
            id=field(data, "id", str, ""),
            version=field(data, "version", str, ""),
            name=field(data, "name", str, ""),
            cpe=field(data, "cpe", str, ""),
            id_like=strings(data, "id_like"),
        )


@dataclasses.dataclass(frozen=True)
class Check:
    """One proof of coverage."""

    check: str
    """One word of the list in docs/coverage.md: digest, content, packages, stderr, ..."""
    passed: bool
    detail: str

    @classmethod
    def from_json(cls, data: t.Any) -> Check:
        return cls(
            check=field(data, "check", str),
            passed=field(data, "passed", bool),
            detail=field(data, "detail", str, ""),
        )


@dataclasses.dataclass(frozen=True)
class Content:
    """One piece of SCAP content that an image was evaluated with."""

    kind: str
    """`datastream`, `xccdf` or `oval`."""
    id: str
    """The file's name, or the feed's URL."""
    profile: str
    """Full id of the profile; empty for OVAL."""
    sha256: str
    """Hex digest of the file as evaluated before any compilation."""
    compiled_sha256: str = ""
    """Hex digest of what was really evaluated, where that was compiled from it."""
    generated_at: str = ""
    """When its publisher made it, as the content says; empty where it does not."""

    @classmethod
    def from_json(cls, data: t.Any) -> Content:
        return cls(
            kind=field(data, "kind", str),
            id=field(data, "id", str),
            profile=field(data, "profile", str, ""),
            sha256=field(data, "sha256", str),
            compiled_sha256=field(data, "compiled_sha256", str, ""),
            generated_at=field(data, "generated_at", str, ""),
        )


@dataclasses.dataclass(frozen=True)
class Package:
    """One installed package, read by our own reader."""

    name: str
    version: str
    """dpkg and apk: the whole version; rpm: VERSION alone."""
    release: str = ""
    epoch: int = 0
    arch: str = ""
    manager: str = ""
    """`rpm`, `dpkg` or `apk`."""
    source: str = ""
    vendor: str = ""
    key_id: str = ""
    """16 hex digits of the signing key, empty where unsigned."""
    installed_at: int = 0
    """Unix time, 0 where unknown."""
    digest: str = ""
    """The header's or package's own checksum, as the database writes it."""

    @property
    def evr(self) -> str:
        """`[epoch:]version[-release]`."""
        epoch = f"{self.epoch}:" if self.epoch else ""
        return f"{epoch}{self.version}-{self.release}" if self.release else f"{epoch}{self.version}"

    @classmethod
    def from_json(cls, data: t.Any) -> Package:
        return cls(
            name=field(data, "name", str),
            version=field(data, "version", str),
            release=field(data, "release", str, ""),
            epoch=field(data, "epoch", int, 0),
            arch=field(data, "arch", str, ""),
            manager=field(data, "manager", str, ""),
            source=field(data, "source", str, ""),
            vendor=field(data, "vendor", str, ""),
            key_id=field(data, "key_id", str, ""),
            installed_at=field(data, "installed_at", int, 0),
            digest=field(data, "digest", str, ""),
        )


@dataclasses.dataclass(frozen=True)
class Reason:
    """Why a verdict or a failure is what it is."""

    code: str
    message: str

    @classmethod
    def from_json(cls, data: t.Any) -> Reason:
        return cls(code=field(data, "code", str), message=field(data, "message", str))


@dataclasses.dataclass(frozen=True)
class ScanInfo:
    """How a scan was made."""

    executor: str
    """`local` or `kubernetes`; `file` for a result that another tool wrote."""
    rung: str
    """local: `storage` or `unpack`; kubernetes: `image_volume_userns`, `image_volume` or `pull`."""
    oscap: str
    """Version of oscap, empty where it never ran."""
    seconds: float
    """Wall time of the whole scan."""

    @classmethod
    def from_json(cls, data: t.Any) -> ScanInfo:
        return cls(
            executor=field(data, "executor", str, ""),
            rung=field(data, "rung", str, ""),
            oscap=field(data, "oscap", str, ""),
            seconds=field(data, "seconds", float, 0.0),
        )


@dataclasses.dataclass(frozen=True)
class StoredFile:
    """One file of an evidence, beside evidence.json."""

    name: str
    sha256: str
    """Of the bytes as stored (compressed)."""
    size: int

    @classmethod
    def from_json(cls, data: t.Any) -> StoredFile:
        return cls(
            name=field(data, "name", str),
            sha256=field(data, "sha256", str),
            size=field(data, "size", int),
        )


@dataclasses.dataclass(frozen=True)
class Evidence:
    """What one scan of one image with one content set left (evidence.json and the files beside it)."""

    reference: str
    digest: str
    """The manifest that was scanned; empty where the reference could not be resolved."""
    platform: str
    os: OperatingSystem
    scan: ScanInfo
    scanned_at: str
    content: list[Content] = dataclasses.field(default_factory=list)
    coverage: list[Check] = dataclasses.field(default_factory=list)
    files: list[StoredFile] = dataclasses.field(default_factory=list)
    packages: int = 0
    """Installed packages, counted by our own reader."""
    package_manager: str = ""
    """`rpm`, `dpkg`, `apk` or empty; with the format: `rpm (sqlite)`."""
    index_digests: list[str] = dataclasses.field(default_factory=list)
    labels: dict[str, str] = dataclasses.field(default_factory=dict)
    not_applicable: Reason | None = None
    """Why there is nothing to evaluate (no content for the OS)."""
    evaluated: str = ""
    """`from evidence` where newer feeds were evaluated on what the scan kept; the scan is as old as `scanned_at`."""
    evaluated_at: str = ""
    """When that was."""
    due: Reason | None = None
    """Why only a new scan can tell what newer feeds come to; the results are those of the older ones."""
    error: Reason | None = None
    """Why the scan could not be made."""

    @classmethod
    def from_json(cls, data: t.Any) -> Evidence:
        digest = field(data, "digest", str, "")
        error = field(data, "error", dict, None)
        if not is_digest(digest) and not (digest == "" and error):
            raise RecordError(f"an evidence without an error needs a digest, found {digest!r}")
        not_applicable = field(data, "not_applicable", dict, None)
        due = field(data, "due", dict, None)
        return cls(
            reference=field(data, "reference", str),
            digest=digest,
            platform=field(data, "platform", str, ""),
            os=OperatingSystem.from_json(field(data, "os", dict, {})),
            scan=ScanInfo.from_json(field(data, "scan", dict)),
            scanned_at=field(data, "scanned_at", str),
            content=[Content.from_json(entry) for entry in field(data, "content", list, [])],
            coverage=[Check.from_json(entry) for entry in field(data, "coverage", list, [])],
            files=[StoredFile.from_json(entry) for entry in field(data, "files", list, [])],
            packages=field(data, "packages", int, 0),
            package_manager=field(data, "package_manager", str, ""),
            index_digests=strings(data, "index_digests"),
            labels=field(data, "labels", dict, {}),
            not_applicable=Reason.from_json(not_applicable) if not_applicable else None,
            error=Reason.from_json(error) if error else None,
            evaluated=field(data, "evaluated", str, ""),
            evaluated_at=field(data, "evaluated_at", str, ""),
            due=Reason.from_json(due) if due else None,
        )


@dataclasses.dataclass(frozen=True)
class RuleResult:
    """One XCCDF rule-result. The long texts are kept only for rules that a person must act on."""

    id: str
    result: str
    severity: str
    """One of SEVERITIES."""
    title: str = ""
    description: str = ""
    rationale: str = ""
    fix: str = ""
    """Plain text or shell of the fix, as the content has it."""
    idents: list[str] = dataclasses.field(default_factory=list)
    """CCE, CVE and the like."""
    message: str = ""

    @classmethod
    def from_json(cls, data: t.Any) -> RuleResult:
        return cls(
            id=field(data, "id", str),
            result=_one_of(field(data, "result", str), RULE_RESULTS, "a rule's result"),
            severity=_one_of(field(data, "severity", str), SEVERITIES, "a severity"),
            title=field(data, "title", str, ""),
            description=field(data, "description", str, ""),
            rationale=field(data, "rationale", str, ""),
            fix=field(data, "fix", str, ""),
            idents=strings(data, "idents"),
            message=field(data, "message", str, ""),
        )


@dataclasses.dataclass(frozen=True)
class Vulnerability:
    """One OVAL definition of class patch or vulnerability that is true."""

    id: str
    """The definition's id."""
    severity: str
    title: str
    cves: list[str] = dataclasses.field(default_factory=list)
    packages: list[str] = dataclasses.field(default_factory=list)
    """Names of the installed packages that it concerns."""
    fixed_in: list[str] = dataclasses.field(default_factory=list)
    """The version that fixes `packages[n]`, empty where the vendor has none."""
    description: str = ""
    issued: str = ""
    """Date of the vendor's advisory, YYYY-MM-DD; empty where the feed does not say."""

    @classmethod
    def from_json(cls, data: t.Any) -> Vulnerability:
        return cls(
            id=field(data, "id", str),
            severity=_one_of(field(data, "severity", str), SEVERITIES, "a severity"),
            title=field(data, "title", str, ""),
            cves=strings(data, "cves"),
            packages=strings(data, "packages"),
            fixed_in=strings(data, "fixed_in"),
            description=field(data, "description", str, ""),
            issued=field(data, "issued", str, ""),
        )


@dataclasses.dataclass(frozen=True)
class Results:
    """The compact record of all raw results of one scan (results.json.gz)."""

    rules: list[RuleResult] = dataclasses.field(default_factory=list)
    """One for each rule-result, notselected ones left out."""
    rule_counts: dict[str, int] = dataclasses.field(default_factory=dict)
    """RULE_RESULTS to their number, notselected included."""
    vulnerabilities: list[Vulnerability] = dataclasses.field(default_factory=list)
    definition_counts: dict[str, int] = dataclasses.field(default_factory=dict)
    """OVAL results (true, false, error, unknown, not evaluated, not applicable) to their number; standalone OVAL."""
    undecided: list[str] = dataclasses.field(default_factory=list)
    """Ids of definitions whose result is error or unknown: nothing is proven about them."""
    profile: str = ""
    benchmark: str = ""
    generated_at: str = ""
    """The time that the results themselves give, RFC 3339 UTC where they do."""

    @classmethod
    def from_json(cls, data: t.Any) -> Results:
        return cls(
            rules=[RuleResult.from_json(entry) for entry in field(data, "rules", list, [])],
            rule_counts=_counts(data, "rule_counts"),
            vulnerabilities=[Vulnerability.from_json(entry) for entry in field(data, "vulnerabilities", list, [])],
            definition_counts=_counts(data, "definition_counts"),
            undecided=strings(data, "undecided"),
            profile=field(data, "profile", str, ""),
            benchmark=field(data, "benchmark", str, ""),
            generated_at=field(data, "generated_at", str, ""),
        )


@dataclasses.dataclass(frozen=True)
class FailedRule:
    """A rule that failed and that no waiver took out; its long texts stand in results.json.gz."""

    id: str
    severity: str
    """One of SEVERITIES, as the policy sees it."""
    title: str = ""

    @classmethod
    def from_json(cls, data: t.Any) -> FailedRule:
        return cls(
            id=field(data, "id", str),
            severity=_one_of(field(data, "severity", str), SEVERITIES, "a severity"),
            title=field(data, "title", str, ""),
        )


@dataclasses.dataclass(frozen=True)
class Waived:
    """A finding that a waiver took out of the verdict; it stays visible."""

    id: str
    """The rule, definition, CVE or package."""
    owner: str
    reason: str
    expires: str
    """Date, YYYY-MM-DD: the last day on which it holds."""
    severity: str = "unknown"
    ticket: str = ""

    @classmethod
    def from_json(cls, data: t.Any) -> Waived:
        return cls(
            id=field(data, "id", str),
            owner=field(data, "owner", str),
            reason=field(data, "reason", str),
            expires=field(data, "expires", str),
            severity=_one_of(field(data, "severity", str, "unknown"), SEVERITIES, "a severity"),
            ticket=field(data, "ticket", str, ""),
        )


@dataclasses.dataclass(frozen=True)
class VerdictImage:
    """The image part of a verdict."""

    reference: str
    digest: str
    platform: str
    os: str
    """`debian 11`; empty where unknown."""

    @classmethod
    def from_json(cls, data: t.Any) -> VerdictImage:
        return cls(
            reference=field(data, "reference", str),
            digest=field(data, "digest", str, ""),
            platform=field(data, "platform", str, ""),
            os=field(data, "os", str, ""),
        )


@dataclasses.dataclass(frozen=True)
class PolicyRef:
    """Which policy a verdict stands on."""

    name: str
    sha256: str

    @classmethod
    def from_json(cls, data: t.Any) -> PolicyRef:
        return cls(name=field(data, "name", str), sha256=field(data, "sha256", str))


@dataclasses.dataclass(frozen=True)
class Verdict:
    """What one image is, under one policy, and what that stands on."""

    image: VerdictImage
    state: str
    reasons: list[Reason]
    rules: dict[str, int]
    severity: dict[str, int]
    """SEVERITIES to the number of failed rules and true definitions, waived ones left out."""
    vulnerabilities: list[Vulnerability]
    waived: list[Waived]
    packages: int
    coverage: list[Check]
    content: list[Content]
    scan: ScanInfo
    scanned_at: str
    judged_at: str
    policy: PolicyRef
    evidence: str = ""
    """Folder of the evidence, relative to scap_dir."""
    index_digests: list[str] = dataclasses.field(default_factory=list)
    failed: list[FailedRule] = dataclasses.field(default_factory=list)
    evaluated: str = ""
    """`from evidence` where the feeds are newer than the scan (`scanned_at`)."""

    def __post_init__(self) -> None:
        _one_of(self.state, STATES, "a verdict's state")

    @classmethod
    def from_json(cls, data: t.Any) -> Verdict:
        return cls(
            image=VerdictImage.from_json(field(data, "image", dict)),
            state=field(data, "state", str),
            reasons=[Reason.from_json(entry) for entry in field(data, "reasons", list)],
            rules=_counts(data, "rules"),
            severity=_counts(data, "severity"),
            vulnerabilities=[Vulnerability.from_json(entry) for entry in field(data, "vulnerabilities", list)],
            waived=[Waived.from_json(entry) for entry in field(data, "waived", list, [])],
            packages=field(data, "packages", int),
            coverage=[Check.from_json(entry) for entry in field(data, "coverage", list)],
            content=[Content.from_json(entry) for entry in field(data, "content", list)],
            scan=ScanInfo.from_json(field(data, "scan", dict)),
            scanned_at=field(data, "scanned_at", str),
            judged_at=field(data, "judged_at", str),
            policy=PolicyRef.from_json(field(data, "policy", dict)),
            evidence=field(data, "evidence", str, ""),
            index_digests=strings(data, "index_digests"),
            failed=[FailedRule.from_json(entry) for entry in field(data, "failed", list, [])],
            evaluated=field(data, "evaluated", str, ""),
        )


@dataclasses.dataclass(frozen=True)
class Mark:
    """What the cluster holds of a verdict."""

    digest: str
    reference: str
    state: str
    """The verdict's state; `absent` where the mark was taken away."""
    stage: str
    """`report`, `warn` or `deny`."""
    denied: bool
    """Whether the denied set holds the image."""
    blocked: str
    """`proven` only where the API server itself refused a pod of it; else `no`, or `unproven` with the reason."""
    changed: bool
    marked_at: str
    detail: str = ""

    @classmethod
    def from_json(cls, data: t.Any) -> Mark:
        return cls(
            digest=field(data, "digest", str),
            reference=field(data, "reference", str, ""),
            state=field(data, "state", str),
            stage=field(data, "stage", str),
            denied=field(data, "denied", bool),
            blocked=field(data, "blocked", str),
            changed=field(data, "changed", bool, False),
            marked_at=field(data, "marked_at", str),
            detail=field(data, "detail", str, ""),
        )


def _counts(data: t.Any, name: str) -> dict[str, int]:
    counts: dict[t.Any, t.Any] = field(data, name, dict, {})
    for key, value in counts.items():
        if not isinstance(key, str) or not isinstance(value, int) or isinstance(value, bool):
            raise RecordError(f"{name!r} does not map names to numbers")
    return dict(counts)
