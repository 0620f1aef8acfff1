"""FirmwareComponent: an image reduced to the facts from which every launch digest can be computed.

A few hundred bytes that a catalog can publish: with them the digest for any kernel, VMSA and vCPU count can be computed
without the image.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass, field

from catalog.abi.page_info import INITIAL_DIGEST, PageType, fold_pages
from catalog.abi.sha256 import Sha256State
from catalog.errors import MalformedRecord
from catalog.firmware.blob_verifier import Enforced, kernel_hashes_enforced
from catalog.firmware.ovmf import (
    FOUR_GIB,
    MAX_IMAGE_SIZE,
    PAGE_SIZE,
    Area,
    OvmfImage,
    Section,
    metadata_fault,
)


@dataclass(frozen=True, slots=True)
class FirmwareComponent:
    """What a launch needs of one firmware image.

    sha256, sha384: of the file, 32 and 48 bytes.
    size: bytes, whole pages.
    reset_vector, hashes_area, sections: as in OvmfImage.
    sha256_midstate: SHA-256 state after the image, 32 bytes; no bytes are carried, because pages are whole blocks.
    snp_baseline: SNP launch digest after the pages of the image, 48 bytes.
    kernel_hashes_enforced: whether the firmware refuses a kernel that differs from the measured one.
    metadata_fault: why the SEV metadata cannot launch under SNP, or None; follows from the other fields.
    """

    sha256: bytes
    sha384: bytes
    size: int
    reset_vector: int | None
    hashes_area: Area | None
    sections: tuple[Section, ...]
    sha256_midstate: bytes
    snp_baseline: bytes
    kernel_hashes_enforced: Enforced
    metadata_fault: str | None = field(init=False, compare=False)

    def __post_init__(self) -> None:
        if not 0 < self.size <= MAX_IMAGE_SIZE or self.size % PAGE_SIZE:
            raise MalformedRecord(f"firmware component: invalid size {self.size}")
        if [len(h) for h in (self.sha256, self.sha384, self.snp_baseline)] != [32, 48, 48]:
            raise MalformedRecord("firmware component: a hash has the wrong length")
        if self.sha256_state.digest() != self.sha256:
            raise MalformedRecord("firmware component: sha256 does not follow from sha256_midstate and size")
        fault = metadata_fault(self.sections, image_gpa=self.gpa, hashes_area=self.hashes_area)
        object.__setattr__(self, "metadata_fault", fault)

    @classmethod
    def from_image(cls, image: OvmfImage) -> FirmwareComponent:
        """Reduce an image; takes one SHA-256, two SHA-384 and one unpacking of its volume."""
        return cls(
            sha256=hashlib.sha256(image.data).digest(),
            sha384=hashlib.sha384(image.data).digest(),
            size=len(image.data),
            reset_vector=image.reset_vector,
            hashes_area=image.hashes_area,
            sections=image.sections,
            sha256_midstate=Sha256State().update(image.data).midstate,
            snp_baseline=fold_pages(INITIAL_DIGEST, PageType.NORMAL, image.gpa, image.data),
            kernel_hashes_enforced=kernel_hashes_enforced(image.data),
        )

    @property
    def gpa(self) -> int:
        """Guest-physical address of the first byte: the image ends at 4 GiB."""
        return FOUR_GIB - self.size

    @property
    def sha256_state(self) -> Sha256State:
        """The SHA-256 in progress after the image, with which SEV and SEV-ES launches begin."""
        return Sha256State(self.sha256_midstate, b"", self.size)
