"""Publish: append rows and endorsed digests of a catalog to a log, and its files as the artifacts of a release.

Everything is written under new names and synced before the checkpoint that includes it replaces the old one. So the
previous release stays intact whatever happens, and the next run continues.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import chain
from typing import TYPE_CHECKING

from catalog.errors import Unreadable, UntrustedSigner, UsageError, VerificationFailed
from catalog.log.leaves.kept_rows import KeptRows
from catalog.log.log_folder import CHECKPOINT, REVOCATIONS, LastCheckpoint, LogFolder, release_path
from catalog.log.log_history import History, read_history
from catalog.log.records import ReleaseRecord, RevokeRecord, encode_leaf, parse_record
from catalog.log.release_rules import MAX_TRUST_STEP, Before, revocations_json
from catalog.log.revocation_chain import RevocationChain
from catalog.publish.append_leaves import append_leaves
from catalog.publish.catalog_tables import catalog_tables
from catalog.publish.pack_of_log import remove_packs, write_pack
from catalog.rows.unknown import NEWER, unknown_technology
from catalog.store import manifest
from catalog.store.endorsements import read_endorsements
from catalog.store.manifest import CatalogFiles
from catalog.transparency import merkle
from catalog.transparency.checkpoint import Checkpoint
from catalog.transparency.keys import SignatureType, Signer
from catalog.transparency.note import Note, Signature
from catalog.transparency.tiles import TileReader
from catalog.transparency.trust import MAX_AHEAD, Trust

if TYPE_CHECKING:
    from catalog.publish.catalog_tables import Tables


@dataclass(frozen=True, slots=True)
class Published:
    """The result of publishing.

    checkpoint: the published checkpoint.
    release: number of the last release.
    trust_version: in its release record.
    new_rows, new_endorsed: number of digest records and of endorsed digests that were added.
    new_revoked: how many of them earlier revocations revoke.
    selected: number of rows and endorsed digests that the new revocations select.
    false: statements of earlier release records that do not follow from the log, one line each.
    time: in the last release record, in seconds since 1970.
    """

    checkpoint: Checkpoint
    release: int
    trust_version: int | None
    new_rows: int
    new_endorsed: int
    new_revoked: int
    selected: int
    false: tuple[str, ...]
    time: int


def publish(
    catalog: CatalogFiles,
    log: LogFolder,
    signers: Sequence[Signer],
    state: LastCheckpoint,
    *,
    tables: Tables | None = None,
    revokes: Sequence[RevokeRecord] = (),
    unchanged: bool = False,
    trust: Trust | None = None,
    lower_trust_version: bool = False,
    now: int,
) -> Published:
    """Append what the log does not have yet, and sign the checkpoint.

    signers: keys of the log, all named by its origin.
    state: the checkpoint that this machine signed last.
    tables: the rows of the catalog, if somebody reads them already: as catalog_tables.
    revokes: revoke records to append.
    unchanged: whether the catalog has to be that of the last release.
    trust: the trust note that the publisher uses from now on; None for the one in the last release record.
    lower_trust_version: whether its version may be below that of the last release, which was named by mistake.
    now: seconds since 1970.
    Raises UsageError for keys that are not of one log, for a catalog that contradicts live rows or lacks some of its
    rows, for a catalog or a log of a later version of ldcat, for revocations that change nothing, and for a trust note
    that is not of this log or out of bounds; VerificationFailed for a log that is not the one published before, and for
    an expired trust note; and as read_history.
    """
    for name, entry in catalog.manifest.unknown.items():
        raise UsageError(unknown_technology(name, entry.rows, "not published").text, NEWER)
    if not log.root.exists():  # what is refused is refused before the lock makes the folder: a copy goes there
        _settled(log, signers, state)
    with log.locked():
        log.clear()
        old = _settled(log, signers, state)
        history = read_history(log, old, revokes, now=now, folder=None if unchanged else log.root)
        for why in history.walk.unknown.notes("not compared with what is published"):
            raise UsageError(why.text, NEWER)
        history.check()
        last, before = history.release, history.walk.before
        trust_version = _trust_version(trust, signers, before, now, lower=lower_trust_version)
        false = tuple(f"release {each.record.release}: {why}" for each in history.walk.releases for why in each.false)
        listed = catalog.manifest.to_json()
        artifacts = {manifest.NAME: hashlib.sha256(listed).hexdigest()}
        if unchanged and (not last or last.artifacts != artifacts):
            raise UsageError("another release was published in the meantime", "run the command again")
        rows = KeptRows(log.root) if unchanged else history.new_rows(tables or catalog_tables(catalog))
        endorsed = history.new_endorsed(() if unchanged else read_endorsements(catalog).records)
        selected = sum(found.total() for found in history.selected)
        if history.revokes[-len(revokes) :] == tuple(revokes):  # already appended by an interrupted run
            revokes = ()
        same = last and (last.artifacts, last.trust_version) == (artifacts, trust_version)
        lately_false = any(each.false for each in history.walk.releases[-2:])  # clients of a host compare these two
        if not rows and not endorsed and not revokes and last and same and not lately_false:
            write_pack(log, old, last.release, catalog)  # a log of an earlier version has none
            remove_packs(log, old.size)
            return Published(old, last.release, trust_version, 0, 0, 0, selected, false, last.time)
        _check_revokes(revokes, history)
        if now < before.time <= now + MAX_AHEAD:  # a time further ahead is false, and ignored
            raise UsageError("the clock is behind the time of the last release", "set it: times never go back")
        number = before.number + 1
        all_revokes = (*history.revokes, *revokes)
        record = _release_record(number, now, artifacts, all_revokes, old, trust_version)
        last_leaves = [*map(encode_leaf, endorsed), *map(encode_leaf, revokes), encode_leaf(record)]
        for leaf in last_leaves:
            parse_record(leaf)  # a leaf that nobody can read would end the log
        folder = release_path(number)
        if all(each.record.release != number for each in history.walk.releases):
            log.clear(folder)  # left by an interrupted run, not published
        files = {f"{folder}/{manifest.NAME}": listed, f"{folder}/{REVOCATIONS}": revocations_json(all_revokes)}
        files_of_release = chain(_artifacts(catalog, log, folder, last), files.items())
        new = append_leaves(log, old, rows, history.groups, last_leaves, files_of_release)
        write_pack(log, new, number, catalog)
        signed = Note(str(new), tuple(Signature(s.key.name, s.key.key_id, s.sign(str(new), now)) for s in signers))
        state.write(signed)
        log.write([(CHECKPOINT, bytes(signed))])
        remove_packs(log, new.size)
        added = (len(rows), len(endorsed), history.new_revoked)
        return Published(new, number, trust_version, *added, selected, false, now)


def _release_record(
    number: int,
    now: int,
    artifacts: dict[str, str],
    all_revokes: Sequence[RevokeRecord],
    old: Checkpoint,
    trust_version: int | None,
) -> ReleaseRecord:
    """The record of a new release. all_revokes: every revoke record of the log, those of this release included."""
    committed = RevocationChain.of(all_revokes)
    return ReleaseRecord(
        type="release",
        release=number,
        time=now,
        artifacts=artifacts,
        revocations_sha256=hashlib.sha256(revocations_json(all_revokes)).hexdigest(),
        revocations_count=committed.count,
        revocations_chain=committed.value,
        previous_size=old.size,
        previous_root=old.root.hex(),
        trust_version=trust_version,
    )


def _find_origin(signers: Sequence[Signer]) -> str:
    names = {signer.key.name for signer in signers}
    kinds = {signer.key.type for signer in signers}
    if len(names) != 1 or not kinds <= {SignatureType.ED25519, SignatureType.COSIGNATURE_ML_DSA_44}:
        raise UsageError("the keys are not signing keys of one log", "ldcat keygen makes them for a log")
    return names.pop()


def _check_revokes(revokes: Sequence[RevokeRecord], history: History) -> None:
    for record, found in zip(revokes, history.selected, strict=False):
        if not found:
            raise UsageError(
                f"the log has no row or endorsed digest with {record.selector_text}", "one has to match all of them"
            )
        if record.severity == "restored" and set(found) == {None}:
            raise UsageError(
                f"nothing with {record.selector_text} is revoked or deprecated", "there is nothing to restore"
            )


def _trust_version(
    trust: Trust | None, signers: Sequence[Signer], before: Before, now: int, *, lower: bool
) -> int | None:
    """The trust version of the next release record; None if no trust note was ever named."""
    named = before.trust_version or None
    if trust is None:
        return named
    trust.check_expiry(now)
    for signer in signers:
        if signer.key not in trust.policy.logs:
            key = f"{signer.key.name}+{signer.key.key_id.hex()}"
            raise UsageError(f"the trust note does not name the key {key}", "its policy needs a log line with this key")
    keys = [signer.key for signer in signers]
    for missing in trust.policy.logs if trust.all_log_signatures else ():
        if missing.name == keys[0].name and missing not in keys:
            raise UsageError(
                f"the trust note demands all signatures of the log, and {missing.type.title} is missing",
                "publish with the file that has all keys of the log",
            )
    if trust.version < before.trust_version and not lower:
        raise UsageError(
            f"version {trust.version} of the trust note is older than version {named} in the last release",
            "give the newest one; or --lower-trust-version, if the later version never existed",
        )
    if trust.version > before.trust_version + MAX_TRUST_STEP:
        raise UsageError(
            f"version {trust.version} of the trust note is more than {MAX_TRUST_STEP} versions after {named or 0}",
            "clients would reject it",
        )
    return trust.version


def _settled(log: LogFolder, signers: Sequence[Signer], state: LastCheckpoint) -> Checkpoint:
    """The published checkpoint, which extends the one that this machine signed last; an empty one for a new log.

    A checkpoint that was signed but not published is published now: its leaves were synced before it was signed.
    """
    nothing = Checkpoint(_find_origin(signers), 0, merkle.EMPTY_ROOT)
    keys = [signer.key for signer in signers]
    published, signed = log.checkpoint(), state.read()
    for note in (published, signed):
        if note:
            try:
                note.verify(keys)
            except UntrustedSigner as error:
                hint = "give the keys of this log: --key FILE; its folder: --log DIR"
                raise UntrustedSigner(f"none of the keys of {nothing.origin} signed {log.root}", hint) from error
    current = Checkpoint.parse(published.text) if published else nothing
    if signed is None:
        return current
    last = Checkpoint.parse(signed.text)
    if current.origin != last.origin:
        raise VerificationFailed(f"{log.root} is the log {current.origin}, not {last.origin}")
    if current.size < last.size:
        try:
            root = merkle.root_hash(last.size, TileReader(log, last.size).node)
        except Unreadable as error:
            found = f"{current.size:,} leaves of {last.origin}" if published else "no log"
            raise VerificationFailed(
                f"{log.root} has {found}, and this machine signed {last.size:,} leaves of it",
                f"name the log's folder, or copy it back; {state.forgetting}",
            ) from error
        if root != last.root:
            raise VerificationFailed(
                f"{log.root} is older than the checkpoint signed last, and has other leaves", state.copy_back
            )
        log.write([(CHECKPOINT, bytes(signed))])
        return last
    proof = merkle.consistency_proof(last.size, current.size, TileReader(log, current.size).node)
    try:
        merkle.verify_consistency(last.size, current.size, proof, last.root, current.root)
    except VerificationFailed as error:
        what = f"{log.root} is not consistent with the {last.size:,} leaves that this machine signed last: {error}"
        raise VerificationFailed(what, state.copy_back) from error
    return current


def _artifacts(
    catalog: CatalogFiles, log: LogFolder, folder: str, last: ReleaseRecord | None
) -> Iterator[tuple[str, bytes]]:
    """The files of the catalog to write; those that equal a file of the last release are hard-linked instead."""
    for name in catalog.manifest.files:
        data = catalog.verified(name)
        if not last or not log.link(f"{release_path(last.release)}/{name}", f"{folder}/{name}", data):
            yield f"{folder}/{name}", data
