"""A model of publisher, witnesses, clients and an attacker who replays and combines everything that was published.

There are three witnesses, of which two have to cosign, and two clients. The attacker keeps every checkpoint,
cosignature, proof and trust note, serves any of them at any time, combines and damages them, hangs in the middle of an
answer, and has stolen one thing: the key of the log, of one witness with two keys, of all witnesses, of one root, or
nothing. With the log's key the attacker can append to the log, and no check here prevents that: everybody sees it. The
attacker cannot show anyone another history.

The publisher lies, too: in release records and in lists of revocations, with valid signatures and cosignatures.
"""

from __future__ import annotations

import hashlib
import json
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from itertools import count
from pathlib import Path
from typing import Any, ClassVar

import msgspec
import pytest
from hypothesis import HealthCheck, seed, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, precondition, rule, run_state_machine_as_test

from catalog.errors import (
    FalseRecord,
    LdcatError,
    NotThere,
    OlderThanSeen,
    Stale,
    Unreadable,
    UntrustedSigner,
    VerificationFailed,
)
from catalog.log.log_folder import LogFolder
from catalog.log.records import ReleaseRecord, RevokeRecord, encode_leaf
from catalog.log.release_rules import revocations_json
from catalog.log.revocation_chain import RevocationChain
from catalog.log.revocation_list import Revocation
from catalog.log.seen import Seen
from catalog.prove.proof_bundle import ProofBundle
from catalog.prove.verdict import Outcome, Verdict
from catalog.prove.verify_proof import verify_bundle
from catalog.prove.verify_tlog_proof import verify_tlog_proof
from catalog.rows.digest_record import DigestRecord
from catalog.rows.endorsed_record import EndorsedRecord
from catalog.transparency import merkle
from catalog.transparency.checkpoint import Checkpoint
from catalog.transparency.keys import SignatureType, Signer
from catalog.transparency.note import Note, Signature
from catalog.transparency.proof import InclusionProof, TlogProof
from catalog.transparency.trust import Trust, follow, open_trust
from catalog.values import replace as changed
from catalog.verify.verify_release import verify_release
from tests.support.endorsed_digests import listed
from tests.support.logs import DAY, LOG, NOW, ORIGIN, MemoryLog, naive_root, signature, signed, signer
from tests.support.proof_bundles import in_format_1
from tests.support.trust_notes import trust_text

COUNTERFEIT = signer(ORIGIN, seed=1)
WITNESSES = [signer(f"w{n}.example", SignatureType.COSIGNATURE_ED25519) for n in range(3)]
SECOND = signer("w0.example", SignatureType.COSIGNATURE_ED25519, seed=1)
"""A second key of the first witness, listed in the policy as a separate witness."""

OWN = signer(ORIGIN, SignatureType.COSIGNATURE_ED25519)
"""A cosignature key of the log itself, listed in the policy as a witness."""

ROOTS = [signer(f"root.example/{n}") for n in range(40)]
HOUR = 3600
MAX_AGE = 7 * DAY
COSIGNERS = (*WITNESSES, SECOND, OWN)
STOLEN = {"log": (4,), "witness": (0, 3), "witnesses": (0, 1, 2, 3)}
"""Whose cosignatures the attacker can make, by what was stolen."""

LIES = ("list", "commitment", "time", "trust version", "previous")
"""What is false in a release: it lists fewer revocations than it commits to; it commits to fewer revocations; an
impossible time or trust version; another root for the checkpoint before.
"""

ANSWERS = (Outcome.MATCH, Outcome.INFERRED, Outcome.ENDORSED, Outcome.REVOKED, Outcome.UNKNOWN)
"""Outcomes for a bundle in which everything is verified."""


SNP_ROW = {
    "type": "digest",
    "technology": "sev-snp",
    "firmware_sha256": None,
    "base_digest": "ab" * 48,
    "kernel_hashes_sha256": None,
    "vmm": "gce-v1",
    "vcpus": 2,
    "vcpu_signature": None,
    "sev_features": "0x1",
}
"""A row that follows from a base, without its digest."""

STEPS = 40
"""Steps of one walk."""

MOST_STEPS = 20_000
"""Steps after which everything in REACHED must have happened."""

REACHED = {
    *(outcome.value for outcome in Outcome),
    *("right: match", "right: unknown", "rolled back: older-than-seen", "future: stale", "whole: untrusted-signer"),
    *("spliced: bad-proof", "elsewhere: bad-proof", "damaged: bad-proof", "made up: bad-proof"),
    *("fork refused by a witness", "trust note followed", "trust note refused"),
    *("forged trust note: UntrustedSigner", "forged trust note: VerificationFailed"),
    *("stapled: match", "stapled: revoked", "stapled: older-than-seen", "stapled: false-record", "stapled: stale"),
    *("a quorum of one: untrusted-signer", "lied: false-record", "host: hangs", "host: FalseRecord", "host: verified"),
}
"""What has to happen in a run, so that it is not vacuous."""


def text_of_version(version: int, log: Signer = LOG, first: int | None = None) -> str:
    """A trust note: version 1 has the first three roots, each later one keeps two roots of its predecessor."""
    witnesses = "".join(f"witness w{n} {by.key}\n" for n, by in enumerate(COSIGNERS))
    policy = f"log {log.key}\n{witnesses}group two 2 w0 w1 w2 w3 w4\nquorum two\n"
    roots = ROOTS[first or version :][:3]
    return trust_text(policy, version=version, expires=NOW + 9000 * DAY, max_age=MAX_AGE, threshold=2, roots=roots)


def row(number: int) -> DigestRecord | EndorsedRecord:
    """One of four is an endorsed digest, and one a row that follows from a base."""
    if number % 4 == 3:
        return listed(hashlib.sha384(str(number).encode()).hexdigest())
    if number % 4 == 2:
        return msgspec.convert(
            SNP_ROW | {"launch_digest": hashlib.sha384(str(number).encode()).hexdigest()}, DigestRecord
        )
    digest = hashlib.sha256(str(number).encode()).hexdigest()
    return DigestRecord(
        type="digest",
        launch_digest=digest,
        technology="sev",
        firmware_sha256=digest,
        kernel_hashes_sha256=None,
        vmm=None,
        vcpus=abs(number) % 3,
        vcpu_signature=None,
        sev_features=None,
    )


@dataclass
class Head:
    """A checkpoint of a history. cosignatures: all that were ever made, by witness, with their times.

    revokes: those among its leaves. listed: those its release lists. lie: what is false in it, a key of LIES.
    """

    checkpoint: Checkpoint
    revokes: tuple[RevokeRecord, ...]
    listed: tuple[RevokeRecord, ...]
    lie: str | None
    log_signature: Signature
    genuine: bool
    cosignatures: list[tuple[int, int, Signature]] = field(default_factory=list)

    @property
    def committed(self) -> tuple[RevokeRecord, ...]:
        """The revocations that its release commits to."""
        return self.revokes if self.lie == "list" else self.listed


@dataclass(frozen=True, slots=True)
class Host(LogFolder):
    """Files of a log; it hangs after `left` more files, and `left` is below 0 from then on."""

    files: Mapping[str, bytes]
    here: bool
    left: list[int]

    @property
    def is_here(self) -> bool:
        return self.here

    def read(self, path: str, at_most: int) -> bytes:
        self.left[0] -= 1
        if self.left[0] < 0:
            raise Unreadable("no whole answer in time")
        if path not in self.files:
            raise NotThere(path)
        return self.files[path]

    def checkpoint(self) -> Note | None:
        return Note.parse(self.read("checkpoint", 1 << 20))


@dataclass
class History:
    """Leaves of a log, and its checkpoints."""

    leaves: list[bytes] = field(default_factory=list)
    heads: list[Head] = field(default_factory=list)

    def release(
        self,
        rows: Sequence[DigestRecord | EndorsedRecord],
        revokes: Sequence[RevokeRecord],
        by: Signer,
        now: int,
        lie: str | None = None,
    ) -> Head:
        """Appends a release like publish.py. revokes: all so far, those after `rows` are new. lie: a key of LIES."""
        listed = tuple(revokes[:-1]) if lie in ("list", "commitment") else tuple(revokes)
        known = self.heads[-1].revokes if self.heads else ()
        committed = RevocationChain.of(revokes if lie == "list" else listed)
        record = ReleaseRecord(
            type="release",
            release=len(self.heads) + 1,
            time=now + (400 * DAY if lie == "time" else 0),
            artifacts={"manifest.json": ""},
            revocations_sha256=hashlib.sha256(revocations_json(listed)).hexdigest(),
            revocations_count=committed.count,
            revocations_chain=committed.value,
            previous_size=self.heads[-1].checkpoint.size if self.heads else 0,
            previous_root=(self.heads[-1].checkpoint.root if self.heads else merkle.EMPTY_ROOT).hex(),
            trust_version=999 if lie == "trust version" else None,
        )
        if lie == "previous":
            record = msgspec.structs.replace(record, previous_root="11" * 32)
        self.leaves += (
            sorted(map(encode_leaf, rows))
            + [encode_leaf(each) for each in revokes[len(known) :]]
            + [encode_leaf(record)]
        )
        checkpoint = Checkpoint(ORIGIN, len(self.leaves), naive_root(self.leaves))
        head = Head(checkpoint, tuple(revokes), listed, lie, signature(by, str(checkpoint), now), by is LOG)
        self.heads.append(head)
        return head

    def proof(self, index: int, head: Head) -> InclusionProof:
        memory = MemoryLog()
        memory.append(self.leaves[: head.checkpoint.size])
        hashes = merkle.inclusion_proof(index, head.checkpoint.size, memory.reader.node)
        return InclusionProof(index, tuple(hashes), self.leaves[index])

    def files(self, head: Head, note: Note) -> dict[str, bytes]:
        """The files that a host of the log has at a checkpoint, as far as they are read."""
        memory = MemoryLog()
        memory.append(self.leaves[: head.checkpoint.size])
        path = f"releases/{self.heads.index(head) + 1}/revocations.json"
        return {**memory.files, "checkpoint": bytes(note), path: revocations_json(head.listed)}

    def consistency(self, old: int, head: Head) -> list[bytes]:
        memory = MemoryLog()
        memory.append(self.leaves[: head.checkpoint.size])
        return merkle.consistency_proof(old, head.checkpoint.size, memory.reader.node)


@dataclass
class Witness:
    """Cosigns checkpoints that are consistent with the last one it cosigned."""

    number: int
    last: Checkpoint | None = None

    def cosign(self, history: History, head: Head, now: int) -> bool:
        new, old = head.checkpoint, self.last
        if not head.genuine or (old and new.size < old.size):
            return False
        if old:
            try:
                proof = history.consistency(old.size, head)
                merkle.verify_consistency(old.size, new.size, proof, old.root, new.root)
            except VerificationFailed:
                return False
        self.last = new
        head.cosignatures.append((self.number, now, signature(WITNESSES[self.number], str(new), now)))
        return True


@dataclass
class Client:
    """The state of a guest owner: a trust note, and the newest verified checkpoint."""

    trust: Trust
    seen: dict[str, Seen] = field(default_factory=dict)
    listed: tuple[RevokeRecord, ...] = ()
    """The revocations listed at the newest verified checkpoint."""

    def sees(self, head: Head) -> None:
        self.seen[ORIGIN] = Seen(head.checkpoint, RevocationChain.of(head.listed), listed=revocations_of(head))
        self.listed = head.listed


@dataclass(frozen=True)
class Offer:
    """A complete bundle at one checkpoint, with cosignatures of the attacker's choice: witness and time of each."""

    bundle: ProofBundle
    head: Head
    times: Mapping[int, int]


class Attack(RuleBasedStateMachine):
    """The name of each rule says what it does; `_ask` checks the invariants."""

    reached: ClassVar[Counter[str]] = Counter()

    @initialize(stolen=st.sampled_from(["nothing", "log", "witness", "witnesses", "root"]))
    def begin(self, stolen: str) -> None:
        self.stolen = stolen
        self.now = NOW
        self.rows = 0
        self.honest = History()
        self.forks: list[History] = []
        self.witnesses = [Witness(number) for number in range(3)]
        self.notes = [signed(text_of_version(1), *ROOTS[1:4])]
        self.clients = [Client(open_trust(self.notes[0])) for _ in range(2)]
        self._publish(3, [], [0, 1, 2])

    # Honest parties.

    @rule(rows=st.integers(0, 3), data=st.data(), order=st.permutations([0, 1, 2]))
    def publish(self, rows: int, data: st.DataObject, order: list[int]) -> None:
        numbers = st.integers(1, self.rows)
        selectors = st.builds(lambda number: {"launch_digest": row(number).launch_digest}, numbers) | st.builds(
            lambda vcpus: {"vcpus": vcpus}, st.integers(0, 2)
        )
        severities = st.sampled_from(["revoked", "revoked", "deprecated", "restored"])
        drawn = data.draw(st.lists(st.tuples(selectors, severities), max_size=2))
        revokes = [RevokeRecord(type="revoke", selector=s, severity=v, reason="a reason") for s, v in drawn]
        self.now += HOUR
        self._publish(rows, revokes, order)

    @rule(
        data=st.data(),
        client=st.integers(0, 1),
        lie=st.sampled_from(LIES),
        order=st.permutations([0, 1, 2]),
        here=st.booleans(),
    )
    def lie(self, data: st.DataObject, client: int, lie: str, order: list[int], here: bool) -> None:
        """The publisher lies, with valid keys; witnesses cosign it, since they see sizes and roots only."""
        self.now += HOUR
        revoke = RevokeRecord(type="revoke", selector={"vcpus": 1}, severity="revoked", reason="to be hidden")
        self._publish(0, [revoke] if data.draw(st.booleans()) else [], order, lie)
        head = self.honest.heads[-1]
        offer = self._offer(data, self.honest, head, every=True)
        self._serve(offer, self.clients[client], False, "lied")
        self._ask_host(offer, self.honest, self.clients[client], here, 1000)

    def _publish(self, rows: int, revokes: list[RevokeRecord], order: list[int], lie: str | None = None) -> None:
        """The log asks witnesses until two have cosigned; the third may fall behind."""
        numbers = range(self.rows + 1, self.rows + rows + 1)
        self.rows += rows
        known = self.honest.heads[-1].revokes if self.honest.heads else ()
        head = self.honest.release([row(number) for number in numbers], [*known, *revokes], LOG, self.now, lie)
        agreed = 0
        for number in order:
            agreed += agreed < 2 and self.witnesses[number].cosign(self.honest, head, self.now)
        assert agreed == 2

    @rule(number=st.integers(0, 2))
    def heartbeat(self, number: int) -> None:
        self.witnesses[number].cosign(self.honest, self.honest.heads[-1], self.now)

    @rule(time=st.sampled_from([HOUR, DAY, 3 * DAY, MAX_AGE + 1]))
    def wait(self, time: int) -> None:
        self.now += time

    @rule()
    @precondition(lambda self: len(self.notes) < 30)
    def rotate(self) -> None:
        version = len(self.notes) + 1
        self.notes.append(signed(text_of_version(version), *ROOTS[version : version + 3]))

    # The attacker.

    @rule(keep=st.floats(0, 1), rows=st.integers(0, 2), hide=st.booleans())
    def fork(self, keep: float, rows: int, hide: bool) -> None:
        """Another history: part of the honest one, rows that nobody measured, and maybe no revocations."""
        by = LOG if self.stolen == "log" else COUNTERFEIT
        newest = self.honest.heads[-1]
        forked = History(self.honest.leaves[: int(keep * (newest.checkpoint.size - 1))])
        forked.release([row(-n - 1) for n in range(rows)], () if hide else newest.revokes, by, self.now)
        self.forks.append(forked)
        self._cosign_with_stolen_keys(forked.heads[0], self.now)
        for witness in self.witnesses:
            cosigned = witness.cosign(forked, forked.heads[0], self.now)
            self.reached[f"fork {'cosigned' if cosigned else 'refused'} by a witness"] += 1

    @rule(data=st.data(), ahead=st.sampled_from([-DAY, 0, 2 * HOUR, 20 * DAY]))
    @precondition(lambda self: self.stolen.startswith("witness"))
    def cosign_at_another_time(self, data: st.DataObject, ahead: int) -> None:
        self._cosign_with_stolen_keys(self._draw_head(data)[1], self.now + ahead)

    @rule(data=st.data(), client=st.integers(0, 1))
    @precondition(lambda self: self.stolen.startswith("witness"))
    def serve_what_is_cosigned_in_the_future(self, data: st.DataObject, client: int) -> None:
        head = self.honest.heads[-1]
        self._cosign_with_stolen_keys(head, self.now + 20 * DAY)
        self._serve(self._offer(data, self.honest, head, every=True), self.clients[client], False, "future")

    def _cosign_with_stolen_keys(self, head: Head, time: int) -> None:
        for number in STOLEN.get(self.stolen, ()):
            head.cosignatures.append((number, time, signature(COSIGNERS[number], str(head.checkpoint), time)))

    @rule(data=st.data(), client=st.integers(0, 1))
    @precondition(lambda self: self.stolen in ("log", "witness"))
    def be_a_quorum_of_one(self, data: st.DataObject, client: int) -> None:
        """Cosigns with two keys of one witness, or with a key of the log itself that the policy lists as a witness."""
        history, head = self._draw_head(data)
        self._cosign_with_stolen_keys(head, self.now)
        own = replace(head, cosignatures=[made for made in head.cosignatures if made[0] in STOLEN[self.stolen]])
        offer = self._offer(data, history, own, every=True)
        assert offer.times
        self._serve(offer, self.clients[client], False, "a quorum of one")

    @rule(data=st.data(), client=st.integers(0, 1), here=st.booleans(), patience=st.integers(0, 20))
    def ask_a_host(self, data: st.DataObject, client: int, here: bool, patience: int) -> None:
        """Verifies a release on a host that serves the log at any checkpoint."""
        history, head = self._draw_head(data)
        self._ask_host(self._offer(data, history, head, every=True), history, self.clients[client], here, patience)

    def _ask_host(self, offer: Offer, history: History, client: Client, here: bool, patience: int) -> None:
        """First a host that hangs after so many files, then one that does not."""
        head, note = offer.head, offer.bundle.checkpoint
        for left in (patience, 1000):
            host = Host(Path("/nowhere"), history.files(head, note), here, [left])
            found: type[LdcatError] | None
            before, expected = dict(client.seen), self._expected_of_host(offer, history, client, here)
            try:
                verified = verify_release(host, None, client.trust, now=self.now, seen=client.seen)
            except LdcatError as error:
                found = type(error)
                assert client.seen == before
            else:
                found = None
                client.sees(head)
                assert client.seen[ORIGIN].revocations == verified.seen.revocations
                client.seen[ORIGIN] = changed(verified.seen, listed=revocations_of(head))  # as a lookup keeps it
            hangs = host.left[0] < 0
            assert found is (Unreadable if hangs else expected)
            self.reached["host: hangs" if hangs else f"host: {found.__name__ if found else 'verified'}"] += 1

    def _expected_of_host(self, offer: Offer, history: History, client: Client, here: bool) -> type[LdcatError] | None:
        outcome, head = self._expected(offer, client, False), offer.head
        if outcome in (Outcome.UNTRUSTED, Outcome.OLDER):
            return {Outcome.UNTRUSTED: UntrustedSigner, Outcome.OLDER: OlderThanSeen}[outcome]
        at = history.heads.index(head)
        last = history.heads[at - 1] if at else None
        came = head.revokes[len(last.revokes) if last else 0 :]
        hidden = head.listed != head.revokes
        if hidden and not here and last and head.lie == "commitment":  # twice, on the word of the publisher
            hidden = (*last.committed, *came) != head.listed
        if hidden or head.lie in ("time", "trust version") or (head.lie == "previous"):
            return FalseRecord
        if not self._goes_on(head, client):
            return FalseRecord
        return Stale if outcome is Outcome.STALE else None

    @rule(data=st.data(), client=st.integers(0, 1), other=st.booleans())
    def serve(self, data: st.DataObject, client: int, other: bool) -> None:
        """Any complete bundle of any time; the expected answer is known exactly."""
        offer = self._draw_offer(data)
        self._serve(offer, self.clients[client], other, "whole")

    @rule(data=st.data(), client=st.integers(0, 1), other=st.booleans())
    def serve_what_is_right(self, data: st.DataObject, client: int, other: bool) -> None:
        head = self.honest.heads[-1]
        self._serve(self._offer(data, self.honest, head, every=True), self.clients[client], other, "right")

    @rule(data=st.data(), client=st.integers(0, 1))
    def roll_back(self, data: st.DataObject, client: int) -> None:
        """First the current checkpoint, then an earlier one."""
        for head in (self.honest.heads[-1], data.draw(st.sampled_from(self.honest.heads))):
            self._serve(self._offer(data, self.honest, head, every=True), self.clients[client], False, "rolled back")

    @rule(data=st.data(), client=st.integers(0, 1), accepts=st.sampled_from([HOUR, DAY, MAX_AGE]))
    def staple(self, data: st.DataObject, client: int, accepts: int) -> None:
        """A proof of any checkpoint, to a client that has seen the newest one and accepts an older proof."""
        self._serve(
            self._offer(data, self.honest, self.honest.heads[-1], every=True), self.clients[client], False, "right"
        )
        history, head = self._draw_head(data)
        self._serve(self._offer(data, history, head, every=True), self.clients[client], False, "stapled", accepts)

    @rule(data=st.data(), client=st.integers(0, 1))
    def serve_a_bare_proof(self, data: st.DataObject, client: int) -> None:
        """A tlog-proof of the row alone. It shows neither release nor revocations: those that the client saw count."""
        offer, chosen = self._draw_offer(data), self.clients[client]
        proof = bytes(TlogProof(offer.bundle.row, offer.bundle.checkpoint))
        expected = self._expected(offer, chosen, False)
        verdict = verify_tlog_proof(proof, chosen.trust, now=self.now, seen=chosen.seen, digest=None)
        if expected in (Outcome.FALSE, *ANSWERS):
            assert offer.bundle.row.extra is not None
            expected = Outcome.REVOKED if is_revoked(offer.bundle.row.extra, chosen.listed) else Outcome.INCLUDED
        assert verdict.outcome is expected
        assert verdict.newest is None
        if verdict.outcome is Outcome.INCLUDED:
            assert verdict.row is not None
            assert encode_leaf(verdict.row) in self.honest.leaves[: offer.head.checkpoint.size]
        self.reached[verdict.outcome.value] += 1

    @rule(data=st.data(), client=st.integers(0, 1), number=st.integers(-9, -1))
    def serve_a_row_that_nobody_measured(self, data: st.DataObject, client: int, number: int) -> None:
        bundle = self._draw_offer(data).bundle
        made = changed(bundle, row=changed(bundle.row, extra=encode_leaf(row(number))))
        self._ask(self._written(data, made), self.clients[client], row(number).launch_digest, "made up")

    @rule(data=st.data(), client=st.integers(0, 1))
    def serve_what_is_put_together(self, data: st.DataObject, client: int) -> None:
        one, other = (self._draw_offer(data).bundle for _ in range(2))

        def either() -> ProofBundle:
            return data.draw(st.sampled_from([one, other]))

        def proof(name: str) -> InclusionProof:
            index, hashes, extra = (getattr(either(), name) for _ in range(3))
            return InclusionProof(index.index, hashes.hashes, extra.extra)

        made = ProofBundle(either().checkpoint, proof("row"), proof("status"), either().revocations)
        texts = [bytes(made), in_format_1(made), in_format_1(made, either().checkpoint)]
        self._ask(data.draw(st.sampled_from(texts)), self.clients[client], None, "spliced")

    @rule(data=st.data(), client=st.integers(0, 1))
    def serve_what_stands_elsewhere(self, data: st.DataObject, client: int) -> None:
        """Valid proofs of the wrong leaves: an older release as the status, or another leaf as the row."""
        head = self.honest.heads[-1]
        old = data.draw(st.sampled_from(self.honest.heads))
        bundle = self._offer(data, self.honest, head, every=True).bundle
        what = data.draw(st.sampled_from(["status", "revocations", "row"]))
        if what == "status":
            status = self.honest.proof(old.checkpoint.size - 1, head)
            made, right = changed(bundle, status=status, revocations=revocations_of(old)), old is head
        elif what == "revocations":
            made, right = changed(bundle, revocations=revocations_of(old)), old.listed == head.listed
        else:
            at = data.draw(st.integers(0, head.checkpoint.size - 1))
            made = changed(bundle, row=self.honest.proof(at, head))
            right = is_answer(self.honest.leaves[at])
        right = right and not self._is_false(head, self.clients[client])
        verdict = self._ask(self._written(data, made), self.clients[client], None, "elsewhere")
        assert right == (verdict.outcome in ANSWERS) or verdict.outcome is Outcome.STALE

    @rule(data=st.data(), client=st.integers(0, 1), cut=st.booleans())
    def serve_what_is_damaged(self, data: st.DataObject, client: int, cut: bool) -> None:
        bundle = self._draw_offer(data).bundle
        good = self._written(data, bundle)
        at = data.draw(st.integers(0, len(good) - 2))
        changed = bytes([good[at] ^ data.draw(st.integers(1, 255))])
        verdict = self._ask(
            good[:at] if cut else good[:at] + changed + good[at + 1 :], self.clients[client], None, "damaged"
        )
        assert verdict.outcome not in ANSWERS

    @rule(data=st.data(), client=st.integers(0, 1))
    def bring_a_trust_note(self, data: st.DataObject, client: int) -> None:
        """Any published version; only the next one is accepted."""
        note, chosen = data.draw(st.sampled_from(self.notes)), self.clients[client]
        before = chosen.trust
        try:
            chosen.trust = follow(before, note)
        except VerificationFailed:
            assert Trust.parse(note.text).version != before.version + 1
            self.reached["trust note refused"] += 1
        else:
            assert chosen.trust.version == before.version + 1
            self.reached["trust note followed"] += 1

    @rule(client=st.integers(0, 1), own=st.integers(0, 3), skip=st.integers(-1, 2))
    def bring_a_forged_trust_note(self, client: int, own: int, skip: int) -> None:
        """It names the attacker's log, and is signed by the attacker's keys and by a root that may be stolen."""
        before = self.clients[client].trust
        text = text_of_version(before.version + skip or 1, COUNTERFEIT, 35 if own else None)
        keys = ROOTS[35 : 35 + own] + ([ROOTS[before.version + 1]] if self.stolen == "root" else [ROOTS[39]])
        try:
            follow(before, signed(text, *keys))
        except LdcatError as error:
            self.reached[f"forged trust note: {type(error).__name__}"] += 1
        else:
            raise AssertionError("a forged trust note was followed")

    # Invariants.

    def _serve(self, offer: Offer, client: Client, other: bool, kind: str, accepts: int | None = None) -> None:
        expected = self._expected(offer, client, other, accepts)
        for text in (bytes(offer.bundle), in_format_1(offer.bundle)):
            verdict = self._ask(text, client, "00" * 32 if other else None, kind, accepts)
            assert verdict.outcome is expected, verdict.why

    def _expected(self, offer: Offer, client: Client, other: bool, accepts: int | None = None) -> Outcome:
        voices: dict[int, list[int]] = {}
        for number, time in offer.times.items():
            if COSIGNERS[number] is not OWN:
                voices.setdefault(0 if COSIGNERS[number] is SECOND else number, []).append(time)
        if not offer.head.genuine or len(voices) < 2:
            return Outcome.UNTRUSTED
        seen = client.seen.get(ORIGIN)
        is_older = seen is not None and offer.head.checkpoint.size < seen.checkpoint.size
        if is_older and accepts is None:
            return Outcome.OLDER
        counted = sorted(max(past) for times in voices.values() if (past := [t for t in times if t <= self.now + HOUR]))
        if len(counted) < 2 or self.now > counted[-2] + MAX_AGE:  # two witnesses have to cosign
            return Outcome.STALE
        if self._is_false(offer.head, client, is_older):
            return Outcome.FALSE
        if is_older and self.now - counted[-2] > (accepts or 0):
            return Outcome.OLDER
        if other:
            return Outcome.UNKNOWN
        leaf, listed = offer.bundle.row.extra, client.listed if is_older else offer.head.listed
        assert leaf is not None
        return Outcome.REVOKED if is_revoked(leaf, listed) else says(leaf)

    def _is_false(self, head: Head, client: Client, is_older: bool = False) -> bool:
        """Whether the bundle itself shows that it is false, without the leaves before."""
        visible = head.lie in ("time", "trust version") or head.listed != head.committed
        return visible or not self._goes_on(head, client, is_older)

    def _goes_on(self, head: Head, client: Client, is_older: bool = False) -> bool:
        """Whether the later of the two lists begins with the other."""
        before, after = (head.listed, client.listed) if is_older else (client.listed, head.listed)
        return after[: len(before)] == before

    def _ask(self, data: bytes, client: Client, digest: str | None, kind: str, accepts: int | None = None) -> Verdict:
        before = client.seen.get(ORIGIN)
        trust, seen = client.trust, client.seen
        verdict = verify_bundle(data, trust, now=self.now, seen=seen, digest=digest, accept_older=accepts)
        self.reached.update([verdict.outcome.value, f"{kind}: {verdict.outcome.value}"])
        listed = client.listed
        if verdict.newest and verdict.checkpoint:
            client.seen[ORIGIN] = Seen(verdict.checkpoint, verdict.revocations)
        if verdict.outcome in ANSWERS:
            found, answered = verdict.checkpoint, verdict.row
            assert found is not None
            assert answered is not None
            (head,) = (head for head in self.honest.heads if head.checkpoint == found)
            assert encode_leaf(answered) in self.honest.leaves[: found.size]
            assert (digest in (None, answered.launch_digest)) == (verdict.outcome is not Outcome.UNKNOWN)
            if before and found.size < before.checkpoint.size:
                assert accepts is not None
                assert (verdict.newest, client.seen[ORIGIN]) == (None, before)
                assert listed[: len(head.listed)] == head.listed
                applied = listed
            else:
                assert head.listed[: len(listed)] == listed
                client.sees(head)
                assert client.seen[ORIGIN].revocations == verdict.revocations
                applied = head.listed
            if verdict.outcome not in (Outcome.REVOKED, Outcome.UNKNOWN):
                assert not is_revoked(encode_leaf(answered), applied)
            if not self.stolen.startswith("witness"):
                assert self.now <= max(time for _, time, _ in head.cosignatures) + MAX_AGE
        else:
            assert verdict.newest is None
            assert client.seen.get(ORIGIN) == before
        return verdict

    # What the attacker can choose from.

    def _written(self, data: st.DataObject, bundle: ProofBundle) -> bytes:
        """In either format."""
        return in_format_1(bundle) if data.draw(st.booleans()) else bytes(bundle)

    def _draw_head(self, data: st.DataObject) -> tuple[History, Head]:
        history = data.draw(st.sampled_from([self.honest, self.honest, *self.forks]))
        return history, data.draw(st.sampled_from(history.heads))

    def _draw_offer(self, data: st.DataObject) -> Offer:
        return self._offer(data, *self._draw_head(data), every=data.draw(st.booleans()))

    def _offer(self, data: st.DataObject, history: History, head: Head, *, every: bool) -> Offer:
        """every: the newest cosignature of each witness; otherwise, any or none of each."""
        chosen: dict[int, tuple[int, Signature]] = {}
        for number in range(len(COSIGNERS)):
            made = [(time, found) for by, time, found in head.cosignatures if by == number]
            if made and (every or data.draw(st.booleans())):
                chosen[number] = max(made, key=lambda each: each[0]) if every else data.draw(st.sampled_from(made))
        note = Note(str(head.checkpoint), (head.log_signature, *(found for _, found in chosen.values())))
        size = head.checkpoint.size
        rows = [index for index in range(size) if is_answer(history.leaves[index])]
        index = data.draw(st.sampled_from(rows or [size - 1]))
        bundle = ProofBundle(note, history.proof(index, head), history.proof(size - 1, head), revocations_of(head))
        return Offer(bundle, head, {number: time for number, (time, _) in chosen.items()})


def revocations_of(head: Head) -> tuple[Revocation, ...]:
    return tuple(Revocation(selector=r.selector, severity=r.severity, reason=r.reason) for r in head.listed)


def is_answer(leaf: bytes) -> bool:
    return json.loads(leaf)["type"] in ("digest", "endorsed")


def says(leaf: bytes) -> Outcome:
    """The outcome for a leaf that is verified and not revoked."""
    fields = json.loads(leaf)
    if fields["type"] == "endorsed":
        return Outcome.ENDORSED
    return Outcome.INFERRED if "base_digest" in fields else Outcome.MATCH


def is_revoked(leaf: bytes, revokes: Sequence[RevokeRecord]) -> bool:
    """By the rule of catalog/log: the newest revocation that selects the row counts."""
    fields: dict[str, Any] = json.loads(leaf)
    selecting = [each for each in revokes if each.selector.items() <= fields.items()]
    return bool(selecting) and selecting[-1].severity == "revoked"


@pytest.mark.long
def test_what_an_attacker_can_do(pytestconfig: pytest.Config) -> None:
    """Runs --attacker-steps, and then until everything in REACHED has happened; the walks are the same in every run."""
    Attack.reached.clear()
    wanted = pytestconfig.getoption("attacker_steps")
    walks = settings(
        max_examples=20,
        stateful_step_count=STEPS,
        database=None,
        deadline=None,
        suppress_health_check=list(HealthCheck),
    )
    for number in count(1):
        run_state_machine_as_test(seed(number)(Attack), settings=walks)
        missed = REACHED - Attack.reached.keys()
        steps = number * walks.max_examples * STEPS
        if steps >= wanted and not missed:
            break
        assert steps < max(wanted, MOST_STEPS), (missed, sorted(Attack.reached.items()))
