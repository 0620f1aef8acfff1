"""The routes of the service. Each response comes from one release, from its first byte to its last."""

from __future__ import annotations

from collections.abc import Awaitable, Callable

import msgspec
from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.requests import ClientDisconnect, Request
from starlette.responses import Response
from starlette.routing import Route

from catalog.errors import LdcatError, shortage
from catalog.terminal import render
from catalog.web import diffs, lookups, served_files
from catalog.web import metrics as counted
from catalog.web.exports import export_routes
from catalog.web.front import App, Receive, Scope, Send
from catalog.web.openapi import openapi
from catalog.web.problems import NOTHING_THERE, Problem, make_problem, respond
from catalog.web.release.open_release import OpenRelease
from catalog.web.replies import JSON, Reply, uncached_json

Answered = Callable[[Request, OpenRelease], Awaitable[Reply | Response]]

_NO_ROUTE = {404: NOTHING_THERE, 405: "this address does not support this method"}


def routes(metrics: counted.Metrics) -> App:
    """The application behind the front, which puts the open release into the scope as `ldcat.served`."""
    made, exported = diffs.Diffs(), export_routes.Exports()

    async def counts(request: Request, served: OpenRelease) -> Response:
        del request, served
        return Response(metrics.text(), headers={"Cache-Control": "no-store"}, media_type=counted.CONTENT_TYPE)

    table: list[tuple[str, Answered, str]] = [
        ("/d", lookups.digest_redirect, "GET"),
        ("/d/{digest}.json", lookups.digest_json, "GET"),
        ("/d/{digest}.proof", lookups.digest_proof, "GET"),
        ("/d/{digest}", lookups.digest_page, "GET"),
        ("/v1/lookup", lookups.batch, "POST"),
        ("/v1/report", lookups.report, "POST"),
        ("/v1/exports", export_routes.offered, "GET"),
        ("/v1/exports/{format}", exported.file, "GET"),
        ("/v1/exports/{format}/sidecar", exported.sidecar, "GET"),
        ("/range/{prefix}", served_files.range_now, "GET"),
        ("/range/{release}/{name}", served_files.serve_range, "GET"),
        ("/pack/{size}", served_files.pack, "GET"),
        ("/checkpoint", served_files.checkpoint, "GET"),
        ("/tile/{path:path}", served_files.tile, "GET"),
        ("/releases/{path:path}", served_files.file, "GET"),
        ("/diff", diffs.compared, "GET"),
        ("/diff/{pair}", made.page, "GET"),
        ("/openapi.json", _openapi, "GET"),
        ("/healthz", _health, "GET"),
        ("/readyz", _ready, "GET"),
        ("/metrics", counts, "GET"),
    ]
    app = Starlette(
        routes=[Route(path, _endpoint(path, answered), methods=[method]) for path, answered, method in table],
        exception_handlers={HTTPException: _no_route},
    )
    app.router.redirect_slashes = False
    app.router.default = _rest
    return app


def _endpoint(route: str, answered: Answered) -> Callable[[Request], Awaitable[Response]]:
    """An endpoint: errors of the service are logged here; the client learns what is wrong with its request."""
    label = route.replace(":path", "")

    async def endpoint(request: Request) -> Response:
        request.scope["ldcat.route"] = label
        served: OpenRelease = request.scope["ldcat.served"]
        try:
            reply = await answered(request, served)
        except Problem as problem:
            return respond(request, problem)
        except LdcatError as error:
            return respond(request, make_problem(error, from_request=False))
        except ClientDisconnect:
            return respond(request, Problem(400, "the client has disconnected"))
        except Exception as error:
            if short := shortage(error, "an answer"):
                return respond(request, make_problem(short, from_request=False))
            render.problem(f"internal error: {type(error).__name__}: {error}", "this is a defect of ldcat; report it")
            return respond(request, Problem(500, "the service cannot answer now"))
        if isinstance(reply, Response):
            return reply
        if request.method == "GET" and not request.url.query:
            served.keep(request.scope["path"], reply)
        known, encodings = (request.headers.get(name, "") for name in ("if-none-match", "accept-encoding"))
        status, headers, body = reply.answer(served.tag, known, encodings)
        return Response(body, status, headers)

    return endpoint


async def _no_route(request: Request, error: Exception) -> Response:
    assert isinstance(error, HTTPException), "registered for HTTPException only"  # noqa: S101
    status = error.status_code
    return respond(request, Problem(status, _NO_ROUTE.get(status, error.detail), None, error.headers))


async def _rest(scope: Scope, receive: Receive, send: Send) -> None:
    response = await _endpoint("unknown", _page)(Request(scope, receive))
    await response(scope, receive, send)


async def _page(request: Request, served: OpenRelease) -> Reply:
    """What neither front nor routes answer: a page with a query or by another method, or an unknown address."""
    found = served.pages.get(request.scope["path"])
    if found is None:
        raise Problem(404, NOTHING_THERE)
    if request.method not in ("GET", "HEAD"):
        raise Problem(405, _NO_ROUTE[405], None, {"Allow": "GET, HEAD"})
    return found


async def _openapi(request: Request, served: OpenRelease) -> Reply:
    del request, served
    return Reply("/openapi.json", msgspec.json.encode(openapi()), JSON).shrunk()


async def _health(request: Request, served: OpenRelease) -> Response:
    del request, served
    return uncached_json({"status": "ok"})


async def _ready(request: Request, served: OpenRelease) -> Response:
    """Ready as long as the release is fresh. A release of a log was verified before it was served."""
    del request
    served.check_fresh()
    release = served.catalog.release
    verified = bool(release and release.trust_version)
    return uncached_json({"status": "ready", "verified": verified, "release": release.number if release else None})
