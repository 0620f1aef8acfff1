"""Lookups over HTTP: a digest, a batch of digests, a report. None is logged; batches and reports are not cached."""

from __future__ import annotations

import asyncio
import time
from typing import TYPE_CHECKING

import msgspec
from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import RedirectResponse, Response

from catalog.abi.digest import LaunchDigest
from catalog.ask.answer import CLAIMED_OF_ENDORSED, CLAIMED_OF_INFERRED
from catalog.errors import MalformedInput
from catalog.evidence.several_digests import read_batch
from catalog.evidence.sniff import MAX_EVIDENCE, sniff
from catalog.fast.folder_location import is_number
from catalog.fast.match import CLAIMED
from catalog.fast.published import PublishedRelease
from catalog.log.log_reader import open_log
from catalog.notes import Note
from catalog.pages import views
from catalog.terminal import render
from catalog.values import replace
from catalog.web.answers import Batch
from catalog.web.bodies import Bodies
from catalog.web.openapi import MAX_BATCH
from catalog.web.other_hosts import read_of_log
from catalog.web.problems import Problem, make_problem
from catalog.web.release.open_release import OpenRelease, line_of_batch
from catalog.web.replies import ASK_AGAIN, HTML, JSON, Reply, json_bytes, uncached_json

if TYPE_CHECKING:
    from catalog.ask.answer import Answer

MAX_BATCH_BODY = 256 << 10
"""Bytes: the body of a batch."""

_AT_A_TIME = 0.001
"""Seconds for which prepared answers of a batch are made before other requests run."""

BUSY = Note(
    "related-not-searched",
    "related digests were not searched, because the service does so for another request: ask again",
)

_bodies = Bodies()
_relating = asyncio.Lock()


async def digest_redirect(request: Request, served: OpenRelease) -> Response:
    """`/d?digest=DIGEST`, the form on the lookup page if scripts are off: redirects to the page of the digest."""
    del served
    return RedirectResponse(f"d/{_digest(request.query_params.get('digest', '')).hex()}", 303)


async def digest_page(request: Request, served: OpenRelease) -> Reply | Response:
    """The answer to a digest as a page."""
    answer, is_whole = await _related(await _answer(_digest(request.path_params["digest"]), served), served)
    page = await run_in_threadpool(views.answer_page, served.catalog, answer, "../", time.time())
    return _reply(page, HTML, is_whole=is_whole)


async def digest_json(request: Request, served: OpenRelease) -> Reply | Response:
    """The answer to a digest as JSON."""
    answer, is_whole = await _related(await _answer(_digest(request.path_params["digest"]), served), served)
    return _reply(json_bytes(answer.to_dict()), JSON, is_whole=is_whole)


async def digest_proof(request: Request, served: OpenRelease) -> Response:
    """The proof bundle of a row that has a digest: the first such row, or the one that `row` counts from 1."""
    digest, release = _digest(request.path_params["digest"]), served.catalog.release
    if release is None:
        raise Problem(404, "this catalog is not published in a log, so nothing proves that it has a row")
    served.check_fresh()
    bundles = await read_of_log(release, _proved, served, release, digest)
    number = request.query_params.get("row", "1")
    if not is_number(number):
        raise Problem(400, f"{number[:24]!r} is not a number of a row", "row=1 is the first")
    if not 1 <= int(number) <= len(bundles):
        raise Problem(404, f"the log has {len(bundles):,} rows with this launch digest", "row=1 is the first")
    name = f'attachment; filename="{digest.hex()[:16]}.proof.json"'
    headers = {"Cache-Control": ASK_AGAIN, "Content-Disposition": name}
    return Response(bundles[int(number) - 1], headers=headers, media_type=JSON)


async def batch(request: Request, served: OpenRelease) -> Response:
    """The answer to a batch: many digests in one request."""
    digests = await run_in_threadpool(_batched, await _bodies.read(request, MAX_BATCH_BODY))
    if len(digests) > MAX_BATCH:
        raise Problem(400, f"the batch has {len(digests):,} digests, more than {MAX_BATCH:,}")
    served.check_fresh()
    release = served.catalog.release
    head = {
        "release": release and release.to_dict(),
        "claims": [*CLAIMED, *CLAIMED_OF_INFERRED, *CLAIMED_OF_ENDORSED],
        "notes": [note.to_dict() for note in served.catalog.notes],
    }
    lines, begun = [], time.perf_counter()
    for digest in digests:
        line = served.prepared_lines.found(digest.value) or served.prepared_lines.absent(digest.value)
        if line is None:
            line = json_bytes(line_of_batch(digest, await _answer(digest, served)))
        lines.append(line)
        if time.perf_counter() - begun > _AT_A_TIME:
            await asyncio.sleep(0)  # let other requests run
            begun = time.perf_counter()
    body = json_bytes(head)[:-1] + b',"answers":[' + b",".join(lines) + b"]}"
    return Response(body, headers={"Cache-Control": "no-store"}, media_type=JSON)


def _batched(body: bytes) -> list[LaunchDigest]:
    """The digests of a batch, in JSON or as text with one a line."""
    try:
        lines = read_batch(body)
    except MalformedInput as error:
        raise make_problem(error, from_request=True) from error
    if lines:
        for line in lines:
            if line.evidence is None:
                raise Problem(400, f"line {line.number} is not a launch digest", "write one digest a line")
        return [line.evidence.digest for line in lines if line.evidence]
    try:
        wanted = msgspec.json.decode(body, type=Batch).digests
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        hint = 'a batch is {"digests": [...]}, or text with one digest a line, at most 1,000'
        if body[1:4] == bytes(3):  # the version of a report; no text has such bytes
            hint = "POST /v1/report takes an attestation report"
        raise Problem(400, f"invalid batch: {error}", hint) from error
    return [_digest(text, f"digest {number}: ") for number, text in enumerate(wanted[: MAX_BATCH + 1])]


async def report(request: Request, served: OpenRelease) -> Response:
    """The answer to an attestation report, verified by the certificates that came with it, as on the command line."""
    body = await _bodies.read(request, MAX_EVIDENCE)
    try:
        evidence = await run_in_threadpool(sniff, body)
    except MalformedInput as error:
        if read_batch(body):
            raise Problem(400, str(error), "POST /v1/lookup answers each line") from error
        raise make_problem(error, from_request=True) from error
    if evidence.measure_data:
        raise Problem(
            422,
            "a launch measurement needs its TIK, which must not be sent to a service",
            "ldcat lookup FILE --tik FILE --catalog URL, which sends no TIK",
        )
    answer, _ = await _related(await run_in_threadpool(served.answer, evidence), served)
    return uncached_json(answer.to_dict())


async def _answer(digest: LaunchDigest, served: OpenRelease) -> Answer:
    """Look up a digest: in this thread if that takes only a few reads of an index, else in another one."""
    if served.lookups.quick:
        return served.answer_digest(digest)
    return await run_in_threadpool(served.answer_digest, digest)


async def _related(answer: Answer, served: OpenRelease) -> tuple[Answer, bool]:
    """The answer with related digests, and whether it is whole: they are searched for one request at a time.

    Otherwise anybody could keep all processors busy by looking up digests that do not exist.
    """
    if not answer.may_be_related:
        return answer, True
    if _relating.locked():
        return replace(answer, notes=(*answer.notes, BUSY)), False
    async with _relating:
        return await run_in_threadpool(served.relate, answer), True


def _reply(body: bytes, content_type: str, *, is_whole: bool) -> Reply | Response:
    """A response that is cached, unless another request can get more."""
    if is_whole:
        return Reply("/d/{digest}" + (".json" if content_type == JSON else ""), body, content_type).shrunk()
    return Response(body, headers={"Cache-Control": "no-store"}, media_type=content_type)


def _proved(served: OpenRelease, release: PublishedRelease, digest: LaunchDigest) -> list[bytes]:
    from catalog.prove.prove import Prover

    prover = Prover(open_log(release))
    return [bytes(one) for one in prover.prove_digest(digest, warn=render.warning, catalog=served.catalog)]


def _digest(text: str, where: str = "") -> LaunchDigest:
    try:
        return LaunchDigest.parse(text)
    except MalformedInput as error:
        raise Problem(400, f"{where}{error}", error.hint) from error
