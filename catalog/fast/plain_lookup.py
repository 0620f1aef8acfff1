"""The fast path of `ldcat lookup DIGEST`: answers a plain lookup with nothing loaded but what Python has loaded anyway.

A guest owner looks up one digest, and a key broker one for each boot: an answer from the packed index takes less time
than loading typer, pyarrow or duckdb. Every other lookup, and any error, takes the full path (cli/main.py).
"""

from __future__ import annotations

import os
from time import time

from catalog.fast.beneath import read_bounded
from catalog.fast.folder_location import FolderLocation, is_within, locate
from catalog.fast.match import known_technologies
from catalog.fast.match_text import match_dangers, match_lines, not_found, printable, searches_further, shown_lines
from catalog.fast.names import FalseNames
from catalog.fast.packed import PackedCatalog, light_sha256
from catalog.fast.published import PublishedRelease, Remembered
from catalog.fast.verity import DamagedBlock
from catalog.fast.xdg import data_home, state_home

TYPE_CHECKING = False
if TYPE_CHECKING:
    from catalog.fast.match import Match

_SNP_DIGEST_SIZE = 48

_PLAIN = frozenset("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789_-+=:,./@%")
"""Characters that need no quotes in a shell."""

_OTHERWISE = ("LDCAT_FORMAT", "LDCAT_QUIET", "LDCAT_HASH_BACKEND", "LDCAT_KERNELS")
"""Environment variables that need the full path."""


def plain_lookup(arguments: list[str]) -> tuple[str, str, int] | None:
    """What to print on stdout and stderr, and the exit code; None: take the full path."""
    request = _plain(arguments)
    if request is None or any(os.environ.get(name) for name in _OTHERWISE):
        return None
    digest, folder, trust, quiet, options = request
    found = found_at_once(digest, folder, trust)
    if found is None:
        return None
    matches, release = found
    out = shown_lines((*match_dangers(matches), *match_lines(matches)))
    notes = [release.summary()] if release else []
    if not matches:
        if not _PLAIN.issuperset("".join(options)):  # the full path quotes them
            return None
        notes += [not_found(digest).text, searches_further(digest, options).text]
    return out, "" if quiet else "".join(f"ldcat: note: {printable(note)}\n" for note in notes), 0 if matches else 1


def found_at_once(digest: bytes, folder: str, trust: str) -> tuple[list[Match], PublishedRelease | None] | None:
    """Every configuration with a digest, and the release that was asked; None if the full path may say more.

    folder: of a local catalog, a log or a release. trust: path of the trust note, or empty.
    """
    opened = opened_at_once(folder, trust)
    if opened is None:
        return None
    packed, release = opened
    try:
        matches = found_in(packed, digest)
    finally:
        packed.close()
    return None if matches is None else (matches, release)


def opened_at_once(folder: str, trust: str) -> tuple[PackedCatalog, PublishedRelease | None] | None:
    """An open catalog, and its release if it is published; None if the full path may say more.

    folder, trust: as for `found_at_once`.
    """
    release = None
    try:
        location = locate(folder)
        if location.log:
            release = _verified_before(location, trust or os.environ.get("LDCAT_TRUST") or "")
            if release is None:
                return None
        elif trust or os.environ.get("LDCAT_TRUST") or _was_verified(location):
            return None
        known = known_technologies()
    except OSError:  # the current folder is gone, or the program is not in a folder of files
        return None
    try:
        packed = PackedCatalog(
            release.files if release else folder,
            light_sha256(),
            release.manifest_sha256 if release else None,
            technologies=known,
        )
    except (DamagedBlock, FalseNames):
        return None
    if packed.unknown:  # which the full path notes
        packed.close()
        return None
    return packed, release


def found_in(packed: PackedCatalog, digest: bytes) -> list[Match] | None:
    """Every configuration with a digest; None if the full path may say more."""
    try:
        if packed.distinguished(digest):
            return None
        matches = packed.lookup(digest)
        return None if _has_more(digest, matches, packed.endorsed()) else matches
    except (DamagedBlock, FalseNames):
        return None


def _has_more(digest: bytes, matches: list[Match], endorsed: bytes) -> bool:
    """Whether the full path says more about a digest: endorsements, inferred rows, related digests.

    endorsed: leaves of the endorsed digests, one a line.
    """
    if matches:
        return digest.hex().encode() in endorsed or any(match.inferred for match in matches)
    return len(digest) == _SNP_DIGEST_SIZE or endorsed.count(b'"technology":"sev-snp"') < endorsed.count(b"\n")


def path_text(path: str) -> str:
    """A path as pathlib, which takes long to load, writes it; empty if it is. It does not begin with two slashes."""
    if not path:
        return ""
    root = "/" if path.startswith("/") else ""
    return root + "/".join(part for part in path.split("/") if part not in ("", ".")) or "."


def _plain(arguments: list[str]) -> tuple[bytes, str, str, bool, list[str]] | None:
    """Digest, folder of the catalog, path of the trust note or "", --quiet, and the first two as options.

    None if there are other arguments.
    """
    given = {"--catalog": "", "--trust": ""}
    digests, quiet = [], False
    rest = iter(arguments)
    for argument in rest:
        if argument in given:
            given[argument] = next(rest, "")
            if not given[argument] or given[argument].startswith("-"):
                return None
        elif argument in ("--quiet", "-q"):
            quiet = True
        elif argument.startswith("-"):
            return None
        else:
            digests.append(argument)
    folder = named_folder(given["--catalog"])
    if not folder or len(digests) != 1 or len(digests[0]) not in (64, 96):
        return None
    try:
        digest = bytes.fromhex(digests[0])
    except ValueError:
        return None
    plain = 2 * len(digest) == len(digests[0])  # fromhex skips whitespace
    if any(path.startswith("//") for path in given.values()):
        return None
    options = search_options(path_text(given["--catalog"]), path_text(given["--trust"]))
    return (digest, folder, given["--trust"], quiet, options) if plain else None


def _verified_before(location: FolderLocation, trust: str) -> PublishedRelease | None:
    """The release, if its remembered verification holds and there are no revocations and no newer trust note."""
    note, state = read_bounded(trust), state_home()
    if note is None or state is None or is_within(trust, location):
        return None
    found = Remembered(state, location, note).release(time())
    return found if found and found.revokes_nothing() and not found.newer_trust else None


def _was_verified(location: FolderLocation) -> bool:
    state = state_home()
    return state is None or Remembered(state, location).origin() is not None


def search_options(catalog: str, trust: str) -> list[str]:
    """The options of a search in the same catalog: without what the environment says anyway. Both may be empty."""
    catalog = "" if catalog == path_text(os.environ.get("LDCAT_CATALOG", "")) else catalog
    return [part for name, value in (("--catalog", catalog), ("--trust", trust)) if value for part in (name, value)]


def named_folder(option: str) -> str:
    """The folder of the catalog that --catalog, or LDCAT_CATALOG, names, or of the default catalog; empty for a URL."""
    home = data_home()
    folder = option or os.environ.get("LDCAT_CATALOG") or (f"{home}/catalog" if home else "")
    is_url = folder.lower().startswith(("https:", "http:"))  # as in verify/location.py
    return "" if is_url else folder
