"""Parsers of data from logs, witnesses and publishers; signed or hashed data has exactly one accepted encoding."""

from __future__ import annotations

import json
import tempfile
from collections.abc import Callable
from contextlib import suppress
from functools import cache
from pathlib import Path

from catalog import notes
from catalog.errors import MalformedInput, MalformedRecord
from catalog.export.sidecar import DescribedFile, StatedSettings, make_sidecar, read_sidecar
from catalog.fast.folder_location import locate
from catalog.fast.published import PublishedRelease, Remembered
from catalog.files.plain_json import canonical_json
from catalog.log.file_pack import format_pack, leaf_name, parse_pack
from catalog.log.leaves.leaf_block import LeafBlock
from catalog.log.leaves.read_leaves import log_parts
from catalog.log.records import (
    AnyRecord,
    ReleaseRecord,
    RevokeRecord,
    UnknownRecord,
    encode_leaf,
    parse_record,
)
from catalog.log.revocation_list import Revocation, parse_revocations
from catalog.log.revocations import Revocations
from catalog.log.seen import Seen
from catalog.prove import bundle_forms
from catalog.prove.proof_bundle import ProofBundle
from catalog.prove.verdict import Outcome, verdict_to_dict
from catalog.prove.verify_proof import verify_bundle
from catalog.publish.key_files import new_key, read_keys, write_keys
from catalog.rows.digest_record import DigestRecord
from catalog.store import ranges
from catalog.store.endorsements import endorsements_file, parse_endorsements
from catalog.store.ranges import RangeIndex
from catalog.transparency import merkle
from catalog.transparency.checkpoint import Checkpoint
from catalog.transparency.keys import SignatureType, VerifierKey
from catalog.transparency.note import Note
from catalog.transparency.policy import Policy
from catalog.transparency.proof import InclusionProof, TlogProof
from catalog.transparency.tiles import format_bundle, parse_bundle
from catalog.transparency.trust import Trust, read_unsigned
from catalog.transparency.witness import AddCheckpoint, parse_conflict, parse_cosignatures
from catalog.verify.location import parse_location
from tests.fuzz.target import Target
from tests.support.endorsed_digests import endorsed, listed
from tests.support.exports import export_of
from tests.support.logs import LOG, NOW, MemoryLog, signature, signed, signer
from tests.support.proof_bundles import in_format_1
from tests.support.trust_notes import ROOT, trust_text

WITNESS = signer("w.example", SignatureType.COSIGNATURE_ED25519)
POLICY = f"log {LOG.key}\nwitness w {WITNESS.key} https://w.example\ngroup one any w\nquorum one\n"
TRUST = trust_text(POLICY, expires=NOW + 9, max_age=9)
SHA256 = "ab" * 32

RANGES = RangeIndex(
    manifest_sha256=SHA256,
    prefix_bits=9,
    entry_size=ranges.FRAGMENT + 1,
    axes={
        "technology": ["sev", "sev-snp"],
        "firmware_sha256": [SHA256],
        "kernel_hashes_sha256": [None, SHA256],
        "vmm": [None, "a"],
        "vcpu_signature": [None, 0xA00F11],
        "sev_features": [None, 1],
        "vcpus": [None, 1, 2, 3],
    },
)

ROW = DigestRecord(
    type="digest",
    launch_digest="cd" * 48,
    technology="sev-snp",
    firmware_sha256=SHA256,
    kernel_hashes_sha256=None,
    vmm="qemu-kvm-init2",
    vcpus=2,
    vcpu_signature="0x00a00f11",
    sev_features="0x1",
)
REVOKED = Revocation(selector={"vcpus": 3}, severity="revoked", reason="a reason")


@cache
def _leaf(data: bytes) -> bytes:
    """A leaf of an unknown type only has to be canonical."""
    record = parse_record(data)
    return canonical_json(json.loads(data)) if isinstance(record, UnknownRecord) else encode_leaf(record)


def _row(data: bytes) -> None:
    """A leaf after a row, read together with it and once more, is what it is by itself, or malformed."""
    log, expected, found = MemoryLog(), list[AnyRecord | None](), list[AnyRecord | None]()
    log.append([encode_leaf(ROW), data, data])
    with suppress(MalformedRecord):
        expected = [ROW, *[parse_record(data)] * 2]
    with suppress(MalformedRecord):
        parts = list(log_parts(log.reader, 0, 3, rows=True))
        leaves = [leaf for part in parts for leaf in (part.leaves() if isinstance(part, LeafBlock) else [part])]
        found = [leaf.record for leaf in leaves]
    assert found == expected


def _bundle() -> ProofBundle:
    """A proof bundle of a log with one release and one row."""
    release = ReleaseRecord(
        type="release",
        release=1,
        time=NOW,
        artifacts={"manifest.json": SHA256},
        revocations_sha256=_revocations_sha256(),
        previous_size=0,
        previous_root=merkle.EMPTY_ROOT.hex(),
        trust_version=None,
    )
    log, leaves = MemoryLog(), [encode_leaf(ROW), encode_leaf(release)]
    log.append(leaves)
    note = signed(str(log.checkpoint(LOG.key.name)), LOG, WITNESS)
    proofs = [
        InclusionProof(index, tuple(merkle.inclusion_proof(index, 2, log.reader.node)), leaf)
        for index, leaf in enumerate(leaves)
    ]
    return ProofBundle(note, proofs[0], proofs[1], (REVOKED,))


def _one_form(parse: Callable[[bytes], bytes]) -> Callable[[bytes], None]:
    """Everything a parser accepts is what it would write."""

    def parsed(data: bytes) -> None:
        assert parse(data) == data

    return parsed


def _sidecars() -> list[bytes]:
    export, file = export_of(2), DescribedFile(name="values.json", size=3, sha256="0" * 64)
    old, settings = [notes.Note("deprecated", "old")], StatedSettings(policy="0x30000", guest_svn=2)
    return [bytes(make_sidecar("check", export.source, export.digests, [file], old, settings=settings))]


def _text(data: bytes) -> str:
    """Decodes strictly, like notes and lines of keys."""
    try:
        return data.decode("utf-8")
    except UnicodeDecodeError as error:
        raise MalformedInput("not UTF-8") from error


def _trust(data: bytes) -> None:
    note = read_unsigned(data)
    assert str(Trust.parse(note.text)) == note.text


def _verdict(data: bytes) -> None:
    """No bundle raises an error, and only the original one is a match."""
    trust, newer = Trust.parse(TRUST), Seen(Checkpoint(LOG.key.name, 3, bytes(32)))
    verdict = verify_bundle(data, trust, now=NOW, seen={}, digest=None)
    verdict_to_dict(verdict)
    older = verify_bundle(data, trust, now=NOW, seen={LOG.key.name: newer}, digest=None, accept_older=9)
    assert (older.row, older.newest) == (verdict.row, None)
    if verdict.outcome is Outcome.MATCH:
        assert verdict.row == ROW
    if verdict.row:
        Revocations([REVOKED]).status(verdict.row)


def _revocations_sha256() -> str:
    none = InclusionProof(0, ())
    return ProofBundle(Note("x\n", ()), none, none, (REVOKED,)).revocations_sha256


def _remembered(data: bytes) -> None:
    with tempfile.TemporaryDirectory() as folder:
        memory = Remembered(folder, locate("/log"), b"trust")
        path = Path(memory.path)
        path.parent.mkdir()
        path.write_bytes(data)
        memory.origin()
        assert memory.release(NOW) is None


def _memories() -> list[bytes]:
    with tempfile.TemporaryDirectory() as folder:
        release = PublishedRelease(
            log="/log",
            origin=LOG.key.name,
            size=2,
            root=SHA256,
            number=1,
            last=1,
            manifest_sha256=SHA256,
            revocations_sha256=SHA256,
            trust_version=1,
            newer_trust=0,
            fresh_until=NOW + 1,
        )
        memory = Remembered(folder, locate("/log"), b"another trust note")
        return [memory.text(release, b"checkpoint", ("/seen", b"seen"), NOW)]


def _keys(data: bytes) -> None:
    with tempfile.NamedTemporaryFile() as file:  # private to its owner
        file.write(data)
        file.flush()
        read_keys(Path(file.name), None)


def _key_files() -> list[bytes]:
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder, "key")
        write_keys(path, [new_key("example.com/log", SignatureType.ED25519)], None)
        return [path.read_bytes()]


def _requests() -> list[bytes]:
    note = _bundle().checkpoint
    return [bytes(AddCheckpoint(0, (), note)), bytes(AddCheckpoint(1, (bytes(32), b"x" * 32), note))]


def _records() -> list[bytes]:
    revoke = RevokeRecord(type="revoke", selector={"vcpus": 3}, severity="restored", reason="a reason")
    others = [encode_leaf(revoke), encode_leaf(endorsed()), encode_leaf(listed())]
    return [_bundle().row.extra or b"", _bundle().status.extra or b"", *others]


def _tlog_proofs() -> list[bytes]:
    return [bytes(TlogProof(_bundle().row, _bundle().checkpoint))]


def _bundles() -> list[bytes]:
    """In both formats."""
    return [bytes(_bundle()), in_format_1(_bundle())]


def _checkpoint() -> bytes:
    return bytes(_bundle().checkpoint)


def _range_index(data: bytes) -> None:
    index = RangeIndex.parse(data)
    assert len(index.name(bytes(48))) == len(index.name(b"\xff" * 48)) <= 8
    index.find(bytes(index.entry_size), bytes(48))


def _pack(data: bytes) -> None:
    files, leaves = parse_pack(data)
    again = format_pack([*files.items(), *((leaf_name(index), leaf) for index, leaf in leaves.items())])
    assert (parse_pack(again), len(again) <= len(data)) == ((files, leaves), True)


LOG_TARGETS = {
    "note": Target(_one_form(lambda data: bytes(Note.parse(data))), lambda: [_checkpoint()]),
    "checkpoint": Target(
        _one_form(lambda data: str(Checkpoint.parse(_text(data))).encode()),
        lambda: [_bundle().checkpoint.text.encode()],
    ),
    "verifier-key": Target(
        _one_form(lambda data: str(VerifierKey.parse(_text(data))).encode()),
        lambda: [str(by.key).encode() for by in (LOG, WITNESS)],
    ),
    "trust-policy": Target(Policy.parse, lambda: [POLICY.encode()]),
    "trust-note": Target(_trust, lambda: [TRUST.encode(), bytes(signed(TRUST, ROOT))]),
    "tlog-proof": Target(_one_form(lambda data: bytes(TlogProof.parse(data))), _tlog_proofs),
    "proof-bundle": Target(bundle_forms.parse_bundle, _bundles),
    "proof-verdict": Target(_verdict, _bundles),
    "leaf": Target(_one_form(_leaf), _records),
    "row": Target(_row, lambda: [encode_leaf(ROW), *_records()]),
    "revocations": Target(parse_revocations, lambda: [_bundle().revocations_json]),
    "entry-bundle": Target(
        _one_form(lambda data: format_bundle(parse_bundle(data))), lambda: [format_bundle(_records())]
    ),
    "witness-request": Target(_one_form(lambda data: bytes(AddCheckpoint.parse(data))), _requests),
    "witness-answer": Target(
        lambda data: parse_cosignatures(data, _bundle().checkpoint.text, [WITNESS.key]),
        lambda: [f"{signature(WITNESS, _bundle().checkpoint.text)}\n".encode()],
    ),
    "witness-conflict": Target(parse_conflict, lambda: [b"12\n"]),
    "private-keys": Target(_keys, _key_files),
    "remembered": Target(_remembered, _memories),
    "place": Target(lambda data: parse_location(_text(data)), lambda: [b"https://a.example:8443/b/releases/12"]),
    "endorsements": Target(
        _one_form(lambda data: endorsements_file(parse_endorsements(data))),
        lambda: [endorsements_file((endorsed(), listed()))],
    ),
    "sidecar": Target(_one_form(lambda data: bytes(read_sidecar(data, "a sidecar"))), _sidecars),
    "range-index": Target(_range_index, lambda: [bytes(RANGES)]),
    "pack": Target(_pack, lambda: [format_pack([("checkpoint", _checkpoint()), (leaf_name(12), encode_leaf(ROW))])]),
    "range": Target(lambda data: RANGES.find(data, bytes(48)), lambda: [bytes(2 * RANGES.entry_size)]),
}
