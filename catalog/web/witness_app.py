"""The HTTP interface of a witness (C2SP tlog-witness); catalog/transparency/witness.py has the rules."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import TYPE_CHECKING

from catalog.errors import LdcatError, shortage
from catalog.terminal import render

if TYPE_CHECKING:
    from starlette.applications import Starlette
    from starlette.requests import Request
    from starlette.responses import Response

    from catalog.transparency.witness import Answer, Records, Witness

MAX_CONNECTIONS = 400
"""Connections served at a time; others wait."""

BODY_SECONDS = 10
"""Seconds: time in which a whole request has to arrive."""

_HEADERS = {"X-Content-Type-Options": "nosniff"}


def witness_app(witness: Witness, records: Records, clock: Callable[[], int]) -> Starlette:
    """`POST /add-checkpoint`, and `GET /HASH/checkpoint` for monitors. clock: seconds since 1970."""
    from starlette.applications import Starlette
    from starlette.concurrency import run_in_threadpool
    from starlette.requests import ClientDisconnect
    from starlette.responses import PlainTextResponse, Response
    from starlette.routing import Route

    from catalog.transparency.witness import MAX_REQUEST

    async def answered(ask: Callable[[], Answer]) -> Response:
        """The response of a witness. Errors are logged here; the client learns only that there was one."""
        try:
            answer = await run_in_threadpool(ask)
        except LdcatError as error:
            render.error(error)
        except Exception as error:
            if short := shortage(error, "an answer"):
                render.error(short)
            else:
                failure = f"internal error: {type(error).__name__}: {error}"
                render.problem(failure, "this is a defect of ldcat; report it")
        else:
            headers = {**_HEADERS, "Content-Type": answer.content_type}
            return Response(answer.body, answer.status, headers)
        return PlainTextResponse("the witness cannot answer now\n", 500, _HEADERS)

    async def add_checkpoint(request: Request) -> Response:
        try:
            async with asyncio.timeout(BODY_SECONDS):
                body = await _body(request, MAX_REQUEST)
        except TimeoutError:
            return refused(408, "the request did not arrive in time")
        except ClientDisconnect:
            return refused(400, "the client has disconnected")
        if body is None:
            return refused(413, f"the request has more than {MAX_REQUEST} bytes")
        return await answered(lambda: witness.add_checkpoint(body, records, clock()))

    async def checkpoint(request: Request) -> Response:
        origin_hash = request.path_params["origin_hash"]
        return await answered(lambda: witness.checkpoint(origin_hash, records))

    def refused(status: int, why: str) -> Response:
        """A response that closes the connection: the rest of the request is not read."""
        return PlainTextResponse(f"{why}\n", status, {**_HEADERS, "Connection": "close"})

    app = Starlette(
        routes=[
            Route("/add-checkpoint", add_checkpoint, methods=["POST"]),
            Route("/{origin_hash}/checkpoint", checkpoint, methods=["GET"]),
        ]
    )
    app.router.redirect_slashes = False
    return app


async def _body(request: Request, at_most: int) -> bytes | None:
    """The body; None if it has more than `at_most` bytes. Raises ClientDisconnect."""
    body = bytearray()
    async for part in request.stream():
        body += part
        if len(body) > at_most:
            return None
    return bytes(body)
