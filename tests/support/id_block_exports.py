"""Exports that become ID blocks: a row whose launch is known, and keys of the test."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import BestAvailableEncryption, Encoding, NoEncryption, PrivateFormat

from catalog.abi.kernel_hashes import KernelHashes
from catalog.build.builder import BuildResult
from catalog.export.export_format import export_format_named
from catalog.export.exported import Export, ExportRow
from catalog.export.settings import GivenFile, Settings
from catalog.firmware.build import FirmwareBuild, OriginWire
from tests.support.catalogs import PLACES, rows_of
from tests.support.exports import export_of

ID_KEY, AUTHOR_KEY = ec.generate_private_key(ec.SECP384R1()), ec.generate_private_key(ec.SECP384R1())
HASHES = KernelHashes(bytes(32), bytes(32), bytes(32))
PATH = "/usr/share/ovmf/OVMF.amdsev.fd"


def key_file(key: ec.EllipticCurvePrivateKey, passphrase: bytes = b"") -> GivenFile:
    """The key in PEM, encrypted if there is a passphrase."""
    encryption = BestAvailableEncryption(passphrase) if passphrase else NoEncryption()
    return GivenFile("key.pem", key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, encryption))


def launch(path: str | None = PATH, **changes: Any) -> ExportRow:
    """A row with kernel hashes and known firmware. path: where its package has it; None for a local build."""
    record = f'name = "OVMF.amdsev.fd"\n[component]\nsnp_baseline = "{"ab" * 48}"\nsections = []\nreset_vector = 1\n'
    origin = OriginWire(distribution="debian", package="ovmf-amdsev", version="1", path=path) if path else None
    firmware = replace(FirmwareBuild.parse(record), origin=origin)
    (row,) = export_of().rows
    row = replace(row, firmware=firmware, kernel_hashes=HASHES, kernel_name="debian", append="quiet")
    return replace(row, **changes)


def id_block_export(row: ExportRow | None = None, **settings: Any) -> Export:
    """An export of one row, signed by ID_KEY."""
    row = row or launch()
    given = Settings(**{"id_key": key_file(ID_KEY), **settings})
    return replace(export_of(), rows=[row], digests=[row.digest], settings=given)


def written(name: str, export: Export) -> dict[str, bytes]:
    """The files of a format by name."""
    return {file.name: b"".join(file.chunks()) for file in export_format_named(name).files(export)}


def qemu_digest(small: BuildResult) -> str:
    """A launch digest of the small catalog that QEMU launches, with kernel hashes."""
    wanted = {"technology": "sev-snp", "vmm": "qemu-kvm-init2"}
    found = (
        digest
        for row, digest in rows_of(small).items()
        if all(row[PLACES[name]] == value for name, value in wanted.items())
        and row[PLACES["kernel_hashes_sha256"]] is not None
    )
    return min(found).hex()
