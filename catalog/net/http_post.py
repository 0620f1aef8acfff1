"""One POST request to a witness, and its response, whatever the status."""

from __future__ import annotations

from dataclasses import dataclass

from catalog.errors import Unreadable
from catalog.net.host_url import PlainHttp, Server
from catalog.net.http_client import Deadline, send_request


@dataclass(frozen=True, slots=True)
class Reply:
    """An HTTP response. content_type: in lower case, without parameters."""

    status: int
    content_type: str
    body: bytes


def post(url: str, body: bytes, at_most: int, *, allow_http: bool = False, deadline: Deadline | None = None) -> Reply:
    """Send a POST request.

    at_most: bytes of the body of the response.
    allow_http: whether plain http to another machine is allowed.
    deadline: shared with other requests; if not given, that of a response of this size.

    Raises Unreadable if there is no response or it has more bytes; UsageError for a URL that is not allowed.
    """
    try:
        server, path = Server.parse(url, anywhere=allow_http)
    except PlainHttp as error:
        raise PlainHttp(f"{error}; --allow-http allows it") from error
    headers = {"Accept-Encoding": "identity", "Content-Type": "text/plain; charset=utf-8"}
    with send_request(server, "POST", path or "/", headers, body, at_most=at_most + 1, deadline=deadline) as response:
        data = b"".join(response.chunks)
    if len(data) > at_most:
        raise Unreadable(f"the answer has more than {at_most} bytes")
    content_type = response.headers.get("content-type", "").partition(";")[0].strip().lower()
    return Reply(response.status, content_type, data)
