"""A host that lies about its log or serves other keys: the browser finds it out when it verifies a proof."""

from __future__ import annotations

import hashlib
import json
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import Locator, Page, expect

from catalog.build.builder import BuildResult
from catalog.log.log_folder import LogFolder
from catalog.log.records import RevokeRecord
from catalog.transparency.note import Note
from tests.support.browsers import ELSEWHERE, Watched
from tests.support.catalogs import digest_with
from tests.support.forged_releases import altered, next_record, sign_release
from tests.support.hosts import StaticHost
from tests.support.logs import LOG, PQ_LOG, WITNESS, signature
from tests.support.page_verdicts import conclusion
from tests.support.services import Service

Change = Callable[[dict[str, Any]], object]


def verified(seen: Watched, url: str, digest: str) -> Locator:
    """The result of verifying the proof of the first match."""
    seen.page.goto(f"{url}index.html#d={digest}")
    proof = seen.page.locator(".proof").first
    proof.locator("button").click()
    return proof


def test_every_false_part_of_a_proof_is_found(
    seen: Watched, loaded: Page, site: Path, lying: tuple[Path, StaticHost], small: BuildResult
) -> None:
    """The page shows what its scripts conclude."""
    copy, host = lying
    digest = digest_with(small, technology="sev-snp")
    checkpoint = (site / "checkpoint").read_bytes()
    _, size, root, *_ = checkpoint.split(b"\n")
    hashes, entries = (f"tile/{level}/000.p/{size.decode()}" for level in ("0", "entries"))
    two = (site / hashes).read_bytes()[:64]
    cases: list[tuple[str, bytes, bytes, str]] = [
        ("checkpoint", b"example.com/log\n", b"example.com/lox\n", "the checkpoint is of example.com/lox"),
        ("checkpoint", b"\n" + size + b"\n", b"\n%d\n" % (int(size) + 1), "is not right"),
        ("checkpoint", root, b"A" * 43 + b"=", "is not right"),
        ("checkpoint", "\u2014 w.example".encode(), "\u2014 x.example".encode(), "lacks the witness quorum"),
        ("checkpoint", "\u2014 example.com/log".encode(), "\u2014 example.com/lox".encode(), "no trusted key of"),
        ("checkpoint", b"\n\n", b"\n", "is not a signed note"),
        (hashes, two, bytes(64), "do not lead from this row"),
        (entries, digest.encode(), b"0" * 96, "the log does not have this row"),
        (entries, b'"release":2,', b'"release":3,', "do not lead from this row"),
        ("releases/2/revocations.json", b"bad", b"good", "the revocations are not those"),
    ]
    for name, old, new, why in cases:
        data = (site / name).read_bytes()
        assert old in data, name
        (copy / name).write_bytes(data.replace(old, new))
        found = conclusion(loaded, digest)
        assert found.startswith("NotProven: "), (name, old, found)
        assert why in found, (name, old)
        (copy / name).write_bytes(data)
    assert conclusion(loaded, digest).startswith("proven: ")
    proof = verified(seen, host.url, digest)
    expect(proof.locator(".proven")).to_be_visible()
    (copy / name).write_bytes(data.replace(old, new))
    seen.forget()
    proof = verified(seen, host.url, digest)
    expect(proof.locator("[role=alert]")).to_have_text(f"NOT VERIFIED: {found.removeprefix('NotProven: ')}")
    assert proof.locator(".proven").count() == 0


def put(*path: str | int, to: Any) -> Change:
    """Sets a value of page.json."""

    def change(data: Any) -> None:
        for name in path[:-1]:
            data = data[name]
        data[path[-1]] = to

    return change


@pytest.mark.parametrize(
    ("change", "why"),
    [
        (put("trust", "expires", to=1), "the trust note that this page came with has expired"),
        (put("trust", "max_age", to=1), "this checkpoint is stale"),
        (put("trust", "quorum", to="nobody"), "lacks the witness quorum"),
        (put("trust", "groups", 0, "threshold", to=2), "lacks the witness quorum"),
        (put("trust", "logs", to=[]), "no trusted key of example.com/log"),
        (put("trust", "logs", 0, "ed25519", to="A" * 43 + "="), "is not right"),
        (put("trust", "logs", 0, "ed25519", to=None), "the key of example.com/log is invalid"),
        (put("trust", "logs", 1, "ml_dsa_44", to="A" * 1750 + "=="), "is not right"),
        (put("trust", "logs", 1, "ml_dsa_44", to="A" * 1748), "the key of example.com/log is invalid"),
        (put("trust", "witnesses", 0, "votes", to=False), "lacks the witness quorum"),
        (put("trust", "groups", 0, "voices", to=[]), "lacks the witness quorum"),
        (put("families", "runs", to=[]), "the log does not have this row"),
    ],
)
def test_every_false_part_of_the_page_data_is_found(
    loaded: Page, site: Path, lying: tuple[Path, StaticHost], small: BuildResult, change: Change, why: str
) -> None:
    copy, _ = lying
    data = json.loads((site / "page.json").read_bytes())
    change(data)
    (copy / "page.json").write_text(json.dumps(data))
    found = conclusion(loaded, digest_with(small, technology="sev-snp"))
    assert found.startswith("NotProven: ")
    assert why in found


@pytest.mark.parametrize(
    ("missing", "why"),
    [("trust", "This page came without keys"), ("release", "This catalog is not published in a log")],
)
def test_a_page_without_keys_or_a_log_does_not_verify(
    seen: Watched, site: Path, lying: tuple[Path, StaticHost], small: BuildResult, missing: str, why: str
) -> None:
    copy, host = lying
    page = json.loads((site / "page.json").read_bytes()) | {missing: None}
    (copy / "page.json").write_text(json.dumps(page))
    seen.page.goto(f"{host.url}index.html#d={digest_with(small, technology='sev-snp')}")
    proof = seen.page.locator(".proof").first
    expect(proof).to_contain_text(why)
    assert proof.locator("button").count() == 0
    assert seen.page.locator(".proven").count() == 0


def test_a_revocation_hidden_by_the_page_is_found(
    seen: Watched, site: Path, lying: tuple[Path, StaticHost], small: BuildResult
) -> None:
    copy, host = lying
    hidden = json.loads((site / "page.json").read_bytes()) | {"revocations": []}
    (copy / "page.json").write_text(json.dumps(hidden))
    proof = verified(seen, host.url, digest_with(small, vcpus=3))
    expect(proof.locator("[role=alert]")).to_contain_text("The log says of this row: revoked by its publisher")
    assert "not revoked" not in proof.inner_text()


def test_invalid_range_files(seen: Watched, lying: tuple[Path, StaticHost], small: BuildResult) -> None:
    copy, host = lying
    digest = digest_with(small, technology="sev-snp")
    (name,) = (path.name for path in (copy / "range/2").iterdir() if path.name != "index.json")
    data = (copy / "range/2" / name).read_bytes()
    for changed, why in (
        (data + b"x", "the host's answer is not a range"),
        (data.replace(bytes.fromhex(digest)[:16], bytes.fromhex(digest)[:16] + b"\xff", 1)[: len(data)], None),
        (bytes(200_000), "has more than 131072 bytes"),
        (b"", "No configuration of this catalog has this launch digest"),
    ):
        (copy / "range/2" / name).write_bytes(changed)
        seen.forget()
        seen.page.goto(f"{host.url}index.html#d={digest}")
        expect(seen.page.locator("#answer h2")).to_be_focused()
        assert why is None or why in seen.page.locator("#answer").inner_text()
        assert seen.errors == []
    (copy / "range/2" / name).unlink()
    seen.forget()
    seen.page.goto(f"{host.url}index.html#d={digest}")
    expect(seen.page.locator("#answer [role=alert]")).to_contain_text("cannot be fetched: status 404")


def test_no_row_is_verified_for_another_digest_with_the_same_prefix(
    seen: Watched, host: StaticHost, served: Service, small: BuildResult
) -> None:
    digest = digest_with(small, technology="sev-snp")
    near = digest[:-1] + f"{int(digest[-1], 16) ^ 1:x}"
    assert served.json(f"/d/{near}.json")["matches"] == []
    proof = verified(seen, host.url, near)
    expect(proof.locator("[role=alert]")).to_contain_text("no configuration has this launch digest")
    text = seen.page.locator("#answer").inner_text()
    assert "listed with this launch digest" in text
    assert "A range has the first 16 bytes of each digest" in text
    assert seen.page.locator(".proven").count() == 0


def test_a_page_over_plain_http_does_not_verify(seen: Watched, host: StaticHost, small: BuildResult) -> None:
    """Over plain http from another machine browsers offer no WebCrypto."""
    url = host.url.replace("127.0.0.1", ELSEWHERE)
    proof = verified(seen, url, digest_with(small, technology="sev-snp"))
    expect(proof).to_contain_text("this browser cannot verify anything on a page loaded over plain http")
    expect(seen.page.locator("#answer")).to_contain_text("Kernels are not verified against the measured hashes: ")


@pytest.mark.parametrize(
    ("lie", "why"),
    [
        ({}, "its revocations chain does not match"),
        ({"revocations_count": 0}, "its revocations chain does not match"),
        ({"time": 4_102_444_800}, "its time is impossible"),
        ({"time": 0}, "its time is impossible"),
        ({"trust_version": 999}, "its trust version is impossible"),
    ],
)
def test_a_false_release_record_is_refused_by_the_page(
    loaded: Page, lying: tuple[Path, StaticHost], small: BuildResult, lie: dict[str, Any], why: str
) -> None:
    """Signed by the log and cosigned by its witness. {}: the list is empty, and the record commits to the true one."""
    copy, _ = lying
    log, now = LogFolder(copy), int(time.time()) - 100
    record = next_record(log, now)
    listed = [RevokeRecord(type="revoke", selector={"vcpus": 3}, severity="revoked", reason="three is <b>bad</b>")]
    if not lie:
        listed = []
        record = altered(record, revocations_sha256=hashlib.sha256(b"[]").hexdigest())
    sign_release(log, LOG, altered(record, **lie), listed)
    note = Note.parse((copy / "checkpoint").read_bytes())
    cosigned = note.with_signatures(signature(by, note.text, now) for by in (PQ_LOG, WITNESS))
    (copy / "checkpoint").write_bytes(bytes(cosigned))
    found = conclusion(loaded, digest_with(small, technology="sev-snp"))
    assert found.startswith("NotProven: ")
    assert why in found
