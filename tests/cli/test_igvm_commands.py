"""`ldcat measure` and `ldcat inspect` of an IGVM file."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from catalog.firmware.ovmf import FOUR_GIB
from tests.support.cli import Run
from tests.support.igvm_builder import area, context, id_block, igvm_bytes, insert, page, platform, policy

USUAL = (
    platform(),
    policy(),
    area(0x2000),
    insert(0x8000),
    page(0x3000, 1),
    page(0x1000),
    page(FOUR_GIB - 0x1000, 2),
    context(),
    id_block(bytes(48)),
)


@pytest.fixture
def path(tmp_path: Path) -> str:
    file = tmp_path / "own.igvm"
    file.write_bytes(igvm_bytes(*USUAL, pages=2))
    return str(file)


def test_measure_prints_the_digest_and_what_to_know(run: Run, path: str) -> None:
    code, out, err = run("measure", path, "-t", "sev-snp", "--vmm", "igvm-spec")
    assert (code, len(out)) == (0, 97)
    assert "ldcat: warning: the ID block of the file expects 0000000000000000..., not this launch digest" in err
    assert "ldcat: note: what igvm-spec launches is known from source code, and no launch was seen" in err
    code, out, _ = run("measure", path, "-t", "sev-snp", "--vmm", "hyperv-igvm", "-f", "table", "-q")
    assert (code, out.count("id_block_digest"), out.count("DANGER")) == (0, 1, 2)


def test_measure_by_number_of_vcpus(run: Run, tmp_path: Path) -> None:
    file = tmp_path / "none.igvm"
    file.write_bytes(igvm_bytes(platform(), page(0x1000)))
    asked = ("measure", str(file), "-t", "sev-snp", "--vmm", "qemu-igvm", "--vcpus", "1-3", "--vcpu-type", "EPYC")
    code, out, _ = run(*asked, "-f", "json", "-q")
    assert code == 0
    assert len({each["launch_digest"] for each in json.loads(out)["launch_digests"]}) == 3


def test_inspect_shows_all_of_it(run: Run, path: str) -> None:
    code, out, err = run("inspect", path)
    assert (code, err) == (0, "")
    for expected in (
        "version 1, x64",
        "Platform SEV_SNP",
        "0x30000: smt",
        "VMSA of vCPU 0",
        "expects 0000000000000000",
        "4,096 bytes at 0xfffff000",
        "not a catalogued build",
        "pages without data: 1",
        "by address: clh-mshv-igvm",
        "parameter area 0",
        "differs",
    ):
        assert expected in out
    code, out, _ = run("inspect", path, "-f", "json")
    assert json.loads(out)["kind"] == "igvm"
    code, line, _ = run("inspect", path, "-f", "jsonl")
    assert json.loads(line) == json.loads(out)
    code, _, err = run("inspect", path, "-f", "toml")
    assert (code, err.splitlines()[0]) == (2, "ldcat: error: an IGVM file has no record")


def test_inspect_shows_some_ranges_and_what_is_odd(run: Run, tmp_path: Path) -> None:
    file = tmp_path / "odd.igvm"
    pages = [page(0x2000 * number, mask=3) for number in range(50)]
    file.write_bytes(igvm_bytes(platform(), *pages, context()[:-4] + b"0000"))
    code, out, err = run("inspect", str(file))
    assert code == 0
    assert "(10 more: --format json)" in out
    assert "ldcat: note: the padding of 1 headers is not zero, which the format demands" in err
