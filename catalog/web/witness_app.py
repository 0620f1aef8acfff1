"""The HTTP interface of a witness (C2SP tlog-witness); catalog/transparency/witness.py has the rules.

Its logs are read again at SIGHUP: new ones are added, and none is removed. So whoever writes the list, such as the
maintainers of a public one, cannot end what is witnessed.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Collection, Mapping
from typing import TYPE_CHECKING

from catalog.errors import LdcatError, shortage
from catalog.terminal import render
from catalog.terminal.short_lines import first_named

if TYPE_CHECKING:
    from starlette.applications import Starlette
    from starlette.requests import Request
    from starlette.responses import Response

    from catalog.transparency.keys import VerifierKey
    from catalog.transparency.witness import Answer, Records, Witness

MAX_CONNECTIONS = 400
"""Connections served at a time; others wait."""

BODY_SECONDS = 10
"""Seconds: time in which a whole request has to arrive."""

_HEADERS = {"X-Content-Type-Options": "nosniff"}


class LiveWitness:
    """A witness whose logs grow.

    now: the witness as it is now.
    """

    def __init__(self, witness: Witness, read: Callable[[], Mapping[str, tuple[VerifierKey, ...]]]) -> None:
        """read: reads the list of logs, keys by origin; raises LdcatError."""
        self.now = witness
        self._read = read

    def reread(self) -> None:
        """Add the logs that are new in the list, and say so. An error leaves everything as it is."""
        try:
            listed = self._read()
        except LdcatError as error:
            render.error(error)
            return
        known = self.now.logs
        self.now = self.now.adding(listed)
        _say("witnesses now", [origin for origin in listed if origin not in known])
        _say("is not listed any more, and still witnessed:", [origin for origin in known if origin not in listed])
        other = [origin for origin in listed if origin in known and set(listed[origin]) != set(known[origin])]
        _say("is listed with other keys, which count after a restart:", other)


def _say(what: str, origins: Collection[str]) -> None:
    if origins:
        render.note(f"{what} {first_named(origins)}")


def witness_app(live: LiveWitness, records: Records, clock: Callable[[], int]) -> Starlette:
    """`POST /add-checkpoint`, `GET /HASH/checkpoint` for monitors, `GET /` for the witness's keys, one a line.

    clock: seconds since 1970.
    """
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
        return await answered(lambda: live.now.add_checkpoint(body, records, clock()))

    async def checkpoint(request: Request) -> Response:
        origin_hash = request.path_params["origin_hash"]
        return await answered(lambda: live.now.checkpoint(origin_hash, records))

    async def keys(_: Request) -> Response:
        return PlainTextResponse("".join(f"{signer.key}\n" for signer in live.now.signers), 200, _HEADERS)

    def refused(status: int, why: str) -> Response:
        """A response that closes the connection: the rest of the request is not read."""
        return PlainTextResponse(f"{why}\n", status, {**_HEADERS, "Connection": "close"})

    app = Starlette(
        routes=[
            Route("/", keys, methods=["GET"]),
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
