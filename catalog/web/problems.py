"""Problems (RFC 9457): responses of the service to requests that fail, as JSON or, for browsers, as a page."""

from __future__ import annotations

from http import HTTPStatus
from typing import TYPE_CHECKING, Any

from starlette.requests import Request
from starlette.responses import Response

from catalog.errors import LdcatError, MalformedInput, OutOfMemory, Stale, Unreadable, UsageError, VerificationFailed
from catalog.pages.html import page
from catalog.terminal import render
from catalog.web.replies import json_bytes

if TYPE_CHECKING:
    from collections.abc import Mapping

CONTENT_TYPE = "application/problem+json"

_STATUS = (
    (Stale, 503),
    (VerificationFailed, 503),
    (Unreadable, 503),
    (OutOfMemory, 503),
    (UsageError, 400),
    (MalformedInput, 400),
)
"""HTTP status by error. The text of a 503 or 500 is logged here, and not sent to the client, unless it is Stale."""


NOTHING_THERE = "there is nothing at this address"
"""Detail of a 404 for an address without a route or a file."""


class Problem(Exception):
    """A request that fails.

    status: HTTP status.
    detail: one line.
    hint: what to do next.
    headers: additional HTTP headers.
    """

    def __init__(
        self, status: int, detail: str, hint: str | None = None, headers: Mapping[str, str] | None = None
    ) -> None:
        super().__init__(detail)
        self.status = status
        self.detail = detail
        self.hint = hint
        self.headers = dict(headers or {})


def make_problem(error: LdcatError, *, from_request: bool) -> Problem:
    """The problem of an error.

    from_request: the request can be at fault; otherwise the error is logged and its text not sent.
    """
    status = next((status for kind, status in _STATUS if isinstance(error, kind)), 500)
    if from_request and status == 400:
        return Problem(400, str(error), error.hint)
    if isinstance(error, Stale):
        return Problem(503, str(error), error.hint, {"Retry-After": "60"})
    render.error(error)
    return Problem(503 if status == 503 else 500, "the service cannot answer now", None, {"Retry-After": "60"})


def respond(request: Request, problem: Problem) -> Response:
    """The response of a problem: a page if the client accepts HTML, else JSON."""
    title = HTTPStatus(problem.status).phrase
    headers = {"Cache-Control": "no-store", **problem.headers}
    if "text/html" in request.headers.get("accept", ""):
        root = "../" * (request.url.path.count("/") - 1)
        body = page("problem.html", root, title=title, detail=problem.detail, hint=problem.hint)
        return Response(body, problem.status, headers, "text/html")
    members: dict[str, Any] = {"type": "about:blank", "title": title, "status": problem.status}
    members["detail"] = problem.detail
    if problem.hint:
        members["hint"] = problem.hint
    return Response(json_bytes(members), problem.status, headers, CONTENT_TYPE)
