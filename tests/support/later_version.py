"""A later version of ldcat, which knows one more technology and writes records that this version does not know."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

import pytest

from catalog.abi.digest import LaunchDigest
from catalog.build.builder import BuildResult
from catalog.firmware.component import FirmwareComponent
from catalog.launch.chain import Digests, VcpuChain, fold_chain
from catalog.launch.hashing.backends import HashBackend
from catalog.launch.point import VcpuPoint
from catalog.launch.technologies.sev_snp import SevSnp
from catalog.launch.technology import technologies
from catalog.log.log_folder import LogFolder
from catalog.log.records import RevokeRecord
from catalog.notes import Note
from catalog.transparency.keys import Signer
from tests.support.catalogs import build
from tests.support.forged_releases import next_record, sign_release
from tests.support.samples import SMALL, write_inputs, write_spec

NAME = "cca"
ROWS = 6

_TABLE = f"""
[technologies.{NAME}]
vmm = ["qemu-kvm-init2"]
vcpu_signatures = ["EPYC-Milan"]
sev_features = [1]
vcpus = ["1-3"]
"""

LATER = SMALL + _TABLE
"""SMALL, and 6 rows of the new technology."""

ALONE = SMALL.split("[technologies.sev]")[0] + _TABLE
"""Only the 6 rows of the new technology."""

NOT_SEARCHED = f"this version of ldcat does not know technology '{NAME}': its {ROWS} rows are not searched"

RECORD = b'{"said":{"launch_digest":"00","type":"digest"},"type":"endorse"}'
"""A leaf of a later version, which contains what looks like a row."""

NOT_CONSIDERED = (
    "this version of ldcat does not know records of type 'endorse' and ignores them (in the log: 1), also those about "
    "rows that it knows"
)

NOTE_NOT_SEARCHED = Note("technology-unknown", NOT_SEARCHED).to_dict()
NOTE_NOT_CONSIDERED = Note("record-type-unknown", NOT_CONSIDERED).to_dict()


class Tdx(SevSnp):
    """Not the real TDX: it launches the same updates as SEV-SNP, and has other digests."""

    name = NAME
    title = "a technology to come"
    digest_is_state = False

    def finish(self, state: bytes) -> LaunchDigest:
        return LaunchDigest(hashlib.sha384(b"cca" + state).digest())

    def fold_chains(self, chains: Sequence[VcpuChain], counts: Sequence[int], backend: HashBackend) -> list[Digests]:
        return [fold_chain(self, chain, counts) for chain in chains]

    def launch_blocker(self, firmware: FirmwareComponent, point: VcpuPoint) -> str | None:
        return SevSnp().launch_blocker(firmware, point)


@contextmanager
def later_version() -> Iterator[None]:
    """Everything in the context is done by the later version."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setitem(technologies(), NAME, Tdx())
        yield


def later_catalog(folder: Path, spec: str = LATER) -> BuildResult:
    """A catalog built by the later version."""
    write_inputs(folder)
    with later_version():
        return build(write_spec(folder, spec), folder / "catalog")


def publish_record(log: LogFolder, by: Signer, now: int, *listed: RevokeRecord, leaf: bytes = RECORD) -> None:
    """The next release of the later version: the same catalog, and one of its records. listed: the revocations."""
    sign_release(log, by, next_record(log, now), listed, leaf)
