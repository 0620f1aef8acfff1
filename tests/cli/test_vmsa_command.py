"""`ldcat vmsa`: the output of its commands in every format, and errors in one line."""

from __future__ import annotations

import io
import json
import sys
from pathlib import Path

import pytest

from tests.support.cli import AMDSEV, Run

BSP = ("vmsa", "build", "--vmm", "qemu-kvm-init2", "--vcpu-type", "EPYC-Milan")
AP = (*BSP, "--ap", "--firmware", AMDSEV)


class Stdin:
    """Standard input that holds some bytes, or that cannot be read."""

    def __init__(self, data: bytes | OSError) -> None:
        self.data = data

    @property
    def buffer(self) -> io.BytesIO:
        if isinstance(self.data, OSError):
            raise self.data
        return io.BytesIO(self.data)


@pytest.fixture
def page(run: Run, tmp_path: Path) -> Path:
    path = tmp_path / "bsp"
    assert run(*BSP, "--output", str(path)) == (0, f"{path}\n", "")
    return path


def test_build_prints_hex_or_writes_a_file(run: Run, page: Path) -> None:
    assert len(page.read_bytes()) == 4096
    assert run(*BSP) == (0, f"{page.read_bytes().hex()}\n", "")
    assert run(*BSP, "-o", str(page))[0] == 0
    for same in (
        ("--vcpu-signature", "0xa00f11"),
        ("--vcpu-family", "25", "--vcpu-model", "1", "--vcpu-stepping", "1"),
    ):
        assert run(*BSP[:-2], *same)[1] == run(*BSP)[1]


def test_an_ap_starts_at_the_reset_vector_of_its_firmware(run: Run) -> None:
    expected = run(*AP)
    assert expected[0] == 0
    assert run(*BSP, "--ap", "--reset-vector", "0x80b004") == expected
    assert run(*BSP)[1] != expected[1]


def test_a_build_of_a_catalog_can_be_named(run: Run) -> None:
    assert run(*BSP, "--ap", "--firmware", "whole.fd") == run(*AP)
    assert run(*BSP, "--catalog", "/nowhere")[0] == 0  # a BSP needs no firmware


def test_the_technology_determines_the_default_of_sev_features(run: Run) -> None:
    pages = [json.loads(run(*BSP, "-t", name, "-f", "json")[1])["registers"] for name in ("sev-es", "sev-snp")]
    assert [registers.get("sev_features") for registers in pages] == [None, "0x1"]
    changed = json.loads(run(*BSP, "--sev-features", "0x21", "-f", "json")[1])
    assert changed["registers"]["sev_features"] == "0x21"


def test_ignored_options_are_noted(run: Run) -> None:
    other = ("vmsa", "build", "--vmm", "gce-v1", "--vcpu-type", "EPYC")
    code, out, err = run(*other)
    assert (code, err) == (0, "ldcat: note: this page does not depend on: vCPU type\n")
    assert run(*other, "--quiet") == (0, out, "")


def test_show_reads_every_form(run: Run, page: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    expected = run("vmsa", "show", str(page), "-f", "json")
    assert expected == run(*BSP, "-f", "json")
    forms = {"hex": run(*BSP)[1].encode(), "json": expected[1].encode(), "raw": page.read_bytes()}
    for name, data in forms.items():
        (tmp_path / name).write_bytes(data)
        assert run("vmsa", "show", str(tmp_path / name), "--format", "json") == expected
        monkeypatch.setattr(sys, "stdin", Stdin(data))
        assert run("vmsa", "show", "-", "--format", "json") == expected
        assert run("vmsa", "show", "-", "--format", "hex")[1].encode() == forms["hex"]


def test_show_as_text(run: Run, page: Path, tmp_path: Path) -> None:
    code, out, err = run("vmsa", "show", str(page))
    assert (code, err) == (0, "")
    assert run(*BSP, "-f", "table") == (code, out, err)
    made_by = [line for line in out.splitlines() if line.startswith("  made by ")]
    assert [line.split(maxsplit=2)[2] for line in made_by] == [
        "qemu-kvm-init2 under sev-snp: BSP at 0xfffffff0, vCPU signature 0x00a00f11 "
        "(EPYC-Milan, EPYC-Milan-v1, EPYC-Milan-v2, EPYC-Milan-v3, EPYC-Milan-v4), sev_features 0x1"
    ]
    for part in ("SHA-384, measured by SNP", "mxcsr         0x1f80", "0xffff0000", "registers that are not zero"):
        assert part in out
    assert "without a name" not in out
    changed = bytearray(page.read_bytes())
    changed[0x420:0x422] = b"\x0a\x0b"
    (tmp_path / "changed").write_bytes(changed)
    out = run("vmsa", "show", str(tmp_path / "changed"))[1]
    assert out.endswith("bytes without a name\n  0x420  0a0b\n")
    assert "made by" not in out


def test_show_of_an_empty_page_and_of_a_signature_without_a_name(run: Run, tmp_path: Path) -> None:
    (tmp_path / "zero").write_bytes(bytes(4096))
    code, out, err = run("vmsa", "show", str(tmp_path / "zero"))
    assert (code, err) == (0, "")
    assert "registers" not in out
    out = run(*BSP[:-2], "--vcpu-signature", "7", "-f", "table")[1]
    assert "vCPU signature 0x00000007 (no name), " in out
    assert "made by                   gce-v1 under sev-snp: BSP at 0xfffffff0, sev_features 0x1\n" in run(
        "vmsa", "build", "--vmm", "gce-v1", "-f", "table"
    )[1]  # fmt: skip


def test_diff(run: Run, page: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    ap = tmp_path / "ap.hex"
    ap.write_text(run(*AP)[1])
    code, out, err = run("vmsa", "diff", str(page), str(ap), "--format", "json")
    assert (code, err) == (1, "")
    assert json.loads(out) == {
        "equal": False,
        "differences": [
            {"what": "cs.base", "a": "0xffff0000", "b": "0x800000"},
            {"what": "rip", "a": "0xfff0", "b": "0xb004"},
        ],
    }
    code, out, err = run("vmsa", "diff", str(page), str(ap))
    assert (code, err) == (1, "")
    assert [line.split()[1::2] for line in out.splitlines() if "0x" in line] == [
        ["cs.base", "0xffff0000", "0x800000"],
        ["rip", "0xfff0", "0xb004"],
    ]
    monkeypatch.setattr(sys, "stdin", Stdin(page.read_bytes()))
    assert run("vmsa", "diff", "-", str(page)) == (0, "", "")
    assert json.loads(run("vmsa", "diff", str(page), "-", "-f", "json")[1]) == {"equal": True, "differences": []}


@pytest.mark.parametrize(
    ("arguments", "code", "part"),
    [
        (("vmsa", "nothing"), 2, "no such command 'nothing'"),
        (("vmsa", "show"), 2, "missing argument"),
        (("vmsa", "show", "/nowhere"), 5, "/nowhere: no such file or directory"),
        (("vmsa", "show", "/etc"), 5, "is a directory"),
        (("vmsa", "show", "/dev/null"), 3, "/dev/null: a VMSA is 4096 bytes, not 0"),
        (("vmsa", "show", "/dev/zero"), 3, "/dev/zero is larger than 131072 bytes"),
        (("vmsa", "show", "-"), 5, "-: input/output error"),
        (("vmsa", "show", "/dev/null", "-f", "csv"), 2, "'csv' is not one of"),
        (("vmsa", "diff", "/dev/null"), 2, "missing argument"),
        (("vmsa", "diff", "-", "-"), 2, "stdin can be read only once"),
        (("vmsa", "diff", "/dev/null", "/nowhere"), 3, "/dev/null: a VMSA is 4096 bytes"),
        (("vmsa", "diff", "a", "b", "-f", "hex"), 2, "'hex' is not one of"),
        (("vmsa", "build"), 2, "sev-snp depends on the VMM"),
        (("vmsa", "build", "--vmm", "qemu-kvm-init2"), 2, "measures the vCPU signature"),
        ((*BSP, "--firmware", AMDSEV), 2, "the BSP starts at 0xfffffff0"),
        ((*BSP, "--ap"), 2, "the page of an AP needs a firmware or a reset vector"),
        ((*BSP, "--ap", "--reset-vector", "two"), 2, "'two' is not a number"),
        ((*BSP, "--ap", "--reset-vector", "-1"), 2, "-0x1 is not a nonzero address"),
        ((*BSP, "--vcpu-family", "25"), 2, "go together"),
        ((*BSP, "--vcpu-family", "25", "--vcpu-model", "1", "--vcpu-stepping", "99"), 2, "vCPU stepping 99"),
        ((*BSP, "--format", "csv"), 2, "'csv' is not one of"),
        ((*BSP, "--output", "/dev/null"), 5, "/dev/null is not a regular file"),
        ((*BSP, "--output", "/nowhere/page"), 5, "/nowhere/page: no such file or directory"),
        ((*BSP, "--output", "/dev/stdout"), 2, "/dev/stdout is a symbolic link"),
    ],
)
def test_bad_input_is_one_line_and_the_right_code(
    run: Run, monkeypatch: pytest.MonkeyPatch, arguments: tuple[str, ...], code: int, part: str
) -> None:
    monkeypatch.setattr(sys, "stdin", Stdin(OSError(5, "Input/output error")))
    got, out, err = run(*arguments)
    assert (got, out) == (code, "")
    first, *rest = err.splitlines()
    assert first.startswith("ldcat: error: ")
    assert part.lower() in first.lower()
    assert not first.endswith(".")
    assert len(rest) <= 1
    assert all(line.startswith("ldcat: hint: ") for line in rest)


@pytest.mark.parametrize("command", [(), ("show",), ("build",), ("diff",)])
def test_every_command_has_help(run: Run, command: tuple[str, ...]) -> None:
    code, out, err = run("vmsa", *command, "-h")
    assert (code, err) == (0, "")
    assert f"Usage: {' '.join(('ldcat', 'vmsa', *command))}" in out
