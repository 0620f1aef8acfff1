"""AttestationReport: what the secure processor reports about a running SEV-SNP guest; 1,184 bytes, versions 2 to 5.

Source: SEV-SNP ABI (56860), 7.3, ATTESTATION_REPORT.
"""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Any, ClassVar

from catalog.abi.digest import LaunchDigest
from catalog.abi.guest_policy import SnpPolicy, named_bits
from catalog.abi.tcb import Product, TcbVersion, find_product
from catalog.errors import MalformedInput

REPORT_SIZE = 1184
SIGNED_SIZE = 0x2A0
"""Bytes of a report that its signature is over: all before it."""

VERSIONS = range(2, 6)
SIGNING_KEYS = {0: "VCEK", 1: "VLEK", 7: "none"}
ECDSA_P384_SHA384 = 1
HOST_REQUESTED = 0xFFFFFFFF
"""The VMPL in a report that the host requested."""

_PLATFORM_BITS = {
    "smt_enabled": 0,
    "tsme_enabled": 1,
    "ecc_enabled": 2,
    "rapl_disabled": 3,
    "ciphertext_hiding_dram_enabled": 4,
    "alias_check_complete": 5,
    "tio_enabled": 7,
}

_RESERVED = ((0x4C, 0x50), (0x18B, 0x1A0), (0x1EB, 0x1EC), (0x1EF, 0x1F0), (0x208, 0x2A0), (0x330, REPORT_SIZE))
"""Ranges that are zero in every version; those of older versions are longer."""


@dataclass(frozen=True, slots=True)
class FirmwareVersion:
    """Version of the SNP firmware."""

    major: int
    minor: int
    build: int

    def __str__(self) -> str:
        return f"{self.major}.{self.minor}.{self.build}"


@dataclass(frozen=True, slots=True)
class PlatformInfo:
    """State of the platform."""

    smt_enabled: bool
    tsme_enabled: bool
    ecc_enabled: bool
    rapl_disabled: bool
    ciphertext_hiding_dram_enabled: bool
    alias_check_complete: bool
    tio_enabled: bool


@dataclass(frozen=True, slots=True)
class AttestationReport:
    """A report; its signature is not verified.

    raw: all bytes.
    policy_bits: the guest policy, u64.
    vmpl: 0 to 3, or HOST_REQUESTED.
    signing_key: VCEK, VLEK or none.
    cpuid: family, model and stepping of the physical processor, extended parts included; None before version 3.
    launch_mit_vector, current_mit_vector: None before version 5.
    signature: r and s, little-endian, 72 bytes each.
    """

    TECHNOLOGY: ClassVar[str] = "sev-snp"
    """Name of the technology that has such reports."""

    raw: bytes
    version: int
    guest_svn: int
    policy_bits: int
    policy: SnpPolicy
    family_id: bytes
    image_id: bytes
    vmpl: int
    signature_algorithm: int
    current_tcb: TcbVersion
    platform_info: PlatformInfo
    author_key_enabled: bool
    mask_chip_key: bool
    signing_key: str
    report_data: bytes
    measurement: LaunchDigest
    host_data: bytes
    id_key_digest: bytes
    author_key_digest: bytes
    report_id: bytes
    report_id_ma: bytes
    reported_tcb: TcbVersion
    cpuid: tuple[int, int, int] | None
    chip_id: bytes
    committed_tcb: TcbVersion
    current: FirmwareVersion
    committed: FirmwareVersion
    launch_tcb: TcbVersion
    launch_mit_vector: int | None
    current_mit_vector: int | None
    signature: tuple[bytes, bytes]

    @classmethod
    def parse(cls, raw: bytes) -> AttestationReport:
        """Read 1,184 bytes; raises MalformedInput for another length or version, and for reserved bits that are set."""
        if len(raw) != REPORT_SIZE:
            raise MalformedInput(f"an attestation report has {REPORT_SIZE} bytes, not {len(raw)}")
        version = _number(raw, 0, 4)
        if version not in VERSIONS:
            raise MalformedInput(
                f"unknown attestation report version {version}", f"known are {VERSIONS.start} to {VERSIONS.stop - 1}"
            )
        _check_reserved(raw, version)
        keys = _number(raw, 0x48, 4)
        if keys >> 5 or keys >> 2 & 7 not in SIGNING_KEYS:
            raise MalformedInput(f"the report's key information {keys:#x} has reserved bits or an unknown signing key")
        vmpl = _number(raw, 0x30, 4)
        if vmpl > 3 and vmpl != HOST_REQUESTED:
            raise MalformedInput(f"invalid VMPL {vmpl} (0 to 3)")
        cpuid = (raw[0x188], raw[0x189], raw[0x18A]) if version >= 3 else None
        chip_id = raw[0x1A0:0x1E0]
        product = find_product(*cpuid[:2]) if cpuid else None
        packs_fmc = product.packs_fmc if product else _looks_like_turin(cpuid, chip_id)
        policy = _number(raw, 0x08, 8)
        return cls(
            raw=raw,
            version=version,
            guest_svn=_number(raw, 0x04, 4),
            policy_bits=policy,
            policy=SnpPolicy.parse(policy),
            family_id=raw[0x10:0x20],
            image_id=raw[0x20:0x30],
            vmpl=vmpl,
            signature_algorithm=_number(raw, 0x34, 4),
            current_tcb=TcbVersion.parse(raw[0x38:0x40], packs_fmc=packs_fmc),
            platform_info=PlatformInfo(
                **named_bits(_number(raw, 0x40, 8), _PLATFORM_BITS, "the report's platform information")
            ),
            author_key_enabled=bool(keys & 1),
            mask_chip_key=bool(keys & 2),
            signing_key=SIGNING_KEYS[keys >> 2 & 7],
            report_data=raw[0x50:0x90],
            measurement=LaunchDigest(raw[0x90:0xC0]),
            host_data=raw[0xC0:0xE0],
            id_key_digest=raw[0xE0:0x110],
            author_key_digest=raw[0x110:0x140],
            report_id=raw[0x140:0x160],
            report_id_ma=raw[0x160:0x180],
            reported_tcb=TcbVersion.parse(raw[0x180:0x188], packs_fmc=packs_fmc),
            cpuid=cpuid,
            chip_id=chip_id,
            committed_tcb=TcbVersion.parse(raw[0x1E0:0x1E8], packs_fmc=packs_fmc),
            current=FirmwareVersion(raw[0x1EA], raw[0x1E9], raw[0x1E8]),
            committed=FirmwareVersion(raw[0x1EE], raw[0x1ED], raw[0x1EC]),
            launch_tcb=TcbVersion.parse(raw[0x1F0:0x1F8], packs_fmc=packs_fmc),
            launch_mit_vector=_number(raw, 0x1F8, 8) if version >= 5 else None,
            current_mit_vector=_number(raw, 0x200, 8) if version >= 5 else None,
            signature=(raw[SIGNED_SIZE : SIGNED_SIZE + 72], raw[SIGNED_SIZE + 72 : SIGNED_SIZE + 144]),
        )

    @property
    def product(self) -> Product | None:
        """The product of the processor; None if the report does not name it, or it is unknown to ldcat."""
        return find_product(*self.cpuid[:2]) if self.cpuid else None

    def to_dict(self) -> dict[str, Any]:
        """The report in JSON: bytes in hex, bits by name."""
        cpuid = self.cpuid and dict(zip(("family", "model", "stepping"), self.cpuid, strict=True))
        return {
            "version": self.version,
            "guest_svn": self.guest_svn,
            "policy": {"value": f"{self.policy_bits:#x}", **self.policy.to_dict()},
            "family_id": self.family_id.hex(),
            "image_id": self.image_id.hex(),
            "vmpl": self.vmpl,
            "signature_algorithm": self.signature_algorithm,
            "current_tcb": asdict(self.current_tcb),
            "platform_info": asdict(self.platform_info),
            "author_key_enabled": self.author_key_enabled,
            "mask_chip_key": self.mask_chip_key,
            "signing_key": self.signing_key,
            "report_data": self.report_data.hex(),
            "measurement": self.measurement.hex(),
            "host_data": self.host_data.hex(),
            "id_key_digest": self.id_key_digest.hex(),
            "author_key_digest": self.author_key_digest.hex(),
            "report_id": self.report_id.hex(),
            "report_id_ma": self.report_id_ma.hex(),
            "reported_tcb": asdict(self.reported_tcb),
            "cpuid": cpuid,
            "product": self.product and self.product.name,
            "chip_id": self.chip_id.hex(),
            "committed_tcb": asdict(self.committed_tcb),
            "current": str(self.current),
            "committed": str(self.committed),
            "launch_tcb": asdict(self.launch_tcb),
            "launch_mit_vector": self.launch_mit_vector,
            "current_mit_vector": self.current_mit_vector,
        }


def _number(raw: bytes, at: int, size: int) -> int:
    return int.from_bytes(raw[at : at + size], "little")


def _check_reserved(raw: bytes, version: int) -> None:
    """Raises MalformedInput if a reserved byte of this version is not zero."""
    ranges = list(_RESERVED)
    if version < 3:
        ranges.append((0x188, 0x18B))
    if version < 5:
        ranges.append((0x1F8, 0x208))
    for start, end in sorted(ranges):
        if any(raw[start:end]):
            raise MalformedInput(
                f"reserved bytes {start:#x} to {end - 1:#x} of the version {version} report are not zero"
            )


def _looks_like_turin(cpuid: tuple[int, int, int] | None, chip_id: bytes) -> bool:
    """Whether a processor of an unknown product packs its TCB as Turin does: by its family, else by its chip id, which
    has 8 bytes since Turin.
    """
    if cpuid:
        return cpuid[0] >= 0x1A
    return any(chip_id) and not any(chip_id[8:])
