"""An ID block for the one launch digest of an export, signed; the formats differ in how they write it.

Source: SEV-SNP ABI (56860), 8.18, SNP_LAUNCH_FINISH. Signatures are deterministic (RFC 6979).
"""

from __future__ import annotations

import base64
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from catalog.abi.digest import LaunchDigest
from catalog.abi.ecdsa_p384 import EcdsaPublicKey, EcdsaSignature
from catalog.abi.guest_policy import SnpPolicy
from catalog.abi.id_auth import IdAuth
from catalog.abi.id_block import IdBlock
from catalog.abi.vcpu import VcpuSignature
from catalog.ask.evidence_notes import snp_policy_notes
from catalog.errors import UsageError
from catalog.export.exported import Export, ExportRow, differing_options
from catalog.export.guest_settings import guest_policy, guest_svn
from catalog.export.settings import GivenFile, Settings
from catalog.firmware.igvm.igvm_component import IgvmComponent, IgvmPlatform
from catalog.notes import Note
from catalog.spec import embedded

if TYPE_CHECKING:  # cryptography takes long to load
    from cryptography.hazmat.primitives.asymmetric.ec import EllipticCurvePrivateKey

_ID_SIZE = 16
_QEMU = ("qemu-kvm-init2",)
"""The VMM profile of the QEMU that knows ID blocks: upstream QEMU 9.1 and later, with SEV-SNP."""

_QEMU_IGVM = ("qemu-igvm", "qemu-11-igvm")
"""Those of the QEMU that knows IGVM files."""


@dataclass(frozen=True, slots=True)
class SignedIdBlock:
    """An ID block and its ID auth structure. row: the launch that it is for."""

    row: ExportRow
    block: IdBlock
    auth: IdAuth

    @property
    def block_text(self) -> str:
        """The 96 bytes in base64."""
        return base64.b64encode(self.block.to_bytes()).decode()

    @property
    def auth_text(self) -> str:
        """The 4,096 bytes in base64."""
        return base64.b64encode(self.auth.to_bytes()).decode()


def signed_id_block(export: Export) -> SignedIdBlock:
    """Sign an ID block for the digest of an export, with the keys of its settings.

    Raises UsageError for several digests, a guest policy or an id that no ID block can have, and the errors of
    `load_key`.
    """
    from catalog.endorse.id_signatures import check_id_signatures

    settings = export.settings
    row = _only_row(export)
    block = IdBlock(
        LaunchDigest(row.digest),
        _id(settings.family_id, "--family-id"),
        _id(settings.image_id, "--image-id"),
        guest_svn(settings),
        launch_policy(row, settings).value,
    )
    auth = _auth(block.to_bytes(), settings)
    check_id_signatures(auth, block.to_bytes())
    return SignedIdBlock(row, block, auth)


def signed_for_launch(export: Export) -> SignedIdBlock:
    """As `signed_id_block`, for formats that also say how to launch; raises UsageError if that is not known."""
    launch_row(export)
    return signed_id_block(export)


def launch_row(export: Export) -> ExportRow:
    """The row of the launch that an ID block is for; raises UsageError for several digests, and if it is not known."""
    row = _only_row(export)
    if row.firmware is None or (row.vcpus is None and not row.firmware.is_igvm):
        raise UsageError(
            "the launch of this digest is not known, such as whether it measures kernel hashes",
            "--to id-block writes the ID block alone",
        )
    return row


def sev_snp_platform(row: ExportRow) -> IgvmPlatform | None:
    """What the IGVM file of a row has for SEV-SNP; None if it is not of one, or the file has nothing."""
    image = row.firmware and row.firmware.component
    return image.platforms.get("sev-snp") if isinstance(image, IgvmComponent) else None


def launch_policy(row: ExportRow, settings: Settings) -> SnpPolicy:
    """The guest policy of a launch, if any of the IGVM file; raises UsageError for another, and as `guest_policy`."""
    platform = sev_snp_platform(row)
    own = platform.policy if platform else None
    policy = guest_policy(settings if own is None or settings.policy is not None else replace(settings, policy=own))
    if own is not None and own != policy.value:
        name = row.firmware.name if row.firmware else ""
        raise UsageError(
            f"{name} is launched with the guest policy that it has, {own:#x}, and not {policy.value:#x}",
            f"--policy {own:#x}",
        )
    return policy


def id_block_notes(export: Export) -> Sequence[Note]:
    """What whoever launches with the ID block has to know."""
    policy = launch_policy(_only_row(export), export.settings)
    others = len(export.rows) - 1
    same = f", and {others:,} more with the same digest" if others else ""
    text = f"the secure processor refuses every launch but this one: {_described(export, policy)}{same}"
    return [Note("id-block-launch", text), *_author_notes(export.settings), *snp_policy_notes(policy)]


def other_vmm_notes(export: Export) -> Sequence[Note]:
    """A warning if the digest is not one of this QEMU, for formats that it reads."""
    row = _only_row(export)
    profiles, version = (_QEMU_IGVM, "10.1") if row.firmware and row.firmware.is_igvm else (_QEMU, "9.1")
    if any(other.vmm in (None, *profiles) for other in export.rows):
        return []
    text = f"the digest is of a launch by {row.vmm}: QEMU {version} and later launch with that of {profiles[0]}"
    return [Note("launch-of-other-vmm", text)]


def _only_row(export: Export) -> ExportRow:
    """The first row of an export with one digest; other rows with that digest are the same launch."""
    if len(export.digests) > 1:
        raise UsageError(
            f"an ID block has one launch digest, but {len(export.digests)} are selected",
            f"they differ in {differing_options(export.rows)}: select one value, or name one digest",
        )
    return next(iter(export.rows))


def _id(value: bytes | None, option: str) -> bytes:
    if value is not None and len(value) != _ID_SIZE:
        raise UsageError(f"{option} needs {_ID_SIZE} bytes in hex, not {len(value)}")
    return bytes(_ID_SIZE) if value is None else value


def _auth(block: bytes, settings: Settings) -> IdAuth:
    """Signatures on the bytes of an ID block, and on its ID key if there is an author key."""
    if settings.id_key is None:
        raise UsageError("an ID block needs the key that signs it", "--id-key FILE, a private key on P-384 in PEM")
    id_key = _key(settings.id_key, settings)
    public = _public(id_key)
    if settings.author_key is None:
        return IdAuth(_signature(id_key, block), public)
    author = _key(settings.author_key, settings)
    return IdAuth(_signature(id_key, block), public, _signature(author, public.to_bytes()), _public(author))


def _author_notes(settings: Settings) -> Sequence[Note]:
    """A note if the ID key is given as its own author key."""
    if settings.id_key is None or settings.author_key is None:
        return []
    if _public(_key(settings.id_key, settings)) != _public(_key(settings.author_key, settings)):
        return []
    return [Note("author-key-is-id-key", "the author key is the ID key: relying on it is relying on the ID key")]


def _key(file: GivenFile, settings: Settings) -> EllipticCurvePrivateKey:
    from catalog.export.private_keys import ID_BLOCK, load_key

    return load_key(file, settings.passphrase, ID_BLOCK)


def _public(key: EllipticCurvePrivateKey) -> EcdsaPublicKey:
    numbers = key.public_key().public_numbers()
    return EcdsaPublicKey(numbers.x, numbers.y)


def _signature(key: EllipticCurvePrivateKey, data: bytes) -> EcdsaSignature:
    from cryptography.hazmat.primitives import hashes
    from cryptography.hazmat.primitives.asymmetric.ec import ECDSA
    from cryptography.hazmat.primitives.asymmetric.utils import decode_dss_signature

    return EcdsaSignature(*decode_dss_signature(key.sign(data, ECDSA(hashes.SHA384(), deterministic_signing=True))))


def vcpu_signature_text(export: Export) -> str:
    """The vCPU signature of the launch, with the vCPU type that was selected, or one that has it; empty if unknown."""
    signature = _only_row(export).vcpu_signature
    if signature is None:
        return ""
    names = embedded.vcpu_types().names(VcpuSignature(signature))
    name = export.source.selection.get("vcpu-type") or (names[0] if names else None)
    return f"vCPU signature {signature:#010x}" + (f" ({name})" if name else "")


def _described(export: Export, policy: SnpPolicy) -> str:
    """The launch, as far as it is known."""
    row = _only_row(export)
    parts = [f"{row.vcpus} vCPU{'s' if row.vcpus > 1 else ''}"] if row.vcpus else []
    parts += [vcpu_signature_text(export)] if row.vcpu_signature is not None else []
    if row.sev_features is not None:
        parts.append(f"sev_features {row.sev_features:#x}")
    if row.firmware is not None:
        hashes = row.kernel_hashes and (row.kernel_name or row.kernel_hashes.table_sha256.hex())
        parts += [f"firmware {row.firmware.name}", f"kernel hashes {hashes or 'none'}"]
    return ", ".join([*parts, f"guest policy {policy.value:#x}"])
