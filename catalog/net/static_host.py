"""Read the files of a log from a static host; a request is repeated if the host is busy, within one deadline."""

from __future__ import annotations

import math
import time
from collections.abc import Iterator, Mapping
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass

from catalog.errors import MalformedInput, NotThere, Unreadable
from catalog.net.host_url import Server
from catalog.net.http_client import Deadline, Response, send_request
from catalog.net.no_answer import NoAnswer
from catalog.net.probes import PROBE_ORIGIN, Probe, ProbeResponse

_PAUSES = (0.5, 2.0)
"""Seconds before the second and the third request, if nothing came or the host is busy."""

_BUSY = frozenset({408, 425, 429, 500, 502, 503, 504})
"""HTTP statuses for which a request is repeated."""


@dataclass(frozen=True, slots=True)
class StaticHost:
    """A log on a static host. prefix: path of the log's folder, without a slash at the end."""

    server: Server
    prefix: str

    @classmethod
    def parse(cls, url: str) -> StaticHost:
        """The host at a URL; raises UsageError unless it is an https URL of a folder, or http on this machine."""
        return cls(*Server.parse(url))

    @property
    def url(self) -> str:
        """URL of the folder, which `parse` takes."""
        return f"{self.server.url}{self.prefix}"

    def send(self, probe: Probe) -> ProbeResponse:
        """Send one request; raises NoAnswer if there is no response or it is not HTTP."""
        encodings, more = probe.encodings, {"Origin": PROBE_ORIGIN}
        with self._response(probe.path, probe.at_most, encodings=encodings, more=more) as response:
            return ProbeResponse(response.status, response.headers, b"".join(response.chunks))

    def read(self, path: str, at_most: int) -> bytes:
        """The bytes of a file; raises Unreadable, NotThere if it is missing, MalformedInput if it is larger.

        The request is repeated if the host is busy or nothing came, all within the deadline of one response.
        """
        deadline = Deadline.of(at_most)
        for pause in (*_PAUSES, math.inf):
            try:
                with self._response(path, at_most + 1, deadline) as response:
                    if response.status not in _BUSY or deadline.ends_within(pause):
                        self._check(path, response)
                        data = b"".join(response.chunks)
                        break
            except NoAnswer:
                if deadline.ends_within(pause):
                    raise
            time.sleep(pause)
        if len(data) > at_most:
            raise MalformedInput(f"{self.url}/{path} has more than {at_most} bytes")
        return data

    @contextmanager
    def opened(self, path: str, at_most: int) -> Iterator[Iterator[bytes]]:
        """The chunks of a file that may be large, up to that many bytes; raises Unreadable, NotThere."""
        with self._response(path, at_most) as response:
            self._check(path, response)
            yield response.chunks

    def _check(self, path: str, response: Response) -> None:
        """Raises Unreadable for a response that is not the file itself, NotThere if there is no file."""
        if response.status != 200:
            where = response.headers.get("location", "")
            to = f", a redirection to {where}, which is not followed" if 300 <= response.status < 400 else ""
            kind = NotThere if response.status in (404, 410) else Unreadable
            raise kind(f"{self.url}/{path}: HTTP status {response.status}{to}")
        if response.headers.get("content-encoding", "identity").strip().lower() != "identity":
            raise Unreadable(f"{self.url}/{path}: unrequested Content-Encoding")

    def _response(
        self,
        path: str,
        at_most: int,
        deadline: Deadline | None = None,
        *,
        encodings: str = "identity",
        more: Mapping[str, str] | None = None,
    ) -> AbstractContextManager[Response]:
        headers = {"Accept-Encoding": encodings, **(more or {})}
        return send_request(self.server, "GET", f"{self.prefix}/{path}", headers, at_most=at_most, deadline=deadline)
