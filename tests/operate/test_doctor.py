"""Doctor on local files: a healthy log has no findings, and every problem is provoked."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import pytest

from catalog.build.builder import BuildResult
from catalog.errors import LdcatError, MalformedInput
from catalog.log.file_pack import format_pack, leaf_name, parse_pack
from catalog.log.log_folder import LastCheckpoint, LogFolder
from catalog.log.records import RevokeRecord
from catalog.operate.doctor import Examination, examination_to_dict, examine
from catalog.operate.finding import Severity, is_healthy
from catalog.publish.publish import publish
from catalog.store.catalog import Catalog
from catalog.transparency import merkle
from catalog.transparency.checkpoint import Checkpoint
from catalog.transparency.keys import SignatureType, Signer, VerifierKey
from catalog.transparency.note import Note
from catalog.transparency.tiles import TileReader
from catalog.transparency.trust import open_trust
from catalog.verify.verify_release import verify_release
from tests.support.logs import DAY, NOW, ORIGIN, at_no_time, new_files, signature, signed, signer
from tests.support.trust_notes import trust_text

HYBRID = [signer(ORIGIN), signer(ORIGIN, SignatureType.COSIGNATURE_ML_DSA_44)]
W1, W2, W3, HEARTBEAT = (signer(f"w{n}.example", SignatureType.COSIGNATURE_ED25519) for n in range(1, 5))
W1_PQ = signer("w1.example", SignatureType.COSIGNATURE_ML_DSA_44)
OWN = signer(ORIGIN, SignatureType.COSIGNATURE_ED25519, 1)
ALIAS = VerifierKey("alias.example", SignatureType.COSIGNATURE_ED25519, HYBRID[0].key.public_key)
STRANGER = signer("stranger.example")
ROOTS = [signer(f"root.example/{name}") for name in "abc"]
REVOKE = RevokeRecord(type="revoke", selector={"vcpus": 3}, severity="deprecated", reason="too many")

NAMED = (
    "".join(f"log {by.key}\n" for by in HYBRID)
    + "".join(f"witness w{n} {by.key}\n" for n, by in enumerate((W1, W2, W3), 1))
    + f"witness daily {HEARTBEAT.key}\n"
)
POLICY = f"{NAMED}group some 3 w1 w2 w3 daily\nquorum some\n"


def trust_note(
    policy: str = POLICY,
    *,
    version: int = 1,
    expires: int = NOW + 300 * DAY,
    threshold: int = 2,
    roots: Sequence[Signer] = ROOTS,
    signers: Sequence[Signer] = ROOTS,
) -> Note:
    text = trust_text(policy, version=version, expires=expires, max_age=8 * DAY, threshold=threshold, roots=roots)
    return signed(text, *signers)


@dataclass
class Place:
    """A published log, the state of the machine that signed it, a trust note, and the time since it was published."""

    root: Path
    trust: Note
    now: int = NOW

    @property
    def log(self) -> LogFolder:
        return LogFolder(self.root / "log")

    @property
    def state(self) -> LastCheckpoint:
        return LastCheckpoint(self.root / "signed.note")

    @property
    def note(self) -> Note:
        found = self.log.checkpoint()
        assert found is not None
        return found

    def put(self, note: Note) -> None:
        self.log.write([("checkpoint", bytes(note))])

    def cosign(self, *signers: Signer, now: int = NOW) -> None:
        self.put(self.note.with_signatures(signature(by, self.note.text, now) for by in signers))

    def without(self, *signers: Signer) -> None:
        gone = {by.key.key_id for by in signers}
        self.put(Note(self.note.text, tuple(s for s in self.note.signatures if s.key_id not in gone)))

    def publish(self, built: BuildResult, *revokes: RevokeRecord, now: int = NOW) -> None:
        publish(
            Catalog.open(built.folder),
            self.log,
            HYBRID,
            self.state,
            revokes=revokes,
            trust=open_trust(self.trust),
            now=now,
        )

    def file(self, pattern: str) -> Path:
        (found,) = self.log.root.glob(pattern)
        return found

    def examine(self) -> Examination:
        return examine(self.log, self.trust, {ORIGIN: self.state}, now=self.now)

    def found(self) -> list[tuple[str, str, str]]:
        return [(finding.severity.value, finding.subject, finding.what) for finding in self.examine().findings]


@pytest.fixture(scope="module")
def healthy(small: BuildResult, tmp_path_factory: pytest.TempPathFactory) -> Place:
    place = Place(tmp_path_factory.mktemp("healthy"), trust_note())
    place.publish(small)
    place.cosign(W1, W2, W3, HEARTBEAT)
    return place


@pytest.fixture
def place(healthy: Place, tmp_path: Path) -> Place:
    """A copy to damage."""
    shutil.copytree(healthy.root, tmp_path, dirs_exist_ok=True)
    return Place(tmp_path, healthy.trust)


def test_a_healthy_log_has_no_findings(healthy: Place) -> None:
    found = healthy.examine()
    assert found.findings == ()
    assert is_healthy(found.findings)
    record = examination_to_dict(found, (), NOW + 5)
    assert json.loads(json.dumps(record)) == record
    assert record["healthy"] is True
    assert record["checkpoint"]["origin"] == ORIGIN
    assert record["release"] == {"release": 1, "time": NOW, "trust_version": 1}
    assert [(s["name"], s["age"]) for s in record["signers"]] == [
        (ORIGIN, None),
        (ORIGIN, 5),
        *((by.key.name, 5) for by in (W1, W2, W3, HEARTBEAT)),
    ]


def forge(place: Place, by: Signer) -> None:
    """Adds a signature by that key that is valid for another text only."""
    wrong = signature(by, str(Checkpoint(ORIGIN, 0, merkle.EMPTY_ROOT)))
    place.put(place.note.with_signatures([wrong]))


def sign_twice(place: Place) -> None:
    place.put(Note(place.note.text, (*place.note.signatures, signature(W1, place.note.text, NOW + 1))))


def flip(place: Place, pattern: str, at: int = 40) -> None:
    path = place.file(pattern)
    data = bytearray(path.read_bytes())
    data[at] ^= 1
    path.write_bytes(data)


def append(place: Place, leaf: bytes) -> None:
    """Appends a leaf, with tiles and a checkpoint that all keys signed."""
    old = Checkpoint.parse(place.note.text)
    reader = TileReader(place.log, old.size)
    place.log.write(new_files(old.size, [leaf], reader))
    size = old.size + 1
    new = Checkpoint(ORIGIN, size, merkle.root_hash(size, TileReader(place.log, size).node))
    place.put(signed(str(new), *HYBRID, W1, W2, W3, HEARTBEAT))
    place.state.write(place.note)


def repack(place: Place, name: str, data: bytes) -> None:
    """Writes the pack with something else under that name."""
    path = place.file("pack/*")
    files, leaves = parse_pack(path.read_bytes())
    every = {**files, **{leaf_name(index): leaf for index, leaf in leaves.items()}, name: data}
    path.write_bytes(format_pack(every.items()))


def another_trust(place: Place, policy: str) -> None:
    place.trust = trust_note(policy)


def demand_all(place: Place) -> None:
    text = place.trust.text.replace("threshold 2\n", "threshold 2\nlog-signatures all\n")
    place.trust = signed(text, *ROOTS)


def later(place: Place, days: float) -> None:
    place.now = NOW + int(days * DAY)


def in_turn(*damages: Callable[[Place], object]) -> Callable[[Place], None]:
    def each(place: Place) -> None:
        for damage in damages:
            damage(place)

    return each


OTHER_LOG = f"log {signer('example.com/other').key}\nquorum none\n"
ASIDE = f"{NAMED}group two 2 w1 w2\nquorum w3\n"
OPTIONAL = f"{NAMED}group two 2 w1 w2 w3\nquorum two\n"
NESTED = f"{NAMED}group two 2 w1 w2 w3\ngroup all all two daily\nquorum all\n"
ALONE = ("warning", "quorum w3", "is reached by w3.example alone: whoever has its keys can cosign a fork")
NEEDED = "is not reached without {}: if it stops, the log becomes stale"

CASES: dict[str, tuple[Callable[[Place], object], list[tuple[str, str, str]]]] = {
    # signatures
    "a witness has not cosigned, and is not needed": (
        lambda place: place.without(W3),
        [("warning", "witness w3", "has not cosigned with w3.example (Ed25519 cosignature)")],
    ),
    "too few witnesses of a group": (
        lambda place: place.without(W1, W3),
        [
            ("warning", "witness w1", "has not cosigned"),
            ("warning", "witness w3", "has not cosigned"),
            ("error", "group some", "2 of its 4 members cosigned, and 3 have to"),
            ("error", "quorum some", "is not reached"),
        ],
    ),
    "too few of a group in a group": (
        in_turn(lambda place: another_trust(place, NESTED), lambda place: place.without(W1, W3)),
        [
            ("warning", "quorum all", NEEDED.format("w4.example")),
            ("warning", "witness w1", "has not cosigned"),
            ("warning", "witness w3", "has not cosigned"),
            ("error", "group two", "1 of its 3 members cosigned, and 2 have to"),
            ("error", "group all", "1 of its 2 members cosigned, and 2 have to"),
            ("error", "quorum all", "is not reached"),
        ],
    ),
    "a witness outside the quorum": (
        in_turn(lambda place: place.without(HEARTBEAT), lambda place: another_trust(place, OPTIONAL)),
        [("note", "witness daily", "and the quorum does not need it")],
    ),
    "a group outside the quorum": (
        in_turn(lambda place: place.without(W1), lambda place: another_trust(place, ASIDE)),
        [
            ALONE,
            ("warning", "quorum w3", NEEDED.format("w3.example")),
            ("note", "witness w1", "the quorum does not need it"),
            ("note", "group two", "1 of its 2 members cosigned"),
            *[("note", f"w{n}.example (Ed25519 cosignature)", "is not a member of the quorum") for n in (2, 4)],
        ],
    ),
    "one key of a hybrid log": (
        lambda place: place.without(HYBRID[1]),
        [("warning", f"{ORIGIN} (ML-DSA-44 cosignature)", "did not sign, though another key of the log did")],
    ),
    "the other key of a hybrid log": (
        lambda place: place.without(HYBRID[0]),
        [("warning", f"{ORIGIN} (Ed25519)", "did not sign, though another key of the log did")],
    ),
    "no key of the log": (
        lambda place: place.without(*HYBRID),
        [("error", ORIGIN, "no key of the log that the policy names signed this")],
    ),
    "a policy of another log": (
        lambda place: another_trust(place, OTHER_LOG),
        [
            ("error", ORIGIN, "the policy of the trust note names no log of this name"),
            *[("note", f"{by.key.name} (key {by.key.key_id.hex()})", "signed the checkpoint") for by in HYBRID],
            *[("note", f"{by.key.name} (key {by.key.key_id.hex()})", "") for by in (W1, W2, W3, HEARTBEAT)],
        ],
    ),
    "a key that nobody knows": (
        lambda place: place.cosign(STRANGER),
        [("note", f"stranger.example (key {STRANGER.key.key_id.hex()})", "is not a key of the policy")],
    ),
    "a signature that is wrong": (
        lambda place: forge(place, W3),
        [
            ("error", "w3.example (Ed25519 cosignature)", "does not match the text"),
            ("warning", "witness w3", "has not cosigned"),
        ],
    ),
    "two that are wrong": (
        in_turn(lambda place: forge(place, W3), lambda place: forge(place, HYBRID[1])),
        [
            ("error", f"{ORIGIN} (ML-DSA-44 cosignature)", "does not match the text"),
            ("error", "w3.example (Ed25519 cosignature)", "does not match the text"),
            ("warning", f"{ORIGIN} (ML-DSA-44 cosignature)", "did not sign"),
            ("warning", "witness w3", "has not cosigned"),
        ],
    ),
    "one key of a hybrid log whose trust note demands all": (
        in_turn(lambda place: place.without(HYBRID[1]), lambda place: demand_all(place)),
        [("error", f"{ORIGIN} (ML-DSA-44 cosignature)", "the trust note demands all signatures of the log")],
    ),
    "a cosignature with time 0": (
        lambda place: place.put(place.note.with_signatures([at_no_time(W3, place.note.text)])),
        [
            ("warning", "witness w3", "has not cosigned"),
            ("note", "w3.example (Ed25519 cosignature)", "cosigned without a time: that is not a vote"),
        ],
    ),
    # the policy
    "two keys of one witness in a group of k": (
        lambda place: another_trust(place, f"{NAMED}witness pq {W1_PQ.key}\ngroup two 2 w1 pq w2 w3\nquorum two\n"),
        [
            ("note", "group two", "w1 and pq are keys of one witness, w1.example: they count once"),
            ("warning", "witness pq", "has not cosigned"),
            ("note", "w4.example (Ed25519 cosignature)", "is not a member of the quorum"),
        ],
    ),
    "two keys of one witness in a group of all": (
        lambda place: another_trust(
            place,
            f"{NAMED}witness pq {W1_PQ.key}\ngroup two any w1 pq\ngroup both all two w2\n"
            "group three all both w3\nquorum three\n",
        ),
        [
            ("warning", "quorum three", NEEDED.format("w1.example, nor without w2.example, nor without w3.example")),
            ("warning", "witness pq", "has not cosigned"),
            ("note", "w4.example (Ed25519 cosignature)", "is not a member of the quorum"),
        ],
    ),
    "both keys of one witness": (
        lambda place: another_trust(place, f"{NAMED}witness pq {W1_PQ.key}\ngroup two all w1 pq w2\nquorum w2\n"),
        [
            (
                "note",
                "group two",
                "w1 and pq are keys of one witness, w1.example: each has to sign, but they are still one witness",
            ),
            ("warning", "quorum w2", "is reached by w2.example alone"),
            ("warning", "quorum w2", NEEDED.format("w2.example")),
            ("note", "witness pq", "the quorum does not need it"),
            ("note", "group two", "2 of its 3 members cosigned, and 3 have to"),
            *[("note", f"w{n}.example (Ed25519 cosignature)", "is not a member of the quorum") for n in (1, 3, 4)],
        ],
    ),
    "a quorum of any one": (
        lambda place: another_trust(place, f"{NAMED}group one any w1 w2 w3 daily\nquorum one\n"),
        [("warning", "quorum one", "is reached by w1.example alone, or by w2.example alone, or by w3.example alone")],
    ),
    "a witness that is the log": (
        lambda place: another_trust(place, f"{POLICY}witness own {OWN.key}\nwitness alias {ALIAS}\n"),
        [
            ("error", "witness own", f"has the name of the log {ORIGIN}, which cannot be its own witness"),
            ("error", "witness alias", f"has the public key of the log {ORIGIN}, which cannot be its own witness"),
            ("note", "witness own", "has not cosigned"),
            ("note", "witness alias", "has not cosigned"),
        ],
    ),
    "a quorum that cannot be": (
        lambda place: another_trust(place, f"{NAMED}witness pq {W1_PQ.key}\ngroup two 2 w1 pq\nquorum two\n"),
        [
            ("warning", "group two", "count once"),
            ("error", "quorum two", "is not reached even if all cosign"),
            ("warning", "witness pq", "has not cosigned"),
            ("error", "group two", "1 of its 1 members cosigned, and 2 have to"),
            ("error", "quorum two", "is not reached: clients with this trust note"),
            *[("note", f"w{n}.example (Ed25519 cosignature)", "is not a member of the quorum") for n in (2, 3, 4)],
        ],
    ),
    "signed twice": (sign_twice, [("error", "w1.example (Ed25519 cosignature)", "signed twice with one key")]),
    # freshness
    "the heartbeat stopped": (
        lambda place: later(place, 6.5),
        [("warning", "freshness", "36 hours of the 8 days of max-age are left")],
    ),
    "stale": (
        lambda place: later(place, 10),
        [
            *[("note", f"w{n}.example (Ed25519 cosignature)", "signed 10 days ago") for n in range(1, 5)],
            ("error", "freshness", "the checkpoint became stale 2 days ago"),
        ],
    ),
    "one cosignature keeps nothing fresh": (
        in_turn(lambda place: later(place, 10), lambda place: place.cosign(HEARTBEAT, now=NOW + 9 * DAY)),
        [
            *[("note", f"w{n}.example (Ed25519 cosignature)", "signed 10 days ago") for n in range(1, 4)],
            ("error", "freshness", "the checkpoint became stale 2 days ago"),
        ],
    ),
    "the quorum keeps it fresh": (
        in_turn(lambda place: later(place, 10), lambda place: place.cosign(HEARTBEAT, W2, W3, now=NOW + 9 * DAY)),
        [("note", "w1.example (Ed25519 cosignature)", "signed 10 days ago")],
    ),
    "a heartbeat outside the quorum keeps nothing fresh": (
        in_turn(
            lambda place: later(place, 10),
            lambda place: place.cosign(HEARTBEAT, now=NOW + 9 * DAY),
            lambda place: another_trust(place, OPTIONAL),
        ),
        [
            *[("note", f"w{n}.example (Ed25519 cosignature)", "signed 10 days ago") for n in range(1, 4)],
            ("note", "w4.example (Ed25519 cosignature)", "its time keeps nothing fresh"),
            ("error", "freshness", "the checkpoint became stale 2 days ago"),
        ],
    ),
    "a clock that is ahead": (
        lambda place: place.cosign(W1, now=NOW + 2 * DAY),
        [("error", "w1.example (Ed25519 cosignature)", "its time is 2 days ahead, and is ignored")],
    ),
    "all clocks are ahead": (
        in_turn(
            lambda place: place.without(HYBRID[1], W3), lambda place: place.cosign(W1, W2, HEARTBEAT, now=NOW + DAY)
        ),
        [
            ("warning", f"{ORIGIN} (ML-DSA-44 cosignature)", "clients that know only this key refuse it"),
            ("warning", "witness w3", "has not cosigned"),
            *[("error", f"w{n}.example (Ed25519 cosignature)", "its time is 24 hours ahead") for n in (1, 2, 4)],
            ("error", "freshness", "more than 3600 seconds ahead are ignored"),
        ],
    ),
    "no cosignature, and the release is old": (
        in_turn(
            lambda place: later(place, 7),
            lambda place: place.without(HYBRID[1], W1, W2, W3, HEARTBEAT),
            lambda place: another_trust(place, f"log {HYBRID[0].key}\nquorum none\n"),
        ),
        [("warning", "freshness", "24 hours of the 8 days of max-age are left")],
    ),
    # the trust note
    "the note expires soon": (
        lambda place: setattr(place, "trust", trust_note(expires=NOW + 41 * DAY)),
        [("warning", "trust note", "expires in 41 days")],
    ),
    "the note has expired": (
        lambda place: setattr(place, "trust", trust_note(expires=NOW - 3 * DAY)),
        [("error", "trust note", "expired 3 days ago")],
    ),
    "too few of its own roots": (
        lambda place: setattr(place, "trust", trust_note(signers=[ROOTS[0], STRANGER])),
        [("error", "trust note", "1 of its own root keys signed it, and 2 have to")],
    ),
    "not signed at all": (
        lambda place: setattr(place, "trust", Note(place.trust.text, ())),
        [("error", "trust note", "0 of its own root keys signed it, and 2 have to")],
    ),
    "a wrong signature of a root": (
        lambda place: setattr(place, "trust", place.trust.with_signatures([signature(ROOTS[0], "another text\n")])),
        [("error", "root.example/a (Ed25519)", "does not match the text")],
    ),
    "a threshold of all": (
        lambda place: setattr(place, "trust", trust_note(threshold=3)),
        [("warning", "trust note", "a threshold of all 3 root keys cannot be met once one is lost")],
    ),
    "one root": (
        lambda place: setattr(place, "trust", trust_note(threshold=1, roots=ROOTS[:1], signers=ROOTS[:1])),
        [("warning", "trust note", "has one root key")],
    ),
    "a newer note than the release names": (
        lambda place: setattr(place, "trust", trust_note(version=2)),
        [("warning", "release 1", "names version 1 of the trust note, and this is version 2")],
    ),
    # the log
    "nothing is published": (
        lambda place: (place.log.root / "checkpoint").unlink(),
        [
            ("error", "checkpoint", "nothing is published here"),
            ("error", ORIGIN, "leaves were signed here last, and 0 are published"),
        ],
    ),
    "a checkpoint that is none": (
        lambda place: (place.log.root / "checkpoint").write_text("<html>"),
        [
            ("error", "checkpoint", "the note has no signatures"),
            ("error", ORIGIN, "leaves were signed here last, and 0 are published"),
        ],
    ),
    "a tile is gone": (
        lambda place: place.file("tile/0/000.p/*").unlink(),
        [("error", "tile/0/000.p/{size}", "no such file")],
    ),
    "a tile is damaged": (
        lambda place: flip(place, "tile/0/000.p/*"),
        [("error", "tiles", "do not lead from the last leaf to the root of the checkpoint")],
    ),
    "entries are gone, and a tile": (
        in_turn(
            lambda place: place.file("tile/entries/000.p/*").unlink(),
            lambda place: place.file("tile/0/000.p/*").unlink(),
        ),
        [("error", "tile/0/000.p/{size}", "no such file"), ("error", "tile/entries/000.p/{size}", "no such file")],
    ),
    "the last entry is damaged": (
        lambda place: flip(place, "tile/entries/000.p/*", -1),
        [("error", "tile/entries/000.p/{size}", "does not match its tile")],
    ),
    "the last leaf is no release": (
        lambda place: append(place, b'{"reason":"r","selector":{"vcpus":1},"severity":"revoked","type":"revoke"}'),
        [("error", "checkpoint", "the last one, is not a release record")],
    ),
    "the last leaf is no record": (
        lambda place: append(place, b"hello"),
        [("error", "tile/entries/000.p/{more}", "leaf: ")],
    ),
    "another manifest": (
        lambda place: flip(place, "releases/1/manifest.json"),
        [("error", "releases/1/manifest.json", "is not the file that release 1 names")],
    ),
    "no revocations": (
        lambda place: place.file("releases/1/revocations.json").unlink(),
        [("error", "releases/1/revocations.json", "no such file")],
    ),
    "other revocations": (
        lambda place: place.file("releases/1/revocations.json").write_text("[ ]"),
        [("error", "releases/1/revocations.json", "is not the file that release 1 names")],
    ),
    "a file of the release is cut": (
        lambda place: (path := place.file("releases/1/sev/*.index")).write_bytes(path.read_bytes()[:-1]),
        [("error", "releases/1/sev/launch_digests.index", "is missing, or does not have")],
    ),
    "no pack": (
        lambda place: place.file("pack/*").unlink(),
        [("note", "pack/{size}", "is missing: lookups at a host of this folder make more requests")],
    ),
    "a pack that is none": (
        lambda place: place.file("pack/*").write_text("<html>\n\n"),
        [("warning", "pack/{size}", "a pack of files is of another format")],
    ),
    "a pack that is cut": (
        lambda place: (path := place.file("pack/*")).write_bytes(path.read_bytes()[:-1]),
        [("warning", "pack/{size}", "has another size than its files together")],
    ),
    "a pack with another file": (
        lambda place: repack(place, "releases/1/manifest.json", b"{}"),
        [("warning", "pack/{size}", "'releases/1/manifest.json' in it is not what the log has")],
    ),
    "a pack with a file that the log lacks": (
        lambda place: repack(place, "tile/0/001", b""),
        [("warning", "pack/{size}", "'tile/0/001' in it is not what the log has")],
    ),
    "a pack with a file of another folder": (
        lambda place: repack(place, "../signed.note", bytes(place.note)),
        [("warning", "pack/{size}", "'../signed.note' in it is not what the log has")],
    ),
    "a pack with another leaf": (
        lambda place: repack(place, "leaf/72", b"{}"),
        [("warning", "pack/{size}", "'leaf/72' in it is not what the log has")],
    ),
    "a pack with a leaf that is not in the log": (
        lambda place: repack(place, "leaf/73", b"{}"),
        [("warning", "pack/{size}", "'leaf/73' in it is not what the log has")],
    ),
    "files of an interrupted run": (
        in_turn(
            lambda place: (place.log.root / "tile/0/.001.partial").write_bytes(b""),
            lambda place: (place.log.root / "releases/2").mkdir(),
        ),
        [
            ("note", "tile/0/.001.partial", "is of an interrupted run"),
            ("note", "releases/2", "is not published, or not yet"),
        ],
    ),
    "the memory is damaged": (
        lambda place: place.state.path.write_text("?"),
        [("error", "{state}", "the note has no signatures")],
    ),
    "published elsewhere": (
        lambda place: place.state.path.unlink(),
        [],
    ),
}


@pytest.mark.parametrize("name", CASES)
def test_each_finding(place: Place, name: str) -> None:
    damage, expected = CASES[name]
    size = Checkpoint.parse(place.note.text).size
    damage(place)
    found = place.found()
    assert [(severity, subject) for severity, subject, _ in found] == [
        (severity, subject.format(state=place.state.path, size=size, more=size + 1))
        for severity, subject, _ in expected
    ]
    for (*_, what), (*_, part) in zip(found, expected, strict=True):
        assert part in what
    if is_healthy(place.examine().findings):  # otherwise, verification would be refused
        verify_release(place.log, None, open_trust(place.trust), now=place.now, seen={})


def test_a_signed_checkpoint_that_is_not_published(place: Place, small: BuildResult) -> None:
    before = place.note
    place.publish(small, REVOKE, now=NOW + 60)
    place.put(before)
    assert [(severity, subject) for severity, subject, _ in place.found()] == [
        ("error", ORIGIN),
        ("note", "releases/2"),
    ]
    (advice,) = (f.advice for f in place.examine().findings if f.severity is Severity.ERROR)
    assert advice == "ldcat publish publishes the signed checkpoint"


def test_a_restored_backup(place: Place, small: BuildResult, tmp_path: Path) -> None:
    shutil.copytree(place.log.root, tmp_path / "backup")
    place.publish(small, REVOKE, now=NOW + 60)
    shutil.rmtree(place.log.root)
    (tmp_path / "backup").rename(place.log.root)
    (found,) = place.examine().findings
    assert (found.severity, found.subject) == (Severity.ERROR, ORIGIN)
    assert found.what.endswith("leaves were signed here last, more than the folder has: 73 are published")
    assert found.advice.startswith("publish nothing")


def test_a_log_continued_by_another_machine(place: Place, small: BuildResult) -> None:
    signed_here = place.state.read()
    place.publish(small, REVOKE, now=NOW + 60)
    place.cosign(W1, W2, W3, HEARTBEAT)
    assert signed_here is not None
    place.state.write(signed_here)
    ((severity, subject, what),) = place.found()
    assert (severity, subject) == ("note", ORIGIN)
    assert "which extend them" in what


@pytest.mark.parametrize(
    ("version", "severity", "part"),
    [(None, "note", "names no trust note"), (3, "warning", "and this is version 1: it is old")],
)
def test_the_trust_note_that_a_release_names(
    small: BuildResult, tmp_path: Path, version: int | None, severity: str, part: str
) -> None:
    place, state = Place(tmp_path, trust_note()), LastCheckpoint(tmp_path / "signed.note")
    named = None if version is None else open_trust(trust_note(version=version))
    publish(Catalog.open(small.folder), place.log, HYBRID, state, trust=named, now=NOW)
    place.cosign(W1, W2, W3, HEARTBEAT)
    ((found, subject, what),) = place.found()
    assert (found, subject) == (severity, "release 1")
    assert part in what


def test_a_fork_of_what_was_signed_here(place: Place, small: BuildResult, tmp_path: Path) -> None:
    other = Place(tmp_path / "other", place.trust)
    other.publish(small, now=NOW + 1)
    place.state.write(other.note)
    ((severity, subject, what),) = place.found()
    assert (severity, subject) == ("error", ORIGIN)
    assert "are not consistent" in what


def test_an_invalid_trust_note(place: Place) -> None:
    with pytest.raises(MalformedInput):
        examine(place.log, place.note, {}, now=NOW)


def test_an_empty_log(place: Place) -> None:
    empty = Checkpoint(ORIGIN, 0, merkle.EMPTY_ROOT)
    place.put(signed(str(empty), *HYBRID, W1, W2, W3, HEARTBEAT))
    place.state.path.unlink()
    assert ("error", "checkpoint", "the log has no leaves") in place.found()


def test_a_checkpoint_beyond_all_tiles_is_answered(place: Place) -> None:
    huge = Checkpoint(ORIGIN, (1 << 63) - 1, bytes(32))
    place.put(signed(str(huge), *HYBRID, W1, W2, W3, HEARTBEAT))
    place.state.path.unlink()
    found = place.examine()
    assert len({finding.subject for finding in found.findings}) == len(found.findings) > 5
    assert {finding.severity for finding in found.findings} == {Severity.ERROR}
    with pytest.raises(LdcatError):
        verify_release(place.log, None, open_trust(place.trust), now=NOW, seen={})


def test_a_request_that_some_witnesses_do_not_read_is_a_warning(place: Place) -> None:
    more = [signer(ORIGIN, SignatureType.COSIGNATURE_ML_DSA_44, seed) for seed in (1, 2)]
    place.cosign(*more)
    asked = POLICY.replace(f"{W1.key}\n", f"{W1.key} https://w1.example/\n")
    assert ("warning", "checkpoint") not in [(severity, subject) for severity, subject, _ in place.found()]
    another_trust(place, asked)
    ((_, _, what),) = [one for one in place.found() if one[:2] == ("warning", "checkpoint")]
    assert what.endswith("bytes, and some witnesses read no more than 10,240")
