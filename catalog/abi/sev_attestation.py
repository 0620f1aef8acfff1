"""SevAttestationReport: what the secure processor reports about a running SEV or SEV-ES guest; 208 bytes.

It states the launch digest itself, not an HMAC of it. Source: AMD SEV API (55766), ATTESTATION, attestation report.
"""

from __future__ import annotations

from catalog.abi.digest import SEV_DIGEST_SIZE, LaunchDigest
from catalog.errors import MalformedInput
from catalog.values import Value

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

SEV_REPORT_SIZE = 208
"""Bytes: nonce 16, launch digest 32, policy, key usage, algorithm and reserved of 4 bytes each, signature 144."""

PEK_USAGE = 0x1002
"""Usage of the platform endorsement key, which signs the report."""

_ES = 1 << 2


class SevAttestationReport(Value):
    """A report of a SEV or SEV-ES guest; its signature is not verified.

    nonce: 16 bytes, chosen by the caller of ATTESTATION.
    policy: guest policy, 32 bits.
    key_usage, algorithm: of the signing key, as the SEV API numbers them.
    signature: 144 bytes.
    """

    nonce: bytes
    measurement: LaunchDigest
    policy: int
    key_usage: int
    algorithm: int
    signature: bytes

    @classmethod
    def parse(cls, raw: bytes) -> SevAttestationReport:
        """Read 208 bytes; raises MalformedInput for another length, and for a key that is not the PEK."""
        if len(raw) != SEV_REPORT_SIZE:
            raise MalformedInput(f"an attestation report of SEV has {SEV_REPORT_SIZE} bytes, not {len(raw)}")
        policy, usage, algorithm = (int.from_bytes(raw[at : at + 4], "little") for at in (0x30, 0x34, 0x38))
        if usage != PEK_USAGE:
            raise MalformedInput(f"the attestation report of SEV is signed by a key of usage {usage:#x}, not the PEK")
        return cls(raw[:16], LaunchDigest(raw[16 : 16 + SEV_DIGEST_SIZE]), policy, usage, algorithm, raw[0x40:])

    @property
    def technology(self) -> str:
        """Name of the technology under which a guest with this policy is launched."""
        return "sev-es" if self.policy & _ES else "sev"

    def to_dict(self) -> dict[str, Any]:
        """The report in JSON: bytes in hex."""
        return {
            "nonce": self.nonce.hex(),
            "measurement": self.measurement.hex(),
            "policy": f"{self.policy:#x}",
            "key_usage": f"{self.key_usage:#x}",
            "algorithm": f"{self.algorithm:#x}",
        }
