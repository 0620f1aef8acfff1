"""Export: rows that may be exported, with what an export needs to know beside them; and the files that it becomes."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from catalog.abi.kernel_hashes import KernelHashes
from catalog.errors import UsageError
from catalog.export.settings import Settings
from catalog.firmware.build import FirmwareBuild

SEV_SNP, TDX = "sev-snp", "tdx"
TECHNOLOGIES: Mapping[str, str] = {SEV_SNP: "SEV-SNP", TDX: "TDX"}
"""Those whose launch digests are exported, all of 48 bytes, with their names for people."""


@dataclass(frozen=True, slots=True)
class ExportRow:
    """A launch configuration whose launch digest is exported. None: not measured, or not known.

    digest: 48 bytes.
    firmware: the build; None for an endorsed digest, and for a row that follows from a base.
    kernel_hashes: the hashes of the kernel hashes table; kernel_name, append: its name and its command line.
    vcpu_signature: CPUID Fn0000_0001 EAX.
    sev_features: SEV_FEATURES of the VMSA.
    record: the fields of the row in JSON, as in a leaf of a log without `type`.
    """

    digest: bytes
    firmware: FirmwareBuild | None
    kernel_hashes: KernelHashes | None
    kernel_name: str | None
    append: str | None
    vmm: str | None
    vcpus: int | None
    vcpu_signature: int | None
    sev_features: int | None
    record: Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Source:
    """Where exported rows are from.

    catalog: name of the catalog, from its manifest; manifest_sha256: in hex.
    origin, release, size, root: of the log, the release and the checkpoint (root in hex); None if it is not published.
    time: seconds since 1970; validity begins on this day unless a setting says otherwise.
    selection: what was selected, as options of the command and their values.
    """

    catalog: str
    manifest_sha256: str
    origin: str | None
    release: int | None
    size: int | None
    root: str | None
    time: int
    selection: Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Export:
    """Rows of one technology that may be exported.

    rows: at least one, by firmware, kernel hashes, VMM profile, vCPU signature, sev_features, then vCPU count; read as
        often as needed.
    digests: the distinct digests of the rows, in the same order.
    technology: of TECHNOLOGIES.
    """

    rows: Collection[ExportRow]
    digests: Sequence[bytes]
    settings: Settings
    source: Source
    technology: str = SEV_SNP

    def by_vcpus(self) -> Mapping[int, ExportRow]:
        """The row of each vCPU count, ascending, for formats with one digest for each.

        Raises UsageError if two rows have the same count and different digests, or a row has none.
        """
        found: dict[int, ExportRow] = {}
        for row in self.rows:
            if row.vcpus is None:
                raise UsageError("this format names launches by vCPU count, which is not known of a selected digest")
            other = found.setdefault(row.vcpus, row)
            if other.digest != row.digest:
                vcpus = "1 vCPU" if row.vcpus == 1 else f"{row.vcpus} vCPUs"
                raise UsageError(
                    f"this format has one digest for {vcpus}, but several are selected",
                    f"they differ in {differing_options((other, row))}: select one value",
                )
        return dict(sorted(found.items()))

    def all_but_vcpus(self) -> ExportRow:
        """A row that has what all rows have, for formats of one firmware image, one VMM and so on.

        Of the rows with one digest, which launch the same, the first one counts.
        Raises UsageError if rows differ in more than their vCPU count and digest.
        """
        rows = iter(self.rows)
        first = next(rows)
        found = {first.digest}
        for row in rows:
            if row.digest in found:
                continue
            found.add(row.digest)
            if _without_vcpus(row) != _without_vcpus(first):
                options = differing_options((first, replace(row, vcpus=first.vcpus)))
                raise UsageError(
                    "this format has rows that differ in their vCPU count alone",
                    f"they also differ in {options}: select one value",
                )
        return first


@dataclass(frozen=True, slots=True)
class ExportFile:
    """A file of an export.

    name: its file name, for an export of several files.
    media_type: of its bytes.
    chunks: gives all its bytes whenever it is called.
    """

    name: str
    media_type: str
    chunks: Callable[[], Iterable[bytes]]

    @classmethod
    def of(cls, name: str, media_type: str, data: bytes) -> ExportFile:
        """A file whose bytes are all there."""
        return cls(name, media_type, lambda: (data,))


def _without_vcpus(row: ExportRow) -> tuple[object, ...]:
    """What a row is but for its vCPU count and digest. An image may have several names."""
    image = row.firmware and row.firmware.component
    return image, row.kernel_hashes, row.vmm, row.vcpu_signature, row.sev_features


def differing_options(rows: Iterable[ExportRow]) -> str:
    """The options whose values tell rows apart."""
    options = ("--firmware", "--kernel-hashes", "--vmm", "--vcpus", "--vcpu-type", "--sev-features")
    found: list[set[object]] = [set() for _ in options]
    for row in rows:
        firmware = row.firmware and row.firmware.name
        values = (firmware, row.kernel_hashes, row.vmm, row.vcpus, row.vcpu_signature, row.sev_features)
        for value, there in zip(values, found, strict=True):
            there.add(value)
    differing = (option for option, there in zip(options, found, strict=True) if len(there) > 1)
    return ", ".join(differing) or "their digest alone"
