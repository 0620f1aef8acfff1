"""Digests to try on the lookup page: one of a row, one that is endorsed, and one that no catalog has."""

from __future__ import annotations

from collections.abc import Iterator

from catalog.abi.vcpu import VcpuSignature
from catalog.rows.endorsed_record import REPORTED
from catalog.rows.launch_config import LaunchConfig
from catalog.store.catalog import Catalog
from catalog.store.catalog_axes import Axes, read_axes

NOWHERE = "0123456789abcdef" * 6
"""A text with the length of a launch digest of SEV-SNP or TDX that no launch has."""


def examples(catalog: Catalog) -> Iterator[tuple[str, str]]:
    """What each example shows, and its digest in hex; those that the catalog lacks are left out.

    Raises VerificationFailed for a damaged catalog.
    """
    blocks = [axes for axes in read_axes(catalog, catalog.manifest.known) if not axes.is_base]
    if blocks:
        yield "a digest of this catalog", _first_digest(catalog, max(blocks, key=lambda axes: _worth(catalog, axes)))
    records = [one for one in catalog.endorsements.records if one.endorser.scheme != REPORTED]
    if records:
        signed = [one for one in records if one.checked == "signature"]
        yield "a digest that is endorsed", (signed or records)[0].launch_digest
    yield "one that is not found", NOWHERE


def _worth(catalog: Catalog, axes: Axes) -> tuple[bool, bool, bool, str, bool, int, str]:
    """Orders blocks of rows: builds that launch this way, rows with vCPUs, files whose hash is known first."""
    rows = catalog.firmware[bytes.fromhex(axes.identity)]
    launches = any(catalog.builds[row["name"]].launchability(axes.technology).verdict == "yes" for row in rows)
    hosted = axes.vmm is not None and catalog.profiles[axes.vmm].wire.hosted is not None
    is_known = rows[0]["sha256"] is not None
    return launches, not hosted, bool(axes.counts), axes.technology, is_known, axes.rows, axes.identity


def _first_digest(catalog: Catalog, axes: Axes) -> str:
    """The digest of the first row of a block, in hex: measured, since an index has only parts of digests."""
    known = catalog.launch_components
    config = LaunchConfig(
        technology=axes.technology,
        firmware=known.firmware[bytes.fromhex(axes.identity)],
        kernel_hashes=known.kernel_hashes[bytes.fromhex(axes.kernel_hashes)] if axes.kernel_hashes else None,
        vmm=known.vmm[axes.vmm] if axes.vmm else None,
        vcpu_signature=VcpuSignature(axes.signatures[0]) if axes.signatures else None,
        sev_features=axes.features[0] if axes.features else None,
        vcpus=axes.counts[0] if axes.counts else None,
    )
    return config.digest().hex()
