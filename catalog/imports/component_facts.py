"""What is known of the firmware and the kernel of a launch; each fact may be None, which is not known.

Hashes are bytes; addresses and sizes are bytes of guest-physical memory.
"""

from __future__ import annotations

from dataclasses import dataclass

from catalog.errors import MalformedRecord
from catalog.firmware.blob_verifier import Enforced
from catalog.firmware.build import FirmwareBuild
from catalog.firmware.component import FirmwareComponent
from catalog.firmware.kernel_record import KernelRecord
from catalog.firmware.metadata import PAGE_SIZE, Area, Section
from catalog.firmware.ovmf import MAX_IMAGE_SIZE
from catalog.imports.fact_checks import U32_LIMIT, check_hash, check_number, check_text

MOST_SECTIONS = 64
"""Sections of one image; real ones have at most 8."""


@dataclass(frozen=True, slots=True)
class FirmwareFacts:
    """What is known of one firmware image; at least one hash.

    name: None if the document gives it none.
    sha256, sha384, size: of the file.
    snp_baseline: SNP launch digest after the pages of the image, 48 bytes; other tools call it the OVMF hash.
    sections: SEV metadata in launch order.
    reset_vector: EIP of an AP.
    hashes_area: where the VMM writes the kernel hashes table; its size may be unknown.
    build: the record, if the facts are from one; all other fields then agree with it.
    """

    name: str | None = None
    sha256: bytes | None = None
    sha384: bytes | None = None
    size: int | None = None
    snp_baseline: bytes | None = None
    sections: tuple[Section, ...] | None = None
    reset_vector: int | None = None
    hashes_area: Area | None = None
    build: FirmwareBuild | None = None

    def __post_init__(self) -> None:
        check_text(self.name, "firmware: name")
        check_hash(self.sha256, 32, "firmware: sha256")
        check_hash(self.sha384, 48, "firmware: sha384")
        check_hash(self.snp_baseline, 48, "firmware: snp_baseline")
        if not (self.sha256 or self.sha384 or self.snp_baseline):
            raise MalformedRecord("firmware: it has neither sha256, sha384 nor snp_baseline, so nothing identifies it")
        if self.size is not None and (not 0 < self.size <= MAX_IMAGE_SIZE or self.size % PAGE_SIZE):
            raise MalformedRecord(f"firmware: invalid size {self.size}")
        if self.sections is not None and len(self.sections) > MOST_SECTIONS:
            raise MalformedRecord(f"firmware: {len(self.sections)} sections are more than {MOST_SECTIONS}")
        for section in self.sections or ():
            check_number(section.gpa, U32_LIMIT, "firmware: sections: gpa")
            check_number(section.size, U32_LIMIT, "firmware: sections: size")
            check_number(section.kind, U32_LIMIT, "firmware: sections: type")
        check_number(self.reset_vector, U32_LIMIT, "firmware: reset_vector")
        if self.hashes_area:
            check_number(self.hashes_area.gpa, U32_LIMIT, "firmware: hashes_area: gpa")
            check_number(self.hashes_area.size, U32_LIMIT, "firmware: hashes_area: size")

    @classmethod
    def of(cls, build: FirmwareBuild) -> FirmwareFacts:
        """All facts of a record."""
        component = build.image
        return cls(
            name=build.name,
            sha256=component.sha256,
            sha384=component.sha384,
            size=component.size,
            snp_baseline=component.snp_baseline,
            sections=component.sections,
            reset_vector=component.reset_vector,
            hashes_area=component.hashes_area,
            build=build,
        )

    def record(self) -> FirmwareBuild | None:
        """The firmware record of what is known; None without a name, or if no SEV-SNP digest follows from it.

        Raises MalformedRecord for a size that no image has.
        """
        if self.build or self.name is None or self.snp_baseline is None:
            return self.build
        if self.sections is None or self.reset_vector is None:
            return None
        component = FirmwareComponent(
            sha256=self.sha256,
            sha384=self.sha384,
            size=self.size,
            reset_vector=self.reset_vector,
            hashes_area=self.hashes_area,
            sections=self.sections,
            sha256_midstate=None,
            snp_baseline=self.snp_baseline,
            kernel_hashes_enforced=Enforced.UNKNOWN,
        )
        return FirmwareBuild(self.name, component, None, {})

    @property
    def known_by(self) -> str:
        """The name of the strongest hash that is known: of the file, or the SNP launch digest after it."""
        return next(name for name in ("sha256", "sha384", "snp_baseline") if getattr(self, name))

    @property
    def identity(self) -> bytes:
        """That hash."""
        found: bytes = getattr(self, self.known_by)
        return found


@dataclass(frozen=True, slots=True)
class KernelFacts:
    """What is known of a kernel that is measured with its initrd and command line.

    kernel_sha256: of the file.
    initrd_sha256: of the file; None if the document names none, which is not the same as none being passed.
    append: the whole command line without its NUL.
    append_sha256: SHA-256 of the command line with its NUL, if the text is not published.
    append_words: words that the command line has among others, in order, if the whole text is not fixed.
    record: the whole record, if there is one; all other fields then agree with it.
    """

    kernel_sha256: bytes
    name: str | None = None
    initrd_sha256: bytes | None = None
    append: str | None = None
    append_sha256: bytes | None = None
    append_words: tuple[str, ...] = ()
    record: KernelRecord | None = None

    def __post_init__(self) -> None:
        check_text(self.name, "kernel: name")
        check_hash(self.kernel_sha256, 32, "kernel: kernel_sha256")
        check_hash(self.initrd_sha256, 32, "kernel: initrd_sha256")
        check_hash(self.append_sha256, 32, "kernel: append_sha256")
        if sum((self.append is not None, self.append_sha256 is not None, bool(self.append_words))) > 1:
            raise MalformedRecord("kernel: append, append_sha256 and append_words exclude one another")
        if "\0" in (self.append or "") or any("\0" in word for word in self.append_words):
            raise MalformedRecord("kernel: a kernel command line cannot hold a NUL")

    @classmethod
    def of(cls, record: KernelRecord) -> KernelFacts:
        """All facts of a whole record; without an initrd, the hash of the empty file, which is then measured."""
        hashes = record.hashes
        append_sha256 = hashes.cmdline if record.append is None else None
        return cls(hashes.kernel, record.name, hashes.initrd, record.append, append_sha256, record=record)

    @property
    def is_whole(self) -> bool:
        """Whether everything is known that a kernel hashes table is made of."""
        return self.initrd_sha256 is not None and (self.append is not None or self.append_sha256 is not None)
