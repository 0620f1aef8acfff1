"""The sidecar of an export: a JSON file that says where exported values are from; ldcat reads and writes it.

`-o FILE` writes it beside the file, as FILE.ldcat.json; a folder has it as ldcat-export.json. docs/exports.md describes
its fields.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Sequence
from typing import Annotated, Literal

import msgspec

from catalog.errors import MalformedRecord, VerificationFailed
from catalog.export.exported import Source
from catalog.export.settings import GivenFile
from catalog.notes import Note
from catalog.wire import Wire, decode_json

IN_FOLDER = "ldcat-export.json"
"""Its name in a folder of exported files."""
ENDING = ".ldcat.json"
"""What its name adds to that of an exported file."""
MAX_SIZE = 64 << 20
"""Bytes."""
MOST_LISTED = 1000
"""Launch digests of each kind that a sidecar lists as changed."""

_Hash = Annotated[str, msgspec.Meta(pattern=r"\A[0-9a-f]{64}\Z")]
_Digest = Annotated[str, msgspec.Meta(pattern=r"\A[0-9a-f]{96}\Z")]
_Size = Annotated[int, msgspec.Meta(ge=0, lt=1 << 62)]
_Time = Annotated[str, msgspec.Meta(pattern=r"\A[0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9]{2}:[0-9]{2}:[0-9]{2}Z\Z")]
_Bits = Annotated[str, msgspec.Meta(pattern=r"\A0x(?:0|[1-9a-f][0-9a-f]{0,15})\Z")]
_Id = Annotated[str, msgspec.Meta(pattern=r"\A[0-9a-f]{32}\Z")]
_Hex = Annotated[str, msgspec.Meta(pattern=r"\A(?:[0-9a-f]{2}){1,64}\Z")]
_Part = r"(?!\.{1,2}(?:/|\Z))[^/\x00-\x1f\x7f]+"
_FileName = Annotated[str, msgspec.Meta(min_length=1, max_length=1024, pattern=rf"\A{_Part}(?:/{_Part})*\Z")]
"""Path of a file below the folder that the sidecar is in."""


class NamedCatalog(Wire, frozen=True, kw_only=True):
    """name: of the catalog. manifest_sha256: in hex."""

    name: str
    manifest_sha256: _Hash


class NamedRelease(Wire, frozen=True, kw_only=True):
    """A release of a log, and the checkpoint that it was verified at; root: of the tree, in hex."""

    origin: str
    number: _Size
    size: _Size
    root: _Hash


class DigestSet(Wire, frozen=True, kw_only=True):
    """The distinct digests of an export. sha256: of the digests in ascending order, 48 bytes each."""

    count: Annotated[int, msgspec.Meta(ge=1, lt=1 << 32)]
    sha256: _Hash


class DescribedFile(Wire, frozen=True, kw_only=True):
    """An exported file; size: bytes."""

    name: _FileName
    size: _Size
    sha256: _Hash


class NoteText(Wire, frozen=True, kw_only=True):
    """A note that was printed with the export."""

    code: str
    severity: str
    text: str


class Since(Wire, frozen=True, kw_only=True):
    """The catalog that an export was compared with, by its manifest; release: None if it is not published."""

    manifest_sha256: _Hash
    release: _Size | None


class Added(Wire, frozen=True, kw_only=True):
    """How many launch digests are new, and the first of them, in hex."""

    count: _Size
    digests: Annotated[list[_Digest], msgspec.Meta(max_length=MOST_LISTED)]


class RemovedDigest(Wire, frozen=True, kw_only=True):
    """A launch digest that is exported no more, in hex, and why."""

    launch_digest: _Digest
    reason: str


class Removed(Wire, frozen=True, kw_only=True):
    """How many launch digests are gone, and the first of them."""

    count: _Size
    digests: Annotated[list[RemovedDigest], msgspec.Meta(max_length=MOST_LISTED)]


class Changed(Wire, frozen=True, kw_only=True):
    """What changed since another export of the same selection."""

    since: Since
    added: Added
    removed: Removed


class StatedSettings(Wire, frozen=True, kw_only=True, omit_defaults=True):
    """Settings of an export; None: the format takes no such setting, or it is not given and has no default.

    name: of the reference value. namespace: of the Kubernetes object.
    valid_from: a time in UTC (RFC 3339). days: of validity.
    policy: guest policy, as `0x30000`. guest_svn: 32 bits. family_id, image_id: 16 bytes in hex.
    issuer, issuer_url: of reference values. product: product line of the processor.
    commit: of the firmware's source, in hex. cl_spec: number of the change that it was built from.
    id_key_digest, author_key_digest: SHA-384 of the public keys of ID blocks in hex, as in reports.
    """

    name: str | None = None
    namespace: str | None = None
    valid_from: _Time | None = None
    days: _Size | None = None
    policy: _Bits | None = None
    guest_svn: _Size | None = None
    family_id: _Id | None = None
    image_id: _Id | None = None
    issuer: str | None = None
    issuer_url: str | None = None
    product: str | None = None
    commit: _Hex | None = None
    cl_spec: Annotated[int, msgspec.Meta(ge=0)] | None = None
    id_key_digest: _Digest | None = None
    author_key_digest: _Digest | None = None


class Sidecar(Wire, frozen=True, kw_only=True):
    """Where exported values are from.

    type: of this file. version: of its form.
    format: name of the export format.
    release: None for a catalog that is not published.
    selection: what was selected, by option.
    settings: what is not secret of the settings of the format.
    changes: what `--diff` says about an earlier release; None without it.
    """

    type: Literal["ldcat-export"] = "ldcat-export"
    version: Literal[1] = 1
    format: str
    catalog: NamedCatalog
    release: NamedRelease | None
    selection: dict[str, bool | int | str]
    settings: StatedSettings
    digests: DigestSet
    files: Annotated[list[DescribedFile], msgspec.Meta(min_length=1)]
    notes: list[NoteText]
    changes: Changed | None

    def __bytes__(self) -> bytes:
        """Its canonical form: indented by two spaces, fields in this order, keys of objects without order sorted."""
        return msgspec.json.format(msgspec.json.encode(self, order="deterministic"), indent=2) + b"\n"


def named_release(source: Source) -> NamedRelease | None:
    """The release that rows are from; None if the catalog is not published."""
    if source.origin is None or source.release is None or source.size is None or source.root is None:
        return None
    return NamedRelease(origin=source.origin, number=source.release, size=source.size, root=source.root)


def digest_set(digests: Iterable[bytes]) -> DigestSet:
    """The number and the hash of distinct digests."""
    hashed, count = hashlib.sha256(), 0
    for digest in sorted(digests):
        hashed.update(digest)
        count += 1
    return DigestSet(count=count, sha256=hashed.hexdigest())


def note_texts(notes: Iterable[Note]) -> list[NoteText]:
    """Notes as a sidecar has them."""
    return [NoteText(**note.to_dict()) for note in notes]


def described(name: str, data: bytes) -> DescribedFile:
    """The description of a file whose bytes are all there."""
    return DescribedFile(name=name, size=len(data), sha256=hashlib.sha256(data).hexdigest())


def make_sidecar(
    name: str,
    source: Source,
    digests: Iterable[bytes],
    files: Sequence[DescribedFile],
    notes: Iterable[Note],
    changes: Changed | None = None,
    settings: StatedSettings | None = None,
) -> Sidecar:
    """The sidecar of an export. name: of its format. settings: None: it has none."""
    return Sidecar(
        format=name,
        catalog=NamedCatalog(name=source.catalog, manifest_sha256=source.manifest_sha256),
        release=named_release(source),
        selection=dict(source.selection),
        settings=settings or StatedSettings(),
        digests=digest_set(digests),
        files=list(files),
        notes=note_texts(notes),
        changes=changes,
    )


def read_sidecar(data: bytes, what: str) -> Sidecar:
    """The sidecar in a file. what: its name, for messages.

    Raises MalformedRecord for anything that `bytes` of a Sidecar does not give, such as other fields or their order.
    """
    found = decode_json(data, Sidecar, what)
    if bytes(found) != data:
        raise MalformedRecord(f"{what}: it is not as ldcat export writes it", "export the file again")
    names = [one.name for one in found.files]
    if len(set(names)) < len(names):
        raise MalformedRecord(f"{what}: it names a file twice", "export the files again")
    return found


def sidecar_of(file: GivenFile) -> Sidecar:
    """The sidecar that was beside a file, and describes its bytes.

    Raises VerificationFailed if there is none, or it is of other bytes, and as `read_sidecar`.
    """
    name = file.base_name
    again = "export the file again with ldcat export -o, which writes both"
    if file.sidecar is None:
        raise VerificationFailed(f"{file.name} has no sidecar {name}{ENDING} or {IN_FOLDER} beside it", again)
    found = read_sidecar(file.sidecar, f"the sidecar of {file.name}")
    described = next((one for one in found.files if one.name == name), None)
    if described is None:
        raise VerificationFailed(f"the sidecar of {file.name} does not name it", again)
    if (described.size, described.sha256) != (len(file.data), hashlib.sha256(file.data).hexdigest()):
        raise VerificationFailed(f"{file.name} is not the file that its sidecar describes", again)
    return found
