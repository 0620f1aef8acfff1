"""FirmwareComponent: an image reduced to the facts from which its launch digests can be computed.

A few hundred bytes that a catalog can publish: with them the digest for any kernel, VMSA and vCPU count can be computed
without the image. Platforms publish less: the SNP state after the image, which is enough for SEV-SNP alone.
"""

from __future__ import annotations

import hashlib
import re
from dataclasses import dataclass, field, fields

from catalog.abi.page_info import INITIAL_DIGEST, PageType, fold_pages
from catalog.abi.sha256 import Sha256State
from catalog.errors import MalformedRecord
from catalog.firmware.blob_verifier import Enforced
from catalog.firmware.firmware_version import TEXT_PATTERN
from catalog.firmware.metadata import PAGE_SIZE, Area, Section, metadata_fault
from catalog.firmware.ovmf import FOUR_GIB, MAX_IMAGE_SIZE, OvmfImage
from catalog.firmware.tdx.tdx_facts import TdxFacts
from catalog.firmware.variable_store import Code, code_of
from catalog.firmware.volume_contents import read_volumes


@dataclass(frozen=True, slots=True)
class FirmwareComponent:
    """What a launch needs of one firmware image. None: not known.

    sha256, sha384: of the file, 32 and 48 bytes.
    size: bytes, whole pages.
    reset_vector, hashes_area, sections: as in OvmfImage; None is known: the image has none. Without
    sha256_midstate, an area that is None is not known.
    sha256_midstate: SHA-256 state after the image, 32 bytes; no bytes are carried, because pages are whole blocks.
    snp_baseline: SNP launch digest after the pages of the image, 48 bytes. It covers their contents and addresses, so
    no two images have the same.
    kernel_hashes_enforced: whether the firmware refuses a kernel that differs from the measured one.
    tdx: what the MRTD follows from.
    firmware_version: what the firmware calls itself; None if it is not known.
    code: what follows the variable store of a combined image; None for another image, or if it is not known.
        No digest depends on these two, and components that differ in them alone are equal.
    metadata_fault: why the SEV metadata cannot launch under SNP, or None; follows from the other fields.
    """

    sha256: bytes | None
    sha384: bytes | None
    size: int | None
    reset_vector: int | None
    hashes_area: Area | None
    sections: tuple[Section, ...]
    sha256_midstate: bytes | None
    snp_baseline: bytes
    kernel_hashes_enforced: Enforced
    tdx: TdxFacts | None = None
    firmware_version: str | None = field(default=None, compare=False)
    code: Code | None = field(default=None, compare=False)
    metadata_fault: str | None = field(init=False, compare=False)

    def __post_init__(self) -> None:
        if self.size is not None and (not 0 < self.size <= MAX_IMAGE_SIZE or self.size % PAGE_SIZE):
            raise MalformedRecord(f"firmware component: invalid size {self.size}")
        lengths = [None if one is None else len(one) for one in (self.sha256, self.sha384, self.snp_baseline)]
        if lengths[0] not in (None, 32) or lengths[1] not in (None, 48) or lengths[2] != 48:
            raise MalformedRecord("firmware component: a hash has the wrong length")
        if self.sha256_midstate is not None and self.sha256_state.digest() != self.sha256:
            raise MalformedRecord("firmware component: sha256 does not follow from sha256_midstate and size")
        if self.firmware_version is not None and not re.fullmatch(TEXT_PATTERN, self.firmware_version):
            raise MalformedRecord("firmware component: firmware_version is not 3 to 127 printable ASCII characters")
        if self.code and not (0 < self.code.size < (self.size or MAX_IMAGE_SIZE) and len(self.code.sha256) == 32):
            raise MalformedRecord(f"firmware component: code of {self.code.size} bytes is not the end of the image")
        fault = metadata_fault(self.sections, image_gpa=self.gpa or FOUR_GIB, hashes_area=self.hashes_area)
        object.__setattr__(self, "metadata_fault", fault)

    @classmethod
    def from_image(cls, image: OvmfImage) -> FirmwareComponent:
        """Reduce an image; takes two SHA-256, two SHA-384 and one unpacking of its volume."""
        volumes = read_volumes(image.data)
        return cls(
            sha256=hashlib.sha256(image.data).digest(),
            sha384=hashlib.sha384(image.data).digest(),
            size=len(image.data),
            reset_vector=image.reset_vector,
            hashes_area=image.hashes_area,
            sections=image.sections,
            sha256_midstate=Sha256State().update(image.data).midstate,
            snp_baseline=fold_pages(INITIAL_DIGEST, PageType.NORMAL, image.gpa, image.data),
            kernel_hashes_enforced=volumes.enforcement.enforced,
            tdx=TdxFacts.of(image),
            firmware_version=volumes.firmware_version,
            code=code_of(image.data),
        )

    @property
    def key(self) -> bytes:
        """What identifies the component: SHA-256 of the file if it is known, otherwise the SNP baseline."""
        return self.sha256 or self.snp_baseline

    @property
    def knows_hashes_area(self) -> bool:
        """Whether it is known where the kernel hashes area is, or that the image has none."""
        return self.hashes_area is not None or self.sha256_midstate is not None

    def agrees_with(self, other: FirmwareComponent) -> bool:
        """Whether every fact that this component knows is the same in another one."""
        return not self.contradictions(other)

    def contradictions(self, other: FirmwareComponent) -> list[str]:
        """Names of the facts that this component knows and that are not the same in another one.

        The other one may lack facts that no digest depends on, and those of TDX.
        """
        names = []
        for one in fields(self):
            own, others = getattr(self, one.name), getattr(other, one.name)
            may_lack = not one.compare or one.name == "tdx"  # records were made without TDX facts
            is_unknown = own in (None, Enforced.UNKNOWN) or (others is None and may_lack)
            if one.init and not is_unknown and not _is_part(own, others):
                names.append(one.name)
        return names

    def joined(self, other: FirmwareComponent) -> FirmwareComponent:
        """All facts that one of two components of the same image knows.

        Raises MalformedRecord if they contradict each other; facts that no digest depends on may differ.
        """
        found = {}
        for one in fields(self):
            if one.init:
                own, others = getattr(self, one.name), getattr(other, one.name)
                if one.compare and not _agree(own, others):
                    raise MalformedRecord(f"{one.name} differs")
                if isinstance(own, TdxFacts) and isinstance(others, TdxFacts):
                    own = own.joined(others)
                found[one.name] = others if _lacks(own) and not _lacks(others) else own
        return FirmwareComponent(**found)

    @property
    def gpa(self) -> int | None:
        """Guest-physical address of the first byte: the image ends at 4 GiB."""
        return None if self.size is None else FOUR_GIB - self.size

    @property
    def sha256_state(self) -> Sha256State:
        """The SHA-256 in progress after the image, with which SEV and SEV-ES launches begin.

        Raises MalformedRecord if the midstate is known and the size is not; a launch without a midstate is refused
        before.
        """
        if self.sha256_midstate is None or self.size is None:
            raise MalformedRecord("firmware component: sha256_midstate says nothing without the size")
        return Sha256State(self.sha256_midstate, b"", self.size)


def _lacks(fact: object) -> bool:
    """Whether a fact is not known, or an area whose size is not."""
    return fact in (None, Enforced.UNKNOWN) or (isinstance(fact, Area) and fact.size is None)


def _agree(one: object, other: object) -> bool:
    """Whether two facts can be true of one image."""
    return None in (one, other) or Enforced.UNKNOWN in (one, other) or _is_part(one, other) or _is_part(other, one)


def _is_part(part: object, whole: object) -> bool:
    """Whether the first fact says nothing else than the second, which may know more."""
    if isinstance(whole, Area) and part == Area(whole.gpa, None):
        return True
    return part.agrees_with(whole) if isinstance(part, TdxFacts) and isinstance(whole, TdxFacts) else part == whole
