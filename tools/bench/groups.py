"""How fast each hash backend is with as many chains at once as builds and explain have, and not with thousands only."""

from __future__ import annotations

import random
import time
from collections.abc import Sequence

from catalog.abi.sha256 import Sha256State
from catalog.abi.vcpu import VcpuSignature
from catalog.abi.vcpu_start import RESET_EIP
from catalog.files.direct_io import keep_freed_memory
from catalog.launch.chain import VcpuChain
from catalog.launch.hashing.backends import (
    PYTHON,
    REFERENCE,
    HashBackend,
    choose,
    sha256_implementations,
    sha384_implementations,
)
from catalog.launch.technology import technology_named
from catalog.spec import embedded
from tools.bench.catalogs import Catalogs

GROUPS = (1, 5, 32, 48, 240)
"""Chains: of one configuration; of one with five kernel hashes tables; 48, of a build; other ones, of explain."""

COUNTS = range(1, 129)
TABLES = 5
SECONDS = 3.0


def chains_of(technology: str, count: int) -> list[VcpuChain]:
    """As a build makes them: each VMSA with four kernel hashes tables, and with none, which changes the length."""
    chance, profile = random.Random(1), embedded.profile_named("qemu-kvm-init2")
    gpa = profile.snp.vmsa_gpa if profile.snp else 0
    made: list[VcpuChain] = []
    for number in range(count):
        signature = VcpuSignature(0x800F10 + 16 * (number // TABLES))
        bsp, ap = (
            profile.vmsa_update(eip, signature, technology == "sev-snp", bsp=first, gpa=gpa)
            for eip, first in ((RESET_EIP, True), (0x80B004, False))
        )
        prefix = 4096 + 176 * (number % TABLES > 0)
        state = chance.randbytes(48) if technology == "sev-snp" else Sha256State().update(chance.randbytes(prefix))
        made.append(VcpuChain(state, bsp, ap))
    return made


def group_lines(_: Catalogs) -> list[str]:
    """Digests a second of each backend, as lines of Markdown, and how many times those of the default."""
    keep_freed_memory()  # as a build does
    forced = {
        "sev-es": [HashBackend(name, PYTHON) for name in sha256_implementations()],
        "sev-snp": [HashBackend(PYTHON, name) for name in sha384_implementations()],
    }
    lines = [
        "Groups of as many chains as builds and explain hash at once. Every five chains have one VMSA, four of them",
        "with a kernel hashes table, so that lengths differ. In parentheses: times the first line, the default.",
        "",
        f"| digests | backend | {' | '.join(f'groups of {count}' for count in GROUPS)} |",
        f"|---|---|{'---|' * len(GROUPS)}",
    ]
    for technology, backends in forced.items():
        usual = choose()
        default = HashBackend(usual.sha256, PYTHON) if technology == "sev-es" else HashBackend(PYTHON, usual.sha384)
        rates = [_rates(technology, chains_of(technology, count), backends) for count in GROUPS]
        for backend in backends:
            name = backend.sha256 if technology == "sev-es" else backend.sha384
            cells = [f"{rate[backend]:,.0f} ({rate[backend] / rate[default]:.2f})" for rate in rates]
            lines.append(f"| {technology_named(technology).title} | {name} | {' | '.join(cells)} |")
    return lines


def _rates(technology: str, chains: Sequence[VcpuChain], backends: Sequence[HashBackend]) -> dict[HashBackend, float]:
    """Digests a second of each backend: the best of many rounds, in each of which all take their turn.

    Python, which is far slower, takes one. Time of the thread counts, because others use the machine, too.
    """
    fold, digests = technology_named(technology).fold_chains, len(chains) * len(COUNTS)
    best = dict.fromkeys(backends, 0.0)
    ends = time.perf_counter() + SECONDS
    while not all(best.values()) or time.perf_counter() < ends:
        for backend in random.sample(backends, len(backends)):  # what ran before slows some processors down
            if backend == REFERENCE and best[backend]:
                continue
            started = time.thread_time()
            fold(chains, COUNTS, backend)
            best[backend] = max(best[backend], digests / (time.thread_time() - started))
    return best
