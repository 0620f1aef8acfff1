"""What is kept of a log at a host, or comes in a pack, is verified like other files; the host is the fallback."""

from __future__ import annotations

import hashlib
import shutil
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler
from pathlib import Path
from urllib.parse import quote

import pytest

from catalog.build.builder import BuildResult
from catalog.fast import asked
from catalog.log.file_pack import format_pack, leaf_name, parse_pack
from catalog.log.records import RevokeRecord
from catalog.net import http_client, static_host
from catalog.verify.at_hand import AtHand
from tests.support.catalogs import digest_of
from tests.support.cli import Run
from tests.support.counted_hosts import Counted, counted_host
from tests.support.hosts import Serve, answer
from tests.support.logs import DAY
from tests.support.published_logs import Place, revoke

FIVE_MINUTES = ("--max-checkpoint-age", "5m")
REVOKE = RevokeRecord(type="revoke", selector={"vcpus": 3}, severity="revoked", reason="bad")


class Guest:
    """Looks up a digest at a host, with a cache of its own."""

    def __init__(self, run: Run, place: Place, small: BuildResult, host: Counted, cache: Path) -> None:
        self.place, self.host, self.cache = place, host, cache / "ldcat/hosts" / quote(host.url, safe="")
        self._run, self._digest = run, digest_of(small)

    def lookup(self, *more: str, code: int = 0) -> list[str]:
        """Paths of the requests of a lookup."""
        self.host.as_new_process()
        catalog = ("--catalog", self.host.url, "--trust", str(self.place.trust))
        found, _, self.err = self._run("lookup", self._digest, *catalog, *more)
        assert found == code, self.err
        return self.host.since()[0]

    @property
    def kept(self) -> Path:
        """The file with what is kept."""
        (found,) = (self.cache / "pack").iterdir()
        return found

    def change(self, change: Callable[[dict[str, bytes], dict[int, bytes]], None]) -> None:
        """Change what is kept, with a right checksum."""
        files, leaves = parse_pack(self.kept.read_bytes()[64:])
        change(files, leaves)
        packed = format_pack([*files.items(), *((leaf_name(index), leaf) for index, leaf in leaves.items())])
        self.kept.write_bytes(hashlib.sha256(packed).hexdigest().encode() + packed)


@pytest.fixture
def host(run: Run, place: Place, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Counted]:
    assert run("site", str(place.log), "-o", str(tmp_path / "site"), "--trust", str(place.trust))[0] == 0
    monkeypatch.setattr(static_host, "_PAUSES", ())
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    with counted_host(tmp_path / "site") as found:
        yield found


@pytest.fixture
def guest(run: Run, place: Place, small: BuildResult, host: Counted, tmp_path: Path) -> Guest:
    return Guest(run, place, small, host, tmp_path / "cache")


@pytest.fixture
def cosigned(guest: Guest) -> Guest:
    """One that looked something up before the checkpoint was cosigned again, so that it is verified again."""
    guest.lookup()
    guest.place.cosign()
    shutil.copy(guest.place.log / "checkpoint", guest.cache.parents[3] / "site")
    return guest


def test_a_damaged_file_is_fetched_again(cosigned: Guest) -> None:
    data = cosigned.kept.read_bytes()
    cosigned.kept.write_bytes(data[:-1] + b"?")
    assert [path.split("/")[0] for path in cosigned.lookup()] == ["checkpoint", "pack", "range"]
    assert cosigned.kept.read_bytes() == data


def test_wrong_tiles_that_were_kept_are_read_from_the_host(cosigned: Guest) -> None:
    def other_tile(files: dict[str, bytes], leaves: dict[int, bytes]) -> None:
        files["tile/0/000.p/73"] = bytes(73 * 32)

    cosigned.change(other_tile)
    assert "tile/0/000.p/73" in cosigned.lookup()


def test_wrong_leaves_that_were_kept_are_read_from_the_host(cosigned: Guest) -> None:
    def other_leaf(files: dict[str, bytes], leaves: dict[int, bytes]) -> None:
        leaves[72] = leaves[72].replace(b'"release":1', b'"release":9')

    cosigned.change(other_leaf)
    assert "tile/entries/000.p/73" in cosigned.lookup()


@pytest.mark.parametrize(
    "name", ["components/firmware.parquet", "components/kernel_hashes.parquet", "manifest.json", "revocations.json"]
)
def test_wrong_files_that_were_kept_are_not_used(guest: Guest, name: str) -> None:
    guest.lookup()

    def other_file(files: dict[str, bytes], leaves: dict[int, bytes]) -> None:
        files[f"releases/1/{name}"] += b" "

    guest.change(other_file)
    for path in (guest.cache / "releases/1").rglob("*"):
        if path.is_file():
            path.write_bytes(b"damaged")
    assert guest.lookup(*FIVE_MINUTES)[:-1] == [f"releases/1/{name}"]
    assert len(guest.lookup(*FIVE_MINUTES)) == 1


def test_an_index_of_ranges_that_is_of_another_catalog_is_read_from_the_host(guest: Guest) -> None:
    guest.lookup()

    def other_index(files: dict[str, bytes], leaves: dict[int, bytes]) -> None:
        index = files["range/1/index.json"]
        files["range/1/index.json"] = index.replace(b'"manifest_sha256": "', b'"manifest_sha256": "0')

    guest.change(other_index)
    assert guest.lookup(*FIVE_MINUTES)[0] == "range/1/index.json"
    assert len(guest.lookup(*FIVE_MINUTES)) == 1


@pytest.mark.parametrize("said", [b"x", b"9" * 5000, b"-5", b"8"])
def test_no_host_says_what_is_kept_under_a_name_of_our_own(tmp_path: Path, said: bytes) -> None:
    """One checkpoint later it was read as a number, and every lookup after it ended with an internal error."""
    asked: list[str] = []

    def fetch(path: str, _: int) -> bytes:
        asked.append(path)
        return format_pack([("no-pack", said), ("tile/0/000.p/1", b"1")])

    for size in (73, 99):
        at_hand = AtHand(tmp_path)
        at_hand.prepare(size, fetch)
        at_hand.keep()
    assert asked == ["pack/73", "pack/99"]
    for path in (tmp_path / "pack").iterdir():
        packed = format_pack([("no-pack", said)])
        path.write_bytes(hashlib.sha256(packed).hexdigest().encode() + packed)
    AtHand(tmp_path).prepare(120, fetch)


def lying(path: str, change: Callable[[bytes], bytes]) -> Callable[[BaseHTTPRequestHandler, Path], None]:
    """A host whose pack has something else in place of a file."""

    def serve(handler: BaseHTTPRequestHandler, root: Path) -> None:
        files, leaves = parse_pack((root / "pack/73").read_bytes())
        every = {**files, **{leaf_name(index): leaf for index, leaf in leaves.items()}}
        every[path] = change(every[path])
        answer(handler, 200, format_pack(every.items()))

    return serve


@pytest.mark.parametrize(
    "path", ["tile/0/000.p/73", "leaf/72", "releases/1/revocations.json", "releases/1/manifest.json"]
)
def test_a_pack_with_wrong_files_changes_nothing(guest: Guest, path: str) -> None:
    guest.host.odd["pack/73"] = lying(path, lambda data: data[:-1] + bytes([data[-1] ^ 1]))
    assert len(guest.lookup()) > 3


def without(handler: BaseHTTPRequestHandler, root: Path) -> None:
    answer(handler, 404, b"no such file")


def forbidden(handler: BaseHTTPRequestHandler, root: Path) -> None:
    answer(handler, 403, b"no such file, and no list of files")


def redirected(handler: BaseHTTPRequestHandler, root: Path) -> None:
    answer(handler, 302, b"", {"Location": "https://elsewhere.example/"})


def a_page(handler: BaseHTTPRequestHandler, root: Path) -> None:
    answer(handler, 200, b"<!DOCTYPE html>\n<title>Not here</title>\n\n")


def endless(handler: BaseHTTPRequestHandler, root: Path) -> None:
    handler.send_response(200)
    handler.end_headers()
    for _ in range(20):
        handler.wfile.write(bytes(1 << 20))
    handler.close_connection = True


@pytest.mark.parametrize("serve", [without, forbidden, redirected, a_page])
def test_a_host_without_packs_is_read_file_by_file(guest: Guest, serve: Serve) -> None:
    guest.host.odd["pack/73"] = serve
    first = guest.lookup()
    assert first[:4] == ["checkpoint", "pack/73", "tile/entries/000.p/73", "tile/0/000.p/73"]
    assert len(set(first)) == len(first)
    assert len(guest.lookup()) == 2
    assert len(guest.lookup(*FIVE_MINUTES)) == 1
    guest.place.cosign()
    shutil.copy(guest.place.log / "checkpoint", guest.cache.parents[3] / "site")
    assert len(guest.lookup()) == 2
    (guest.cache / "checkpoint").unlink()  # whatever is missing is verified again
    assert len(guest.lookup(*FIVE_MINUTES)) == 2


def test_a_pack_that_is_too_large_is_not_read(guest: Guest) -> None:
    guest.host.odd["pack/73"] = endless
    assert "tile/0/000.p/73" in guest.lookup()


def test_a_host_that_hangs_is_not_asked_for_more(guest: Guest, monkeypatch: pytest.MonkeyPatch) -> None:
    def hanging(handler: BaseHTTPRequestHandler, root: Path) -> None:
        handler.rfile.read(1)  # until the client closes the connection

    monkeypatch.setattr(http_client, "HEAD_SECONDS", 0.3)
    guest.host.odd["pack/73"] = hanging
    assert guest.lookup(code=5) == ["checkpoint", "pack/73"]
    assert "127.0.0.1 hangs: no head of an answer" in guest.err


def test_the_same_component_is_not_fetched_for_another_release(
    run: Run, guest: Guest, small: BuildResult, tmp_path: Path
) -> None:
    """Also without a pack."""
    shutil.rmtree(tmp_path / "site/pack")
    guest.lookup()
    guest.place.publish(REVOKE)
    site = ("site", str(guest.place.log), "-o", str(tmp_path / "site"), "--trust", str(guest.place.trust))
    assert run(*site)[0] == 0
    shutil.rmtree(tmp_path / "site/pack")
    paths = guest.lookup()
    assert len(paths) <= 8
    assert [path for path in paths if path.startswith("releases/")] == [
        "releases/2/revocations.json",
        "releases/2/manifest.json",
    ]


@pytest.mark.long
def test_a_host_that_had_no_packs_is_asked_again_later(run: Run, guest: Guest, tmp_path: Path) -> None:
    site = ("site", str(guest.place.log), "-o", str(tmp_path / "site"), "--trust", str(guest.place.trust))
    shutil.rmtree(tmp_path / "site/pack")
    asked = [any(path.startswith("pack/") for path in guest.lookup())]
    for number in range(10):
        guest.place.publish(revoke("deprecated", f"reason {number}", vcpus=3))
        assert run(*site)[0] == 0
        asked.append(any(path.startswith("pack/") for path in guest.lookup()))
    assert asked == [True, *[False] * 7, *[True] * 3]  # then it has them


def test_an_old_checkpoint_is_not_used_after_its_time(guest: Guest, monkeypatch: pytest.MonkeyPatch) -> None:
    guest.lookup()
    assert len(guest.lookup(*FIVE_MINUTES)) == 1
    monkeypatch.setattr("time.time", lambda: 1_800_000_100.0 + 301)  # the wall clock alone
    assert len(guest.lookup(*FIVE_MINUTES)) == 2
    monkeypatch.setattr("time.time", lambda: 1_800_000_100.0)  # and it is set back
    assert len(guest.lookup(*FIVE_MINUTES)) == 2
    monkeypatch.setattr(asked, "_BOOT_ID", "/nothing")
    assert len(guest.lookup(*FIVE_MINUTES)) == 2


def test_a_stale_checkpoint_is_not_used(guest: Guest, monkeypatch: pytest.MonkeyPatch) -> None:
    guest.lookup()
    monkeypatch.setattr("time.time", lambda: 1_800_000_100.0 + 2 * DAY)
    assert guest.lookup("--max-checkpoint-age", "9d", code=8) == ["checkpoint"]


def test_another_trust_note_is_verified_against(guest: Guest) -> None:
    guest.lookup()
    guest.place.trust.write_bytes(guest.place.trust.read_bytes() + b"\n")
    assert guest.lookup(*FIVE_MINUTES, code=3) == ["checkpoint"]


def test_a_newer_checkpoint_that_was_seen_elsewhere_counts(run: Run, guest: Guest) -> None:
    guest.lookup()
    guest.place.publish(REVOKE)
    assert run("lookup", "0" * 96, *guest.place.options())[0] == 1
    assert guest.lookup(*FIVE_MINUTES, code=9)[0] == "checkpoint"  # the host is asked, and has an older one


def test_state_that_others_can_write_is_refused(guest: Guest, tmp_path: Path) -> None:
    guest.lookup()
    (file,) = (tmp_path / "state/ldcat/asked").iterdir()
    file.chmod(0o666)
    assert guest.lookup(*FIVE_MINUTES, code=5) == []
    assert "is part of ldcat's state and is not trusted: others can write it" in guest.err
