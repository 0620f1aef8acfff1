"""Explain a digest from a catalog, on every processor of this machine."""

from __future__ import annotations

import json
from collections.abc import Mapping
from time import monotonic
from typing import Any

from catalog.api.evidence_inputs import check_accepted
from catalog.ask.answering import answer_without_catalog
from catalog.ask.verification import VerificationInputs
from catalog.evidence.evidence import Evidence
from catalog.explain.baseline import baseline_of_catalog, collect_known, expectation
from catalog.explain.explain import Budget, explain
from catalog.explain.explanation import Explanation
from catalog.launch.hashing.backends import choose
from catalog.store.catalog import Catalog
from catalog.work.engine import local_engine, processors


def explained(
    catalog: Catalog,
    evidence: Evidence,
    expected: Mapping[str, Any] | None,
    budget: float,
    proofs: VerificationInputs,
) -> Explanation:
    """Search from the expected configuration, if there is one, then from the catalog; raises as `Release.explain`.

    What is demanded of a launch measurement is known after the search: that a digest has it.
    """
    about = answer_without_catalog(evidence, proofs)
    if not evidence.measure_data:
        check_accepted(about)
    known, backend = collect_known(catalog), choose()
    baselines = [baseline_of_catalog(catalog, evidence.technologies())]
    if expected is not None:
        baselines.insert(0, expectation(json.dumps(expected).encode(), known))
    with local_engine(processors(), threads=backend.compiled) as engine:
        found = explain(
            evidence,
            baselines,
            known,
            proofs=proofs,
            engine=engine,
            backend=backend,
            budget=Budget.starting(budget, monotonic),
            start_progress=lambda _: lambda _, __: None,
        )
    if not found.hits:
        check_accepted(about)
    return found
