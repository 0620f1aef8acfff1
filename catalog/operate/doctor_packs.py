"""Findings about the pack of a published log, which lookups at a host read instead of several files."""

from __future__ import annotations

from collections.abc import Iterator

from catalog.errors import LdcatError, MalformedInput, NotThere
from catalog.log.file_pack import MAX_PACK, PACKS, leaf_name, pack_path, parse_pack
from catalog.log.log_folder import LogFolder
from catalog.operate.finding import Finding, note, warning
from catalog.transparency.checkpoint import Checkpoint
from catalog.transparency.tiles import WIDTH, TileReader

_AGAIN = "ldcat publish writes it again; in a copy of the log, remove it"


def pack_findings(log: LogFolder, checkpoint: Checkpoint) -> Iterator[Finding]:
    """Yield a finding if the pack of a checkpoint is missing, is none, or differs from the files of the log.

    Clients verify what is in it, and read the files themselves if it is wrong. So nobody is deceived, and none of these
    is an error.
    """
    if not log.is_here:
        return
    path = pack_path(checkpoint.size)
    try:
        files, leaves = parse_pack(log.read(path, MAX_PACK))
    except NotThere:
        what = "is missing: lookups at a host of this folder make more requests"
        yield note(path, what, "ldcat publish writes it; in a copy of the log, nothing")
    except MalformedInput as failure:
        yield warning(path, str(failure), _AGAIN)
    except LdcatError as failure:  # nothing that can be read, and perhaps nothing that can be replaced
        yield warning(path, str(failure), f"remove it, see ls -ld {log.root / PACKS}; ldcat publish writes it again")
    else:
        named = (name for name, data in files.items() if not _is_own(log, name, data))
        listed = (leaf_name(index) for index, leaf in leaves.items() if not _is_leaf(log, checkpoint, index, leaf))
        other = next(named, None) or next(listed, None)
        if other is not None:
            yield warning(path, f"{other!r} in it is not what the log has", _AGAIN)


def _is_own(log: LogFolder, name: str, data: bytes) -> bool:
    """Whether the log has a file with these bytes. name: anything, also one that would lead out of the folder."""
    try:
        return not {"", ".", ".."} & set(name.split("/")) and log.read(name, len(data)) == data
    except LdcatError:
        return False


def _is_leaf(log: LogFolder, checkpoint: Checkpoint, index: int, leaf: bytes) -> bool:
    """Whether the log has this leaf."""
    number, at = divmod(index, WIDTH)
    try:
        return index < checkpoint.size and TileReader(log, checkpoint.size).entries(number)[at] == leaf
    except LdcatError:
        return False
