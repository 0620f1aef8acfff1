"""Whether a new log can have a name: it never changes, so what looks like a mistake is refused."""

from __future__ import annotations

import re

from catalog.errors import UsageError
from catalog.fast import xdg
from catalog.state.folders import remembered

_SCHEME = re.compile(r"[A-Za-z][A-Za-z0-9+.-]*:/*")
_WORD = re.compile(r"[\w-]{1,40}")
_DOMAIN = re.compile(r"[^./]+(\.[^./]+)+(/.*)?")
_EXAMPLE = "example.com/digests"
_MOST = 60
"""Characters of a name in a message."""


def check_new_origin(origin: str) -> None:
    """Refuse a name that a log should not get.

    origin: the name of a key. It should be a URL without its scheme, query and fragment, so that nobody else has it
    (C2SP tlog-checkpoint). Raises UsageError if it is not, and if this machine signed a log of that name.
    """
    bare = re.split(r"[?#]", _SCHEME.sub("", origin, count=1))[0].rstrip("/")
    if not _DOMAIN.fullmatch(bare):
        why, better = "begins with no domain name", f"example.com/{bare}" if _WORD.fullmatch(bare) else _EXAMPLE
    elif bare != origin:
        end = "a scheme" if not origin.startswith(bare) else "a slash, query or fragment at the end"
        why, better = f"has {end}", bare if len(bare) <= _MOST else _EXAMPLE
    else:
        _check_unused(origin)
        return
    hint = f"it is a URL without its scheme, of a domain that you have, such as {better}: it can never be changed"
    raise UsageError(f"the name of the log, {origin[:_MOST]!r}, {why}", hint)


def _check_unused(origin: str) -> None:
    """Raises UsageError if this machine signed a log of this name, whose keys are not those that would be made."""
    if xdg.state_home() is None:
        return
    memory = remembered("signed", origin)
    if memory.read() is not None:
        raise UsageError(
            f"this machine signed the log {origin} before, and its keys would be others now",
            f"use the earlier keys, or a name that was never used; {memory.forgetting}",
        )
