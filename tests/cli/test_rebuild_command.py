"""`ldcat rebuild`: recomputing a log and cosigning it, on the command line."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from catalog.build.builder import BuildResult
from catalog.transparency.keys import VerifierKey
from catalog.transparency.note import Note
from tests.support.cli import Run
from tests.support.forged_catalogs import SEV, forged, one_digest
from tests.support.hosts import serving
from tests.support.published_logs import Place, revoke


def rebuild_arguments(place: Place, *more: str) -> tuple[str, ...]:
    return ("rebuild", str(place.log), "--trust", str(place.trust), *more)


def test_a_log_is_recomputed_and_then_cosigned(run: Run, place: Place, tmp_path: Path) -> None:
    keys = run("keygen", "rebuilder.example", "--for", "witness", "-o", str(tmp_path / "key"))[1].splitlines()
    before = (place.log / "checkpoint").read_bytes()
    code, out, err = run(*rebuild_arguments(place))
    assert (code, err) == (0, "")
    assert "every launch digest was recomputed, and is the same" in out
    assert (place.log / "checkpoint").read_bytes() == before
    code, out, err = run(*rebuild_arguments(place, "--cosign", "--key", str(tmp_path / "key"), "-f", "json"))
    record = json.loads(out)
    assert (code, err, record["same"], record["differences"]) == (0, "", True, [])
    assert record["cosigned"]["signatures"] == 2
    note = Note.parse((place.log / "checkpoint").read_bytes())
    assert {by.key.name for by in note.verify(list(map(VerifierKey.parse, keys)))} == {"rebuilder.example"}
    assert bytes(note).startswith(before)


def test_a_log_with_differences_is_not_cosigned(run: Run, place: Place, small: BuildResult, tmp_path: Path) -> None:
    run("keygen", "rebuilder.example", "--for", "witness", "-o", str(tmp_path / "key"))
    wrong = forged(small, tmp_path / "forged", {SEV: one_digest})
    other = Place(tmp_path / "other", wrong, 1_800_000_000)
    before = (other.log / "checkpoint").read_bytes()
    code, out, err = run(*rebuild_arguments(other, "--cosign", "--key", str(tmp_path / "key")))
    assert code == 4
    assert f"launch_digest {bytes(32).hex()}" in out
    assert "error: not all of the log was recomputed with the same result" in err
    assert (other.log / "checkpoint").read_bytes() == before


def test_a_log_at_a_url_is_recomputed(run: Run, place: Place, small: BuildResult, tmp_path: Path) -> None:
    place.publish(revoke("revoked", vcpus=3))
    local = json.loads(run(*rebuild_arguments(place, "-f", "json"))[1])
    with serving(place.log) as port:
        url = f"http://127.0.0.1:{port}/logs"
        arguments = ("rebuild", url, "--trust", str(place.trust))
        code, out, err = run(*arguments, "-f", "json")
        assert (code, err, json.loads(out)) == (0, "", local)
        assert (local["releases"], local["same"]) == (2, True)
        code, out, err = run("rebuild", f"{url}/releases/1", "--trust", str(place.trust))
        assert (code, out, err.splitlines()[1]) == (2, "", f"ldcat: hint: ldcat rebuild {url}")
        code, out, err = run(*arguments, "--cosign", "--key", str(tmp_path / "key"))
        assert (code, out) == (2, "")
        assert "a cosignature is written to the folder of the log" in err
    other = Place(tmp_path / "other", forged(small, tmp_path / "forged", {SEV: one_digest}), 1_800_000_000)
    with serving(other.log) as port:
        code, out, _ = run("rebuild", f"http://127.0.0.1:{port}/logs", "--trust", str(other.trust))
        assert (code, f"launch_digest {bytes(32).hex()}" in out) == (4, True)


@pytest.mark.parametrize(
    ("old", "new", "code", "said"),
    [
        (b'"type":"digest"', b'"tXpe":"digest"', 3, "leaf: object missing"),
        (b'"vcpus":1,', b'"vcpus":4,', 4, None),
        (b'{"', b'["', 3, "leaf: "),  # all of them, also the one right before the release record
    ],
)
def test_a_damaged_entry_is_named(run: Run, place: Place, old: bytes, new: bytes, code: int, said: str | None) -> None:
    (path,) = place.log.glob("tile/entries/000.p/*")
    path.write_bytes(path.read_bytes().replace(old, new, 1 if old.startswith(b'"') else 72))
    found, out, err = run(*rebuild_arguments(place))
    assert found == code, err
    name = path.relative_to(place.log).as_posix()
    assert f", in {name}, does not match its tile, tile/0/000.p/{path.name}" in (err if said else out)
    if said:
        assert said in err
        assert "ldcat: hint: the file was damaged or changed: get it again" in err


@pytest.mark.parametrize(
    ("more", "code", "part"),
    [
        (("--cosign",), 2, "--cosign needs a key"),
        (("-f", "csv"), 2, "'csv' is not one of"),
        (("--cosign", "--key", "/nowhere"), 5, "/nowhere"),
    ],
)
def test_invalid_arguments_are_refused(run: Run, place: Place, more: tuple[str, ...], code: int, part: str) -> None:
    found, out, err = run(*rebuild_arguments(place, *more))
    assert (found, out) == (code, "")
    assert part in err
