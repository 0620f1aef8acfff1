"""Findings about the files of a published log: its last leaf, its last release, and what this machine signed last.

Few files are read, however large the log is: `ldcat publish` and `ldcat rebuild` read the whole history.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from dataclasses import dataclass, field

from catalog.errors import FalseRecord, LdcatError, Unreadable, VerificationFailed
from catalog.fast.beneath import IS_LINK, Files
from catalog.files import inputs
from catalog.files.writer import is_partial
from catalog.log.log_folder import CHECKPOINT, REVOCATIONS, LastCheckpoint, LogFolder, release_path
from catalog.log.log_reader import LogReader
from catalog.log.log_walk import LogWalk
from catalog.log.records import ReleaseRecord, parse_record
from catalog.operate.finding import Finding, error, note, warning
from catalog.rows.unknown import NEWER, unknown_technology
from catalog.store import manifest
from catalog.store.manifest import parse_manifest
from catalog.transparency import merkle
from catalog.transparency.checkpoint import Checkpoint
from catalog.transparency.tiles import WIDTH, Store, TileReader, tile_path, tile_width
from catalog.transparency.trust import Trust
from catalog.verify.release_check import check_last_release

_RESTORE = "restore it from another copy of the log, such as the host's"


@dataclass(slots=True)
class LastLeaf:
    """The last leaf of a log.

    release: its release record; None if it cannot be read.
    findings: why, and what else is wrong there.
    """

    release: ReleaseRecord | None = None
    findings: list[Finding] = field(default_factory=list)


def read_last_leaf(log: LogFolder, checkpoint: Checkpoint) -> LastLeaf:
    """Read the last leaf, and verify its entry and the tiles that lead from it to the root."""
    found = LastLeaf()
    last = checkpoint.size - 1
    if last < 0:
        found.findings.append(error(CHECKPOINT, "the log has no leaves", "ldcat publish"))
        return found
    tiles = _PatientReader(log, checkpoint.size)
    leaf_hash = tiles.node(0, last)
    hashes = merkle.inclusion_proof(last, checkpoint.size, tiles.node)
    for (level, number), why in tiles.failed.items():
        found.findings.append(
            error(tile_path(level, number, tile_width(checkpoint.size, level, number)), why, _RESTORE)
        )
    try:
        if not tiles.failed:
            merkle.verify_inclusion(leaf_hash, last, checkpoint.size, hashes, checkpoint.root)
    except VerificationFailed:
        found.findings.append(error("tiles", "do not lead from the last leaf to the root of the checkpoint", _RESTORE))
    number, at = divmod(last, WIDTH)
    try:
        leaf = TileReader(log, checkpoint.size).entries(number)[at]
        if merkle.leaf_hash(leaf) != leaf_hash and (0, number) not in tiles.failed:
            raise VerificationFailed(f"entry {last} does not match its tile")
        record = parse_record(leaf)
    except LdcatError as failure:
        found.findings.append(
            error(tile_path(None, number, tile_width(checkpoint.size, 0, number)), str(failure), _RESTORE)
        )
        return found
    if isinstance(record, ReleaseRecord):
        found.release = record
    else:
        what = f"leaf {last}, the last one, is not a release record"
        found.findings.append(error(CHECKPOINT, what, "only ldcat publish may sign a checkpoint of this log"))
    return found


def release_findings(log: LogFolder, release: ReleaseRecord) -> Iterator[Finding]:
    """Yield findings about the folder of the release: its manifest, the files in the manifest, the revocations."""
    folder = release_path(release.release)
    named = {manifest.NAME: release.artifacts.get(manifest.NAME), REVOCATIONS: release.revocations_sha256}
    for name, sha256 in named.items():
        try:
            if hashlib.sha256(log.read(f"{folder}/{name}", inputs.MAX_TEXT_SIZE)).hexdigest() != sha256:
                raise VerificationFailed(f"is not the file that release {release.release} names")
        except LdcatError as failure:
            yield error(f"{folder}/{name}", str(failure), _RESTORE)
        else:
            if name == manifest.NAME and log.is_here:
                yield from _listed_findings(log, folder)


def record_findings(
    log: LogFolder, checkpoint: Checkpoint, trust: Trust, now: int, walk: LogWalk | None
) -> Iterator[Finding]:
    """Yield a finding if the last release record or its revocations do not follow from the leaves.

    Files that cannot be read are found elsewhere. walk: as for `check_last_release`.
    """
    reader = LogReader(log, checkpoint)
    try:
        last = check_last_release(log, reader, checkpoint, trust_version=trust.version, now=now, walk=walk)
        yield from (note("entries", one.text, NEWER) for one in last.unknown)
    except FalseRecord as failure:
        yield error("release record", str(failure), "ldcat publish makes a correct release")
    except LdcatError:
        return


def memory_findings(
    log: LogFolder, published: Checkpoint | None, origin: str, memory: LastCheckpoint, *, compares: bool = True
) -> Iterator[Finding]:
    """Compare what this machine signed last of a log with what is published. compares: as for `examine`."""
    try:
        signed = memory.checkpoint()
    except LdcatError as failure:
        yield error(str(memory.path), str(failure), "ldcat publish refuses to continue; find out what changed the file")
        return
    if signed is None and published and not compares:
        what = "this machine has not signed this log before: whether releases are missing here cannot be told"
        yield warning(origin, what, "compare it with what is served: ldcat doctor --url URL")
    if signed is None or signed == published:
        return
    size = 0 if published is None else published.size
    try:
        if signed.size > size:
            if merkle.root_hash(signed.size, TileReader(log, signed.size).node) != signed.root:
                raise VerificationFailed("the folder has other leaves")
        elif published is not None:
            proof = merkle.consistency_proof(signed.size, size, TileReader(log, size).node)
            merkle.verify_consistency(signed.size, size, proof, signed.root, published.root)
    except Unreadable:
        more = "more than the folder has" if signed.size > size else "and tiles that lead to them are missing"
        what = f"{signed.size} leaves were signed here last, {more}: {size} are published"
        yield error(origin, what, "publish nothing: find out whether a backup was restored, or who else has the keys")
        return
    except LdcatError as failure:
        what = f"{signed.size} leaves were signed here last, and the {size} published are not consistent: {failure}"
        yield error(origin, what, "publish nothing: find out whether a backup was restored, or who else has the keys")
        return
    if signed.size > size:
        what = f"{signed.size} leaves were signed here last, and {size} are published"
        yield error(origin, what, "ldcat publish publishes the signed checkpoint")
    else:
        what = f"{signed.size} leaves were signed here last, and {size} are published, which extend them"
        yield note(origin, what, "nothing, if another machine publishes too")


def leftover_findings(log: LogFolder, release: ReleaseRecord | None) -> Iterator[Finding]:
    """Yield files of a run that was interrupted or is in progress, and symbolic links, which are not followed."""
    if not log.is_here:
        return
    advice = "the next ldcat publish removes it"
    for name, kind in inputs.walked(Files(log.root)):
        if is_partial(name.rpartition("/")[2]):
            yield note(name, "is of an interrupted run, or is being written now", advice)
        elif kind == "link":
            yield error(name, IS_LINK, "replace it by its target, or remove it")
    following = None if release is None else release_path(release.release + 1)
    if following is not None and log.has(following):
        yield note(following, "is of a release that is not published, or not yet", advice)


def _listed_findings(log: LogFolder, folder: str) -> Iterator[Finding]:
    """Yield files of the manifest whose size is wrong. Nothing is hashed here: `ldcat lookup` hashes what it reads."""
    try:
        found = parse_manifest(log.read(f"{folder}/{manifest.NAME}", inputs.MAX_TEXT_SIZE))
    except LdcatError as failure:
        yield error(f"{folder}/{manifest.NAME}", str(failure), "build the catalog again, and publish it")
        return
    for technology, of_it in found.unknown.items():
        yield note(f"{folder}/{technology}", unknown_technology(technology, of_it.rows, "not looked at").text, NEWER)
    for name, entry in found.files.items():
        if log.size(f"{folder}/{name}") != entry.size:
            yield error(f"{folder}/{name}", f"is missing, or does not have {entry.size} bytes", _RESTORE)


class _PatientReader(TileReader):
    """Reads zeros for a tile that cannot be read. failed: why, by level and number of the tile."""

    def __init__(self, store: Store, size: int) -> None:
        super().__init__(store, size)
        self.failed: dict[tuple[int, int], str] = {}

    def tile(self, level: int, number: int) -> bytes:
        try:
            return super().tile(level, number)
        except LdcatError as failure:
            self.failed[level, number] = str(failure)
            return bytes(WIDTH * merkle.HASH_SIZE)
