"""One POST to a witness: what it answers, with whatever status."""

from __future__ import annotations

from dataclasses import dataclass

from catalog.errors import Unreadable
from catalog.net.http_client import Deadline, PlainHttp, Server, asked


@dataclass(frozen=True, slots=True)
class Reply:
    """What came back over HTTP. content_type: without parameters."""

    status: int
    content_type: str
    body: bytes


def post(url: str, body: bytes, at_most: int, *, allow_http: bool = False, deadline: Deadline | None = None) -> Reply:
    """allow_http: to another machine, too. deadline: of this answer and of others; else its own.

    Raises Unreadable where nothing is answered, or more bytes; UsageError for what is no URL that is asked.
    """
    try:
        server, path = Server.parse(url, anywhere=allow_http)
    except PlainHttp as error:
        raise PlainHttp(f"{error}; --allow-http asks it all the same") from error
    headers = {"Accept-Encoding": "identity", "Content-Type": "text/plain; charset=utf-8"}
    with asked(server, "POST", path or "/", headers, body, at_most=at_most + 1, deadline=deadline) as response:
        data = b"".join(response.chunks)
    if len(data) > at_most:
        raise Unreadable(f"the answer has more than {at_most} bytes")
    content_type = response.headers.get("content-type", "").partition(";")[0].strip().lower()
    return Reply(response.status, content_type, data)
