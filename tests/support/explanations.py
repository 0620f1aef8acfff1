"""The result of explain for a digest, obtained in the same way as by the command."""

from __future__ import annotations

import hashlib
import itertools
import json
from collections.abc import Callable, Sequence
from typing import Any

from catalog.abi.digest import LaunchDigest
from catalog.abi.report import AttestationReport
from catalog.ask.measure import Workbench
from catalog.ask.measure_request import parse_request
from catalog.ask.verification import VerificationInputs
from catalog.evidence.evidence import Evidence, LaunchMeasureData
from catalog.explain.baseline import Baseline, collect_known, expectation
from catalog.explain.explain import Budget, SearchProgress, explain
from catalog.explain.explanation import Explanation
from catalog.launch.hashing.backends import HashBackend, choose
from catalog.store.catalog import Catalog
from catalog.work.engine import local_engine

TIK = bytes(range(100, 116))

KERNEL, INITRD = hashlib.sha256(b"my kernel").hexdigest(), hashlib.sha256(b"my initrd").hexdigest()

BELIEVED: dict[str, Any] = {
    "technology": "sev-snp",
    "firmware": "sid/ovmf-generic/OVMF.fd",
    "vmm": "qemu-kvm-init2",
    "vcpus": 4,
    "vcpu_type": "EPYC-Milan",
    "sev_features": 1,
    "kernel_sha256": KERNEL,
    "initrd_sha256": INITRD,
    "append": "console=ttyS0 ro",
}

LAUNCHED: dict[str, dict[str, Any]] = {
    "vcpus": {"vcpus": 1024},
    "vmm": {"vmm": "ec2-2026"},
    "sev_features": {"sev_features": 0x229},
    "vcpu_signature": {"vcpu_type": None, "vcpu_signature": 0xA10F11},
    "kernel_hashes": {"append": "console=ttyS0 ro\n"},
    "firmware": {"firmware": "sid/ovmf-amdsev/OVMF.amdsev.fd"},
}
"""What is launched instead of the expectation, by axis."""

ES = {"technology": "sev-es", "sev_features": 0, "vmm": "qemu-kvm-legacy"}

ES_LAUNCHED = {
    **LAUNCHED,
    "vmm": {"vmm": "qemu-kvm-init2"},
    "sev_features": {"sev_features": 0x20},
    "technology": {"technology": "sev"},
}


def line(**fields: Any) -> bytes:
    return json.dumps(fields).encode()


def digest_of(**fields: Any) -> LaunchDigest:
    known = collect_known(None)
    return Workbench({build.name: build for build in known.builds}).measure(parse_request(line(**fields))).digest


def unseen(_total: int) -> SearchProgress:
    return lambda _words, _count: None


def ask(
    value: LaunchDigest | AttestationReport | LaunchMeasureData,
    baselines: Sequence[Baseline],
    catalog: Catalog | None = None,
    *,
    backend: HashBackend | None = None,
    batches: int = 10_000,
    budget: Budget | None = None,
    start_progress: Callable[[int], SearchProgress] = unseen,
    **candidates: Any,
) -> Explanation:
    """The explanation of a value. batches: how many are tried; the clock of the budget ticks with each."""
    chosen = backend or choose(None)
    proofs = VerificationInputs(tik=TIK if isinstance(value, LaunchMeasureData) else None)
    known = collect_known(catalog, **candidates)
    with local_engine(2, threads=chosen.compiled) as engine:
        evidence = Evidence("of a test", value)
        return explain(
            evidence,
            baselines,
            known,
            proofs=proofs,
            engine=engine,
            backend=chosen,
            budget=budget or Budget.starting(batches, itertools.count().__next__),
            start_progress=start_progress,
        )


def believed(**changes: Any) -> list[Baseline]:
    return [expectation(line(**{**BELIEVED, **changes}), collect_known(None))]
