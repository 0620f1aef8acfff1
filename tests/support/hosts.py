"""A host of static files, such as a bucket or a file server is."""

from __future__ import annotations

import functools
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any


@dataclass
class StaticHost:
    """One that serves a folder at `url`. asked: each path, and how many bytes were sent for it."""

    url: str = ""
    asked: list[tuple[str, int]] = field(default_factory=list)


@contextmanager
def static_host(folder: Path) -> Iterator[StaticHost]:
    """Below /logs/."""
    found = StaticHost()

    class Handler(SimpleHTTPRequestHandler):
        def translate_path(self, path: str) -> str:
            return super().translate_path(path.removeprefix("/logs"))

        def copyfile(self, source: Any, outputfile: Any) -> None:
            data = source.read()
            found.asked.append((self.path.removeprefix("/logs/"), len(data)))
            outputfile.write(data)

        def log_message(self, *said: object) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), functools.partial(Handler, directory=str(folder)))
    threading.Thread(target=server.serve_forever, daemon=True).start()
    found.url = f"http://127.0.0.1:{server.server_address[1]}/logs/"
    try:
        yield found
    finally:
        server.shutdown()
        server.server_close()
