"""Search for a launch measurement: which launch digest of a catalog has it under the owner's TIK.

An HMAC has no index: every SEV or SEV-ES digest is tried. The policy says which of the two; a digest that the host
gives (its "debug launch digest") is tried first, and is no more than a hint.
"""

from __future__ import annotations

import hmac
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from catalog.abi.digest import LaunchDigest
from catalog.abi.guest_policy import SevPolicy
from catalog.abi.launch_measure import MeasureContext, launch_measurement
from catalog.ask.evidence import LaunchMeasureData
from catalog.errors import UsageError
from catalog.launch.hashing.backends import HashBackend
from catalog.launch.measure_scan import scan_launch_measure
from catalog.store.catalog import Catalog
from catalog.store.digest_parts import DigestPart, digest_parts
from catalog.work.engine import processors

if TYPE_CHECKING:
    pass


@dataclass(frozen=True, slots=True)
class MeasureQuestion:
    """A launch measurement with everything it covers but the digest. tik: the owner's key, never shown."""

    measurement: bytes
    context: MeasureContext
    policy: SevPolicy
    tik: bytes = field(repr=False)

    @classmethod
    def of(cls, data: LaunchMeasureData, tik: bytes) -> MeasureQuestion:
        """Raises UsageError where a field is still missing, MalformedInput for one that cannot be."""
        if missing := data.missing:
            options = ", ".join(f"--{name.replace('_', '-')}" for name in missing)
            raise UsageError(
                f"a launch measurement also covers what is not said: {', '.join(missing).replace('_', ' ')}",
                f"give {options}; virsh domlaunchsecinfo or QMP query-sev says it",
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
        """The technology that the policy asks for."""
        return self.policy.technology

    def is_of(self, digest: LaunchDigest) -> bool:
        """Whether the measurement is of this digest; raises MalformedInput for one of SEV-SNP."""
        made = launch_measurement(self.tik, self.context, digest)
        return hmac.compare_digest(made, self.measurement)


def search(
    catalog: Catalog, question: MeasureQuestion, backend: HashBackend, tried: Callable[[int], None]
) -> list[LaunchDigest]:
    """The digests of the catalog with that measurement: one, or none. tried: told how many were, part by part.

    Raises what reading the catalog does.
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

    with ThreadPoolExecutor(processors()) as pool:  # parts are verified and searched without Python's lock
        return [LaunchDigest(value) for value in sorted(set().union(*pool.map(search_part, parts)))]


def _digests(part: DigestPart, data: memoryview) -> memoryview:
    """All digests of a Parquet part, one after the other. data: its verified bytes."""
    column = part.table(["launch_digest"], data=data)["launch_digest"].combine_chunks()
    if not len(column):
        return memoryview(b"")
    return memoryview(column.buffers()[1])[32 * column.offset : 32 * (column.offset + len(column))]
