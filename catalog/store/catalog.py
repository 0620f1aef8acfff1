"""Catalog: a catalog folder, open for reading; every file is verified against the manifest before it is used."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol

from catalog.abi.digest import LaunchDigest
from catalog.abi.kernel_hashes import KernelHashes
from catalog.errors import MalformedRecord, Unreadable, VerificationFailed
from catalog.fast.beneath import Files
from catalog.files import inputs
from catalog.firmware.build import FirmwareBuild
from catalog.imports.endorsed_facts import Base
from catalog.launch.profile import VmmProfile
from catalog.launch.technology import technology_named
from catalog.launch.vcpu_types import VcpuTypes
from catalog.notes import Note
from catalog.rows.launch_config import LaunchComponents
from catalog.rows.unknown import unknown_technology
from catalog.store import manifest
from catalog.store.components import Components
from catalog.store.manifest import FileEntry, Manifest, parse_manifest
from catalog.work.unlocked_property import cached_property

if TYPE_CHECKING:
    from catalog.fast.published import PublishedRelease
    from catalog.files.direct_io import ScratchBuffer
    from catalog.log.revocation_list import Revocation
    from catalog.store.endorsements import Endorsements


class RowSource(Protocol):
    """Finds rows by their launch digest without the files of a catalog; see range_lookup.py."""

    def rows(self, digest: LaunchDigest) -> Iterator[dict[str, Any]]:
        """Every row that has the digest, by column."""


@dataclass(frozen=True)
class Catalog:
    """An open catalog. Each file is read, and verified, when it is needed.

    files: the folder that the files are read from.
    manifest_sha256: of manifest.json, in hex.
    release: the release that this catalog belongs to; None if it is not published.
    fetcher: fetches a file into the folder, for a catalog on a host.
    ranger: opens the ranges that a host serves; see docs/ranges.md.
    """

    files: Files
    manifest: Manifest
    manifest_sha256: str
    release: PublishedRelease | None = None
    fetcher: Callable[[str, FileEntry], None] | None = None
    ranger: Callable[[Catalog], RowSource | None] | None = None

    @classmethod
    def open(cls, folder: Path | Files) -> Catalog:
        """Read the manifest; raises Unreadable if there is no catalog, MalformedRecord if the manifest is invalid."""
        return cls._open(folder if isinstance(folder, Files) else Files(folder), None)

    @classmethod
    def open_release(cls, release: PublishedRelease) -> Catalog:
        """The catalog of a release; raises as `open`, and VerificationFailed if the release names another manifest."""
        return cls._open(release.files, release)

    @classmethod
    def _open(cls, files: Files, release: PublishedRelease | None) -> Catalog:
        path = Path(files.path, manifest.NAME)
        try:
            there = files.has(manifest.NAME)
        except (OSError, ValueError) as error:
            raise inputs.unreadable(path, error) from error
        if not there:
            raise Unreadable(f"no catalog at {files.path}", "make one with: ldcat build")
        text = inputs.read_file_beneath(files, manifest.NAME, limit=inputs.MAX_TEXT_SIZE)
        sha256 = hashlib.sha256(text).hexdigest()
        if release and sha256 != release.manifest_sha256:
            raise VerificationFailed(
                f"{path} is not the manifest that release {release.number} of {release.origin} names"
            )
        opened = parse_manifest(text)
        for name, entry in opened.known.items():
            if entry.digest_size != technology_named(name).digest_size:
                raise MalformedRecord(f"{manifest.NAME}: {entry.digest_size} bytes is not the size of a {name} digest")
        return cls(files, opened, sha256, release)

    @property
    def folder(self) -> Path:
        """The folder of its files."""
        return Path(self.files.path)

    @property
    def location(self) -> str:
        """Where it is, for messages: the folder, or the location of the release."""
        return self.release.location if self.release else str(self.folder)

    @cached_property
    def notes(self) -> tuple[Note, ...]:
        """What this version does not know of the catalog, and of the log that it is published in."""
        unknown = self.manifest.unknown.items()
        rows = (unknown_technology(name, entry.rows, "not searched") for name, entry in unknown)
        return (*rows, *(self.release.notes if self.release else ()))

    def need(self, name: str) -> None:
        """Make sure that a file is in the folder. Raises the errors of `fetcher`, such as Unreadable."""
        if self.fetcher and name in self.manifest.files:
            self.fetcher(name, self.manifest.files[name])

    def verified(self, name: str) -> bytes:
        """The bytes of a file. Raises VerificationFailed if they differ from the manifest, MalformedRecord if it does
        not list the file, Unreadable, and as `need`.
        """
        entry = self._listed(name)
        data = inputs.read_beneath(self.files, name, entry.size + 1)
        self._check(name, data, entry)
        return data

    def verified_in(self, buffer: ScratchBuffer, name: str) -> memoryview:
        """As `verified`, in the buffer of this thread: valid until the buffer is used again."""
        entry = self._listed(name)
        data = inputs.read_into(self.files, name, buffer, entry.size + 1)
        self._check(name, data, entry)
        return data

    def verify(self) -> None:
        """Compare every file with the manifest, and each component with what it is derived from.

        Raises VerificationFailed or Unreadable for the first difference.
        """
        for name in self.manifest.files:
            self.verified(name)
        self.check_components()

    @cached_property
    def revocations(self) -> Sequence[Revocation]:
        """The revocations of its log, newest last; empty if it is not published."""
        if self.release is None:
            return ()
        from catalog.log.revocation_list import read_revocations

        return read_revocations(self.release)

    @cached_property
    def endorsements(self) -> Endorsements:
        """The launch digests that somebody endorses, and which of these are revoked. Raises as `read_endorsements`."""
        from catalog.store.endorsements import read_endorsements

        return read_endorsements(self, self.revocations)

    @cached_property
    def ranges(self) -> RowSource | None:
        """The ranges of the catalog on its host; None if it has none. Raises as `ranger`: Unreadable, MalformedRecord
        for an invalid index of ranges.
        """
        return self.ranger(self) if self.ranger else None

    @cached_property
    def components(self) -> Components:
        """The component files as they are. The other properties of this class check a file before they use it."""
        return Components(self)

    @property
    def vcpu_types(self) -> VcpuTypes:
        return self.components.vcpu_types

    @cached_property
    def profiles(self) -> Mapping[str, VmmProfile]:
        """The VMM profiles by name that rows of this catalog were measured with."""
        self._check_follows(manifest.VMM_FOLDER)
        return {profile.name: profile for profile in self.components.profiles.values()}

    @cached_property
    def firmware(self) -> Mapping[bytes, list[dict[str, Any]]]:
        """Rows of the firmware table by what identifies the image: its SHA-256, or the SNP baseline if that is unknown.

        Several builds may have the same image.
        """
        self._check_follows(manifest.FIRMWARE)
        return _grouped(self.components.firmware, "sha256", "snp_baseline")

    @cached_property
    def bases(self) -> Mapping[bytes, list[Base]]:
        """The bases by their launch digest; several publishers may have the same."""
        self._check_follows(manifest.BASES)
        grouped: dict[bytes, list[Base]] = {}
        for base in self.components.bases:
            grouped.setdefault(base.digest, []).append(base)
        return grouped

    @cached_property
    def builds(self) -> Mapping[str, FirmwareBuild]:
        """The builds of the catalog by name, from their records: no image is needed to measure them."""
        self._check_follows(manifest.FIRMWARE)
        self._check_follows(manifest.TDX_FIRMWARE)
        return {build.name: build for build in self.components.builds}

    @cached_property
    def kernel_hashes(self) -> Mapping[bytes, list[dict[str, Any]]]:
        """Rows of the kernel hashes table by SHA-256 of the 176-byte table."""
        self._check_follows(manifest.KERNEL_HASHES)
        return _grouped(self.components.kernel_hashes, "table_sha256")

    @cached_property
    def tables(self) -> Mapping[str, KernelHashes]:
        """The hashes in each kernel hashes table, by SHA-256 of the table in hex."""
        return {
            sha256.hex(): KernelHashes(
                kernel=rows[0]["kernel_sha256"], initrd=rows[0]["initrd_sha256"], cmdline=rows[0]["cmdline_sha256"]
            )
            for sha256, rows in self.kernel_hashes.items()
        }

    @cached_property
    def launch_components(self) -> LaunchComponents:
        """The components of the rows, from which every row can be measured again."""
        images = {build.component.key: build.component for build in self.builds.values()}
        tables = {bytes.fromhex(sha256): hashes for sha256, hashes in self.tables.items()}
        _ = self.bases  # which are checked when they are read
        return LaunchComponents(images, tables, self.profiles, self.components.launch_bases)

    @cached_property
    def launchable(self) -> Mapping[tuple[str, str], dict[str, Any]]:
        """Launchability by build name and technology."""
        self._check_follows(manifest.LAUNCHABLE)
        return {(row["firmware"], row["technology"]): row for row in self.components.launchable}

    def check_components(self) -> None:
        """Raises VerificationFailed if a component contradicts what it is derived from, and as `verified`."""
        self._check_follows(None)

    def false(self, file: str, fault: str) -> VerificationFailed:
        """The error for a file that contradicts what it is derived from."""
        return VerificationFailed(
            f"{self.location}: {file} contradicts the data it is derived from: {fault}",
            "this is not damage: the catalog was published this way; ldcat audit lists everything that is wrong",
        )

    def _check_follows(self, file: str | None) -> None:
        from catalog.store.follows import faults  # most commands check nothing

        for derived, fault in faults(self.components, file):
            raise self.false(derived.file, fault)

    def _listed(self, name: str) -> FileEntry:
        """The manifest entry of a file, after `need` of it."""
        if (entry := self.manifest.files.get(name)) is None:
            raise MalformedRecord(f"{manifest.NAME} does not list {name}")
        self.need(name)
        return entry

    def _check(self, name: str, data: bytes | memoryview, entry: FileEntry) -> None:
        if len(data) != entry.size or hashlib.sha256(data).hexdigest() != entry.sha256:
            raise VerificationFailed(
                f"{self.files.path}/{name} is not the file its manifest names",
                "it was damaged or changed; build the catalog again or fetch it anew",
            )


def _grouped(rows: Iterable[dict[str, Any]], *keys: str) -> Mapping[bytes, list[dict[str, Any]]]:
    """The rows by the first of some columns that is not null."""
    grouped: dict[bytes, list[dict[str, Any]]] = {}
    for row in rows:
        grouped.setdefault(next(row[key] for key in keys if row[key] is not None), []).append(row)
    return grouped
