"""Doctor on a static host: a correct host has no findings, and each wrong answer and header has one."""

from __future__ import annotations

import gzip
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from catalog.build.builder import BuildResult
from catalog.errors import Unreadable
from catalog.log.log_folder import LastCheckpoint, LogFolder
from catalog.log.records import ReleaseRecord, parse_record
from catalog.net.probes import FileKind, Probe, ProbeResponse
from catalog.operate.doctor_host import host_findings, probes
from catalog.operate.finding import Finding, is_healthy
from catalog.publish.publish import publish
from catalog.store.catalog import Catalog
from catalog.transparency.checkpoint import Checkpoint
from catalog.transparency.keys import SignatureType
from catalog.transparency.merkle import EMPTY_ROOT, root_hash
from catalog.transparency.tiles import TileReader
from catalog.values import replace as changed
from tests.support.catalogs import build
from tests.support.logs import NOW, ORIGIN, signature, signed, signer
from tests.support.samples import SMALL, write_inputs, write_spec

KEYS = [signer(ORIGIN), signer(ORIGIN, SignatureType.COSIGNATURE_ML_DSA_44)]
FOREVER = "public, max-age=31536000, immutable"
OLD = "Thu, 01 Jan 1970 00:00:00 GMT"

Change = Callable[[Probe, ProbeResponse], ProbeResponse]


@pytest.fixture(scope="module")
def log(tmp_path_factory: pytest.TempPathFactory) -> LogFolder:
    """A log with full and partial tiles."""
    folder = tmp_path_factory.mktemp("log")
    spec = write_spec(write_inputs(folder / "inputs"), SMALL.replace('"1-3"', '"1-16"'))
    built = build(spec, folder / "catalog")
    found = LogFolder(folder / "log")
    publish(Catalog.open(built.folder), found, KEYS, LastCheckpoint(folder / "signed"), now=NOW)
    return found


def published(log: LogFolder) -> tuple[Checkpoint, ReleaseRecord]:
    note = log.checkpoint()
    assert note is not None
    found = Checkpoint.parse(note.text)
    release = parse_record(TileReader(log, found.size).entries((found.size - 1) // 256)[(found.size - 1) % 256])
    assert isinstance(release, ReleaseRecord)
    return found, release


@pytest.fixture(scope="module")
def all_probes(log: LogFolder) -> list[Probe]:
    return list(probes(log, *published(log)))


def right(probe: Probe) -> ProbeResponse:
    """The answer of a correct host."""
    headers = {"access-control-allow-origin": "*", "etag": '"1"', "cache-control": FOREVER}
    body = probe.expected
    if probe.kind is FileKind.MISSING:
        return ProbeResponse(404, {}, b"not here")
    if probe.kind is FileKind.CHECKPOINT:
        headers |= {"content-type": "text/plain; charset=utf-8", "cache-control": "no-cache"}
    elif probe.kind is FileKind.RELEASE:
        headers["content-type"] = "application/json"
    else:
        headers["content-type"] = "application/octet-stream"
    if probe.kind is FileKind.ENTRIES:
        headers["content-encoding"], body = "gzip", gzip.compress(body)
    return ProbeResponse(200, headers, body)


def found_in(all_probes: list[Probe], change: Change) -> list[tuple[str, str, str]]:
    def ask(probe: Probe) -> ProbeResponse:
        return change(probe, right(probe))

    return [(f.severity.value, f.subject, f.what) for f in host_findings(iter(all_probes), ask, NOW)]


def test_one_file_of_each_kind_is_requested(log: LogFolder, all_probes: list[Probe]) -> None:
    checkpoint, _ = published(log)
    full, partial = divmod(checkpoint.size, 256)
    assert full
    assert partial
    assert [(probe.path, probe.kind) for probe in all_probes] == [
        ("checkpoint", "checkpoint"),
        ("tile/0/000", "tile"),
        (f"tile/0/{full:03}.p/{partial}", "tile"),
        (f"tile/entries/{full:03}.p/{partial}", "entries"),
        ("releases/1/manifest.json", "release"),
        ("releases/1/revocations.json", "release"),
        (f"tile/0/x001/x000/{full:03}", "missing"),
    ]
    for probe in all_probes[:-1]:
        assert probe.expected == (log.root / probe.path).read_bytes()
        assert len(probe.expected) < probe.at_most < len(probe.expected) + 5000
    assert [probe.encodings for probe in all_probes if probe.kind is FileKind.ENTRIES] == ["gzip, identity"]
    assert {probe.encodings for probe in all_probes if probe.kind is not FileKind.ENTRIES} == {"identity"}


def test_files_missing_in_the_folder_are_not_requested(small: BuildResult, tmp_path: Path) -> None:
    log = LogFolder(tmp_path / "log")
    publish(Catalog.open(small.folder), log, KEYS, LastCheckpoint(tmp_path / "signed"), now=NOW)
    (log.root / "releases/1/manifest.json").unlink()
    checkpoint, release = published(log)
    kinds = [probe.kind for probe in probes(log, checkpoint, release)]
    assert kinds == [FileKind.CHECKPOINT, FileKind.TILE, FileKind.ENTRIES, FileKind.RELEASE, FileKind.MISSING]
    assert FileKind.RELEASE not in [probe.kind for probe in probes(log, checkpoint, None)]


def test_a_correct_host_has_no_findings(all_probes: list[Probe]) -> None:
    assert found_in(all_probes, lambda probe, response: response) == []


def on(kind: FileKind, **headers: str | None) -> Change:
    """Changes headers of answers for files of a kind; None removes a header."""

    def change(probe: Probe, response: ProbeResponse) -> ProbeResponse:
        if probe.kind is not kind:
            return response
        merged = {**response.headers, **{name.replace("_", "-"): value for name, value in headers.items()}}
        return replace(response, headers={name: value for name, value in merged.items() if value is not None})

    return change


def answered(kind: FileKind, status: int, **headers: str) -> Change:
    def change(probe: Probe, response: ProbeResponse) -> ProbeResponse:
        return ProbeResponse(status, headers, b"<html>") if probe.kind is kind else response

    return change


def with_body(kind: FileKind, body: Callable[[bytes], bytes]) -> Change:
    def change(probe: Probe, response: ProbeResponse) -> ProbeResponse:
        return replace(response, body=body(response.body)) if probe.kind is kind else response

    return change


CASES: dict[str, tuple[Change, list[tuple[str, str]]]] = {
    "the checkpoint for a day": (
        on(FileKind.CHECKPOINT, cache_control="max-age=86400"),
        [("error", "may be cached for 24 hours")],
    ),
    "the checkpoint for ever": (
        on(FileKind.CHECKPOINT, cache_control=FOREVER),
        [("error", "may be cached for 365 days")],
    ),
    "the checkpoint for a minute": (on(FileKind.CHECKPOINT, cache_control="Max-Age = 60"), []),
    "the checkpoint in shared caches": (
        on(FileKind.CHECKPOINT, cache_control="max-age=5, s-maxage=600"),
        [("error", "may be cached for 10 minutes")],
    ),
    "the checkpoint while it is asked for anew": (
        on(FileKind.CHECKPOINT, cache_control="max-age=5, stale-while-revalidate=595"),
        [("error", "may be cached for 10 minutes")],
    ),
    "the checkpoint never": (on(FileKind.CHECKPOINT, cache_control="no-store"), []),
    "a header of the checkpoint only": (
        on(FileKind.CHECKPOINT, cache_control='no-cache="set-cookie", max-age=300'),
        [("error", "may be cached for 5 minutes")],
    ),
    "more seconds than there are": (
        on(FileKind.CHECKPOINT, cache_control=f"max-age={'9' * 5000}"),
        [("error", "may be cached for 24855 days")],
    ),
    "the checkpoint as caches guess": (
        on(FileKind.CHECKPOINT, cache_control=None),
        [("warning", "has no caching headers, so caches guess")],
    ),
    "the checkpoint until a date": (
        on(FileKind.CHECKPOINT, cache_control=None, date=OLD, expires="Thu, 01 Jan 1970 01:00:00 GMT"),
        [("error", "may be cached for 60 minutes")],
    ),
    "the checkpoint until a date that is past": (on(FileKind.CHECKPOINT, cache_control=None, expires=OLD), []),
    "the checkpoint until no date": (on(FileKind.CHECKPOINT, cache_control=None, expires="0"), []),
    "a date, and no word of now": (
        on(FileKind.CHECKPOINT, cache_control=None, expires="Wed, 13 Jan 2027 08:00:00 GMT", date="now"),
        [],
    ),
    "a cache in between": (
        on(FileKind.CHECKPOINT, age="7200"),
        [("error", "comes from a cache that has kept it for 2 hours")],
    ),
    "an age that is none": (on(FileKind.CHECKPOINT, age="old"), []),
    "the checkpoint without a validator": (on(FileKind.CHECKPOINT, etag=None), [("note", "has no ETag")]),
    "the checkpoint with a date": (on(FileKind.CHECKPOINT, etag=None, last_modified=OLD), []),
    "the checkpoint as bytes": (
        on(FileKind.CHECKPOINT, content_type="application/octet-stream"),
        [("warning", "has the Content-Type application/octet-stream")],
    ),
    "the checkpoint in some charset": (
        on(FileKind.CHECKPOINT, content_type="text/plain"),
        [("warning", "has the Content-Type text/plain")],
    ),
    "the checkpoint, written otherwise": (on(FileKind.CHECKPOINT, content_type='Text/Plain;charset="UTF-8"'), []),
    "tiles as text": (
        on(FileKind.TILE, content_type=None),
        [("warning", "has no Content-Type")] * 2,
    ),
    "releases as text": (
        on(FileKind.RELEASE, content_type="text/plain"),
        [("note", "has the Content-Type text/plain")] * 2,
    ),
    "tiles for an hour": (
        on(FileKind.TILE, cache_control="max-age=3600"),
        [("warning", "may be cached for 60 minutes, but never changes")] * 2,
    ),
    "tiles never": (on(FileKind.TILE, cache_control="no-cache"), [("warning", "may not be cached")] * 2),
    "tiles as caches guess": (on(FileKind.TILE, cache_control=None), [("warning", "has no caching headers")] * 2),
    "tiles for a year, perhaps": (
        on(FileKind.TILE, cache_control="max-age=31536000"),
        [("note", "is not marked immutable")] * 2,
    ),
    "entries never": (on(FileKind.ENTRIES, cache_control="no-store"), [("warning", "may not be cached")]),
    "releases for a minute": (
        on(FileKind.RELEASE, cache_control="max-age=60"),
        [("warning", "may be cached for 60 seconds")] * 2,
    ),
    "tiles compressed": (
        on(FileKind.TILE, content_encoding="gzip"),
        [("error", "comes with Content-Encoding: gzip, which was not requested")] * 2,
    ),
    "tiles, and nothing done to them": (on(FileKind.TILE, content_encoding="identity"), []),
    "entries in brotli": (on(FileKind.ENTRIES, content_encoding="br"), [("error", "comes with Content-Encoding: br")]),
    "entries as they are": (
        lambda probe, response: replace(
            on(FileKind.ENTRIES, content_encoding=None)(probe, response), body=probe.expected
        ),
        [("note", "is not compressed, though gzip was requested")],
    ),
    "entries that are no gzip": (
        with_body(FileKind.ENTRIES, lambda body: b"plain"),
        [("error", "says Content-Encoding: gzip, but is not gzip")],
    ),
    "entries that are more": (
        with_body(FileKind.ENTRIES, lambda body: gzip.compress(bytes(5_000_000))),
        [("error", "has other bytes than the folder")],
    ),
    "entries that are cut": (with_body(FileKind.ENTRIES, lambda body: body[:-30]), [("error", "has other bytes")]),
    "a tile that differs": (
        with_body(FileKind.TILE, lambda body: bytes(32) + body[32:]),
        [("error", "has other bytes than the folder")] * 2,
    ),
    "a tile with more": (with_body(FileKind.TILE, lambda body: body + b"\n"), [("error", "has other bytes")] * 2),
    "a page for a checkpoint": (
        with_body(FileKind.CHECKPOINT, lambda body: b"<html>"),
        [("error", "is not a checkpoint: the note has no signatures")],
    ),
    "no tiles": (answered(FileKind.TILE, 404), [("error", "is answered with status 404")] * 2),
    "a host that fails": (answered(FileKind.RELEASE, 500), [("error", "is answered with status 500")] * 2),
    "redirected": (
        answered(FileKind.CHECKPOINT, 301, location="https://cdn.example/c"),
        [("error", "is redirected (status 301) to https://cdn.example/c")],
    ),
    "redirected to nowhere": (answered(FileKind.ENTRIES, 302), [("error", "is redirected (status 302) to nowhere")]),
    "a page for what is missing": (
        answered(FileKind.MISSING, 200),
        [("error", "it does not exist, but is answered with status 200")],
    ),
    "missing elsewhere": (answered(FileKind.MISSING, 307), [("error", "is redirected")]),
    "missing, in the words of S3": (
        answered(FileKind.MISSING, 403),
        [("note", "is missing, and answered with status 403")],
    ),
    "missing, and the host fails": (answered(FileKind.MISSING, 503), [("error", "is answered with status 503")]),
    "missing for ever": (
        answered(FileKind.MISSING, 404, **{"cache-control": FOREVER}),
        [("warning", "caches keep that answer for 365 days")],
    ),
    "missing, and gone": (answered(FileKind.MISSING, 410), []),
    "for some pages": (
        on(FileKind.RELEASE, access_control_allow_origin="https://example.com"),
        [("note", "pages of other sites cannot read this")],
    ),
    "for whoever asks": (on(FileKind.TILE, access_control_allow_origin="https://ldcat.invalid"), []),
}


@pytest.mark.parametrize("name", CASES)
def test_each_finding(all_probes: list[Probe], name: str) -> None:
    change, expected = CASES[name]
    found = found_in(all_probes, change)
    assert [severity for severity, *_ in found] == [severity for severity, _ in expected]
    for (*_, what), (_, part) in zip(found, expected, strict=True):
        assert part in what


def served(text: str, *, extra: bool = False) -> Change:
    note = signed(text, *KEYS)
    more = note.with_signatures([signature(signer("w", SignatureType.COSIGNATURE_ED25519), text)])
    return with_body(FileKind.CHECKPOINT, lambda body: bytes(more if extra else note))


def test_another_checkpoint(log: LogFolder, all_probes: list[Probe]) -> None:
    own, _ = published(log)
    for other, severity, part in (
        (changed(own, size=own.size - 1), "error", "is older than the folder's"),
        (changed(own, size=own.size + 1), "error", "is newer than the folder's"),
        (changed(own, root=EMPTY_ROOT), "error", "a fork of the folder's"),
        (changed(own, origin="example.com/other", size=own.size + 1), "error", "is of another log"),
    ):
        ((found, subject, what),) = found_in(all_probes, served(str(other)))
        assert (found, subject) == (severity, "served checkpoint")
        assert part in what
    ((found, _, what),) = found_in(all_probes, served(str(own), extra=True))
    assert (found, what) == ("warning", "has other signatures than the folder's")


def test_a_host_that_does_not_answer_is_asked_only_once(all_probes: list[Probe]) -> None:
    tried = []

    def ask(probe: Probe) -> ProbeResponse:
        tried.append(probe)
        raise Unreadable("127.0.0.1 does not answer: connection refused")

    found: Iterator[Finding] = host_findings(iter(all_probes), ask, NOW)
    ((severity, what),) = [(finding.severity.value, finding.what) for finding in found]
    assert (severity, what) == ("error", "127.0.0.1 does not answer: connection refused")
    assert len(tried) == 1


def test_a_missing_cors_header_is_reported_once(all_probes: list[Probe]) -> None:
    found = found_in(
        all_probes,
        lambda probe, response: replace(
            response, headers={k: v for k, v in response.headers.items() if k != "access-control-allow-origin"}
        ),
    )
    ((severity, subject, _),) = found
    assert severity == "note"
    assert subject == "served " + ", ".join(probe.path for probe in all_probes[:-1])


WORDS = st.text(max_size=20) | st.sampled_from(
    ["gzip", "max-age=1", "no-cache", "Thu, 01 Jan 1970 00:00:00 GMT", "99", OLD]
)
HEADERS = st.sampled_from(
    ["cache-control", "expires", "date", "age", "content-type", "content-encoding", "location", "etag"]
)


@given(st.sampled_from(list(FileKind)), st.integers(100, 599), st.dictionaries(HEADERS, WORDS), st.binary(max_size=40))
def test_arbitrary_answers_of_a_host(kind: FileKind, status: int, headers: dict[str, str], body: bytes) -> None:
    probe = Probe("some/file", kind, b"expected")
    found = list(host_findings(iter([probe]), lambda _: ProbeResponse(status, headers, body), NOW))
    wrong = status != 200 or body != b"expected"
    assert not is_healthy(found) or not wrong or (kind is FileKind.MISSING and 400 <= status < 500)


def advice_with(log: LogFolder, served: Checkpoint) -> dict[str, str]:
    """What to do, by subject, if a host has another checkpoint and nothing else; the folder's tiles are asked."""
    own, release = published(log)

    def ask(probe: Probe) -> ProbeResponse:
        if probe.kind is FileKind.CHECKPOINT:
            return replace(right(probe), body=bytes(signed(str(served), *KEYS)))
        return right(probe) if probe.kind is FileKind.MISSING else ProbeResponse(404, {}, b"")

    tree = TileReader(log, own.size)
    found = host_findings(probes(log, own, release), ask, NOW, lambda size: root_hash(size, tree.node))
    return {one.subject: one.advice for one in found}


def test_the_advice_does_not_contradict_itself(log: LogFolder) -> None:
    """Where the host has another history, nothing of the folder is to be uploaded over it."""
    own, _ = published(log)
    newer = advice_with(log, changed(own, size=own.size + 1))
    assert newer.pop("served checkpoint") == "upload and publish nothing: get the newer log into this folder first"
    assert len(newer) >= 4
    assert set(newer.values()) == {"upload nothing: see the served checkpoint"}
    fork = advice_with(log, changed(own, size=own.size - 1))
    assert fork.pop("served checkpoint") == "publish and upload nothing; find out who signed it"
    assert set(fork.values()) == {"upload nothing: see the served checkpoint"}
    before = Checkpoint(own.origin, 1, root_hash(1, TileReader(log, own.size).node))
    assert all(advice.startswith("upload the folder again") for advice in advice_with(log, before).values())
