"""IdBlock: what a guest owner expects of a SEV-SNP launch; 96 bytes, which the owner signs and the host passes on.

Source: SEV-SNP ABI (56860), 8.18, SNP_LAUNCH_FINISH, ID block.
"""

from __future__ import annotations

from catalog.abi.digest import SNP_DIGEST_SIZE, LaunchDigest
from catalog.errors import MalformedInput
from catalog.values import Value

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

ID_BLOCK_SIZE = 96
ID_BLOCK_VERSION = 1


class IdBlock(Value):
    """An ID block, which states a launch digest but proves nothing.

    family_id, image_id: 16 bytes each, chosen by the guest owner.
    guest_svn: security version of the guest.
    policy: guest policy, 64 bits.
    """

    measurement: LaunchDigest
    family_id: bytes
    image_id: bytes
    guest_svn: int
    policy: int

    @classmethod
    def parse(cls, raw: bytes) -> IdBlock:
        """Read 96 bytes; raises MalformedInput for another length or version."""
        if len(raw) != ID_BLOCK_SIZE:
            raise MalformedInput(f"an ID block has {ID_BLOCK_SIZE} bytes, not {len(raw)}")
        version, guest_svn = int.from_bytes(raw[0x50:0x54], "little"), int.from_bytes(raw[0x54:0x58], "little")
        if version != ID_BLOCK_VERSION:
            raise MalformedInput(f"unknown ID block version {version}", f"known is {ID_BLOCK_VERSION}")
        digest, policy = LaunchDigest(raw[:SNP_DIGEST_SIZE]), int.from_bytes(raw[0x58:], "little")
        return cls(digest, raw[0x30:0x40], raw[0x40:0x50], guest_svn, policy)

    def to_dict(self) -> dict[str, Any]:
        """The ID block in JSON: bytes in hex."""
        return {
            "measurement": self.measurement.hex(),
            "family_id": self.family_id.hex(),
            "image_id": self.image_id.hex(),
            "guest_svn": self.guest_svn,
            "policy": f"{self.policy:#x}",
        }
