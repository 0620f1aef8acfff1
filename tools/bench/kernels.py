"""How fast each hash implementation is, compared with hashlib and sev-snp-measure."""

from __future__ import annotations

import hashlib
import hmac
import random
import time
from collections.abc import Callable
from functools import partial
from pathlib import Path

from sevsnpmeasure import guest, vcpu_types, vmm_types
from sevsnpmeasure.sev_mode import SevMode

from catalog.abi.launch_measure import MeasureContext
from catalog.files.direct_io import keep_freed_memory
from catalog.firmware.metadata import Section, SectionType
from catalog.launch.hashing.backends import PYTHON, HashBackend, sha256_implementations, sha384_implementations
from catalog.launch.measure_scan import scan_launch_measure
from catalog.launch.technology import technology_named
from tests.support.firmware_builder import build_ovmf
from tools.bench.catalogs import Catalogs
from tools.bench.groups import COUNTS, chains_of

CHAINS = 240
DIGESTS = CHAINS * len(COUNTS)
CANDIDATES = 200_000


INTRODUCTION = [
    "Chains of 128 vCPUs. hashlib: a loop over the same chains that shares all prefixes. sev-snp-measure 0.0.13:",
    "in process, one image of 4 MiB and 4 vCPUs; it reads and hashes the image for each digest. OpenSSL: computed",
    "from its blocks a second for one message at a time: 65 blocks a SEV-ES digest, 2 a SEV-SNP digest.",
    "",
]


def kernel_lines(catalogs: Catalogs) -> list[str]:
    """What is hashed, by which implementation, how fast, and how many times the others."""
    with catalogs.scratch() as work:
        return [*INTRODUCTION, *_rates(work)]


def _rates(work: Path) -> list[str]:
    keep_freed_memory()  # as a build does
    chance = random.Random(1)
    page, tail = chance.randbytes(4096), chance.randbytes(64)
    es_chains, snp_chains = chains_of("sev-es", CHAINS), chains_of("sev-snp", CHAINS)
    context = MeasureContext(1, 55, 21, 0, bytes(16))
    key, candidates = chance.randbytes(16), chance.randbytes(32 * CANDIDATES)

    def scan(path: str, count: int) -> int:
        scan_launch_measure(key, context, bytes(32), candidates[: 32 * count], HashBackend(path, PYTHON))
        return count

    def es(path: str) -> int:
        technology_named("sev-es").fold_chains(es_chains, COUNTS, HashBackend(path, PYTHON))
        return DIGESTS

    def snp(path: str) -> int:
        technology_named("sev-snp").fold_chains(snp_chains, COUNTS, HashBackend(PYTHON, path))
        return DIGESTS

    theirs = {mode: _rate(partial(_sev_snp_measure, work, mode)) for mode in (SevMode.SEV_ES, SevMode.SEV_SNP)}
    lines = [
        "| digests | backend | a second | times hashlib | times OpenSSL | times sev-snp-measure |",
        "|---|---|---|---|---|---|",
        *_table(
            "SEV-ES",
            _peers(theirs[SevMode.SEV_ES], lambda: _hashlib_es(page), "sha256", 65 * 64),
            sha256_implementations(),
            es,
        ),
        *_table(
            "SEV-SNP",
            _peers(theirs[SevMode.SEV_SNP], lambda: _hashlib_snp(tail), "sha384", 2 * 128),
            sha384_implementations(),
            snp,
        ),
    ]
    one = _rate(lambda: _hmac_loop(key, context, candidates))
    lines.append(f"| LAUNCH_MEASURE scan | hmac | {one:,.0f} | 1.0 | | |")
    for path in sha256_implementations():
        if path != PYTHON:
            rate = _rate(partial(scan, path, CANDIDATES))
            lines.append(f"| LAUNCH_MEASURE scan | {path} | {rate:,.0f} | {rate / one:.1f} | | |")
    return lines


def _peers(theirs: float, loop: Callable[[], int], algorithm: str, size: int) -> dict[str, float]:
    """The others. OpenSSL: as many digests as it has blocks for, of `size` bytes each, in one long message."""
    message = bytes(1000 * size)

    def one_lane() -> int:
        hashlib.new(algorithm, message)
        return 1000

    return {"sev-snp-measure": theirs, "hashlib": _rate(loop), "OpenSSL": _rate(one_lane)}


def _table(what: str, peers: dict[str, float], paths: tuple[str, ...], work: Callable[[str], int]) -> list[str]:
    rates = peers | {path: _rate(partial(work, path)) for path in paths if path != PYTHON}
    others = (peers["hashlib"], peers["OpenSSL"], peers["sev-snp-measure"])
    return [
        f"| {what} | {name} | {rate:,.0f} | {rate / others[0]:.2f} | {rate / others[1]:.2f} | {rate / others[2]:,.0f} |"
        for name, rate in rates.items()
    ]


def _hashlib_es(page: bytes) -> int:
    made = 0
    for _ in range(8):
        state = hashlib.sha256(bytes(176))
        for _ in COUNTS:
            state.update(page)
            state.copy().digest()
            made += 1
    return made


def _hashlib_snp(tail: bytes) -> int:
    made, sha384 = 0, hashlib.sha384
    for _ in range(64):
        digest = bytes(48)
        for _ in COUNTS:
            digest = sha384(digest + tail).digest()
            made += 1
    return made


def _hmac_loop(key: bytes, context: MeasureContext, candidates: bytes) -> int:
    before, after = context.before_digest(), context.nonce
    for at in range(0, 32 * 5000, 32):
        hmac.digest(key, before + candidates[at : at + 32] + after, "sha256")
    return 5000


def _sev_snp_measure(work: Path, mode: SevMode) -> int:
    image = work / "image.fd"
    if not image.exists():
        sections = (
            Section(0x800000, 0x9000, SectionType.SNP_SEC_MEM),
            Section(0x80D000, 0x1000, SectionType.SNP_SECRETS),
            Section(0x80E000, 0x1000, SectionType.CPUID),
            Section(0x811000, 0x1F000, SectionType.SNP_SEC_MEM),
        )
        image.write_bytes(build_ovmf(pages=1024, reset_vector=0x80B004, sections=sections))
    features = 1 if mode is SevMode.SEV_SNP else 0
    signature, vmm = vcpu_types.CPU_SIGS["EPYC-v4"], vmm_types.VMMType.QEMU
    guest.calc_launch_digest(mode, 4, signature, str(image), "", "", "", features, vmm_type=vmm)
    return 1


def _rate(work: Callable[[], int]) -> float:
    """Digests a second of the time of this thread: the best of many rounds in two seconds."""
    work()
    best, ends = 0.0, time.thread_time() + 2
    while (started := time.thread_time()) < ends:
        made = work()
        best = max(best, made / (time.thread_time() - started))
    return best
