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
_ID_SIZE = 16


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

    def to_bytes(self) -> bytes:
        """The 96 bytes. Raises MalformedInput for a SEV digest, and a field that has another size."""
        digest, family, image = self.measurement.value, self.family_id, self.image_id
        for name, value, size in (
            ("measurement", digest, SNP_DIGEST_SIZE),
            ("family_id", family, _ID_SIZE),
            ("image_id", image, _ID_SIZE),
        ):
            if len(value) != size:
                raise MalformedInput(f"{name} of an ID block has {size} bytes, not {len(value)}")
        for name, number, bits in (("guest_svn", self.guest_svn, 32), ("policy", self.policy, 64)):
            if not 0 <= number < 1 << bits:
                raise MalformedInput(f"{name} of an ID block has {bits} bits, and {number:#x} does not fit")
        version, guest_svn = ID_BLOCK_VERSION.to_bytes(4, "little"), self.guest_svn.to_bytes(4, "little")
        return digest + family + image + version + guest_svn + self.policy.to_bytes(8, "little")

    def to_dict(self) -> dict[str, Any]:
        """The ID block in JSON: bytes in hex."""
        return {
            "measurement": self.measurement.hex(),
            "family_id": self.family_id.hex(),
            "image_id": self.image_id.hex(),
            "guest_svn": self.guest_svn,
            "policy": f"{self.policy:#x}",
        }
