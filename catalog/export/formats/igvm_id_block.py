"""`igvm-id-block`: an ID block as the directive of an IGVM file, IGVM_VHS_SNP_ID_BLOCK, with its header.

Source: microsoft/igvm igvm_defs/src/lib.rs, IGVM_VHS_SNP_ID_BLOCK.
"""

from __future__ import annotations

from collections.abc import Sequence

from catalog.abi.ecdsa_p384 import EcdsaPublicKey, EcdsaSignature
from catalog.abi.id_block import ID_BLOCK_VERSION
from catalog.errors import UsageError
from catalog.export.exported import Export, ExportFile, ExportRow
from catalog.export.id_block_format import IdBlockFormat
from catalog.export.signed_id_block import sev_snp_platform, signed_id_block
from catalog.firmware.igvm.igvm_layout import HEADER, LAYOUT, SnpIdBlock
from catalog.firmware.igvm.igvm_types import HeaderType
from catalog.notes import Note

_ECDSA_P384_SHA384 = 1
_NUMBERS = 144  # r and s, or x and y, 72 bytes each
_CURVE = 4


class IgvmIdBlock(IdBlockFormat):
    """The bytes of one variable header; a file with it in its directives has the digest that it expects."""

    name = "igvm-id-block"
    title = "signed ID block as a directive of an IGVM file: IGVM_VHT_SNP_ID_BLOCK"
    file_name = "id-block.igvm-directive"
    is_binary = True
    depends_on = frozenset({"firmware"})

    def check_rows(self, export: Export) -> None:
        _mask(next(iter(export.rows)))

    def files(self, export: Export) -> Sequence[ExportFile]:
        signed = signed_id_block(export)
        block, auth = signed.block, signed.auth
        content = SnpIdBlock(
            mask=_mask(signed.row),
            author_key_enabled=int(auth.author_key is not None),
            reserved=bytes(3),
            digest=block.measurement.value,
            family_id=block.family_id,
            image_id=block.image_id,
            version=ID_BLOCK_VERSION,
            guest_svn=block.guest_svn,
            id_key_algorithm=_ECDSA_P384_SHA384,
            author_key_algorithm=_ECDSA_P384_SHA384 if auth.author_key else 0,
            id_signature=_signature(auth.block_signature),
            id_key=_key(auth.id_key),
            author_signature=_signature(auth.key_signature),
            author_key=_key(auth.author_key),
        )
        _, layout = LAYOUT[HeaderType.SNP_ID_BLOCK]
        data = layout.pack(*content)
        directive = HEADER.pack(HeaderType.SNP_ID_BLOCK, len(data)) + data + bytes(-len(data) % 8)
        return [ExportFile.of(self.file_name, "application/octet-stream", directive)]

    def notes(self, export: Export) -> Sequence[Note]:
        notes, row = list(super().notes(export)), next(iter(export.rows))
        platform = sev_snp_platform(row)
        if platform and platform.expected and row.firmware:
            text = f"{row.firmware.name} has an ID block: put this one in its place, a platform has only one"
            notes.append(Note("launch-incomplete", text))
        return notes


def _mask(row: ExportRow) -> int:
    """The mask of the SEV-SNP platform; raises UsageError unless the launch is from an IGVM file."""
    platform = sev_snp_platform(row)
    if platform is None:
        raise UsageError(
            "this format is for launches from IGVM files, and the selected one is not known to be from one",
            "--to id-block writes the ID block for any launch",
        )
    return platform.mask


def _signature(signature: EcdsaSignature | None) -> bytes:
    return signature.to_bytes()[:_NUMBERS] if signature else bytes(_NUMBERS)


def _key(key: EcdsaPublicKey | None) -> bytes:
    """Curve, four bytes that are zero, x and y."""
    raw = key.to_bytes() if key else bytes(_CURVE + _NUMBERS)
    return raw[:_CURVE] + bytes(_CURVE) + raw[_CURVE : _CURVE + _NUMBERS]


FORMAT = IgvmIdBlock()
