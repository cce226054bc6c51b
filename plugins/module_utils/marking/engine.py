# Copyright (c) 2026, scap.images contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Marks images: decides, guards, writes the denied set, proves it, then writes ImageScans and annotations.

The order is the point: what admission obeys is written first and whole, the proof comes next, and only then do
the objects that people read say `proven`. Every step can be repeated; a run that broke off is continued by the
next, because only what differs is written.
"""

from __future__ import annotations

import typing as t

from ..kube.client import Client
from ..kube.errors import KubeError
from ..model import Image, J, Mark, Verdict, is_digest, now
from . import annotations as openshift
from . import blast, keys, state
from .decide import Decision, decide, per_image
from .denied import PATH, Denied, Shard
from .naming import Names
from .outcome import GuardError, Options, Outcome
from .proof import Proof, Prover
from .writer import Writer

ATTEMPTS = 6
"""How often the denied set is read and written again when somebody else writes it at the same time."""

PROVEN = "proven"
_OPENSHIFT_SEARCH = ("registry.access.redhat.com",)
"""Where OpenShift's nodes look for a name without a registry, besides docker.io."""


class Marker:
    """One run."""

    def __init__(self, client: Client, options: Options) -> None:
        self._client = client
        self._options = options
        self._prover = Prover(client, options.namespace)
        self._outcome = Outcome()

    def mark(self, verdicts: t.Sequence[Verdict], images: t.Iterable[Image] = ()) -> Outcome:
        """Mark every image that has a verdict. Raises KubeError, ScapError, GuardError before anything is written."""
        chosen = per_image(verdicts)
        nameless = [verdict for verdict in verdicts if not is_digest(verdict.image.digest)]
        chosen = {digest: verdict for digest, verdict in chosen.items() if is_digest(digest)}
        present = self._read(chosen)
        search = self._options.search_registries or (() if present.annotations is None else _OPENSHIFT_SEARCH)
        names = Names(images, chosen, search)

        def change(held: Denied) -> dict[str, Decision]:
            decisions = {}
            today = now()[:10]
            for digest, verdict in chosen.items():
                decision = decide(verdict, held.stage_of(digest), self._options.stage, self._options.deny_on)
                decisions[digest] = decision
                if decision.lift:
                    held.lift(digest)
            self._outcome.notes = [
                f"{key} means another image now: no longer denied" for key in held.follow(names.tags, names.indexes)
            ]
            for digest, decision in decisions.items():
                if decision.deny:
                    said = chosen[digest].state
                    said = said if said in self._options.deny_on else held.state_of(digest)
                    held.deny(digest, names.keys(digest), decision.stage, said, held.since(digest) or today)
            for exemption in held.exempt(self._options.exemptions, today):
                self._outcome.notes.append(f"the exemption of {exemption.key} concerns no denied image or has expired")
            return decisions

        held, decisions, changed = self._write_denied(present.denied, change, guard=True)
        ours = {digest for digest in chosen if held.stage_of(digest)}
        blocked = self._prove(held, ours, changed, present)
        self._wait_until_allowed({digest for digest, decision in decisions.items() if decision.lift})
        Writer(self._client, self._options, self._outcome, present).mark(chosen, decisions, held, blocked, changed)
        for verdict in nameless:
            detail, reference = "the image has no digest, so nothing can be marked", verdict.image.reference
            mark = Mark("", reference, verdict.state, self._options.stage, False, "no", False, now(), detail)
            self._outcome.marks.append(mark)
        return self._outcome

    def lift(self, digests: t.Collection[str] | None, names: t.Collection[str] = ()) -> Outcome:
        """Take every trace of marks away: of these images (None: of all), and of those that `names` (keys) mean."""
        everything = digests is None
        present = self._read(None if everything or names else digests)
        gone: set[str] = set(digests or ())

        def change(held: Denied) -> dict[str, Decision]:
            stages = {}
            for key in names:
                gone.update(held.owners(key))
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
        _held, decisions, changed = self._write_denied(present.denied, change)
        gone.update(decisions)
        self._wait_until_allowed(set(decisions))
        if not everything and not gone & (set(present.scans) | set(decisions) | set(present.annotations or {})):
            self._outcome.notes.append("none of these images has a mark")
        stages = {digest: decision.stage for digest, decision in decisions.items()}
        Writer(self._client, self._options, self._outcome, present).remove(gone, stages, changed)
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

        Returns the set, the decisions and the digests whose entries differ from what they were.
        """
        for attempt in range(ATTEMPTS):
            held = Denied(objects, self._options.report, self._options.help)
            decisions = change(held)
            if guard and attempt == 0:
                self._guard(held)
            write, remove = held.changes()
            try:
                for shard in write:
                    self._write_shard(shard)
                for name in remove:
                    self._delete_shard(held.shards[name])
            except KubeError as error:
                if error.status != 409 or attempt + 1 == ATTEMPTS:
                    raise
                objects = state.denied_objects(self._client)
                continue
            self._outcome.count("DeniedImages", len(write) + len(remove))
            self._outcome.entries = len(held)
            for name in held.foreign:
                self._outcome.notes.append(f"DeniedImages {name} was not written by scap.images: it is left alone")
            return held, decisions, self._explain(held)
        raise AssertionError("unreachable")

    def _write_shard(self, shard: Shard) -> None:
        """Write one object; status 409 where it has to be read again first."""
        body = shard.manifest()
        if shard.resource_version:
            self._client.apply(f"{PATH}/{shard.name}", body, dry_run=self._options.check)
            return
        try:
            self._client.create(PATH, body, dry_run=self._options.check)
        except KubeError as error:
            if error.status == 0:  # nobody knows whether it was created
                raise KubeError("kube_conflict", error.message, 409) from error
            raise

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

    def _guard(self, held: Denied) -> None:
        """Count what newly marked images would stop; refuse where that is too much and they are to be denied now."""
        new: dict[str, str] = {}
        for digest, (stage, before) in held.before.items():
            if held.stage_of(digest) and "*" not in held.exempted(digest):
                known = before if stage == held.stage_of(digest) else []
                new.update({key: digest for key in held.keys_of(digest) if key not in known})
        denied = {key: digest for key, digest in new.items() if held.stage_of(digest) == "deny"}
        if not new:
            return
        exempt = state.exempt_test(self._client, self._options.namespace)
        radius = blast.measure(state.pods(self._client), denied or new, exempt)
        self._outcome.blast = radius
        if not denied:
            return
        if radius.percent > self._options.max_stopped:
            raise GuardError(
                "nothing was marked: more would not start again than max_stopped"
                f" ({self._options.max_stopped:g} %) allows, {radius.said()};"
                " raise max_stopped if that is wanted, or use the stage warn first",
                radius,
            )

    def _explain(self, held: Denied) -> set[str]:
        """The images whose entries differ; the difference that people read is kept."""
        changed = set()
        for digest, (stage, before) in sorted(held.before.items()):
            now_at, after = held.stage_of(digest), held.keys_of(digest)
            if (stage, before) != (now_at, after):
                changed.add(digest)
                self._outcome.before.extend(_line(stage, key, digest) for key in before)
                self._outcome.after.extend(_line(now_at, key, digest) for key in after)
        return changed

    # -- the proof -----------------------------------------------------------------------------------------------

    def _prove(self, held: Denied, ours: set[str], changed: set[str], present: state.Present) -> dict[str, str]:
        """What `blocked` says of every denied image of this run.

        Images whose entries changed, or whose proof is missing, are proven by every key; of every object one of the
        others is asked for: where a pod of it passes, nothing in that object is proven any more.
        """
        blocked = {}
        ask: dict[str, list[str]] = {}
        sample: dict[str, str] = {}
        for digest in sorted(ours):
            if held.stage_of(digest) != "deny" or "*" in held.exempted(digest):
                blocked[digest] = "no"
            elif self._options.check:
                blocked[digest] = _blocked_before(present, digest) or "unproven: check mode"
            elif digest in changed or _blocked_before(present, digest) != PROVEN:
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
        self._outcome.lifted = len(lifted)
        if self._options.check or not lifted:
            return
        for digest, reason in self._prover.allowed(sorted(lifted)).items():
            self._outcome.notes.append(f"{digest}: lifted, but a pod of it is still refused: {reason}")


def _line(stage: str, key: str, digest: str) -> str:
    return f"denied set, {stage}: {key}" if key == digest else f"denied set, {stage}: {key} (of {digest})"


def _blocked_before(present: state.Present, digest: str) -> str:
    return str(((present.scans.get(digest) or {}).get("status") or {}).get("blocked", ""))


def _conclusion(found: t.Sequence[str], proof: Proof) -> str:
    missing = [key for key in found if key not in proof.refused]
    if not missing:
        return PROVEN
    return f"unproven: {missing[0]}: {proof.why.get(missing[0], '')}"
