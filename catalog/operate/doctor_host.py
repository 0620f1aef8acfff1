"""Findings about a static host that serves a log, from the status, headers and bytes of its responses.

Nothing is fetched here. Sources: C2SP tlog-tiles for types, encodings and caching; RFC 9111 (HTTP caching), 4.2, and
RFC 5861, 3, for how long a cache may answer without asking the host.
"""

from __future__ import annotations

import email.utils
import re
import zlib
from collections.abc import Callable, Iterator

from catalog.errors import LdcatError
from catalog.log.log_folder import CHECKPOINT, REVOCATIONS, LogFolder, release_path
from catalog.log.records import ReleaseRecord
from catalog.net.questions import ASKING_ORIGIN, Answer, Kind, Question
from catalog.operate.finding import Finding, error, note, span, warning
from catalog.store import manifest
from catalog.transparency.checkpoint import Checkpoint
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
_DIRECTIVE = re.compile(r'([^\s=,;"]+)(?:\s*=\s*("[^"]*"|[^\s,]*))?')


_TYPES = {
    Kind.CHECKPOINT: "text/plain; charset=utf-8",
    Kind.TILE: "application/octet-stream",
    Kind.ENTRIES: "application/octet-stream",
    Kind.RELEASE: "application/json",
}


def questions(log: LogFolder, checkpoint: Checkpoint, release: ReleaseRecord | None) -> Iterator[Question]:
    """Yield one file of each kind to request, without those that the folder lacks, and one that cannot exist yet."""
    full, partial = divmod(checkpoint.size, WIDTH)
    paths = [(CHECKPOINT, Kind.CHECKPOINT)]
    if full:
        paths.append((tile_path(0, 0), Kind.TILE))
    if partial:
        paths.append((tile_path(0, full, partial), Kind.TILE))
    if checkpoint.size:
        paths.append((tile_path(None, full, partial) if partial else tile_path(None, full - 1), Kind.ENTRIES))
    if release:
        folder = release_path(release.release)
        paths += [(f"{folder}/{name}", Kind.RELEASE) for name in (manifest.NAME, REVOCATIONS)]
    for path, kind in paths:
        try:
            data = log.read(path, MAX_BUNDLE)
        except LdcatError:  # the examination of the folder finds it
            continue
        yield Question(path, kind, data)
    yield Question(tile_path(0, full + _BEYOND), Kind.MISSING)


def host_findings(requests: Iterator[Question], ask: Callable[[Question], Answer], now: int) -> Iterator[Finding]:
    """Yield what is wrong with a host, file by file. now: seconds since 1970.

    ask: requests a file. If it raises LdcatError, because the host does not answer, nothing more is requested.
    """
    closed = []
    for question in requests:
        try:
            answer = ask(question)
        except LdcatError as failure:
            yield error(question.subject, str(failure), "look at the host, its name and its certificate")
            return
        yield from _judge(question, answer, now)
        readers = answer.headers.get("access-control-allow-origin")
        if answer.status == 200 and question.kind is not Kind.MISSING and readers not in ("*", ASKING_ORIGIN):
            closed.append(question.path)
    if closed:
        yield note(
            f"served {', '.join(closed)}",
            "pages of other sites cannot read this: there is no Access-Control-Allow-Origin",
            "Access-Control-Allow-Origin: *, for verifiers in a browser",
        )


def _judge(question: Question, answer: Answer, now: int) -> Iterator[Finding]:
    path, status = question.subject, answer.status
    if 300 <= status < 400:
        where = answer.headers.get("location", "nowhere")
        yield error(path, f"is redirected (status {status}) to {where}", "serve it here: verifiers may not follow")
    elif question.kind is Kind.MISSING:
        yield from _judge_missing(path, answer, now)
    elif status != 200:
        yield error(path, f"is answered with status {status}", _UPLOAD)
    else:
        yield from _judge_type(question, answer)
        yield from _judge_bytes(question, answer)
        yield from (
            _judge_changing(path, answer, now)
            if question.kind is Kind.CHECKPOINT
            else _judge_lasting(path, answer, now)
        )


def _judge_missing(path: str, answer: Answer, now: int) -> Iterator[Finding]:
    if answer.status in (404, 410):
        fresh = _lifetime(answer, now) or 0
        if fresh > _MAX_FRESH:
            what = f"is missing, as it should be, but caches keep that answer for {span(fresh)}"
            yield warning(path, what, "do not cache 404: a tile is missing until it is published")
    elif 400 <= answer.status < 500:
        yield note(path, f"is missing, and answered with status {answer.status}", "answer with status 404")
    else:
        what = f"it does not exist, but is answered with status {answer.status}"
        yield error(path, what, "answer with 404 for files that do not exist, not with a page")


def _judge_type(question: Question, answer: Answer) -> Iterator[Finding]:
    wanted, found = _TYPES[question.kind], answer.headers.get("content-type", "")
    if not _media(wanted) <= _media(found):
        say = note if question.kind is Kind.RELEASE else warning
        yield say(
            question.subject,
            f"has {f'the Content-Type {found}' if found else 'no Content-Type'}",
            f"Content-Type: {wanted}",
        )


def _judge_bytes(question: Question, answer: Answer) -> Iterator[Finding]:
    encoding, body = answer.headers.get("content-encoding", "identity").strip().lower(), answer.body
    if encoding == "gzip" and question.kind is Kind.ENTRIES:
        unpacked = _gunzip(body, len(question.expected) + 1)
        if unpacked is None:
            yield error(
                question.subject, "says Content-Encoding: gzip, but is not gzip", "compress it once, in one place"
            )
            return
        body = unpacked
    elif encoding != "identity":
        what = f"comes with Content-Encoding: {encoding}, which was not requested"
        yield error(question.subject, what, "compress entries only: clients hash the bytes that they get")
        return
    if body == question.expected:
        if encoding == "identity" and question.kind is Kind.ENTRIES:
            yield note(
                question.subject, "is not compressed, though gzip was requested", "compress entries: they shrink well"
            )
    elif question.kind is Kind.CHECKPOINT:
        yield _other_checkpoint(question, body)
    else:
        yield error(question.subject, "has other bytes than the folder", _UPLOAD)


def _other_checkpoint(question: Question, body: bytes) -> Finding:
    try:
        served = Checkpoint.parse(Note.parse(body).text)
        own = Checkpoint.parse(Note.parse(question.expected).text)
    except LdcatError as failure:
        return error(question.subject, f"is not a checkpoint: {failure}", _UPLOAD)
    if served == own:
        return warning(question.subject, "has other signatures than the folder's", _UPLOAD)
    if served.size < own.size:
        what = f"is older than the folder's: {served.size} leaves, not {own.size}"
        return error(question.subject, what, f"{_UPLOAD}; if that was done, a cache in between keeps the old one")
    if served.size > own.size and served.origin == own.origin:
        what = f"is newer than the folder's: {served.size} leaves, not {own.size}"
        return error(question.subject, what, "get the newer log before anything is published from this folder")
    return error(
        question.subject, "is of another log, or a fork of the folder's", "publish nothing; find out who signed it"
    )


def _judge_changing(path: str, answer: Answer, now: int) -> Iterator[Finding]:
    fresh, age = _lifetime(answer, now), _seconds(answer.headers.get("age", "0"))
    advice = "Cache-Control: no-cache"
    if fresh is None:
        yield warning(path, "has no caching headers, so caches guess", advice)
    elif fresh > _MAX_FRESH:
        yield error(path, f"may be cached for {span(fresh)}: clients miss revocations for that long", advice)
    if age > _MAX_FRESH:
        yield error(path, f"comes from a cache that has kept it for {span(age)}", "keep it out of caches in between")
    if not answer.headers.keys() & {"etag", "last-modified"}:
        yield note(path, "has no ETag and no Last-Modified: it is sent whole each time", "ETag, or Last-Modified")


def _judge_lasting(path: str, answer: Answer, now: int) -> Iterator[Finding]:
    fresh, advice = _lifetime(answer, now), "Cache-Control: public, max-age=31536000, immutable"
    if fresh is None:
        yield warning(path, "has no caching headers, but never changes", advice)
    elif fresh < _MIN_KEPT:
        kept = f"may be cached for {span(fresh)}" if fresh else "may not be cached"
        yield warning(path, f"{kept}, but never changes", advice)
    elif "immutable" not in _directives(answer):
        yield note(path, "is not marked immutable: browsers request it again", advice)


def _lifetime(answer: Answer, now: int) -> int | None:
    """Seconds that any cache may use a response without asking the host; None if no header says, and caches guess."""
    directives = _directives(answer)
    if "no-store" in directives or directives.get("no-cache") == "":
        return 0
    ages = [_seconds(directives[name]) for name in ("max-age", "s-maxage") if name in directives]
    if ages:
        return max(ages) + _seconds(directives.get("stale-while-revalidate", "0"))
    if "expires" not in answer.headers:
        return None
    date = _time(answer.headers.get("date", ""))
    expires = _time(answer.headers["expires"])
    return 0 if expires is None else max(0, expires - (now if date is None else date))


def _directives(answer: Answer) -> dict[str, str]:
    found = _DIRECTIVE.findall(answer.headers.get("cache-control", ""))
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
