"""The light path of `ldcat lookup`: it prints what the full path prints, and loads no large library."""

from __future__ import annotations

import base64
import json
import os
import shlex
import subprocess
import sys
from pathlib import Path

import pytest

from catalog.build.builder import BuildResult
from catalog.cli.light.light_lookup import light_lookup
from catalog.cli.main import run
from tests.support.attestation_builder import chain, report_bytes, signed
from tests.support.catalogs import digest_of
from tests.support.certificate_builder import pem
from tests.support.published_logs import Place

ROOT = Path(__file__).parents[2]
NOW = 1_800_000_000
HEAVY = {
    "dataclasses",
    "json",
    "pathlib",
    "re",
    "typer",
    "click",
    "rich",
    "pyarrow",
    "duckdb",
    "msgspec",
    "cryptography",
    "catalog.store",
}
"""What the light path never loads without certificates."""


@pytest.fixture(autouse=True)
def _plain_environment(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    for name in ("FORMAT", "QUIET", "CATALOG", "TRUST", "CERTS", "ROOT", "HASH_BACKEND", "KERNELS"):
        monkeypatch.delenv(f"LDCAT_{name}", raising=False)
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "state"))
    for clock in ("time.time", "catalog.fast.plain_lookup.time", "catalog.cli.light.light_lookup.time"):
        monkeypatch.setattr(clock, lambda: NOW + 100.0)


@pytest.fixture
def here(small: BuildResult, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The current folder, with reports of a row, and its catalog as the default one."""
    snp = bytes.fromhex(digest_of(small, "sev-snp"))
    known = report_bytes(measurement=snp)
    weak = report_bytes(measurement=snp, policy=0xB0000, vmpl=2, version=5, platform_info=0x65)
    files = {"report.bin": known, "weak.bin": weak, "older.bin": report_bytes(measurement=snp, version=2)}
    files |= {"report.hex": known.hex().encode(), "report.b64": base64.encodebytes(known)}
    files |= {
        "other.bin": report_bytes(measurement=b"x" * 48),
        "short.bin": known[:-1],
        "digest.txt": snp.hex().encode(),
    }
    files |= {"response.bin": bytes(4) + (1184).to_bytes(4, "little") + bytes(24) + known, "empty": b"", "snp": b"\0"}
    issued = chain(days=36_500)
    files |= {"signed.bin": signed(known), "root/ark.pem": pem(issued.ark.der), "certs/leaf.der": issued.leaf.der}
    files |= {"certs/rest.pem": pem(issued.ask.der) + pem(issued.ark.der)}
    for folder in ("root", "certs"):
        (tmp_path / folder).mkdir()
    for name, data in files.items():
        (tmp_path / name).write_bytes(data)
    (tmp_path / "link.bin").symlink_to("report.bin")
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("LDCAT_CATALOG", str(small.folder))
    return tmp_path


def both(
    arguments: list[str], capsys: pytest.CaptureFixture[str]
) -> tuple[tuple[str, str, int] | None, tuple[str, str, int]]:
    light = light_lookup(arguments)
    code = run(["lookup", *arguments])
    printed = capsys.readouterr()
    return light, (printed.out, printed.err, code)


LIGHT = [
    "{snp} --format json",
    "{snp} --format=json -q",
    "-f json {sev_es}",
    "{sev} -f json",
    "0x{sev} --quiet",
    "{base64}",
    "{nothing} -f json",
    "{nothing}",
    "report.bin",
    "report.bin --format json",
    "-q report.bin -f table",
    "./report.bin --catalog {catalog}",
    "report.hex",
    "report.b64 -f json",
    "link.bin",
    "weak.bin",
    "weak.bin -f json",
    "older.bin",
    "response.bin --format json",
    "digest.txt",
    "signed.bin --certs certs --root root",
    "signed.bin --certs certs --root root --require-verified",
    "signed.bin --certs certs --root root --require-verified --report-data {zeros}{zeros} -f json",
    "report.bin --host-data {zeros}",
    "signed.bin --certs certs --root root/ark.pem --format json",
]
"""Lookups that the light path answers."""

FULL = [
    "{snp} -f jsonl",
    "{snp} -f csv",
    "{snp} -f xml",
    "{snp} --format",
    "{snp} {sev}",
    "{unknown} -f json",
    "other.bin",
    "short.bin",
    "empty",
    "missing.bin",
    "report.bin --nonce 00",
    "report.bin --require-verified",
    "{snp} --require-verified",
    "{snp} -f json --host-data {zeros}",
    "report.bin --host-data 00",
    "report.bin --host-data {snp}",
    "signed.bin --certs certs --root root --report-data {snp}",
    "report.bin --catalog missing",
    "report.bin --catalog http://127.0.0.1:1/c",
    "report.bin --catalog=",
    "report.bin --trust missing",
    "report.bin --root missing.pem",
    "signed.bin --certs certs",
    "signed.bin --certs report.bin",
    "signed.bin --certs certs --root certs",
    "{snp} -f json --certs missing",
    "report.bin --quiet=1",
    "report.bin --insecure-skip-verify",
    "--help",
    ". -f json",
    "",
]
"""Lookups that it leaves to the full path."""


def filled(text: str, small: BuildResult) -> list[str]:
    digests = {name.replace("-", "_"): digest_of(small, name) for name in ("sev", "sev-es", "sev-snp")}
    return shlex.split(
        text.format(
            snp=digests["sev_snp"],
            sev=digests["sev"],
            sev_es=digests["sev_es"],
            base64=base64.b64encode(bytes.fromhex(digests["sev_snp"])).decode(),
            nothing="0" * 64,
            zeros="0" * 64,
            unknown="0" * 96,
            catalog=small.folder,
        )
    )


@pytest.mark.parametrize("text", LIGHT)
def test_it_prints_what_the_full_path_prints(
    text: str, small: BuildResult, here: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    light, full = both(filled(text, small), capsys)
    assert light == full
    assert full[2] == (1 if "{nothing}" in text else 0)


@pytest.mark.parametrize("text", FULL)
def test_it_leaves_all_else_to_the_full_path(text: str, small: BuildResult, here: Path) -> None:
    assert light_lookup(filled(text, small)) is None


@pytest.mark.parametrize(
    ("name", "value", "taken"),
    [
        ("FORMAT", "json", True),
        ("FORMAT", "table", True),
        ("FORMAT", "", True),
        ("FORMAT", "csv", False),
        ("QUIET", "1", False),
        ("HASH_BACKEND", "portable", False),
        ("TRUST", "missing", False),
    ],
)
def test_variables(
    name: str,
    value: str,
    taken: bool,
    small: BuildResult,
    here: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.setenv(f"LDCAT_{name}", value)
    light, full = both(["report.bin"], capsys)
    assert light == (full if taken else None)


def test_a_published_release(small: BuildResult, here: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """From the second lookup on, which finds the verification remembered."""
    place = Place(here, small, NOW)
    options = ["--catalog", str(place.log), "--trust", str(place.trust)]
    assert both(["report.bin", *options], capsys)[0] is None
    for more in ([], ["-f", "json"], ["-q"]):
        light, full = both(["report.bin", *options, *more], capsys)
        assert light == full
        assert full[2] == 0


def test_json_is_escaped_on_a_terminal(
    small: BuildResult, here: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("sys.stdout.isatty", lambda: True)
    light, full = both(["report.bin", "-f", "json"], capsys)
    assert light == full


COMMANDS = {
    "{snp} -f json": HEAVY,
    "report.bin": HEAVY,
    "report.bin -f json": HEAVY,
    "signed.bin --certs certs --root root": HEAVY - {"cryptography", "re"},
}


@pytest.mark.parametrize("text", COMMANDS)
def test_the_command_takes_it_and_loads_no_large_library(text: str, small: BuildResult, here: Path) -> None:
    script = here / "command.py"
    script.write_text(
        "import os, sys\nbefore = set(sys.modules)\nend = os._exit\n"
        "def _exit(code):\n    print(*set(sys.modules) - before, file=sys.stderr, flush=True); end(code)\n"
        "os._exit = _exit\nfrom catalog.__main__ import main\nmain()\n"
    )
    command = [sys.executable, "-S", str(script), "lookup", *filled(text, small)]
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join([str(ROOT), *filter(None, sys.path)])}
    done = subprocess.run(command, capture_output=True, text=True, check=False, env=environment, timeout=60)
    loaded = set(done.stderr.split())
    assert (done.returncode, "catalog.cli.light.light_lookup" in loaded, loaded & COMMANDS[text]) == (0, True, set())
    assert not loaded & {"cryptography.x509", "cryptography.hazmat.primitives.serialization"}
    assert "json" not in text or json.loads(done.stdout)["found"]
