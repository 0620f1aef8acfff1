"""`ldcat cosign`: a heartbeat makes a stale log fresh again; a fork is refused with exit code 4."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from catalog.transparency.checkpoint import Checkpoint
from catalog.transparency.keys import VerifierKey
from catalog.transparency.note import Note
from tests.support.cli import NOWHERE, Run
from tests.support.logs import DAY, LOG, signed
from tests.support.published_logs import Place
from tests.support.trust_notes import trust_note

BEAT = "example.com/heartbeat"


@pytest.fixture
def key(run: Run, place: Place, tmp_path: Path) -> Path:
    """Keys for heartbeats, which the trust note lists as witnesses; max-age is one day."""
    keys = run("keygen", BEAT, "--for", "witness", "-o", str(tmp_path / "key"))[1].splitlines()
    witnesses = "".join(f"witness w{number} {key}\n" for number, key in enumerate(keys))
    place.trust.write_bytes(bytes(trust_note(f"log {LOG.key}\n{witnesses}quorum none\n", max_age=DAY)))
    return tmp_path / "key"


def cosign_arguments(place: Place, key: Path, *more: str) -> tuple[str, ...]:
    return ("cosign", "--log", str(place.log), "--trust", str(place.trust), "--key", str(key), *more)


def published(place: Place) -> Note:
    return Note.parse((place.log / "checkpoint").read_bytes())


def test_a_heartbeat_makes_a_stale_log_fresh(
    run: Run, place: Place, key: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    lookup = ("lookup", NOWHERE, *place.options())
    assert run(*lookup)[0] == 1
    for day in (2, 4):
        for clock in ("time.time", "catalog.fast.plain_lookup.time"):
            monkeypatch.setattr(clock, lambda day=day: float(place.now + day * DAY))
        assert run(*lookup)[0] == 8
        code, out, err = run(*cosign_arguments(place, key, "--heartbeat", "-f", "json"))
        assert (code, err) == (0, "")
        found = Checkpoint.parse(published(place).text)
        facts = json.loads(out)
        assert (facts["origin"], facts["size"], facts["cosigner"]) == (found.origin, found.size, BEAT)
        assert (facts["signatures"], facts["time"]) == (2, place.now + day * DAY)
        assert facts["previous_size"] == (None if day == 2 else found.size)
        assert run(*lookup)[0] == 1


def test_the_cosigned_checkpoint_is_printed(run: Run, place: Place, key: Path) -> None:
    code, out, err = run(*cosign_arguments(place, key))
    assert (code, err) == (0, "")
    assert f"cosigner     {BEAT}\n" in out
    assert "previous_size" not in out
    before = published(place)
    code, out, err = run(*cosign_arguments(place, key))
    assert (code, err) == (0, "ldcat: note: it was cosigned already; --heartbeat cosigns it again\n")
    assert run(*cosign_arguments(place, key, "--quiet"))[2] == ""
    assert published(place) == before
    assert "PRIVATE" not in out + err


def test_a_fork_is_refused(run: Run, place: Place, key: Path, tmp_path: Path) -> None:
    run(*cosign_arguments(place, key))
    found = Checkpoint.parse(published(place).text)
    fork = signed(str(Checkpoint(found.origin, found.size, bytes(32))), LOG)
    (place.log / "checkpoint").write_bytes(bytes(fork))
    code, out, err = run(*cosign_arguments(place, key, "--heartbeat"))
    assert (code, out) == (4, "")
    assert "ldcat: error: " in err
    assert "is not consistent with" in err
    assert published(place) == fork
    (kept,) = (tmp_path / "state/ldcat/cosigned/evidence").glob("*/published.note")
    assert kept.read_bytes() == bytes(fork)
    assert str(kept.parent) in err


def test_each_cosigner_has_its_own_record(run: Run, place: Place, key: Path, tmp_path: Path) -> None:
    other = run("keygen", "w.example", "--for", "witness", "-o", str(tmp_path / "other"))[1].splitlines()
    run(*cosign_arguments(place, key))
    facts = json.loads(run(*cosign_arguments(place, tmp_path / "other", "-f", "json"))[1])
    assert (facts["cosigner"], facts["previous_size"], facts["signatures"]) == ("w.example", None, 2)
    assert len(published(place).verify(list(map(VerifierKey.parse, other)))) == 2


@pytest.mark.parametrize(
    ("more", "code", "part"),
    [
        (("-f", "csv"), 2, "'csv' is not one of"),
        (("--key", "/nowhere"), 5, "/nowhere"),
        (("--log", "{tmp}/nothing"), 5, "no log at"),
        (("--trust", "{tmp}/log/checkpoint"), 3, "trust note"),
        (("--key", "{tmp}/log.key"), 2, "cosignature keys"),
    ],
)
def test_invalid_arguments_are_refused(
    run: Run, place: Place, key: Path, tmp_path: Path, more: tuple[str, ...], code: int, part: str
) -> None:
    run("keygen", "example.com/log", "-o", str(tmp_path / "log.key"))
    before = published(place)
    got, out, err = run(*cosign_arguments(place, key, *(argument.format(tmp=tmp_path) for argument in more)))
    assert (got, out) == (code, "")
    assert part in err
    assert published(place) == before
    assert not (tmp_path / "nothing").exists()
