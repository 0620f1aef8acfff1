"""The log over HTTP, at the same addresses as on a host of files: clients verify what they read."""

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
from catalog.verify.lookup_pack import lookup_pack
from catalog.web.open_files import OpenFile
from catalog.web.other_hosts import read_of_log
from catalog.web.problems import NOTHING_THERE, Problem
from catalog.web.release.open_release import OpenRelease
from catalog.web.replies import ASK_AGAIN, BYTES, FIXED, JSON, TEXT, Reply

MAX_WHOLE = 1 << 20
"""Bytes: a file up to this size is read at once and cached; a larger one is read while it is sent."""

MAX_FETCHED = 64 << 20
"""Bytes: limit for a file of a log on another host."""

_RANGE = re.compile(r"[0-9a-f]{1,8}")


async def checkpoint(request: Request, served: OpenRelease) -> Reply:
    """The verified checkpoint; one that was refused is not passed on."""
    del request
    if not served.checkpoint:
        raise Problem(404, "this catalog is not published in a log")
    return Reply("/checkpoint", served.checkpoint, TEXT)


async def pack(request: Request, served: OpenRelease) -> Reply:
    """What a lookup at this address reads besides the checkpoint and a range, in one file (docs/ranges.md)."""
    release = served.catalog.release
    if release is None or request.path_params["size"] != str(release.size) or release.number != release.last:
        raise Problem(404, NOTHING_THERE)
    made = await read_of_log(release, lookup_pack, served.catalog, release, served.ranges.index)
    return Reply("/pack/{size}", made, BYTES, FIXED)


async def tile(request: Request, served: OpenRelease) -> Reply | Response:
    """A tile or an entry bundle of the log."""
    return await _of_log(f"tile/{request.path_params['path']}", served, "/tile/{path}")


async def file(request: Request, served: OpenRelease) -> Reply | Response:
    """A file of a release."""
    return await _of_log(f"releases/{request.path_params['path']}", served, "/releases/{path}")


async def range_now(request: Request, served: OpenRelease) -> Reply:
    """A range of the release that is served: the rows whose digests begin with some bits."""
    return await _range(request.path_params["prefix"], served, "/range/{prefix}", ASK_AGAIN)


async def serve_range(request: Request, served: OpenRelease) -> Reply:
    """A range at the address of its release, as on a host of files."""
    number = served.catalog.release.number if served.catalog.release else 0
    if request.path_params["release"] != str(number):
        raise Problem(404, f"only the release that is served, {number}, has ranges")
    return await _range(request.path_params["name"], served, "/range/{release}/{name}", FIXED)


async def _range(name: str, served: OpenRelease, route: str, caching: str) -> Reply:
    index = served.ranges.index
    known = _RANGE.fullmatch(name) and int(name, 16) < 1 << index.prefix_bits and name == index.file(int(name, 16))
    if not known and name != INDEX:
        raise Problem(
            404,
            f"no range has this name, which is the first {index.prefix_bits} bits of a digest",
            f"{len(index.file(0))} hex digits, from {index.file(0)} to {index.file((1 << index.prefix_bits) - 1)}",
        )
    data = await read_of_log(served.catalog.release, served.ranges.read, name)
    return Reply(route, data, JSON if name == INDEX else BYTES, caching)


async def _of_log(path: str, served: OpenRelease, route: str) -> Reply | Response:
    """A file of the log that never changes; no other file of the folder is served."""
    release, files = served.catalog.release, served.files
    if release is None or files is None or not await read_of_log(release, files.has, path):
        raise Problem(404, NOTHING_THERE)
    log, kind = open_log(release), JSON if path.endswith(".json") else BYTES
    try:
        if log.is_here and (large := await run_in_threadpool(_large, log, path)) is not None:
            return OpenFile(large, {"Cache-Control": FIXED}, kind)
        made = Reply(route, await read_of_log(release, log.read, path, MAX_FETCHED), kind, FIXED)
    except (Unreadable, OSError) as error:
        raise Problem(404, NOTHING_THERE) from error
    is_text = kind == JSON or path.startswith("tile/entries/")  # hashes and Parquet do not compress
    return await run_in_threadpool(made.shrunk) if is_text else made


def _large(log: LogFolder, path: str) -> int | None:
    """Descriptor of a file that is larger than MAX_WHOLE; None for a smaller one. Raises OSError."""
    descriptor = open_file(log.root, path)
    if os.fstat(descriptor).st_size > MAX_WHOLE:
        return descriptor
    os.close(descriptor)
    return None
