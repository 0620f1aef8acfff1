"""Each format that firmware images are unwrapped from, as a function of bytes."""

from __future__ import annotations

from collections.abc import Callable
from unittest import mock

from catalog.containers import container
from catalog.containers.unwrap import formats, unwrap
from tests.fuzz.target import Target
from tests.support.container_writers import COMPRESSORS, File, Qcow2, Vmdk, deb, qcow2, rpm, same, vmdk, zstd
from tests.support.firmware_builder import build_ovmf

RAW = build_ovmf(pages=1)
FILES = (File("a/OVMF.fd", RAW), File("a/link.fd", link="OVMF.fd"))

SEEDS: dict[str, Callable[[], list[bytes]]] = {
    "qcow2": lambda: [
        *(qcow2(RAW, Qcow2(cluster_bits=9, compression=kind)) for kind in (None, "deflate", "zstd")),
        qcow2(RAW, Qcow2(cluster_bits=12, version=2)),
    ],
    "vmdk": lambda: [vmdk(RAW, Vmdk(kind=kind, grain=2)) for kind in ("monolithicSparse", "streamOptimized")],
    "Debian package": lambda: [deb(FILES), deb(FILES, same)],
    "RPM package": lambda: [rpm(FILES, zstd), rpm(FILES, same)],
    **{name: lambda compress=compress: [compress(RAW)] for name, compress in COMPRESSORS.items()},  # type: ignore[misc]
}


def _unwrapped(data: bytes) -> object:
    """Bounded more tightly than in use: else a fuzzer spends its time on bombs."""
    with mock.patch.object(container, "MAX_UNPACKED", 1 << 22):
        return unwrap(data, "file")


CONTAINER_TARGETS = {f"container-{name.split(' ')[0].lower()}": Target(_unwrapped, SEEDS[name]) for name in formats()}
