"""Exports over HTTP: selection, rules, bytes and notes of `ldcat export`, for formats that need no key and no file."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import Response

from catalog.errors import LdcatError, NotExported, UnknownDigest, UnknownName, UsageError
from catalog.export.export_format import ExportFormat, export_formats
from catalog.export.export_made import check_source, make_export
from catalog.export.setting_table import served_formats
from catalog.export.sidecar import ENDING, described, make_sidecar
from catalog.export.stated_settings import stated_settings
from catalog.notes import Note
from catalog.web.exports.export_query import (
    PREFIX,
    ExportQuery,
    as_parameters,
    not_offered,
    parameters,
    parse_query,
    served_settings,
)
from catalog.web.problems import Problem, make_problem
from catalog.web.release.open_release import OpenRelease
from catalog.web.replies import JSON, Reply, json_bytes

MOST_DIGESTS = 7_500
"""Launch digests of an answer: as many as a ConfigMap holds, and 1 MB of text."""

MOST_WAITING = 16
"""Requests that wait for the export that is being made."""

WAIT_SECONDS = 25
"""Seconds that a request waits for others."""

NOTES = "Ldcat-Notes"
"""Header: codes of the notes on a file; the sidecar has their texts."""


@dataclass(frozen=True)
class MadeFile:
    """An exported file. notes: what whoever uses it has to know. sidecar: JSON."""

    name: str
    media_type: str
    data: bytes
    notes: Sequence[Note]
    sidecar: bytes


class Exports:
    """The exports of a service: one is made at a time, because it reads many rows."""

    def __init__(self) -> None:
        self._one = asyncio.Lock()
        self._waiting = 0

    async def file(self, request: Request, served: OpenRelease) -> Response:
        """`/v1/exports/FORMAT?...`: the bytes that `ldcat export --to FORMAT` writes."""
        made = await self._made(request, served)
        headers = {
            **_attachment(made.name),
            NOTES: ", ".join(dict.fromkeys(note.code for note in made.notes)),
        }
        return _response(request, served, Reply(f"{PREFIX}/{{format}}", made.data, made.media_type), headers)

    async def sidecar(self, request: Request, served: OpenRelease) -> Response:
        """`/v1/exports/FORMAT/sidecar?...`: the sidecar of the file with the same query, with its notes."""
        made = await self._made(request, served)
        headers = _attachment(made.name + ENDING)
        return _response(request, served, Reply(f"{PREFIX}/{{format}}/sidecar", made.sidecar, JSON), headers)

    async def _made(self, request: Request, served: OpenRelease) -> MadeFile:
        chosen = served_formats().get(request.path_params["format"])
        if chosen is None:
            raise _no_format(request.path_params["format"])
        query = parse_query(request.scope["query_string"], chosen)
        _check_release(served, query)
        if self._waiting >= MOST_WAITING:
            raise Problem(503, "too many exports are queued", "try again soon", {"Retry-After": "10"})
        self._waiting += 1
        try:
            async with asyncio.timeout(WAIT_SECONDS):
                await self._one.acquire()
        except TimeoutError as error:
            raise Problem(503, "other exports are being made", "try again soon", {"Retry-After": "10"}) from error
        finally:
            self._waiting -= 1
        try:
            return await run_in_threadpool(_make, served, chosen, query)
        except LdcatError as error:
            raise _problem(error, served) from error
        finally:
            self._one.release()


async def offered(request: Request, served: OpenRelease) -> Reply:
    """`/v1/exports`: all parameters, the formats with the settings that each takes, and those of the command alone."""
    del request, served
    formats = [
        {
            "name": name,
            "title": one.title,
            "settings": served_settings(one),
            "required": [setting for setting in served_settings(one) if setting in one.required],
        }
        for name, one in served_formats().items()
    ]
    told = [{"name": name, "meaning": meaning} for name, meaning in parameters().items()]
    others = [
        {"name": name, "title": one.title, "why": not_offered(one)}
        for name, one in export_formats().items()
        if name not in served_formats()
    ]
    return Reply(PREFIX, json_bytes({"parameters": told, "formats": formats, "not_offered": others}), JSON)


def _no_format(name: str) -> Problem:
    if name in export_formats():
        return Problem(404, f"{not_offered(export_formats()[name])}: use ldcat export", f"{PREFIX} lists other formats")
    unknown = UnknownName("format of exports over HTTP", name[:40], served_formats())
    return Problem(404, str(unknown), f"{unknown.hint}; all: {PREFIX}")


def _attachment(name: str) -> dict[str, str]:
    return {"Content-Disposition": f'attachment; filename="{name}"'}


def _check_release(served: OpenRelease, query: ExportQuery) -> None:
    """Raises Stale, and Problem for a release or a catalog from which the command exports nothing, either."""
    served.check_fresh()
    release = served.catalog.release
    if release and not release.trust_version:
        raise Problem(409, "nothing is exported: this service did not verify the release that it serves")
    try:
        check_source(served.catalog, query.options)
    except UsageError as error:
        hint = None if release else "unpublished=true exports it nevertheless"
        raise Problem(409, _told(error, served), hint) from error


def _make(served: OpenRelease, chosen: ExportFormat, query: ExportQuery) -> MadeFile:
    made = make_export(
        served.catalog, query.selection, query.options, query.settings, now=int(time.time()), most=MOST_DIGESTS
    )
    chosen.check_technology(made.export)
    files = chosen.files(made.export)
    if len(files) != 1:
        raise UsageError(
            f"this export is {len(files):,} files", f"ask for one launch digest of {chosen.name} at a time"
        )
    [file] = files
    data = b"".join(file.chunks())
    notes = [*made.notes, *chosen.notes(made.export)]
    source, digests = made.export.source, made.export.digests
    settings = stated_settings(chosen, made.export)
    sidecar = make_sidecar(chosen.name, source, digests, [described(file.name, data)], notes, settings=settings)
    return MadeFile(file.name, file.media_type, data, notes, bytes(sidecar))


def _problem(error: LdcatError, served: OpenRelease) -> Problem:
    """404 for what the catalog does not have, 409 for what it has and must not be exported, 400 for another request."""
    status = 404 if isinstance(error, UnknownDigest | UnknownName) else 409 if isinstance(error, NotExported) else 400
    if isinstance(error, NotExported | UsageError):
        return Problem(status, _told(error, served), error.hint and as_parameters(error.hint))
    return make_problem(error, from_request=False)


def _told(error: LdcatError, served: OpenRelease) -> str:
    """The message of an error, without the folder of the catalog, which is nobody's business."""
    return as_parameters(str(error).replace(served.catalog.location, "this catalog"))


def _response(request: Request, served: OpenRelease, reply: Reply, headers: Mapping[str, str]) -> Response:
    known, encodings = (request.headers.get(name, "") for name in ("if-none-match", "accept-encoding"))
    status, common, body = reply.answer(served.tag, known, encodings)
    if served.catalog.release is None:  # validity begins today, so the answer changes without a new release
        common = {"Content-Type": reply.content_type, "Cache-Control": "no-store"}
        status, body = 200, reply.body
    exposed = {"Access-Control-Expose-Headers": ", ".join(headers)} if headers else {}
    return Response(body, status, {**common, **headers, **exposed})
