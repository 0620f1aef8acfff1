"""`ldcat explain`: text and JSON output, invalid arguments, and that the TIK is never printed."""

from __future__ import annotations

import base64
import io
import json
import shlex
import shutil
import sys
from pathlib import Path

import pyarrow.parquet as pq
import pytest

from catalog.abi.digest import LaunchDigest
from catalog.abi.launch_measure import MeasureContext, launch_measurement
from catalog.build.builder import BuildResult
from catalog.explain.baseline import MAX_FILES
from tests.support.attestation_builder import report_bytes
from tests.support.cli import AMDSEV, NOWHERE, SNP, Run

TIK = b"0123456789abcdef"
NONCE = bytes(range(16))
SAID = ("--api-major", "1", "--api-minor", "40", "--build-id", "55", "--policy", "0x1")
BELIEVED = f'{{"technology":"sev-snp","firmware":"{AMDSEV}","vmm":"qemu-kvm-init2","vcpus":4,"vcpu_type":"EPYC"}}'
BUDGET = ("--budget", "0.001")


@pytest.fixture
def launched(run: Run) -> str:
    """A digest of the expected configuration, with more vCPUs and other features."""
    return run("measure", AMDSEV, *SNP, "--vcpus", "9", "--sev-features", "0x21")[1].strip()


@pytest.fixture
def tik(tmp_path: Path) -> str:
    path = tmp_path / "tik.bin"
    path.write_bytes(TIK)
    return str(path)


@pytest.fixture
def blob(run: Run) -> str:
    """A launch measurement under SEV."""
    digest = LaunchDigest.parse(run("measure", AMDSEV, "-t", "sev")[1].strip())
    measurement = launch_measurement(TIK, MeasureContext(1, 40, 55, 1, NONCE), digest)
    return base64.b64encode(measurement + NONCE).decode()


def test_differences_are_printed(run: Run, launched: str, tmp_path: Path) -> None:
    code, out, err = run("explain", launched, "--expect", BELIEVED)
    assert (code, err) == (0, "")
    assert out.startswith(f"explanation 1: sev-snp\n  launch digest     {launched}\n")
    assert "  * vcpus: 9; expected: 4\n  * sev_features: 0x21; expected: 0x1\n" in out
    assert "  warning: no kernel hashes were measured: the host chose what the firmware boots\n" in out
    assert "trusted" not in out
    (tmp_path / "believed.json").write_text(BELIEVED)
    document = json.loads(run("explain", launched, "--expect", str(tmp_path / "believed.json"), "-f", "json")[1])
    assert document["found"] is True
    (hit,) = document["explanations"]
    assert hit["differs"] == [
        {"axis": "vcpus", "expected": "4", "found": "9"},
        {"axis": "sev_features", "expected": "0x1", "found": "0x21"},
    ]
    assert (hit["launch_digest"], hit["vcpus"], hit["sev_features"]) == (launched, 9, "0x21")


def test_a_launch_with_another_number_of_vcpus_is_named_beside_the_expected_one(run: Run) -> None:
    rows = json.loads(run("measure", AMDSEV, *SNP, "--vcpus", "1,4,9", "-f", "json")[1])["launch_digests"]
    fewer, expected, more = (row["launch_digest"] for row in rows)
    for digest, change, words in ((fewer, -3, "3 fewer"), (more, 5, "5 more")):
        assert (
            f"\n  = the launch with 4 vCPUs, {expected}, with {words}\n"
            in run("explain", digest, "--expect", BELIEVED)[1]
        )
        (hit,) = json.loads(run("explain", digest, "--expect", BELIEVED, "-f", "json")[1])["explanations"]
        assert hit["related"] == {"launch_digest": expected, "vcpus": 4, "more_vcpus": change}
    (hit,) = json.loads(run("explain", expected, "--expect", BELIEVED, "-f", "json")[1])["explanations"]
    assert hit["related"] is None


def test_no_launch_is_related_to_it_if_more_differs_or_its_digest_is_no_state(run: Run, launched: str) -> None:
    (hit,) = json.loads(run("explain", launched, "--expect", BELIEVED, "-f", "json")[1])["explanations"]
    assert hit["related"] is None
    of_es = ("-t", "sev-es", "--vmm", "qemu-kvm-legacy", "--vcpu-type", "EPYC")
    digest = run("measure", AMDSEV, *of_es, "--vcpus", "9")[1].strip()
    believed = BELIEVED.replace("sev-snp", "sev-es").replace("init2", "legacy")
    (hit,) = json.loads(run("explain", digest, "--expect", believed, "-f", "json")[1])["explanations"]
    assert [one["axis"] for one in hit["differs"]] == ["vcpus"]
    assert hit["related"] is None


def test_an_answer_is_a_valid_expectation(run: Run, launched: str) -> None:
    measured = run("measure", AMDSEV, *SNP, "--vcpus", "9", "--sev-features", "0x21", "-f", "json")[1]
    out = run("explain", launched, "--expect", measured)[1]
    assert "  = nothing differs from the expectation\n" in out


@pytest.mark.parametrize("text", ["console=ttyS0\n", "console=ttyS0 ", " console=ttyS0", "console=ttyS0"])
@pytest.mark.parametrize("batch", [False, True])
def test_what_measure_prints_is_enough_to_find_another_command_line(
    run: Run, tmp_path: Path, text: str, *, batch: bool
) -> None:
    (tmp_path / "vmlinuz").write_bytes(b"a kernel of nobody else")
    fields = {"technology": "sev-snp", "firmware": AMDSEV, "vmm": "qemu-kvm-init2", "vcpus": 4, "vcpu_type": "EPYC"}
    fields |= {"kernel": str(tmp_path / "vmlinuz")}
    given = ("measure", AMDSEV, *SNP, "--vcpus", "4", "--kernel", fields["kernel"])
    digest = run(*given, "--append", text)[1].strip()
    expected = "console=ttyS0"
    if batch:
        (tmp_path / "lines").write_text(json.dumps({**fields, "append": expected}))
        believed = run("measure", "--batch", str(tmp_path / "lines"))[1]
    else:
        believed = run(*given, "--append", expected, "-f", "json")[1]
    (hit,) = json.loads(run("explain", digest, "--expect", believed, "-f", "json")[1])["explanations"]
    differs = [(one["axis"], one["parts"]) for one in hit["differs"]]
    assert differs == ([] if text == expected else [("kernel_hashes", ["command line"])])


def test_a_digest_of_the_catalog(run: Run, small: BuildResult) -> None:
    digest = pq.read_table(small.folder / "sev-snp/launch_digests.parquet")["launch_digest"][0].as_py().hex()
    assert "  = nothing differs from the catalog\n" in run("explain", digest)[1]


def test_several_configurations_are_listed(run: Run, small: BuildResult) -> None:
    rows = pq.read_table(small.folder / "sev/launch_digests.parquet").to_pylist()
    twice = next(row["launch_digest"] for row in rows if row["kernel_hashes_sha256"] is None)
    measured = run("explain", twice.hex(), "-f", "json")[1]
    count = len(json.loads(measured)["explanations"])
    assert ("does not say which of them" in measured) == (count > 1)


def test_a_miss(run: Run) -> None:
    code, out, err = run("explain", NOWHERE, "--expect", BELIEVED, *BUDGET)
    assert (code, err) == (1, "")
    assert out.startswith("not explained: no configuration that was tried has this launch digest\n")
    assert "candidates were tried, outward from the expectation\n" in out
    assert "\n  excluded: " in out
    assert "\nfor the axes and values that were tried: --format json\n" in out
    assert len(out.splitlines()) <= 10
    assert "1-3, 5-1024" not in out
    document = json.loads(run("explain", NOWHERE, "--expect", BELIEVED, *BUDGET, "-f", "json")[1])
    assert (document["found"], document["explanations"]) == (False, [])
    assert document["searched"][0]["axes"]["vcpus"]["near"] == ["4"]
    assert document["searched"][0]["not_excluded"]


def test_an_expectation_that_cannot_be_read(run: Run) -> None:
    for given, why in (("{}", "missing required field"), ('{"technology": "sev-snp"', "not JSON")):
        code, out, err = run("explain", NOWHERE, "--expect", given)
        assert (code, out) == (3, "")
        assert "ldcat: error: the expectation cannot be read: " in err
        assert why in err
        assert "ldcat: hint: give what `ldcat measure --format json` prints" in err


def test_a_search_that_ends_too_early_says_how_to_go_on(run: Run) -> None:
    for given in (("--budget", "0.001"), ("--budget=0.001",)):
        out = run("explain", NOWHERE, "--expect", BELIEVED, *given, "-q")[1]
        last = out.splitlines()[-1].removeprefix("to search longer: ")
        program, *arguments = shlex.split(last)
        assert Path(program).name != "ldcat" or program == "ldcat"
        assert arguments == ["explain", NOWHERE, "--expect", BELIEVED, "-q", "--budget", "0.01"]
        document = json.loads(run("explain", NOWHERE, "--expect", BELIEVED, *given, "-q", "-f", "json")[1])
        assert (document["budget"], document["interrupted"]) == (0.001, False)
        assert shlex.split(document["go_on"])[1:] == [*arguments[:-2], "-f", "json", *arguments[-2:]]


def test_a_search_that_is_complete_does_not(run: Run, launched: str, monkeypatch: pytest.MonkeyPatch) -> None:
    found = json.loads(run("explain", launched, "--expect", BELIEVED, "-f", "json")[1])
    assert (found["go_on"], found["budget"], found["interrupted"]) == (None, 20, False)
    monkeypatch.setattr("catalog.explain.explain.MAX_COUNT", 8)  # each candidate takes as many hashes
    believed = json.dumps({"technology": "sev", "firmware": AMDSEV})
    code, out, _ = run("explain", "0" * 64, "--expect", believed, "--budget", "1000")
    assert (code, "to search longer" in out, "not finished" in out) == (1, False, False)


@pytest.mark.parametrize("output", ["table", "json"])
def test_ctrl_c_prints_what_was_excluded(
    run: Run, monkeypatch: pytest.MonkeyPatch, tmp_path: Path, output: str
) -> None:
    ticks = iter(range(6))  # one for the options, one for the start of the budget, four for batches after the first

    def clock() -> float:
        if (now := next(ticks, None)) is None:
            raise KeyboardInterrupt
        return now

    monkeypatch.setattr("catalog.cli.commands.explain.monotonic", clock)
    page = tmp_path / "page.html"
    code, out, err = run("explain", NOWHERE, "--expect", BELIEVED, "-f", output, "--html", str(page))
    assert (code, err) == (130, "ldcat: error: interrupted\n")
    assert not page.exists()
    if output == "json":
        document = json.loads(out)
        assert (document["found"], document["interrupted"]) == (False, True)
        assert document["go_on"].endswith(f"--html {page} --budget 200")
        expected, catalog = document["searched"]
        assert [] in expected["not_excluded"] + expected["excluded"]
        assert ["firmware"] in expected["not_excluded"]
        assert (catalog["candidates"], catalog["excluded"]) == (0, [])
    else:
        assert ("\n  excluded: the expectation itself" in out) == ("\n  not finished: " in out)
        assert "outward from the catalog\n  excluded: nothing\n" in out
        assert "the search was interrupted: only what is listed as excluded is excluded\n" in out
        assert len(out.splitlines()) <= 10


def test_no_catalog_at_all(run: Run, launched: str, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.delenv("LDCAT_CATALOG")
    monkeypatch.setenv("XDG_DATA_HOME", str(tmp_path / "nothing"))
    assert "expected: 4" in run("explain", launched, "--expect", BELIEVED)[1]
    out = run("explain", run("measure", AMDSEV, "-t", "sev")[1].strip())[1]
    assert "  = nothing differs from the embedded default\n" in out


def test_a_report(run: Run, launched: str, tmp_path: Path) -> None:
    path = tmp_path / "report.bin"
    path.write_bytes(report_bytes(measurement=bytes.fromhex(launched), policy=0xB0000))
    code, out, _ = run("explain", str(path), "--expect", BELIEVED)
    assert code == 0
    assert "warning: not verified: no certificates are given" in out
    assert "allows debugging" in out
    assert "  * vcpus: 9; expected: 4\n" in out
    assert json.loads(run("explain", str(path), "--expect", BELIEVED, "-f", "json")[1])["report"]["measurement"]


def test_a_report_of_azure_is_compared_with_what_is_known_and_with_nothing_else(
    run: Run, launched: str, tmp_path: Path
) -> None:
    path = tmp_path / "hcl.bin"
    for believed, count in ((BELIEVED, 1), (None, 0)):
        path.write_bytes(b"HCLA".ljust(0x20, b"\0") + report_bytes(measurement=bytes.fromhex(launched)))
        options = ("--expect", believed) if believed else ()
        code, out, err = run("explain", str(path), *options)
        assert (code, err) == (1, "")
        assert "Microsoft publishes neither its firmware nor its launch digests" in out
        assert out.endswith("nothing else was tried: no firmware that anybody can get gives this digest\n")
        document = json.loads(run("explain", str(path), *options, "-f", "json")[1])
        assert [search["excluded"] for search in document["searched"]] == [[[]]] * (count + 1)
        assert [search["not_excluded"] for search in document["searched"]] == [[]] * (count + 1)
        assert [search["usual_mistakes"]["excluded"] for search in document["searched"]] == [False] * (count + 1)
        assert document["go_on"] is None
    exactly = BELIEVED.replace(":4", ":9").replace("}", ',"sev_features":33}')
    code, out, _ = run("explain", str(path), "--expect", exactly)
    assert (code, "  = nothing differs from the expectation\n" in out, "Microsoft" in out) == (0, True, False)


def test_a_vmpl_and_a_vlek_do_not_stop_a_search(run: Run, launched: str, tmp_path: Path) -> None:
    vlek = 1 << 2  # KEY_INFO.SIGNING_KEY
    (tmp_path / "report.bin").write_bytes(report_bytes(measurement=bytes.fromhex(launched), vmpl=2, key_info=vlek))
    code, out, _ = run("explain", str(tmp_path / "report.bin"), "--expect", BELIEVED)
    assert code == 0
    assert "VMPL 2" in out
    assert "VLEK" in out
    assert "  * vcpus: 9; expected: 4\n" in out


def test_a_report_of_tdx_of_azure_is_refused_with_the_reason(run: Run, tmp_path: Path) -> None:
    path = tmp_path / "hcl.bin"
    path.write_bytes(b"HCLA" + bytes(28) + b"\x81" + bytes(1183))
    code, out, err = run("explain", str(path))
    assert (code, out) == (3, "")
    assert "is of Intel TDX, on a platform without public firmware" in err


def test_a_launch_measurement(run: Run, blob: str, tik: str) -> None:
    believed = json.dumps({"technology": "sev", "firmware": "sid/ovmf-generic/OVMF.fd"})
    given = ("explain", blob, "--tik", tik, *SAID, "--expect", believed)
    code, out, _ = run(*given)
    assert code == 0
    assert f"  * firmware: {AMDSEV}; expected: sid/ovmf-generic/OVMF.fd\n" in out
    document = json.loads(run(*given, "-f", "json")[1])
    assert document["launch_digest"] == document["explanations"][0]["launch_digest"]
    assert f"launch digest  {document['launch_digest']}" in out
    assert "measurement-matches" in [note["code"] for note in document["notes"]]


def test_standard_input_is_read_only_once(run: Run, launched: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(BELIEVED.encode())))
    assert run("explain", launched, "--expect", "-")[0] == 0
    monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(launched.encode())))
    assert run("explain", "-", "--expect", BELIEVED)[0] == 0
    assert run("explain", "-", "--expect", "-")[0] == 2


@pytest.mark.parametrize(
    ("arguments", "code", "part"),
    [
        (("--expect", "{}"), 3, "technology"),
        (("--expect", "{"), 3, ""),
        (("--expect", "/nowhere"), 5, "/nowhere"),
        (("--expect", "/"), 5, "not a regular file"),
        (("--expect", '{"technology":"sev-snp","firmware":"nobody"}'), 2, "nobody"),
        (("--expect", BELIEVED.replace("qemu-kvm-init2", "xen")), 2, "xen"),
        (("--expect", BELIEVED.replace(":4", ":0")), 2, "0 vCPUs"),
        (("--budget", "0"), 2, "a budget of 0 seconds is too small"),
        (("--budget", "500000000"), 2, "a budget of 5e+08 seconds is too large"),
        (("--budget", "nan"), 2, "is too"),
        (("--budget", "many"), 2, "not a number of seconds"),
        (("--initrd", "/nowhere"), 5, "/nowhere"),
        (("--kernel", "/nowhere"), 5, "/nowhere"),
        (("--kernel", "/dev/zero"), 5, "/dev/zero"),
        (("--firmware", "nobody"), 2, "nobody"),
        (("--format", "csv"), 2, "csv"),
        (("--catalog", "/nowhere"), 5, "/nowhere"),
        (("--tik", "/etc/hostname"), 3, "TIK"),
    ],
)
def test_invalid_arguments_are_refused(run: Run, arguments: tuple[str, ...], code: int, part: str) -> None:
    got, out, err = run("explain", NOWHERE, *arguments)
    assert (got, out) == (code, "")
    assert err.startswith("ldcat: error: ")
    assert part in err
    assert "Traceback" not in err
    assert "internal error" not in err


def test_a_damaged_catalog_is_refused(run: Run, small: BuildResult, tmp_path: Path) -> None:
    shutil.copytree(small.folder, tmp_path / "copy")
    index = tmp_path / "copy/sev-snp/launch_digests.index"
    index.write_bytes(index.read_bytes()[:-1] + b"x")
    code, out, err = run("explain", NOWHERE, "--catalog", str(tmp_path / "copy"))
    assert (code, out) == (4, "")
    assert "build the catalog again" in err


def test_too_many_files(run: Run, tmp_path: Path) -> None:
    for number in range(MAX_FILES + 1):
        (tmp_path / str(number)).touch()
    code, _, err = run("explain", NOWHERE, "--kernel", str(tmp_path))
    assert code == 2
    assert "1001 files are more than 1000" in err


def test_the_tik_is_never_printed(run: Run, blob: str, tik: str) -> None:
    shown = b""
    for arguments in ([], ["-f", "json"], ["--expect", BELIEVED], ["--budget", "1"], ["--expect", "{"]):
        _, out, err = run("explain", blob, "--tik", tik, *SAID, *arguments)
        assert out or err
        shown += out.encode() + err.encode()
    for secret in (TIK, TIK.hex().encode(), base64.b64encode(TIK).rstrip(b"=")):
        assert secret not in shown
