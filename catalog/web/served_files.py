"""The log over HTTP, at the addresses where any static host has it: whoever reads it verifies it."""

from __future__ import annotations

import os
import re

from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import Response

from catalog.errors import Unreadable
from catalog.fast.beneath import open_file
from catalog.log.log_folder import LogFolder
from catalog.log.log_reader import open_log
from catalog.store.ranges import INDEX
from catalog.web.current import OpenRelease
from catalog.web.open_files import OpenFile
from catalog.web.other_hosts import read_of_log
from catalog.web.problems import Problem
from catalog.web.replies import ASK_AGAIN, BYTES, FIXED, JSON, TEXT, Reply

MAX_WHOLE = 1 << 20
"""Bytes of a file that is read at once, and kept; others are sent as they are read."""

MAX_FETCHED = 64 << 20
"""Bytes of a file of a log that another host serves."""

_RANGE = re.compile(r"[0-9a-f]{1,8}")


async def checkpoint(request: Request, served: OpenRelease) -> Reply:
    """The one that was verified: what is refused is not handed on."""
    del request
    if not served.checkpoint:
        raise Problem(404, "this catalog is published in no log")
    return Reply("/checkpoint", served.checkpoint, TEXT)


async def tile(request: Request, served: OpenRelease) -> Reply | Response:
    """Hashes or entries."""
    return await _of_log(f"tile/{request.path_params['path']}", served, "/tile/{path}")


async def file(request: Request, served: OpenRelease) -> Reply | Response:
    """Of a release."""
    return await _of_log(f"releases/{request.path_params['path']}", served, "/releases/{path}")


async def range_now(request: Request, served: OpenRelease) -> Reply:
    """The rows whose digests begin with some bits, of the release that is served."""
    return await _range(request.path_params["prefix"], served, "/range/{prefix}", ASK_AGAIN)


async def serve_range(request: Request, served: OpenRelease) -> Reply:
    """The same, at the address of the release."""
    number = served.catalog.release.number if served.catalog.release else 0
    if request.path_params["release"] != str(number):
        raise Problem(404, f"there are ranges of release {number} alone, which is served")
    return await _range(request.path_params["name"], served, "/range/{release}/{name}", FIXED)


async def _range(name: str, served: OpenRelease, route: str, caching: str) -> Reply:
    index = served.ranges.index
    known = _RANGE.fullmatch(name) and int(name, 16) < 1 << index.prefix_bits and name == index.file(int(name, 16))
    if not known and name != INDEX:
        raise Problem(
            404,
            f"a range is named by the first {index.prefix_bits} bits of a digest, as a number",
            f"{len(index.file(0))} hex digits, from {index.file(0)} to {index.file((1 << index.prefix_bits) - 1)}",
        )
    data = await read_of_log(served.catalog.release, served.ranges.read, name)
    return Reply(route, data, JSON if name == INDEX else BYTES, caching)


async def _of_log(path: str, served: OpenRelease, route: str) -> Reply | Response:
    """A file that never changes, if it is one of the log: nothing else that is in the folder is given away."""
    release, files = served.catalog.release, served.files
    if release is None or files is None or not await run_in_threadpool(files.has, path):
        raise Problem(404, "there is nothing at this address")
    log, kind = open_log(release), JSON if path.endswith(".json") else BYTES
    try:
        if log.is_here and (large := await run_in_threadpool(_large, log, path)) is not None:
            return OpenFile(large, {"Cache-Control": FIXED}, kind)
        made = Reply(route, await read_of_log(release, log.read, path, MAX_FETCHED), kind, FIXED)
    except (Unreadable, OSError) as error:
        raise Problem(404, "there is nothing at this address") from error
    is_text = kind == JSON or path.startswith("tile/entries/")  # hashes and Parquet are as small as they get
    return await run_in_threadpool(made.shrunk) if is_text else made


def _large(log: LogFolder, path: str) -> int | None:
    """A file that is not read at once, open; None for another one. Raises OSError."""
    descriptor = open_file(log.root, path)
    if os.fstat(descriptor).st_size > MAX_WHOLE:
        return descriptor
    os.close(descriptor)
    return None
