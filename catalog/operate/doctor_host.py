"""Findings about a static host that serves a log, from the status, headers and bytes of its responses.

Nothing is fetched here. Sources: C2SP tlog-tiles for types, encodings and caching; RFC 9111 (HTTP caching), 4.2, and
RFC 5861, 3, for how long a cache may answer without asking the host.
"""

from __future__ import annotations

import email.utils
import re
import zlib
from collections.abc import Callable, Iterator
from dataclasses import replace

from catalog.errors import LdcatError
from catalog.log.log_folder import CHECKPOINT, REVOCATIONS, LogFolder, release_path
from catalog.log.records import ReleaseRecord
from catalog.net.probes import PROBE_ORIGIN, FileKind, Probe, ProbeResponse
from catalog.operate.finding import Finding, error, note, warning
from catalog.store import manifest
from catalog.transparency.checkpoint import Checkpoint
from catalog.transparency.durations import span
from catalog.transparency.note import Note
from catalog.transparency.tiles import MAX_BUNDLE, WIDTH, tile_path

_MAX_FRESH = 60
"""Seconds: how long a file that changes may be cached; tlog-tiles recommends a few."""

_MIN_KEPT = 86400
"""Seconds: how long a file that never changes should be cached at least."""

_BEYOND = 1_000_000
"""Tiles: offset of a tile that cannot exist yet, which is requested to see how the host answers."""

_MORE = 1024
"""Bytes: how much of a response is read beyond the expected size."""

_UPLOAD = "upload the folder again, the checkpoint last"
_GET_NEWER = "upload and publish nothing: get the newer log into this folder first"
_FORK = "publish and upload nothing; find out who signed it"
_NOT_UPLOADED = "upload nothing: see the served checkpoint"
"""For the other files, if the served checkpoint is not one of the folder's: an upload would replace another history."""
_DIRECTIVE = re.compile(r'([^\s=,;"]+)(?:\s*=\s*("[^"]*"|[^\s,]*))?')


_TYPES = {
    FileKind.CHECKPOINT: "text/plain; charset=utf-8",
    FileKind.TILE: "application/octet-stream",
    FileKind.ENTRIES: "application/octet-stream",
    FileKind.RELEASE: "application/json",
}


def probes(log: LogFolder, checkpoint: Checkpoint, release: ReleaseRecord | None) -> Iterator[Probe]:
    """Yield one file of each kind to request, without those that the folder lacks, and one that cannot exist yet."""
    full, partial = divmod(checkpoint.size, WIDTH)
    paths = [(CHECKPOINT, FileKind.CHECKPOINT)]
    if full:
        paths.append((tile_path(0, 0), FileKind.TILE))
    if partial:
        paths.append((tile_path(0, full, partial), FileKind.TILE))
    if checkpoint.size:
        paths.append((tile_path(None, full, partial) if partial else tile_path(None, full - 1), FileKind.ENTRIES))
    if release:
        folder = release_path(release.release)
        paths += [(f"{folder}/{name}", FileKind.RELEASE) for name in (manifest.NAME, REVOCATIONS)]
    for path, kind in paths:
        try:
            data = log.read(path, MAX_BUNDLE)
        except LdcatError:  # the examination of the folder finds it
            continue
        yield Probe(path, kind, data)
    yield Probe(tile_path(0, full + _BEYOND), FileKind.MISSING)


def host_findings(
    requests: Iterator[Probe],
    send: Callable[[Probe], ProbeResponse],
    now: int,
    root_at: Callable[[int], bytes] | None = None,
) -> Iterator[Finding]:
    """Yield what is wrong with a host, file by file.

    requests: the probes to send.
    now: seconds since 1970.
    send: requests a file. If it raises LdcatError, because the host does not answer, nothing more is requested.
    root_at: the root hash of the folder's tree at a size, or LdcatError; None if the folder is not asked.
    """
    closed, is_other = [], False
    for probe in requests:
        try:
            response = send(probe)
        except LdcatError as failure:
            yield error(probe.subject, str(failure), "look at the host, its name and its certificate")
            return
        for one in _judge(probe, response, now, root_at):
            yield replace(one, advice=_NOT_UPLOADED) if is_other and one.advice == _UPLOAD else one
            is_other = is_other or one.advice in (_GET_NEWER, _FORK)
        readers = response.headers.get("access-control-allow-origin")
        if response.status == 200 and probe.kind is not FileKind.MISSING and readers not in ("*", PROBE_ORIGIN):
            closed.append(probe.path)
    if closed:
        yield note(
            f"served {', '.join(closed)}",
            "pages of other sites cannot read this: there is no Access-Control-Allow-Origin",
            "Access-Control-Allow-Origin: *, for verifiers in a browser",
        )


def _judge(
    probe: Probe, response: ProbeResponse, now: int, root_at: Callable[[int], bytes] | None
) -> Iterator[Finding]:
    path, status = probe.subject, response.status
    if 300 <= status < 400:
        where = response.headers.get("location", "nowhere")
        yield error(path, f"is redirected (status {status}) to {where}", "serve it here: verifiers may not follow")
    elif probe.kind is FileKind.MISSING:
        yield from _judge_missing(path, response, now)
    elif status != 200:
        yield error(path, f"is answered with status {status}", _UPLOAD)
    else:
        yield from _judge_type(probe, response)
        yield from _judge_bytes(probe, response, root_at)
        yield from (
            _judge_changing(path, response, now)
            if probe.kind is FileKind.CHECKPOINT
            else _judge_lasting(path, response, now)
        )


def _judge_missing(path: str, response: ProbeResponse, now: int) -> Iterator[Finding]:
    if response.status in (404, 410):
        fresh = _lifetime(response, now) or 0
        if fresh > _MAX_FRESH:
            what = f"is missing, as it should be, but caches keep that answer for {span(fresh)}"
            yield warning(path, what, "do not cache 404: a tile is missing until it is published")
    elif 400 <= response.status < 500:
        yield note(path, f"is missing, and answered with status {response.status}", "answer with status 404")
    else:
        what = f"it does not exist, but is answered with status {response.status}"
        yield error(path, what, "answer with 404 for files that do not exist, not with a page")


def _judge_type(probe: Probe, response: ProbeResponse) -> Iterator[Finding]:
    wanted, found = _TYPES[probe.kind], response.headers.get("content-type", "")
    if not _media(wanted) <= _media(found):
        say = note if probe.kind is FileKind.RELEASE else warning
        yield say(
            probe.subject,
            f"has {f'the Content-Type {found}' if found else 'no Content-Type'}",
            f"Content-Type: {wanted}",
        )


def _judge_bytes(probe: Probe, response: ProbeResponse, root_at: Callable[[int], bytes] | None) -> Iterator[Finding]:
    encoding, body = response.headers.get("content-encoding", "identity").strip().lower(), response.body
    if encoding == "gzip" and probe.kind is FileKind.ENTRIES:
        unpacked = _gunzip(body, len(probe.expected) + 1)
        if unpacked is None:
            yield error(probe.subject, "says Content-Encoding: gzip, but is not gzip", "compress it once, in one place")
            return
        body = unpacked
    elif encoding != "identity":
        what = f"comes with Content-Encoding: {encoding}, which was not requested"
        yield error(probe.subject, what, "compress entries only: clients hash the bytes that they get")
        return
    if body == probe.expected:
        if encoding == "identity" and probe.kind is FileKind.ENTRIES:
            yield note(
                probe.subject, "is not compressed, though gzip was requested", "compress entries: they shrink well"
            )
    elif probe.kind is FileKind.CHECKPOINT:
        yield _other_checkpoint(probe, body, root_at)
    else:
        yield error(probe.subject, "has other bytes than the folder", _UPLOAD)


def _other_checkpoint(probe: Probe, body: bytes, root_at: Callable[[int], bytes] | None) -> Finding:
    try:
        served = Checkpoint.parse(Note.parse(body).text)
        own = Checkpoint.parse(Note.parse(probe.expected).text)
    except LdcatError as failure:
        return error(probe.subject, f"is not a checkpoint: {failure}", _UPLOAD)
    if served == own:
        return warning(probe.subject, "has other signatures than the folder's", _UPLOAD)
    if served.origin == own.origin and served.size < own.size and _is_before(served, root_at):
        what = f"is older than the folder's: {served.size} leaves, not {own.size}"
        return error(probe.subject, what, f"{_UPLOAD}; if that was done, a cache in between keeps the old one")
    if served.size > own.size and served.origin == own.origin:
        what = f"is newer than the folder's: {served.size} leaves, not {own.size}"
        return error(probe.subject, what, _GET_NEWER)
    return error(probe.subject, "is of another log, or a fork of the folder's", _FORK)


def _is_before(served: Checkpoint, root_at: Callable[[int], bytes] | None) -> bool:
    """Whether the folder extends a checkpoint, as far as is known."""
    try:
        return root_at is None or root_at(served.size) == served.root
    except LdcatError:  # damaged tiles, which the examination of the folder finds
        return True


def _judge_changing(path: str, response: ProbeResponse, now: int) -> Iterator[Finding]:
    fresh, age = _lifetime(response, now), _seconds(response.headers.get("age", "0"))
    advice = "Cache-Control: no-cache"
    if fresh is None:
        yield warning(path, "has no caching headers, so caches guess", advice)
    elif fresh > _MAX_FRESH:
        yield error(path, f"may be cached for {span(fresh)}: clients miss revocations for that long", advice)
    if age > _MAX_FRESH:
        yield error(path, f"comes from a cache that has kept it for {span(age)}", "keep it out of caches in between")
    if not response.headers.keys() & {"etag", "last-modified"}:
        yield note(path, "has no ETag and no Last-Modified: it is sent whole each time", "ETag, or Last-Modified")


def _judge_lasting(path: str, response: ProbeResponse, now: int) -> Iterator[Finding]:
    fresh, advice = _lifetime(response, now), "Cache-Control: public, max-age=31536000, immutable"
    if fresh is None:
        yield warning(path, "has no caching headers, but never changes", advice)
    elif fresh < _MIN_KEPT:
        kept = f"may be cached for {span(fresh)}" if fresh else "may not be cached"
        yield warning(path, f"{kept}, but never changes", advice)
    elif "immutable" not in _directives(response):
        yield note(path, "is not marked immutable: browsers request it again", advice)


def _lifetime(response: ProbeResponse, now: int) -> int | None:
    """Seconds that any cache may use a response without asking the host; None if no header says, and caches guess."""
    directives = _directives(response)
    if "no-store" in directives or directives.get("no-cache") == "":
        return 0
    ages = [_seconds(directives[name]) for name in ("max-age", "s-maxage") if name in directives]
    if ages:
        return max(ages) + _seconds(directives.get("stale-while-revalidate", "0"))
    if "expires" not in response.headers:
        return None
    date = _time(response.headers.get("date", ""))
    expires = _time(response.headers["expires"])
    return 0 if expires is None else max(0, expires - (now if date is None else date))


def _directives(response: ProbeResponse) -> dict[str, str]:
    found = _DIRECTIVE.findall(response.headers.get("cache-control", ""))
    return {name.lower(): value.strip('"') for name, value in found}


def _seconds(text: str) -> int:
    """Parse delta-seconds of HTTP; 0 if invalid, at most 2**31 (RFC 9111, 1.2.2)."""
    text = text.strip()
    return min(int(text[:11]), 1 << 31) if text.isascii() and text.isdecimal() else 0


def _time(text: str) -> int | None:
    """Parse an HTTP date: seconds since 1970; None if invalid."""
    try:
        return int(email.utils.parsedate_to_datetime(text).timestamp())
    except (ValueError, OverflowError):
        return None


def _media(text: str) -> set[str]:
    """A content type and its parameters, normalised for comparison."""
    return {part.strip().lower().replace('"', "") for part in text.split(";") if part.strip()}


def _gunzip(data: bytes, at_most: int) -> bytes | None:
    """Decompress at most `at_most` bytes; None if it is not gzip."""
    try:
        return zlib.decompressobj(16 + zlib.MAX_WBITS).decompress(data, at_most)
    except zlib.error:
        return None
