"""`ldcat measure` and `ldcat inspect` of an IGVM file."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from catalog.firmware.igvm.igvm_types import PlatformType
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
    assert (
        "ldcat: warning: the ID block of the file expects 0000000000000000..., the digest under no known loader" in err
    )
    assert "ldcat: note: no launch was seen under igvm-spec" in err
    code, out, _ = run("measure", path, "-t", "sev-snp", "--vmm", "hyperv-igvm", "-f", "table", "-q")
    assert (code, out.count("id_block_digest"), out.count("DANGER")) == (0, 1, 2)


def test_measure_by_number_of_vcpus(run: Run, tmp_path: Path) -> None:
    file = tmp_path / "none.igvm"
    file.write_bytes(igvm_bytes(platform(), page(0x1000)))
    asked = ("measure", str(file), "-t", "sev-snp", "--vmm", "qemu-igvm", "--vcpus", "1-3", "--vcpu-type", "EPYC")
    code, out, _ = run(*asked, "-f", "json", "-q")
    assert code == 0
    record = json.loads(out)
    assert len({each["launch_digest"] for each in record["launch_digests"]}) == 3
    assert record["vcpu_signature"] == "0x00800f12"


def test_measure_by_number_of_vcpus_says_for_which_the_id_block_is_right(run: Run, tmp_path: Path) -> None:
    file = tmp_path / "own.igvm"
    asked = ("measure", str(file), "-t", "sev-snp", "--vmm", "qemu-igvm", "--vcpu-type", "EPYC", "-q")
    file.write_bytes(igvm_bytes(platform(), page(0x1000)))
    digest = run(*asked, "--vcpus", "2")[1].strip()
    file.write_bytes(igvm_bytes(platform(), page(0x1000), id_block(bytes.fromhex(digest))))
    record = json.loads(run(*asked, "--vcpus", "1-2", "-f", "json")[1])
    assert [note["code"] for note in record["notes"]] == ["id-block-differs", "loader-not-observed", "id-block-matches"]
    assert record["launch_digests"][1] == {"vcpus": 2, "launch_digest": digest}
    expected = run(*asked, "--vcpus", "2", "-f", "json")[1]
    (tmp_path / "expected.json").write_text(expected)
    code, out, _ = run("explain", digest, "--expect", str(tmp_path / "expected.json"), "-f", "json")
    found = {hit["vmm"]: hit["differs"] for hit in json.loads(out)["explanations"]}
    of_qemu_11 = [{"axis": "vmm", "expected": "qemu-igvm", "found": "qemu-11-igvm"}]
    assert (code, found) == (0, {"qemu-igvm": [], "qemu-11-igvm": of_qemu_11})


def test_inspect_shows_all_of_it(run: Run, path: str) -> None:
    code, out, err = run("inspect", path)
    assert code == 0
    assert err == "ldcat: warning: the ID block of the file expects a digest that no known loader gives\n"
    for expected in (
        "version 1, x64",
        "Platform SEV_SNP",
        "0x30000: smt",
        "VMSA of vCPU 0",
        "4,096 bytes at 0xfffff000",
        "not a catalogued build",
        "page type of pages without data",
        "parameter area 0",
        "Launches on SEV_SNP",
        "differs",
        "not launched",
    ):
        assert expected in out
    code, out, _ = run("inspect", path, "-f", "json")
    assert json.loads(out)["kind"] == "igvm"
    code, line, _ = run("inspect", path, "-f", "jsonl")
    assert json.loads(line) == json.loads(out)
    code, out, err = run("inspect", path, "-f", "toml")
    assert (code, out.count("[igvm.platforms.sev-snp]"), err) == (0, 1, "")


def test_inspect_shows_some_ranges_and_what_is_odd(run: Run, tmp_path: Path) -> None:
    file = tmp_path / "odd.igvm"
    pages = [page(0x2000 * number, mask=3) for number in range(50)]
    file.write_bytes(igvm_bytes(platform(), *pages, context()[:-4] + b"0000"))
    code, out, err = run("inspect", str(file))
    assert code == 0
    assert "(11 more ranges: --format json)" in out
    assert "ldcat: warning: headers whose padding is not zero, as the format demands: 1" in err
    assert "ldcat: note: masks of headers have bits of platforms that the file does not declare: 0x2" in err
    assert run("inspect", str(file), "-q", "-f", "json")[2].count("\n") == 1


def test_inspect_says_so_if_a_platform_is_not_measured(run: Run, tmp_path: Path) -> None:
    file = tmp_path / "tdx.igvm"
    file.write_bytes(igvm_bytes(platform(PlatformType.TDX), page(0x1000)))
    assert "TDX: not measured by ldcat" in run("inspect", str(file))[1]


def test_loaders_are_not_taken_where_images_are_launched(run: Run) -> None:
    code, _, err = run("vmsa", "build", "--vmm", "qemu-igvm")
    assert (code, "qemu-igvm launches IGVM files only" in err) == (2, True)
