"""Launch digests of one launch with several numbers of vCPUs, without a firmware; and what relates them."""

from __future__ import annotations

import hashlib
import random
from collections.abc import Sequence
from unittest import mock

from catalog.abi.digest import LaunchDigest
from catalog.abi.vcpu import VcpuSignature
from catalog.launch.hashing.backends import HashBackend, choose
from catalog.relate import relate as module
from catalog.relate.relate import Related, relate
from catalog.spec import embedded
from catalog.work.engine import local_engine
from catalog.work.progress import Progress

ADDRESS = 0x80B004
"""A reset address that most embedded builds have."""

EPYC = 0x800F12


def ap_tail(
    vmm: str, *, address: int = ADDRESS, signature: int | None = None, features: int = 1, gpa: int = 0xFFFFFFFFF000
) -> bytes:
    """PAGE_INFO of an AP page after the digest, put together by hand. Source: SNP ABI (56860), 8.17.2."""
    page = embedded.profiles()[vmm].vmsa_page(address, VcpuSignature(signature or 0), features, bsp=False)
    return hashlib.sha384(page).digest() + b"\x70\x00\x02\x00\x00\x00\x00\x00" + gpa.to_bytes(8, "little")


def extended(digest: bytes, tail: bytes, times: int) -> bytes:
    """A launch digest after so many more pages."""
    for _ in range(times):
        digest = hashlib.sha384(digest + tail).digest()
    return digest


def random_digest(seed: int) -> bytes:
    return random.Random(seed).randbytes(48)


def related(
    digests: Sequence[bytes],
    *,
    most: int | None = None,
    upper_halves: Sequence[int] = (),
    backend: HashBackend | None = None,
    searched: int = 0,
    begun: list[int] | None = None,
    done: list[int] | None = None,
) -> Related:
    """As the command asks.

    searched: reset addresses of up to so many digests are searched, which takes long.
    begun, done: take what the progress is said to be.
    """
    chosen = backend or choose()
    done = [] if done is None else done

    def start(_: str, total: int) -> Progress:
        if begun is not None:
            begun.append(total)
        return done.append

    with local_engine(2, threads=chosen.compiled) as engine, mock.patch.object(module, "MAX_SEARCHED", searched):
        return relate(
            [LaunchDigest(one) for one in digests],
            most=most,
            upper_halves=upper_halves,
            engine=engine,
            backend=chosen,
            start_progress=start,
        )
