"""HTTP as a client: one POST, its answer bounded in size and time, and no other place than the one that is named."""

from __future__ import annotations

import time
import urllib.error
import urllib.request
from http.client import HTTPException, HTTPResponse
from urllib.parse import urlsplit

from catalog.errors import Unreadable, UsageError
from catalog.release.witnesses import Reply

SECONDS = 10
"""Until which a connection, and each part of an answer, has to be there; and then all of it."""

_CHUNK = 1 << 13


def post(url: str, body: bytes, at_most: int) -> Reply:
    """What is answered, with whatever status; raises Unreadable where nothing is, or more bytes, and UsageError."""
    try:
        parts = urlsplit(url)
        if parts.scheme not in ("http", "https") or not parts.hostname or not url.isascii():
            raise UsageError(f"{url!r} is no HTTP address")
        headers = {"Content-Type": "text/plain; charset=utf-8", "User-Agent": "ldcat"}
        request = urllib.request.Request(url, body, headers, method="POST")  # noqa: S310 - the scheme is looked at
        opener = urllib.request.build_opener(_WhateverStatus)
        with opener.open(request, timeout=SECONDS) as response:
            return Reply(response.status, response.headers.get_content_type(), _read(response, at_most))
    except urllib.error.URLError as error:
        raise Unreadable(f"{url}: {_words(error.reason)}") from error
    except (OSError, HTTPException, ValueError) as error:  # ValueError: of an address that only looks like one
        raise Unreadable(f"{url}: {_words(error)}") from error


class _WhateverStatus(urllib.request.HTTPErrorProcessor):
    """An answer is what was answered; a redirect, too, which is not followed."""

    def http_response(self, request: urllib.request.Request, response: HTTPResponse) -> HTTPResponse:  # noqa: ARG002
        return response

    https_response = http_response


def _read(response: HTTPResponse, at_most: int) -> bytes:
    end, found = time.monotonic() + SECONDS, bytearray()
    while part := response.read1(_CHUNK):
        found += part
        if len(found) > at_most:
            raise Unreadable(f"the answer has more than {at_most} bytes")
        if time.monotonic() > end:
            raise TimeoutError("timed out")
    return bytes(found)


def _words(error: object) -> str:
    said = error.strerror if isinstance(error, OSError) and error.strerror else str(error)
    return (said or type(error).__name__).lower()
