"""Proof bundles: each row of a log has a proof, each outcome occurs, and no changed bundle is a match."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from catalog.abi.digest import LaunchDigest
from catalog.build.builder import BuildResult
from catalog.errors import LdcatError, MalformedInput, Unreadable, VerificationFailed
from catalog.log.log_folder import LogFolder
from catalog.log.records import RevokeRecord, parse_row
from catalog.log.seen import Seen
from catalog.prove.bundle_forms import parse_bundle
from catalog.prove.proof_bundle import ProofBundle
from catalog.prove.prove import Prover
from catalog.prove.verdict import Outcome, Verdict, verdict_to_dict
from catalog.prove.verify_proof import verify_bundle
from catalog.transparency.checkpoint import Checkpoint
from catalog.transparency.note import Note
from catalog.transparency.proof import TlogProof
from catalog.transparency.tiles import TileReader
from catalog.transparency.trust import Trust
from catalog.values import replace
from tests.support.logs import DAY, NOW, ORIGIN, signature, signed, signer
from tests.support.proof_bundles import in_format_1
from tests.support.published_logs import published_log
from tests.support.trust_notes import ALONE, WITNESSED, WITNESSES, trust_of


@pytest.fixture(scope="module")
def log(small: BuildResult, tmp_path_factory: pytest.TempPathFactory) -> LogFolder:
    return published_log(small, tmp_path_factory.mktemp("log"))


def rows(log: LogFolder) -> list[bytes]:
    note = log.checkpoint()
    assert note is not None
    size = Checkpoint.parse(note.text).size
    reader = TileReader(log, size)
    return [leaf for n in range(-(-size // 256)) for leaf in reader.entries(n) if b'"digest"' in leaf]


@pytest.fixture(scope="module")
def bundle(log: LogFolder) -> ProofBundle:
    found = Prover(log).prove(rows(log)[40])
    assert found is not None
    return found


def ask(data: bytes | ProofBundle, by: Trust = ALONE, **changes: Any) -> Verdict:
    options: dict[str, Any] = {"now": NOW + DAY, "seen": {}, "digest": None} | changes
    return verify_bundle(bytes(data), by, **options)


def cosigned(bundle: ProofBundle, *signers: Any, now: int = NOW) -> ProofBundle:
    note = bundle.checkpoint
    return replace(bundle, checkpoint=note.with_signatures(signature(by, note.text, now) for by in signers))


def test_every_row_has_a_proof(log: LogFolder) -> None:
    prover = Prover(log)
    for leaf in rows(log):
        found = prover.prove(leaf)
        assert found is not None
        verdict = ask(found)
        assert (verdict.outcome, verdict.row) == (Outcome.MATCH, parse_row(leaf))
        assert parse_bundle(bytes(found)) == found


def test_every_configuration_of_a_digest_has_a_proof(log: LogFolder) -> None:
    leaf = next(leaf for leaf in rows(log) if b'"sev-snp"' in leaf)
    digest = LaunchDigest.parse(parse_row(leaf).launch_digest)
    bundles = Prover(log).prove_digest(digest, warn=pytest.fail)
    assert leaf in [bundle.row.extra for bundle in bundles]
    assert {ask(bundle, digest=digest.hex()).outcome for bundle in bundles} == {Outcome.MATCH}
    assert Prover(log).prove_digest(LaunchDigest(bytes(48)), warn=pytest.fail) == []


def test_a_digest_that_is_not_in_the_log_has_no_proof(log: LogFolder, tmp_path: Path) -> None:
    prover = Prover(log)
    for leaf in rows(log)[::7]:
        for other in (leaf.replace(b'"digest"', b'"digesu"'), leaf + b" ", b"", b"~"):
            assert prover.prove(other) is None
    with pytest.raises(Unreadable, match="no log at"):
        Prover(LogFolder(tmp_path))


def test_another_digest_is_unknown(bundle: ProofBundle) -> None:
    assert ask(bundle, digest="00" * 48).outcome is Outcome.UNKNOWN


def test_revoked_rows_are_reported(small: BuildResult, tmp_path: Path) -> None:
    leaves = rows(published_log(small, tmp_path / "first"))
    leaf = leaves[40]
    digest, other = (parse_row(each).launch_digest for each in (leaf, leaves[41]))

    def record(severity: Any, **selector: Any) -> RevokeRecord:
        return RevokeRecord(type="revoke", selector=selector, severity=severity, reason=f"is {severity}")

    for number, (revokes, outcome) in enumerate(
        (
            ([record("revoked", launch_digest=digest)], Outcome.REVOKED),
            ([record("revoked", firmware_sha256=parse_row(leaf).firmware_sha256)], Outcome.REVOKED),
            ([record("revoked", launch_digest=other)], Outcome.MATCH),
            ([record("deprecated", launch_digest=digest)], Outcome.MATCH),
            ([record("revoked", launch_digest=digest), record("restored", launch_digest=digest)], Outcome.MATCH),
        )
    ):
        log = published_log(small, tmp_path / str(number), *revokes)
        found = Prover(log).prove(leaf)
        assert found is not None
        verdict = ask(found)
        assert verdict.outcome is outcome
        assert ("deprecated" in verdict.why) == (revokes[0].severity == "deprecated")
        hidden = replace(found, revocations=())
        assert ask(hidden).outcome is Outcome.BAD


def test_an_old_bundle_is_stale(bundle: ProofBundle) -> None:
    assert ask(bundle, now=NOW + 8 * DAY).outcome is Outcome.STALE
    fresh = cosigned(bundle, *WITNESSES, now=NOW + 7 * DAY)
    assert ask(fresh, WITNESSED, now=NOW + 8 * DAY).outcome is Outcome.MATCH
    assert ask(cosigned(bundle, *WITNESSES), WITNESSED, now=NOW + 8 * DAY).outcome is Outcome.STALE
    lying = cosigned(bundle, *WITNESSES, now=NOW + 100 * DAY)
    assert ask(lying, WITNESSED, now=NOW + DAY).outcome is Outcome.STALE
    assert ask(lying, now=NOW + DAY).outcome is Outcome.MATCH  # whose cosignatures are not required
    with pytest.raises(VerificationFailed, match="expired"):
        ask(bundle, now=NOW + 300 * DAY)


def test_older_than_seen_and_forks(bundle: ProofBundle) -> None:
    found = Checkpoint.parse(bundle.checkpoint.text)
    for before, outcome in (
        (found, Outcome.MATCH),
        (replace(found, size=found.size + 1), Outcome.OLDER),
        (replace(found, size=found.size - 1), Outcome.MATCH),
        (replace(found, root=bytes(32)), Outcome.BAD),
    ):
        assert ask(bundle, seen={ORIGIN: Seen(before)}).outcome is outcome
        assert ask(bundle, seen={"example.com/other": Seen(before)}).outcome is Outcome.MATCH


def test_the_quorum_is_required(bundle: ProofBundle) -> None:
    assert ask(bundle, WITNESSED).outcome is Outcome.UNTRUSTED
    assert ask(cosigned(bundle, WITNESSES[0]), WITNESSED).outcome is Outcome.UNTRUSTED
    verdict = ask(cosigned(bundle, *WITNESSES), WITNESSED)
    assert verdict.outcome is Outcome.MATCH
    assert {by.key.name for by in verdict.signers} == {ORIGIN, "w1.example", "w2.example"}


def test_the_log_itself_has_to_be_trusted(bundle: ProofBundle) -> None:
    other = signer("example.com/other")
    assert ask(bundle, trust_of(f"log {other.key}\nquorum none\n")).outcome is Outcome.UNTRUSTED
    text = bundle.checkpoint.text
    under_another_name = replace(bundle, checkpoint=signed(text, other))
    assert ask(under_another_name, trust_of(f"log {other.key}\nquorum none\n")).outcome is Outcome.UNTRUSTED
    only_witnesses = cosigned(bundle, *WITNESSES)
    bare = replace(bundle, checkpoint=Note(text, only_witnesses.checkpoint.signatures[1:]))
    assert ask(bare, WITNESSED).outcome is Outcome.UNTRUSTED


def test_unverified_data_is_not_shown(bundle: ProofBundle) -> None:
    for verdict in (ask(bundle, WITNESSED), ask(bundle, now=NOW + 8 * DAY), ask(b"{}")):
        record = verdict_to_dict(verdict)
        assert record["row"] is None or verdict.outcome is Outcome.STALE
        assert verdict.newest is None


def test_a_bundle_has_one_checkpoint_for_two_tlog_proofs(bundle: ProofBundle) -> None:
    wire, checkpoint = json.loads(bytes(bundle)), bytes(bundle.checkpoint).decode()
    assert bytes(bundle).count(json.dumps(checkpoint)[1:-1].encode()) == 1
    for name, proof in (("row", bundle.row), ("status", bundle.status)):
        text = f"{wire[name]}\n{wire['checkpoint']}"
        assert TlogProof.parse(text.encode()) == TlogProof(proof, bundle.checkpoint)


def test_a_bundle_of_format_1_is_read_and_says_the_same(bundle: ProofBundle) -> None:
    old = in_format_1(bundle)
    assert parse_bundle(old) == bundle
    assert ask(old) == ask(bundle)
    witnessed = cosigned(bundle, *WITNESSES)
    assert ask(in_format_1(witnessed), WITNESSED) == ask(witnessed, WITNESSED)
    other = ask(in_format_1(bundle, witnessed.checkpoint))
    assert (other.outcome, other.why) == (Outcome.BAD, "the two proofs of the bundle have different checkpoints")


@given(st.data(), st.booleans())
def test_no_changed_byte_is_a_match(bundle: ProofBundle, data: st.DataObject, old: bool) -> None:
    good = in_format_1(bundle) if old else bytes(bundle)
    at = data.draw(st.integers(0, len(good) - 2))
    changed = bytearray(good)
    changed[at] ^= data.draw(st.integers(1, 255))
    verdict = ask(bytes(changed))
    assert verdict.outcome in (Outcome.BAD, Outcome.UNTRUSTED)


def test_an_error_about_a_long_format_is_short() -> None:
    found = ask(json.dumps({"format": "x" * 100_000}).encode())
    assert (found.outcome, len(found.why) < 150) == (Outcome.BAD, True)


@pytest.mark.parametrize("field", ["row", "status"])
@pytest.mark.parametrize("write", [bytes, in_format_1])
def test_invalid_bundles_are_refused(bundle: ProofBundle, field: str, write: Callable[[ProofBundle], bytes]) -> None:
    wire = json.loads(write(bundle))
    index = f"index {getattr(bundle, field).index}\n"
    for change in (
        wire | {"format": "ldcat-proof/3"},
        wire | {"format": "ldcat-proof/2" if write is in_format_1 else "ldcat-proof/1"},
        wire | {"format": None},
        {name: value for name, value in wire.items() if name != "format"},
        wire | {"checkpoint": None},
        wire | {field: ""},
        wire | {field: wire[field].replace("extra", "extro")},
        wire | {field: "\n".join(line for line in wire[field].split("\n") if not line.startswith("extra"))},
        wire | {field: wire[field].replace(index, "index 0\n")},
        wire | {field: wire[field].removesuffix("\n")},
        wire | {field: wire[field] + "\n"},
        wire | {"row": wire["status"]},
        wire | {"status": wire["row"]},
        {name: value for name, value in wire.items() if name != field},
        wire | {"more": 1},
    ):
        assert ask(json.dumps(change).encode()).outcome is Outcome.BAD
    text = write(bundle).replace(b"example.com/log\\n", b"example.com/lag\\n", 1)
    assert ask(text).outcome is Outcome.BAD
    with pytest.raises(LdcatError):
        parse_bundle(bytes(17 << 20))
    with pytest.raises(MalformedInput, match="more than one line"):
        parse_bundle(b"{}\n{}\n")


@given(st.binary(max_size=200))
def test_arbitrary_bytes_get_an_answer(data: bytes) -> None:
    assert ask(data).outcome is Outcome.BAD


def test_a_damaged_log_gives_no_proof(small: BuildResult, tmp_path: Path) -> None:
    log = published_log(small, tmp_path)
    leaves = rows(log)
    for pattern in ("tile/0/000.p/*", "tile/entries/000.p/*"):
        (path,) = log.root.glob(pattern)
        good = path.read_bytes()
        path.write_bytes(good.replace(good[700:708], bytes(8)))
        failed = 0
        for leaf in leaves:
            try:
                found = Prover(log).prove(leaf)
                assert found is None or ask(found).outcome is Outcome.MATCH
            except LdcatError:
                failed += 1
        assert failed
        path.write_bytes(good)
