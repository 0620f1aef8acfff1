"""Ranges asked: the file that a digest would be in is fetched, and what it says is measured again.

A row that is there has the digest, whoever wrote the file. That none is there is the host's word alone. Ranges list the
first 16 bytes of a digest: a row whose digest differs behind them is another's, and no fault of the host.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

from catalog.abi.digest import LaunchDigest
from catalog.abi.vcpu import VcpuSignature
from catalog.errors import LdcatError, VerificationFailed
from catalog.launch.point import FirmwarePoint, Point, VcpuPoint
from catalog.launch.technology import measure, technology_named
from catalog.store.catalog import Catalog
from catalog.store.ranges import FRAGMENT, MAX_READ, RangeIndex

Fetch = Callable[[str, int], bytes]
"""A file by its name, of at most so many bytes."""


class Ranges:
    """The ranges of a catalog, read by `fetch`; raises VerificationFailed for those of another catalog."""

    def __init__(self, catalog: Catalog, index: bytes, fetch: Fetch) -> None:
        self._index = RangeIndex.parse(index)
        if self._index.manifest_sha256 != catalog.manifest_sha256:
            raise VerificationFailed(f"the ranges of {catalog.location} are of another catalog")
        self._catalog = catalog
        self._fetch = fetch
        self._builds = {build.component.sha256.hex(): build.component for build in catalog.builds.values()}
        self._profiles, self._tables = catalog.profiles, catalog.tables
        _ = catalog.firmware, catalog.launchable, catalog.vcpu_types  # all components now: a lookup asks for one file

    def rows(self, digest: LaunchDigest) -> Iterator[dict[str, Any]]:
        """Every row that has the digest, by the columns of launch_digests.parquet.

        Raises what fetching does, MalformedInput for what is no range, VerificationFailed for a row whose digest is not
        what the range says of it.
        """
        name = self._index.name(digest.value)
        for inputs in self._index.find(self._fetch(name, MAX_READ), digest.value):
            measured = self._measured(inputs)
            if measured is None or measured.value[:FRAGMENT] != digest.value[:FRAGMENT]:
                raise VerificationFailed(
                    f"a range of {self._catalog.location} has a row that does not have this launch digest",
                    "the host is wrong about it: ask another one, or fetch the catalog",
                )
            if measured != digest:
                continue
            yield {
                **inputs,
                "launch_digest": digest.value,
                "firmware_sha256": bytes.fromhex(inputs["firmware_sha256"]),
                "kernel_hashes_sha256": _bytes(inputs["kernel_hashes_sha256"]),
            }

    def _measured(self, inputs: dict[str, Any]) -> LaunchDigest | None:
        """The launch digest of a row, by the components of the catalog; None where they have none."""
        try:
            technology = technology_named(inputs["technology"])
            return measure(technology, self._builds[inputs["firmware_sha256"]], self._point(inputs))
        except (LdcatError, LookupError):
            return None

    def _point(self, inputs: dict[str, Any]) -> Point:
        table = inputs["kernel_hashes_sha256"]
        hashes = None if table is None else self._tables[table]
        if inputs["vmm"] is None:
            return FirmwarePoint(hashes)
        signature = inputs["vcpu_signature"]
        vcpu = None if signature is None else VcpuSignature(signature)
        profile = self._profiles[inputs["vmm"]]
        return VcpuPoint(hashes, profile, vcpu, inputs["sev_features"] or 0, inputs["vcpus"] or 0)


def _bytes(text: str | None) -> bytes | None:
    return None if text is None else bytes.fromhex(text)
