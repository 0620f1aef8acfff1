"""The default catalog has every row of the Debian vectors but those of EC2 and GCE, which launch no Debian image."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

import pyarrow.parquet as pq
import pytest

from catalog.abi.digest import LaunchDigest
from catalog.ask.lookup import lookup
from catalog.build.builder import BuildResult
from catalog.fast.match import Match
from catalog.store.catalog import Catalog
from tests.real.shared import SHARED


def as_vector(match: Match) -> tuple[object, ...]:
    record = match.to_dict()
    kernel = record["kernel_hashes"]
    return (
        *(record["technology"], record["firmware"]["name"], record["vmm"], record["vcpus"]),
        *(record["vcpu_signature"], kernel and kernel["kernel_sha256"], kernel and kernel["cmdline_sha256"]),
    )


def vectors() -> list[dict[str, Any]]:
    rows = [json.loads(line) for line in (SHARED / "vectors/debian_launch_digests.jsonl").read_text().splitlines()]
    assert len(rows) == 1283
    return rows


def is_hosted(row: Mapping[str, Any]) -> bool:
    return row["vmm"] in {"ec2-2023", "ec2-2026", "gce-v1"}


def test_every_vector_is_found(default: BuildResult) -> None:
    held = {
        digest.hex()
        for name in default.manifest.technologies
        for digest in pq.read_table(default.folder / name / "launch_digests.parquet")["launch_digest"].to_pylist()
    }
    missing = [row for row in vectors() if row["launch_digest"] not in held]
    assert missing == [row for row in vectors() if is_hosted(row)]
    assert len(missing) == 303


def test_a_vector_is_found_with_its_configuration(default: BuildResult) -> None:
    catalog = Catalog.open(default.folder)
    for row in [row for row in vectors() if not is_hosted(row)][::50]:
        matches = lookup(catalog, LaunchDigest.parse(row["launch_digest"]), warn=pytest.fail)
        expected = (
            *(row["technology"], row["firmware"], row["vmm"], row["vcpus"]),
            *(row["vcpu_signature"], row["kernel_sha256"], row["cmdline_sha256"]),
        )
        assert expected in [as_vector(match) for match in matches]
        assert {match.launch_digest.hex() for match in matches} == {row["launch_digest"]}
