# Copyright (c) 2026, scap.images contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Marks images: decides, guards, writes the denied set, proves it, then writes ImageScans and annotations.

The order is the point: what admission obeys is written first and whole, the proof comes next, and only then do
the objects that people read say `proven`. Every step can be repeated; a run that broke off is continued by the
next, because only what differs is written.
"""

from __future__ import annotations

import concurrent.futures
import dataclasses
import typing as t

from ..kube.client import Client
from ..kube.errors import KubeError
from ..model import Image, J, Mark, ScapError, Verdict, is_digest, now
from . import annotations as openshift
from . import blast, imagescan, keys, state
from .decide import Decision, decide, per_image
from .denied import PATH, Denied, Exemption, Shard
from .proof import WORKERS, Proof, Prover

ATTEMPTS = 6
"""How often the denied set is read and written again when somebody else writes it at the same time."""

PROVEN = "proven"
_OPENSHIFT_SEARCH = ("registry.access.redhat.com",)
"""Where OpenShift's nodes look for a name without a registry, besides docker.io."""


@dataclasses.dataclass(frozen=True)
class Options:
    """How a run marks."""

    namespace: str
    stage: str
    deny_on: tuple[str, ...] = ("non_compliant",)
    report: str = ""
    """Where reports lie: a URL or folder; an image's page is `images/HEX.html` below it."""
    help: str = ""
    """The way to an exemption, as people read it in a refusal."""
    exemptions: tuple[Exemption, ...] | None = None
    max_stopped: float = 10.0
    """Percent of the running pods that a run may deny; more is refused."""
    search_registries: tuple[str, ...] = ()
    check: bool = False


@dataclasses.dataclass
class Outcome:
    """What a run did."""

    marks: list[Mark] = dataclasses.field(default_factory=list)
    failures: dict[str, list[str]] = dataclasses.field(default_factory=dict)
    """Digest to what could not be written."""
    notes: list[str] = dataclasses.field(default_factory=list)
    blast: blast.Blast | None = None
    openshift: str = "absent"
    """`absent` (no OpenShift), else whether its ImagePolicy plug-in obeys the annotation: obeys, ignores, unknown."""
    written: dict[str, int] = dataclasses.field(default_factory=dict)
    """Kind to the number of objects written."""
    entries: int = 0
    before: list[str] = dataclasses.field(default_factory=list)
    after: list[str] = dataclasses.field(default_factory=list)


class GuardError(ScapError):
    """A denial that would stop too much; carries the blast radius."""

    def __init__(self, message: str, radius: blast.Blast) -> None:
        super().__init__("too_much_would_stop", message)
        self.blast = radius


class Marker:
    """One run."""

    def __init__(self, client: Client, options: Options) -> None:
        self._client = client
        self._options = options
        self._prover = Prover(client, options.namespace)
        self._outcome = Outcome()

    def mark(self, verdicts: t.Sequence[Verdict], images: t.Iterable[Image] = ()) -> Outcome:
        """Mark every image that has a verdict. Raises KubeError, ScapError, GuardError before anything is written."""
        known = list(images)
        by_digest: dict[str, list[Image]] = {}
        for image in known:
            by_digest.setdefault(image.digest, []).append(image)
        chosen = per_image(verdicts)
        nameless = [verdict for verdict in verdicts if not is_digest(verdict.image.digest)]
        chosen = {digest: verdict for digest, verdict in chosen.items() if is_digest(digest)}
        present = self._read(chosen)
        search = self._options.search_registries or (() if present.annotations is None else _OPENSHIFT_SEARCH)
        wanted_keys = {
            digest: keys.of_image(digest, [*by_digest.get(digest, ()), _alone(verdict)], search)
            for digest, verdict in chosen.items()
        }
        tags, indexes = _tags(known, search)

        def change(held: Denied) -> dict[str, Decision]:
            decisions = {}
            today = now()[:10]
            for digest, verdict in chosen.items():
                decision = decide(verdict, held.stage_of(digest), self._options.stage, self._options.deny_on)
                decisions[digest] = decision
                if decision.lift:
                    held.lift(digest)
            self._outcome.notes = [
                f"{key} means another image now: no longer denied" for key in held.follow(tags, indexes)
            ]
            for digest, decision in decisions.items():
                if decision.deny:
                    since = held.since(digest) or today
                    held.deny(digest, wanted_keys[digest], decision.stage, chosen[digest].state, since)
            for exemption in held.exempt(self._options.exemptions, today):
                self._outcome.notes.append(f"the exemption of {exemption.key} concerns no denied image or has expired")
            return decisions

        held, decisions, touched = self._write_denied(present.denied, change, guard=True)
        blocked = self._prove(held, set(chosen) & held.digests(), touched, present)
        self._wait_until_allowed({digest for digest, decision in decisions.items() if decision.lift})
        self._outcome.entries = len(held)
        self._write_marks(chosen, decisions, held, blocked, present)
        for verdict in nameless:
            detail = "the image has no digest, so nothing can be marked"
            self._outcome.marks.append(_mark(verdict, self._options.stage, False, "no", False, detail))
        return self._outcome

    def lift(self, digests: t.Collection[str] | None, names: t.Collection[str] = ()) -> Outcome:
        """Take every trace of marks away: of these images (None: of all), and of those that `names` (keys) mean."""
        everything = digests is None
        present = self._read(None if everything or names else digests)
        gone: set[str] = set(digests or ())

        def change(held: Denied) -> dict[str, Decision]:
            stages = {}
            for key in names:
                gone.update(digest for digest in held.digests() if key in held.keys_of(digest))
            for digest in held.digests() if everything else gone:
                stages[digest] = held.stage_of(digest)
                held.lift(digest)
            held.exempt(None, now()[:10])
            return {digest: Decision(False, True, stage, True, "") for digest, stage in stages.items() if stage}

        gone.update(
            digest
            for digest, scan in present.scans.items()
            if everything or set(keys.of_reference(scan["spec"].get("image", ""))) & set(names)
        )
        if everything:
            gone.update(d for d, ours in (present.annotations or {}).items() if openshift.patch(ours, {}))
        _held, decisions, _touched = self._write_denied(present.denied, change)
        gone.update(decisions)
        self._wait_until_allowed(set(decisions))
        self._remove(gone, decisions, present)
        return self._outcome

    # -- reading -------------------------------------------------------------------------------------------------

    def _read(self, chosen: t.Collection[str] | None) -> state.Present:
        present = state.read(self._client, chosen)
        if present.annotations is not None:
            self._outcome.openshift = "unknown"
        elif present.problem:
            self._outcome.failures[""] = [f"OpenShift Images were not annotated: {present.problem}"]
        return present

    # -- the denied set ------------------------------------------------------------------------------------------

    def _write_denied(
        self, objects: list[J], change: t.Callable[[Denied], dict[str, Decision]], guard: bool = False
    ) -> tuple[Denied, dict[str, Decision], set[str]]:
        """Change the denied set in memory and write what differs; again from the start when another run was faster.

        Returns the set, the decisions and the names of the objects that were written.
        """
        before = Denied(objects)
        touched: set[str] = set()
        for attempt in range(ATTEMPTS):
            held = Denied(objects, self._options.report, self._options.help)
            decisions = change(held)
            if guard and attempt == 0:
                self._guard(before, held)
            write, remove = held.changes()
            try:
                for shard in write:
                    self._write_shard(shard)
                    touched.add(shard.name)
                for name in remove:
                    self._delete_shard(held.shards[name])
            except KubeError as error:
                if error.status != 409 or attempt + 1 == ATTEMPTS:
                    raise
                objects = state.denied_objects(self._client)
                continue
            self._count("DeniedImages", len(write) + len(remove))
            for name in held.foreign:
                self._outcome.notes.append(f"DeniedImages {name} was not written by scap.images: it is left alone")
            self._explain(before, held)
            return held, decisions, touched
        raise AssertionError("unreachable")

    def _write_shard(self, shard: Shard) -> None:
        body = shard.manifest()
        if shard.resource_version:
            self._client.apply(f"{PATH}/{shard.name}", body, dry_run=self._options.check)
        else:
            self._client.create(PATH, body, dry_run=self._options.check)

    def _delete_shard(self, shard: Shard) -> None:
        body = {
            "kind": "DeleteOptions",
            "apiVersion": "v1",
            "preconditions": {"resourceVersion": shard.resource_version},
        }
        if self._options.check:
            body["dryRun"] = ["All"]
        try:
            self._client.request("DELETE", f"{PATH}/{shard.name}", body)
        except KubeError as error:
            if error.status != 404:
                raise

    def _guard(self, before: Denied, held: Denied) -> None:
        """Refuse to stop too much. Measured only where something new is denied at stage `deny`."""
        new = {
            key: digest
            for digest in held.digests()
            for key in held.keys_of(digest)
            if held.stage_of(digest) == "deny" and not _already(before, key) and "*" not in held.exempted(digest)
        }
        if not new:
            return
        exempt = state.exempt_test(self._client, self._options.namespace)
        radius = blast.measure(state.pods(self._client), new, exempt)
        self._outcome.blast = radius
        if radius.percent > self._options.max_stopped:
            names = ", ".join(f"{one.kind} {one.namespace}/{one.name}" for one in radius.workloads[:10])
            more = f" and {len(radius.workloads) - 10} more" if len(radius.workloads) > 10 else ""
            raise GuardError(
                f"nothing was marked: {radius.stopped} of {radius.running} running pods ({radius.percent:.0f} %) would"
                f" not start again, more than max_stopped ({self._options.max_stopped:g} %) allows: {names}{more};"
                " raise max_stopped if that is wanted, or use the stage warn first",
                radius,
            )

    def _explain(self, before: Denied, held: Denied) -> None:
        """The difference that people read."""
        for digest in sorted(before.digests() | held.digests()):
            old = [f"{before.stage_of(digest)} {key} {digest}" for key in before.keys_of(digest)]
            new = [f"{held.stage_of(digest)} {key} {digest}" for key in held.keys_of(digest)]
            if old != new:
                self._outcome.before.extend(f"denied: {line}" for line in old)
                self._outcome.after.extend(f"denied: {line}" for line in new)

    # -- the proof -----------------------------------------------------------------------------------------------

    def _prove(self, held: Denied, ours: set[str], touched: set[str], present: state.Present) -> dict[str, str]:
        """What `blocked` says of every denied image of this run.

        Images whose object was written, or whose proof is missing, are proven by every key; of every other object one
        image is asked for: where it passes, nothing in that object is proven any more.
        """
        blocked = {}
        ask: dict[str, list[str]] = {}
        sample: dict[str, str] = {}
        for digest in sorted(ours):
            if held.stage_of(digest) != "deny" or "*" in held.exempted(digest):
                blocked[digest] = "no"
            elif self._options.check:
                blocked[digest] = _blocked_before(present, digest) or "unproven: check mode"
            elif held.shard_of(digest) in touched or _blocked_before(present, digest) != PROVEN:
                for key in held.keys_of(digest):
                    ask.setdefault(held.shard_of(key), []).append(key)
            else:
                blocked[digest] = PROVEN
                sample.setdefault(held.shard_of(digest), digest)
        for shard, digest in sample.items():
            ask.setdefault(shard, []).append(digest)
        if not ask:
            return blocked
        unique = {shard: list(dict.fromkeys(found)) for shard, found in ask.items()}
        proof = self._prover.refused(unique)
        if self._outcome.openshift != "absent":
            self._outcome.openshift = proof.openshift
        for shard, digest in sample.items():
            if digest not in proof.refused:
                self._outcome.notes.append(f"{shard}: {proof.why.get(digest, '')}")
                for other in ours:
                    if held.shard_of(other) == shard:
                        blocked[other] = f"unproven: {proof.why.get(digest, '')}"
        for digest in ours - set(blocked):
            blocked[digest] = _conclusion(held.keys_of(digest), proof)
        return blocked

    def _wait_until_allowed(self, lifted: set[str]) -> None:
        """After a lift pods may start again; where they may not, that is said."""
        if self._options.check or not lifted:
            return
        for digest, reason in self._prover.allowed(sorted(lifted)).items():
            self._outcome.notes.append(f"{digest}: lifted, but a pod of it is still refused: {reason}")

    # -- ImageScans and annotations --------------------------------------------------------------------------------

    def _write_marks(
        self,
        chosen: dict[str, Verdict],
        decisions: dict[str, Decision],
        held: Denied,
        blocked: dict[str, str],
        present: state.Present,
    ) -> None:
        jobs: list[tuple[str, str, t.Callable[[], object]]] = []
        changed: dict[str, Mark] = {}
        for digest, verdict in chosen.items():
            decision = decisions[digest]
            denied = bool(held.stage_of(digest))
            exemption = "; ".join(f"exempt in {name}: {text}" for name, text in sorted(held.exempted(digest).items()))
            detail = "; ".join(part for part in (decision.detail, exemption) if part)
            stage = held.stage_of(digest) or decision.stage
            mark = _mark(verdict, stage, denied, blocked.get(digest, "no"), False, detail)
            report = self._report(digest)
            old = present.scans.get(digest)
            scan = imagescan.build(verdict, mark, report, old)
            if not imagescan.same(scan, old):
                jobs.append((digest, "ImageScan", _apply_scan(self._client, scan, self._options.check)))
                self._difference(digest, old, scan)
            patch = self._annotation_patch(digest, verdict, decision, stage if denied else "", report, present)
            if patch:
                jobs.append((digest, "Image", _patch_image(self._client, digest, patch, self._options.check)))
                ours = (present.annotations or {})[digest]
                self._outcome.before.extend(f"{digest}: {name}={ours[name]}" for name in sorted(patch) if name in ours)
                self._outcome.after.extend(f"{digest}: {name}={patch[name]}" for name in sorted(patch) if patch[name])
            changed[digest] = mark
        self._run(jobs)
        written = {digest for digest, _kind, _job in jobs} | self._changed_denials
        for digest, mark in changed.items():
            failed = "; ".join(self._outcome.failures.get(digest, ()))
            detail = "; ".join(part for part in (mark.detail, failed) if part)
            self._outcome.marks.append(dataclasses.replace(mark, changed=digest in written, detail=detail))

    @property
    def _changed_denials(self) -> set[str]:
        """Digests whose entries differ, from the explained difference."""
        lines = [*self._outcome.before, *self._outcome.after]
        return {line.rsplit(" ", 1)[-1] for line in lines if line.startswith("denied: ")}

    def _annotation_patch(
        self, digest: str, verdict: Verdict, decision: Decision, stage: str, report: str, present: state.Present
    ) -> dict[str, str | None]:
        if present.annotations is None or digest not in present.annotations or not decision.annotate:
            return {}
        values = openshift.wanted(verdict, stage == "deny", report)
        return openshift.patch(present.annotations[digest], values)

    def _remove(self, gone: set[str], decisions: dict[str, Decision], present: state.Present) -> None:
        jobs: list[tuple[str, str, t.Callable[[], object]]] = []
        for digest in sorted(gone):
            if digest in present.scans:
                path = f"{imagescan.PATH}/{imagescan.name(digest)}"
                jobs.append((digest, "ImageScan", _delete(self._client, path, self._options.check)))
                self._difference(digest, present.scans[digest], None)
            patch = openshift.patch((present.annotations or {}).get(digest, {}), {})
            if patch:
                jobs.append((digest, "Image", _patch_image(self._client, digest, patch, self._options.check)))
                self._outcome.before.extend(f"{digest}: {name}" for name in sorted(patch))
        self._run(jobs)
        written = {digest for digest, _kind, _job in jobs} | set(decisions)
        for digest in sorted(gone):
            reference = str(present.scans.get(digest, {}).get("spec", {}).get("image", ""))
            stage = decisions[digest].stage if digest in decisions else self._options.stage
            failed = "; ".join(self._outcome.failures.get(digest, ()))
            mark = Mark(digest, reference, "absent", stage, False, "no", digest in written, now(), failed)
            self._outcome.marks.append(mark)

    def _run(self, jobs: list[tuple[str, str, t.Callable[[], object]]]) -> None:
        """Every job, some at a time; a failure is kept with its image and stops no other."""

        def one(job: tuple[str, str, t.Callable[[], object]]) -> tuple[str, str, str]:
            digest, kind, write = job
            try:
                write()
            except ScapError as error:
                gone = kind == "Image" and isinstance(error, KubeError) and error.status == 404
                return digest, kind, "" if gone else error.message
            return digest, kind, ""

        with concurrent.futures.ThreadPoolExecutor(WORKERS) as pool:
            for digest, kind, message in pool.map(one, jobs):
                if message:
                    self._outcome.failures.setdefault(digest, []).append(message)
                else:
                    self._count(kind, 1)

    def _count(self, kind: str, number: int) -> None:
        self._outcome.written[kind] = self._outcome.written.get(kind, 0) + number

    def _difference(self, digest: str, old: J | None, new: J | None) -> None:
        for side, data in ((self._outcome.before, old), (self._outcome.after, new)):
            if data is not None:
                status = data.get("status") or {}
                words = [f"{name}={status.get(name)}" for name in ("state", "stage", "denied", "blocked")]
                side.append(f"ImageScan {digest}: {' '.join(words)} scanned {data['spec'].get('scannedAt')}")

    def _report(self, digest: str) -> str:
        base = self._options.report.rstrip("/")
        return f"{base}/images/{digest.split(':')[1]}.html" if base else ""


def _apply_scan(client: Client, scan: J, check: bool) -> t.Callable[[], object]:
    return lambda: client.apply(f"{imagescan.PATH}/{scan['metadata']['name']}", scan, dry_run=check)


def _patch_image(client: Client, digest: str, patch: t.Mapping[str, str | None], check: bool) -> t.Callable[[], object]:
    body = {"metadata": {"annotations": dict(patch)}}
    return lambda: client.patch(f"{state.OPENSHIFT_IMAGES}/{digest}", body, dry_run=check)


def _delete(client: Client, path: str, check: bool) -> t.Callable[[], object]:
    return lambda: client.delete(path, dry_run=check)


def _mark(verdict: Verdict, stage: str, denied: bool, blocked: str, changed: bool, detail: str) -> Mark:
    image = verdict.image
    return Mark(image.digest, image.reference, verdict.state, stage, denied, blocked, changed, now(), detail)


def _alone(verdict: Verdict) -> Image:
    """What the verdict itself says of its image's names."""
    return Image(
        reference=verdict.image.reference, digest=verdict.image.digest, index_digests=list(verdict.index_digests)
    )


def _already(before: Denied, key: str) -> bool:
    return any(before.stage_of(digest) == "deny" for digest in before.owners(key))


def _blocked_before(present: state.Present, digest: str) -> str:
    return str(((present.scans.get(digest) or {}).get("status") or {}).get("blocked", ""))


def _conclusion(found: t.Sequence[str], proof: Proof) -> str:
    missing = [key for key in found if key not in proof.refused]
    if not missing:
        return PROVEN
    return f"unproven: {missing[0]}: {proof.why.get(missing[0], '')}"


def _tags(images: t.Sequence[Image], search: t.Collection[str]) -> tuple[dict[str, set[str]], dict[str, set[str]]]:
    """Every tag's key to the digests that it means now, and every digest to the indexes that contain it."""
    tags: dict[str, set[str]] = {}
    indexes: dict[str, set[str]] = {}
    for image in images:
        if not image.digest:
            continue
        indexes.setdefault(image.digest, set()).update(image.index_digests)
        for reference in [image.reference, *image.references]:
            for key in keys.of_reference(reference, search):
                tags.setdefault(key, set()).add(image.digest)
    return tags, indexes
