"""Search for a launch measurement: which launch digest of a catalog gives it under the owner's TIK.

No index helps with an HMAC, so every digest of SEV or of SEV-ES is tried; the policy says which. A digest that the
host states (its "debug launch digest") is only a hint; `ask/answering.py` tries it first.
"""

from __future__ import annotations

import hmac
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field

from catalog.abi.digest import LaunchDigest
from catalog.abi.guest_policy import SevPolicy
from catalog.abi.launch_measure import MeasureContext, launch_measurement
from catalog.errors import UsageError
from catalog.evidence.evidence import LaunchMeasureData
from catalog.launch.hashing.backends import HashBackend
from catalog.launch.measure_scan import scan_launch_measure
from catalog.store.catalog import Catalog
from catalog.store.digest_parts import DigestPart, digest_parts
from catalog.work.engine import processors


@dataclass(frozen=True, slots=True)
class MeasureQuestion:
    """A launch measurement to search for.

    measurement: the HMAC, 32 bytes.
    context: everything that the HMAC covers besides the digest.
    policy: the guest policy.
    tik: the owner's key, never shown.
    """

    measurement: bytes
    context: MeasureContext
    policy: SevPolicy
    tik: bytes = field(repr=False)

    @classmethod
    def of(cls, data: LaunchMeasureData, tik: bytes) -> MeasureQuestion:
        """Raises UsageError if a field is missing, MalformedInput if one is invalid."""
        if missing := data.missing:
            options = ", ".join(f"--{name.replace('_', '-')}" for name in missing)
            raise UsageError(
                f"the launch measurement also covers values that are missing: {', '.join(missing).replace('_', ' ')}",
                f"give {options}; virsh domlaunchsecinfo or QMP query-sev prints them",
            )
        context = MeasureContext(
            api_major=data.api_major or 0,
            api_minor=data.api_minor or 0,
            build_id=data.build_id or 0,
            policy=data.policy or 0,
            nonce=data.nonce or b"",
        )
        return cls(data.measurement, context, SevPolicy.parse(context.policy), tik)

    @property
    def technology(self) -> str:
        """The technology that the policy demands."""
        return self.policy.technology

    def matches(self, digest: LaunchDigest) -> bool:
        """True if the measurement is of this digest; raises MalformedInput for a digest of SEV-SNP."""
        computed = launch_measurement(self.tik, self.context, digest)
        return hmac.compare_digest(computed, self.measurement)


def search(
    catalog: Catalog, question: MeasureQuestion, backend: HashBackend, tried: Callable[[int], None]
) -> list[LaunchDigest]:
    """The digests of the catalog that give the measurement: one, or none.

    tried: receives how many digests were tried, part by part.

    Raises VerificationFailed for a damaged catalog, Unreadable.
    """
    parts = digest_parts(catalog, question.technology)
    from catalog.files.direct_io import ScratchBuffer  # pyarrow takes long to load

    buffer = ScratchBuffer()

    def search_part(part: DigestPart) -> set[bytes]:
        candidates = _digests(part, catalog.verified_in(buffer, part.name))
        args = (question.tik, question.context, question.measurement, candidates, backend)
        found = {bytes(candidates[32 * n : 32 * (n + 1)]) for n in scan_launch_measure(*args)}
        tried(len(candidates) // 32)
        return found

    with ThreadPoolExecutor(processors()) as pool:  # verifying and searching release Python's lock
        return [LaunchDigest(value) for value in sorted(set().union(*pool.map(search_part, parts)))]


def _digests(part: DigestPart, data: memoryview) -> memoryview:
    """All digests of a Parquet part, concatenated. data: the verified bytes of the part."""
    column = part.table(["launch_digest"], data=data)["launch_digest"].combine_chunks()
    if not len(column):
        return memoryview(b"")
    return memoryview(column.buffers()[1])[32 * column.offset : 32 * (column.offset + len(column))]
