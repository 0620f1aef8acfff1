"""Records of a log, and the leaves of a catalog by definition."""

from __future__ import annotations

import pyarrow.parquet as pq

from catalog.build.builder import BuildResult
from catalog.fast.published import NO_REVOCATIONS
from catalog.log.records import ReleaseRecord, encode_leaf
from catalog.rows.digest_record import DigestRecord
from catalog.transparency.merkle import EMPTY_ROOT
from tests.support.logs import NOW

RELEASE = ReleaseRecord(
    type="release",
    release=1,
    time=NOW,
    artifacts={},
    revocations_sha256=NO_REVOCATIONS,
    revocations_count=0,
    revocations_chain="0" * 64,
    previous_size=0,
    previous_root=EMPTY_ROOT.hex(),
    trust_version=7,
)


def leaves_of(built: BuildResult) -> list[bytes]:
    """The leaves of a catalog, by the definition of a record."""
    found = []
    for path in built.folder.glob("*/launch_digests*.parquet"):
        for row in pq.read_table(path).to_pylist():
            signature, features = row["vcpu_signature"], row["sev_features"]
            optional = {name: row[name].hex() for name in ("firmware_snp_baseline", "base_digest") if row.get(name)}
            record = DigestRecord(
                type="digest",
                launch_digest=row["launch_digest"].hex(),
                technology=row["technology"],
                firmware_sha256=row["firmware_sha256"] and row["firmware_sha256"].hex(),
                **optional,
                kernel_hashes_sha256=row["kernel_hashes_sha256"] and row["kernel_hashes_sha256"].hex(),
                vmm=row["vmm"],
                vcpus=row["vcpus"],
                vcpu_signature=None if signature is None else f"{signature:#010x}",
                sev_features=None if features is None else f"{features:#x}",
            )
            found.append(encode_leaf(record))
    return found
