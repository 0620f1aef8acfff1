"""A build computes how many rows and how much disk space a spec needs before it makes any of them."""

from __future__ import annotations

import hashlib
import shutil
import tracemalloc
from collections import namedtuple
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from catalog.build import digest_table, disk_space
from catalog.build.disk_space import room_needed
from catalog.cli.main import run
from catalog.errors import UsageError
from catalog.fast.index import ROW_GROUP
from catalog.launch.point import VcpuPoint
from catalog.spec.catalog_spec import load_spec
from catalog.spec.counting import Count, count_rows
from catalog.spec.cross_product import cross_product
from tests.support.catalogs import build
from tests.support.samples import ONE_ROW, SMALL, write_spec

HUGE = f"""
name = "huge"
firmware = {{ builds = ["*"] }}
kernel_hashes = {{ tables = ["none", "*"] }}
[technologies.sev-snp]
vmm = ["*"]
vcpu_signatures = {[0x800F00 + 16 * number for number in range(2000)]}
sev_features = {[1 + 4 * number for number in range(3000)]}
vcpus = ["1-4096"]
[[together]]
when = {{ vcpu_signatures = [0x800f10], sev_features = [5] }}
only = {{ vcpus = ["1-3", 99] }}
"""
"""1.6 * 10^12 rows, in 4 * 10^8 sweeps."""

SELECTORS = st.fixed_dictionaries(
    {},
    optional={
        "technology": st.sampled_from(['["sev-es"]', '["sev", "sev-snp"]']),
        "firmware": st.sampled_from(['["bare.fd"]', '["whole.fd", "twin.fd"]', '["*"]']),
        "kernel_hashes": st.sampled_from(['["none"]', '["mine"]']),
        "vmm": st.sampled_from(['["qemu-*"]', '["ec2-2026"]']),
        "vcpu_signatures": st.sampled_from(['["EPYC-Milan"]', "[0xa10f10]"]),
        "sev_features": st.sampled_from(["[0]", "[1, 5]"]),
        "vcpus": st.sampled_from(["[1]", '["2-3"]', "[7]"]),
    },
)


def selector(fields: dict[str, str]) -> str:
    return "{ " + ", ".join(f"{name} = {value}" for name, value in fields.items()) + " }"


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=60, deadline=None)
@given(st.lists(st.tuples(SELECTORS, SELECTORS), max_size=4))
def test_the_count_matches_the_rows_that_are_built(
    inputs: Path, rules: list[tuple[dict[str, str], dict[str, str]]]
) -> None:
    text = SMALL.replace("sev_features = [0]", "sev_features = [0, 1, 4]").replace("[1, 0x21]", "[0, 1, 5, 0x21]")
    for when, only in rules:
        text += f"\n[[together]]\nwhen = {selector(when)}\nonly = {selector(only)}\n"
    spec = load_spec(write_spec(inputs, text))
    made = cross_product(spec).sweeps
    for technology, count in count_rows(spec).items():
        sweeps = [sweep for sweep in made if sweep.config.technology == technology]
        assert count.rows == sum(len(sweep.vcpus) for sweep in sweeps)
        assert count.sweeps == len(sweeps)
        assert count.last == max([1, *(sweep.vcpus[-1] or 1 for sweep in sweeps)])


def test_the_count_matches_the_default_catalog() -> None:
    spec = load_spec(None)
    assert sum(count.rows for count in count_rows(spec).values()) == cross_product(spec).rows


def test_a_spec_of_a_trillion_rows_is_refused_before_the_build(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("catalog.build.builder.cross_product", lambda _: pytest.fail("it was made"))
    spec, out = write_spec(tmp_path, HUGE), tmp_path / "catalog"
    rows = sum(count.rows for count in count_rows(load_spec(spec)).values())
    assert rows > 10**12
    tracemalloc.start()
    try:
        code = run(["build", str(spec), "--output", str(out)])
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    error, hint = capsys.readouterr().err.splitlines()
    assert code == 2
    assert error == f"ldcat: error: the spec asks for {rows:,} rows, which are more than 200,000,000"
    assert f"--max-rows {rows}; " in hint
    assert peak < 64 << 20  # the axes are in memory, but no product of two of them
    assert not out.exists()


def test_max_rows_limits_the_rows_of_a_catalog(
    inputs: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    spec = write_spec(inputs, SMALL)
    rows = cross_product(load_spec(spec)).rows
    command = ["build", str(spec), "--output", str(tmp_path / "catalog")]
    assert run([*command, "--max-rows", str(rows - 1)]) == 2
    assert f"asks for {rows} rows" in capsys.readouterr().err
    monkeypatch.setenv("LDCAT_MAX_ROWS", str(rows - 1))
    assert run(command) == 2
    assert run([*command, "--max-rows", str(rows)]) == 0


def test_a_build_without_enough_disk_space_is_refused_at_the_start(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    spec, out = write_spec(tmp_path, HUGE), tmp_path / "not/yet/there"
    monkeypatch.setattr("catalog.build.builder.cross_product", lambda _: pytest.fail("it was made"))
    assert run(["build", str(spec), "--output", str(out), "--max-rows", str(10**13)]) == 5
    error = capsys.readouterr().err.splitlines()[0]
    assert error.startswith("ldcat: error: the catalog needs about ")
    assert f" GB in {out}, and " in error
    assert not (tmp_path / "not").exists()


def test_the_free_space_of_the_target_file_system_counts(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    paths = []
    usage = namedtuple("usage", "total used free")

    def disk_usage(path: Path) -> usage:
        paths.append(path)
        return usage(1 << 60, 0, free.pop())

    monkeypatch.setattr(shutil, "disk_usage", disk_usage)
    spec = write_spec(tmp_path, ONE_ROW)
    (tmp_path / "elsewhere").mkdir()
    (tmp_path / "link").symlink_to(tmp_path / "elsewhere")
    needed = room_needed(load_spec(spec), count_rows(load_spec(spec)))
    free = [needed, needed - 1]
    command = ["build", str(spec), "--output", str(tmp_path / "link/catalog")]
    assert (run(command), run(command)) == (5, 0)
    assert paths == [tmp_path / "elsewhere"] * 2


@pytest.mark.parametrize(
    ("signatures", "features", "vcpus", "row_group"),
    [  # few VMSAs, some, and more than there are rows in a row group
        (1, 1, 3000, ROW_GROUP),
        (30, 30, 30, ROW_GROUP),
        (50, 180, 1, 1 << 13),
    ],
)
def test_the_estimate_is_close_to_the_size_of_the_catalog(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, signatures: int, features: int, vcpus: int, row_group: int
) -> None:
    def hashes_of_others(_: object, point: VcpuPoint) -> tuple[bytes, bytes]:
        """They take as much room as those of VMSA pages, and a tenth of the time."""
        name = f"{point.vcpu_signature} {point.sev_features}".encode()
        return hashlib.sha256(name).digest(), hashlib.sha256(name + b"ap").digest()

    monkeypatch.setattr(digest_table, "vmsa_page_hashes", hashes_of_others)
    for module in (digest_table, disk_space):
        monkeypatch.setattr(module, "ROW_GROUP", row_group)
    text = f"""
name = "room"
firmware = {{ builds = ["sid/ovmf-amdsev/OVMF.amdsev.fd"] }}
[technologies.sev-snp]
vmm = ["qemu-kvm-init2"]
vcpu_signatures = {[0x800F00 + 16 * number for number in range(signatures)]}
sev_features = {[1 + 4 * number for number in range(features)]}
vcpus = ["1-{vcpus}"]
"""
    spec = write_spec(tmp_path, text)
    built = build(spec, tmp_path / "catalog")
    taken = sum(path.stat().st_size for path in built.folder.rglob("*") if path.is_file())
    loaded = load_spec(spec)
    besides = disk_space._BESIDES
    assert taken - besides < room_needed(loaded, count_rows(loaded)) - besides < 1.5 * taken


def test_only_distinguished_digests_take_space(inputs: Path) -> None:
    text = SMALL.replace("[technologies.sev-snp]", "[technologies.sev-snp]\ndistinguished_bits = 16")
    spec = load_spec(write_spec(inputs, text))
    counts = {"sev-snp": Count(rows=1 << 32, sweeps=1 << 20, last=4096, vmsas=1 << 10)}
    assert room_needed(spec, counts) < 100 * ((1 << 16) + (1 << 20))


def test_a_range_listed_a_million_times_counts_once(inputs: Path) -> None:
    text = SMALL.replace('vcpus = ["1-3"]', f"vcpus = {['1-4096'] * 100_000}")
    assert load_spec(write_spec(inputs, text)).axes["sev-es"].vcpus == tuple(range(1, 4097))


def test_a_spec_has_at_most_a_thousand_constraints(inputs: Path) -> None:
    rule = '\n[[together]]\nwhen = { vcpus = ["1-4096"] }\nonly = {}\n'
    with pytest.raises(UsageError, match="1,001 constraints are more than 1,000"):
        load_spec(write_spec(inputs, SMALL + 1001 * rule))
