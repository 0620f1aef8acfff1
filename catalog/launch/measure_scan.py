"""LAUNCH_MEASURE scan: finds the launch digests that have a given launch measurement. No index can answer this."""

from __future__ import annotations

import hmac

from catalog.abi.digest import SEV_DIGEST_SIZE, LaunchDigest
from catalog.abi.launch_measure import MEASUREMENT_SIZE, MeasureContext, check_tik, launch_measurement
from catalog.abi.sha256 import Sha256State
from catalog.errors import MalformedInput
from catalog.launch.hashing import compiled
from catalog.launch.hashing.backends import PYTHON, HashBackend

_BLOCK = 64


def scan_launch_measure(
    tik: bytes, context: MeasureContext, measurement: bytes, candidates: bytes | memoryview, backend: HashBackend
) -> list[int]:
    """Numbers of the candidates that have this launch measurement under the TIK.

    tik: 16 bytes.
    measurement: 32 bytes.
    candidates: 32-byte digests, one after the other.

    Raises MalformedInput for a wrong length.
    """
    check_tik(tik)
    if len(measurement) != MEASUREMENT_SIZE or len(candidates) % SEV_DIGEST_SIZE:
        raise MalformedInput("a launch measurement or a candidate does not have 32 bytes")
    if backend.sha256 == PYTHON:
        digests = (bytes(candidates[n : n + 32]) for n in range(0, len(candidates), 32))
        made = (launch_measurement(tik, context, LaunchDigest(digest)) for digest in digests)
        return [number for number, each in enumerate(made) if hmac.compare_digest(each, measurement)]
    return compiled.scan_launch_measure(
        backend.sha256,
        inner=_keyed(tik, 0x36),
        outer=_keyed(tik, 0x5C),
        before=context.before_digest(),
        after=context.nonce,
        measurement=measurement,
        candidates=candidates,
    )


def _keyed(tik: bytes, pad: int) -> bytes:
    """The SHA-256 midstate after the padded key block of HMAC. Source: FIPS 198-1, section 4."""
    block = bytes(byte ^ pad for byte in tik.ljust(_BLOCK, b"\0"))
    return Sha256State().update(block).midstate
