"""Requests to witnesses: one if nothing is unusual, one more if the size differs, and no unverified cosignature."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from catalog.build.builder import BuildResult
from catalog.errors import LdcatError, MalformedInput, Unreadable, UntrustedSigner, UsageError, VerificationFailed
from catalog.log.log_folder import CHECKPOINT, LogFolder
from catalog.net.http_post import Reply
from catalog.publish.witness_requests import Submission, WitnessResult
from catalog.transparency.checkpoint import Checkpoint
from catalog.transparency.keys import SignatureType, Signer
from catalog.transparency.note import Note
from catalog.transparency.policy import Policy
from catalog.transparency.witness import AddCheckpoint, Witness
from tests.support.forked_logs import Memory
from tests.support.logs import NOW, ORIGIN, SIGNERS, at_no_time, signature, signed, signer
from tests.support.published_logs import Publisher

ONE = (
    signer("w1.example", SignatureType.COSIGNATURE_ED25519),
    signer("w1.example", SignatureType.COSIGNATURE_ML_DSA_44),
)
TWO = (signer("w2.example", SignatureType.COSIGNATURE_ED25519),)
POLICY = Policy.parse(
    (
        "".join(f"log {by.key}\n" for by in SIGNERS)
        + f"witness one {ONE[0].key} http://w1.example/\n"
        + f"witness one-pq {ONE[1].key} http://w1.example\n"
        + f"witness two {TWO[0].key} http://w2.example/prefix\n"
        + f"witness silent {signer('w3.example', SignatureType.COSIGNATURE_ED25519).key}\n"
        + "group some 2 one one-pq two\nquorum some\n"
    ).encode()
)
HOME_ONE, HOME_TWO = "http://w1.example", "http://w2.example/prefix"


@dataclass
class Internet:
    """Witnesses by address, and the requests that they received."""

    now: int = NOW
    requests: list[tuple[str, AddCheckpoint]] = field(default_factory=list)
    records: dict[str, Memory] = field(default_factory=lambda: {HOME_ONE: Memory(), HOME_TWO: Memory()})

    def post(self, url: str, body: bytes, at_most: int) -> Reply:
        address = url.removesuffix("/add-checkpoint")
        self.requests.append((address, AddCheckpoint.parse(body)))
        witness = Witness.of([by.key for by in SIGNERS], ONE if address == HOME_ONE else TWO)
        answer = witness.add_checkpoint(body, self.records[address], self.now)
        assert len(answer.body) <= at_most
        return Reply(answer.status, answer.content_type.partition(";")[0], answer.body)

    def old_sizes(self) -> list[int]:
        """Old sizes of the requests since the last call."""
        sizes = [request.old for _, request in self.requests]
        self.requests.clear()
        return sizes


@pytest.fixture
def internet() -> Internet:
    return Internet()


def ask(log: LogFolder, internet: Internet, *addresses: str) -> dict[str, WitnessResult]:
    """Asks the witnesses and publishes their cosignatures."""
    submission = Submission.of(log, POLICY)
    found = {address: submission.ask(address, internet.post) for address in addresses or submission.addresses}
    submission.add([line for result in found.values() for line in result.cosignatures])
    return found


def cosigners(log: LogFolder) -> dict[str, int | None]:
    """Who cosigned the published checkpoint, by name in the policy, and when."""
    note = log.checkpoint()
    assert note is not None
    names = {key: name for name, key in POLICY.witnesses.items()}
    return {
        names[by.key]: by.timestamp for by in note.verify([by.key for by in SIGNERS] + list(names)) if by.key in names
    }


def test_every_witness_is_asked_once(
    publisher: Publisher, small: BuildResult, fewer: BuildResult, internet: Internet
) -> None:
    first = publisher.publish(fewer).checkpoint
    assert all(result.why is None for result in ask(publisher.log, internet).values())
    assert cosigners(publisher.log) == {"one": NOW, "one-pq": NOW, "two": NOW}
    assert internet.old_sizes() == [0, 0]
    publisher.publish(small, now=NOW + 1)
    assert cosigners(publisher.log) == {}  # another text
    ask(publisher.log, internet)
    assert internet.old_sizes() == [first.size, first.size]
    assert len(cosigners(publisher.log)) == 3
    assert POLICY.accepts(Submission.of(publisher.log, POLICY).signers(publisher.log.checkpoint() or Note("", ())))


def test_asking_again_renews_the_cosignatures(publisher: Publisher, small: BuildResult, internet: Internet) -> None:
    size = publisher.publish(small).checkpoint.size
    ask(publisher.log, internet)
    internet.old_sizes()
    internet.now += 60
    ask(publisher.log, internet, HOME_TWO)
    assert {line.name for _, request in internet.requests for line in request.note.signatures} == {ORIGIN}
    assert internet.old_sizes() == [size]
    assert cosigners(publisher.log) == {"one": NOW, "one-pq": NOW, "two": NOW + 60}


def test_a_witness_that_saw_another_history_reports_it(
    publisher: Publisher, small: BuildResult, fewer: BuildResult, internet: Internet
) -> None:
    publisher.publish(small)
    ask(publisher.log, internet, HOME_ONE)
    first = publisher.publish(fewer, now=NOW + 1).checkpoint  # one release record more
    ask(publisher.log, internet, HOME_ONE)
    publisher.publish(small, now=NOW + 2)
    internet.old_sizes()
    internet.records[HOME_ONE].notes.clear()  # which this log does not have
    found = ask(publisher.log, internet)
    assert internet.old_sizes() == [first.size, 0, first.size, 0]
    assert [result.why for result in found.values()] == [None, None]


def test_a_log_older_than_the_record_of_a_witness(
    publisher: Publisher, small: BuildResult, fewer: BuildResult, internet: Internet, tmp_path: Path
) -> None:
    publisher.publish(small)
    old = (publisher.log.root / CHECKPOINT).read_bytes()
    publisher.publish(fewer, now=NOW + 1)
    ask(publisher.log, internet)
    (publisher.log.root / CHECKPOINT).write_bytes(old)
    found = ask(publisher.log, internet)
    assert all("this log has only" in str(result.why) and not result.cosignatures for result in found.values())
    assert [(result.status, result.is_alarm) for result in found.values()] == [(409, True)] * 2
    other = Publisher(tmp_path / "fork")
    other.publish(fewer)
    other.publish(small, now=NOW + 2)
    assert cosigners(other.log) == {}
    forked = ask(other.log, internet)
    assert all(result.why and not result.cosignatures for result in forked.values())
    assert [(result.status, result.is_alarm) for result in forked.values()] == [(422, True)] * 2


@pytest.mark.parametrize(
    ("reply", "message", "is_alarm"),
    [
        (Reply(400, "text/plain", b"old?\n"), "it answered 400: old?; it does not understand the request", False),
        (Reply(403, "text/plain", b"no\n"), "it does not have the right keys of the log", False),
        (Reply(404, "text/html", b""), f"it does not know the log {ORIGIN}, or nothing is at this address", False),
        (Reply(409, "text/plain", b"0\n"), "does not say which: its answer is text/plain", False),
        (Reply(409, "text/x.tlog.size", b"0\n"), "it saw another size, and keeps returning different ones", False),
        (Reply(409, "text/x.tlog.size", b"12345\n"), "of 12345 leaves, but this log has only", True),
        (Reply(409, "text/x.tlog.size", b"-1\n"), "is not a number from 0 to", False),
        (Reply(413, "text/plain", b""), "the request is too large for it", False),
        (
            Reply(422, "text/plain", b"a fork\n"),
            "a fork; this log is not consistent with what it cosigned before",
            True,
        ),
        (Reply(429, "text/plain", b""), "try again later", False),
        (Reply(418, "text/plain", b"tea\n"), "it answered 418: tea; tlog-witness has no such answer", False),
        (Reply(500, "text/plain", b""), "try again later", False),
        (Reply(503, "text/plain", b""), "try again later", False),
        (Reply(204, "text/plain", b""), "tlog-witness has no such answer", False),
        (Reply(301, "text/plain", b""), "redirects are not followed", False),
        (Reply(308, "text/plain", b""), "redirects are not followed", False),
    ],
)
def test_every_status_is_explained(
    publisher: Publisher, small: BuildResult, reply: Reply, message: str, is_alarm: bool
) -> None:
    publisher.publish(small)
    result = Submission.of(publisher.log, POLICY).ask(HOME_TWO, lambda url, body, at_most: reply)
    assert (result.cosignatures, result.status, result.is_alarm) == ((), reply.status, is_alarm)
    assert message in str(result.why)


def test_a_rollback_reported_in_the_second_answer_is_an_alarm(publisher: Publisher, small: BuildResult) -> None:
    publisher.publish(small)
    answers = [Reply(409, "text/x.tlog.size", b"0\n"), Reply(409, "text/x.tlog.size", b"99999\n")]
    result = Submission.of(publisher.log, POLICY).ask(HOME_TWO, lambda url, body, at_most: answers.pop(0))
    assert result.is_alarm


def test_damaged_tiles_are_not_an_alarm(
    publisher: Publisher, small: BuildResult, fewer: BuildResult, internet: Internet
) -> None:
    """A proof made from them is not sent, since a witness could only take it for a fork."""
    publisher.publish(fewer)
    ask(publisher.log, internet)
    publisher.publish(small, now=NOW + 1)
    internet.old_sizes()
    (tile,) = publisher.log.root.glob(f"tile/0/000.p/{Submission.of(publisher.log, POLICY).checkpoint.size}")
    tile.write_bytes(bytes(len(tile.read_bytes())))
    result = Submission.of(publisher.log, POLICY).ask(HOME_ONE, internet.post)
    assert (result.cosignatures, result.status, result.is_alarm) == ((), None, False)
    assert internet.old_sizes() == []


def lie(*by: Signer, text: str | None = None) -> Callable[[Submission], Reply]:
    def answer(submission: Submission) -> Reply:
        lines = [signature(one, text or submission.note.text) for one in by]
        return Reply(200, "text/plain", "".join(f"{line}\n" for line in lines).encode())

    return answer


@pytest.mark.parametrize(
    "answer",
    [
        lie(TWO[0], text=str(Checkpoint(ORIGIN, 7, bytes(32)))),
        lie(signer("w2.example", SignatureType.COSIGNATURE_ED25519, seed=1)),
        lie(ONE[0]),
        lie(TWO[0], TWO[0]),
        lambda submission: Reply(200, "text/plain", f"{at_no_time(TWO[0], submission.note.text)}\n".encode()),
        lambda _: Reply(200, "text/plain", b""),
        lambda _: Reply(200, "text/html", b"<html>welcome</html>"),
        lambda _: Reply(307, "text/plain", b"elsewhere\n"),
        lambda _: Reply(409, "text/plain", b"0\n"),
        lambda _: Reply(409, "text/x.tlog.size", b"0\n"),  # a second time
        lambda _: Reply(409, "text/x.tlog.size", b"00\n"),
        lambda _: Reply(409, "text/x.tlog.size", b"9223372036854775807\n"),
        lambda _: Reply(500, "text/plain", b"\xff" * 1000),
        LdcatError("nobody answers"),
    ],
)
def test_answers_of_witnesses_are_verified(
    publisher: Publisher, small: BuildResult, answer: Callable[[Submission], Reply] | LdcatError
) -> None:
    publisher.publish(small)
    submission, posts = Submission.of(publisher.log, POLICY), 0

    def post(url: str, body: bytes, at_most: int) -> Reply:
        nonlocal posts
        posts += 1
        if isinstance(answer, LdcatError):
            raise answer
        return answer(submission)

    result = submission.ask(HOME_TWO, post)
    assert result.cosignatures == ()
    assert result.why
    assert len(result.why) < 300
    assert posts <= 2
    submission.add(result.cosignatures)
    assert cosigners(publisher.log) == {}


def test_cosignatures_are_kept_if_nothing_new_is_published(
    publisher: Publisher, small: BuildResult, internet: Internet
) -> None:
    publisher.publish(small)
    ask(publisher.log, internet)
    before = publisher.log.checkpoint()
    assert publisher.publish(small, now=NOW + 9).new_rows == 0
    assert publisher.log.checkpoint() == before
    assert len(cosigners(publisher.log)) == 3


def test_a_checkpoint_published_meanwhile_is_kept(
    publisher: Publisher, small: BuildResult, fewer: BuildResult, internet: Internet
) -> None:
    publisher.publish(fewer)
    submission = Submission.of(publisher.log, POLICY)
    lines = submission.ask(HOME_ONE, internet.post).cosignatures
    with publisher.log.locked(), pytest.raises(UsageError, match="another process"):
        submission.add(lines)
    publisher.publish(small, now=NOW + 1)
    before = publisher.log.checkpoint()
    with pytest.raises(VerificationFailed, match="has changed"):
        submission.add(lines)
    assert publisher.log.checkpoint() == before


def test_cosignatures_added_meanwhile_are_kept(publisher: Publisher, small: BuildResult, internet: Internet) -> None:
    publisher.publish(small)
    submission = Submission.of(publisher.log, POLICY)
    lines = submission.ask(HOME_ONE, internet.post).cosignatures
    ask(publisher.log, internet, HOME_TWO)
    submission.add(lines)
    assert set(cosigners(publisher.log)) == {"one", "one-pq", "two"}


def test_only_logs_of_the_policy_are_submitted(publisher: Publisher, small: BuildResult, tmp_path: Path) -> None:
    with pytest.raises(Unreadable, match="no log at"):
        Submission.of(LogFolder(tmp_path), POLICY)
    publisher.publish(small)
    for text in ("quorum none\n", f"log {signer('example.com/other').key}\nquorum none\n"):
        with pytest.raises(UntrustedSigner):
            Submission.of(publisher.log, Policy.parse(text.encode()))


def test_a_log_without_releases(tmp_path: Path, internet: Internet) -> None:
    log = LogFolder(tmp_path)
    text = str(Checkpoint(ORIGIN, 1, bytes(32)))
    log.write([(CHECKPOINT, bytes(signed(text, *SIGNERS)))])
    result = Submission.of(log, POLICY).ask(HOME_ONE, internet.post)
    assert "tile/entries/000" in str(result.why)
    log.write([("tile/entries/000.p/1", b"\0\2{}")])
    result = Submission.of(log, POLICY).ask(HOME_ONE, internet.post)
    assert result.why
    log.write([(CHECKPOINT, b"nothing\n")])
    with pytest.raises(MalformedInput):
        Submission.of(log, POLICY)
