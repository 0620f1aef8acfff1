"""Sweeps in groups that are hashed at once: each sweep once, no more steps than memory is for, and lanes full."""

from __future__ import annotations

import pytest

from catalog.build import generation
from catalog.rows.launch_config import LaunchConfig, VcpuSweep


def sweeps_of(lengths: list[int]) -> list[VcpuSweep]:
    return [
        VcpuSweep(LaunchConfig("sev-es", None, sev_features=number), tuple(range(1, length + 1)))
        for number, length in enumerate(lengths)
    ]


def chunks(lengths: list[int], *, compiled: bool = True) -> list[list[int]]:
    return [list(chunk) for chunk in generation.chunks(sweeps_of(lengths), range(len(lengths)), compiled=compiled)]


@pytest.mark.parametrize(
    ("limit", "sizes"), [(60, [48, 48, 24]), (100, [96, 24]), (30, [30, 30, 30, 30]), (1, [1] * 120)]
)
def test_groups_of_many_sweeps_are_multiples_of_the_lanes(
    monkeypatch: pytest.MonkeyPatch, limit: int, sizes: list[int]
) -> None:
    monkeypatch.setattr(generation, "_CHUNK", (4 * limit, 4 * limit))
    made = chunks([4] * 120)
    assert [len(chunk) for chunk in made] == sizes
    assert [number for chunk in made for number in chunk] == list(range(120))


def test_a_group_has_sweeps_with_the_same_counts(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(generation, "_CHUNK", (48, 48))
    assert chunks([4, 2] * 24) == [list(range(1, 48, 2)), list(range(0, 24, 2)), list(range(24, 48, 2))]


def test_without_compiled_code_groups_are_small(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(generation, "_CHUNK_IN_PYTHON", 8)
    assert chunks([4] * 4, compiled=False) == [[0, 1], [2, 3]]
