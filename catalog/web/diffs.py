"""Diffs over HTTP. Each is made once, and one at a time, because a diff reads all rows of two catalogs."""

from __future__ import annotations

import asyncio

from starlette.requests import Request
from starlette.responses import RedirectResponse, Response

from catalog.errors import Unreadable, UsageError
from catalog.fast.folder_location import is_number
from catalog.net.no_answer import NoAnswer
from catalog.web.problems import Problem
from catalog.web.release.open_release import OpenRelease
from catalog.web.replies import HTML, Reply

DIFF_SECONDS = 25
"""Seconds that a request waits for a diff; the diff is completed and cached all the same."""

MOST_DIFFS = 8
"""Diffs that are being made or queued."""


class Diffs:
    """The diffs that are being made; requests for the same diff wait for the same task."""

    def __init__(self) -> None:
        self._making: dict[tuple[str, str], asyncio.Task[Reply]] = {}
        self._one = asyncio.Lock()

    async def page(self, request: Request, served: OpenRelease) -> Reply:
        """`/diff/OLD...NEW`."""
        pair = request.path_params["pair"].removesuffix(".html")
        old, dots, new = pair.partition("...")
        if not dots or not is_number(old) or not is_number(new) or pair != f"{int(old)}...{int(new)}":
            raise Problem(404, "the address does not name two releases", "/diff/1...2")
        if served.catalog.release is None:
            raise Problem(404, "this catalog is not published in a log, so there is nothing to compare it with here")
        key = served.tag, pair
        if key not in self._making:
            if len(self._making) >= MOST_DIFFS:
                raise Problem(503, "too many diffs are queued", None, {"Retry-After": "30"})
            self._making[key] = asyncio.create_task(self._make(served, key, int(old), int(new)))
        try:
            return await asyncio.wait_for(asyncio.shield(self._making[key]), DIFF_SECONDS)
        except TimeoutError as error:
            raise Problem(503, "the diff is being made", "try again soon", {"Retry-After": "10"}) from error
        except UsageError as error:
            raise Problem(404, str(error), error.hint) from error
        except NoAnswer as error:
            raise Problem(
                503, "the host of this log does not answer", "try again later", {"Retry-After": "60"}
            ) from error
        except Unreadable as error:
            raise Problem(404, "one of these releases is not kept here") from error

    async def _make(self, served: OpenRelease, key: tuple[str, str], old: int, new: int) -> Reply:
        try:
            async with self._one:
                body = await asyncio.to_thread(_compared, served, old, new)
            made = Reply("/diff/{pair}", body, HTML).shrunk()
            served.keep(f"/diff/{key[1]}", made)  # even if nobody waits for it any more
            return made
        finally:
            del self._making[key]


def _compared(served: OpenRelease, old: int, new: int) -> bytes:
    from catalog.pages.changes import changes_page  # loaded in the thread of the first diff

    return changes_page(served.catalog, old, new, "../")


async def compared(request: Request, served: OpenRelease) -> Response:
    """`/diff?old=OLD&new=NEW`, the form on the page of releases: redirects to the diff."""
    del served
    old, new = (request.query_params.get(name, "") for name in ("old", "new"))
    if not is_number(old) or not is_number(new):
        raise Problem(400, "old and new have to be numbers of releases", "?old=1&new=2")
    return RedirectResponse(f"diff/{int(old)}...{int(new)}", 303)
