"""A slim install has neither typer, pyarrow nor duckdb, and gives the same answers from catalogs, logs and hosts."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import pytest

from catalog.build.builder import BuildResult
from catalog.cli.command_modules import command_names
from catalog.cli.light.light_measure import light_measure
from catalog.cli.program.slim import OTHER_COMMANDS, SLIM_COMMANDS
from catalog.fast.names import IMAGES, PROFILES
from catalog.store import manifest
from tests.support.catalogs import digest_of, with_kernel
from tests.support.cli import NOWHERE, Run
from tests.support.evidence_cases import cases, input_of
from tests.support.forged_catalogs import Change, elsewhere, forged, in_manifest, in_names, replaced
from tests.support.hosts import static_host
from tests.support.published_logs import Place, cosigned_today
from tests.support.slim import SlimInstall, slim_install
from tests.support.td_files import PROFILE
from tests.support.uefi_volumes import plain_image

SNP = "-t sev-snp --vmm qemu-kvm-init2 --vcpu-type EPYC-Milan --vcpus 4"
LAUNCHED = "ac7e7232f680f70c0ad60257f927d6b403669984323384838ba3e4096c6f8177ae19c8b5489842bac561920667b8f780"
ENDORSED = "03fea02823189b25d0623a5c81f97c8ba4d2fbc48c914a55ce525f90454ddcec303743dac2fc013f0846912d1412f6df"
ONLY_INDEX = "only the index of {} says that no row has this digest: nothing proves it"
TD_NAMES = manifest.names_file("tdx")

pytestmark = pytest.mark.skipif(
    sys.version_info < (3, 14) and not find_spec("backports") and "LDCAT_REQUIRE_ORACLES" not in os.environ,
    reason="backports.zstd is not installed",
)


@pytest.fixture(scope="module")
def slim(tmp_path_factory: pytest.TempPathFactory) -> Iterator[SlimInstall]:
    with slim_install(tmp_path_factory.mktemp("slim")) as found:
        yield found


@pytest.fixture(scope="module")
def log(small: BuildResult, tmp_path_factory: pytest.TempPathFactory) -> Place:
    return cosigned_today(tmp_path_factory.mktemp("published"), small)


@pytest.fixture(autouse=True)
def _own_state(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("STATE", "CACHE", "DATA"):
        monkeypatch.setenv(f"XDG_{name}_HOME", str(tmp_path / name.lower()))


def one_of_each() -> list[dict[str, Any]]:
    """A case of each form, and of what is refused."""
    return list({case["form"]: case for case in cases()}.values())


def test_every_form_of_evidence(slim: SlimInstall, small: BuildResult, run: Run, tmp_path: Path) -> None:
    answered = 0
    for number, case in enumerate(one_of_each()):
        (file := tmp_path / f"{number}").write_bytes(input_of(case))
        line = ("lookup", str(file), "-f", ("table", "json", "jsonl", "csv")[number % 4])
        code, out, err = slim.run(*line, LDCAT_CATALOG=str(small.folder))
        assert (code, out, err) == run(*line), case["what"]
        answered += bool(out)
    assert answered > 10


@pytest.mark.parametrize(
    ("asked", "formats"),
    [
        (
            "ac7e7232f680f70c0ad60257f927d6b403669984323384838ba3e4096c6f8177ae19c8b5489842bac561920667b8f780",
            "table csv",
        ),
        ("3e4fd0b3fe3b2dbe481c3d9e99418a034174f26cbe1f55aa212b0f18c12d2d6f", "table json jsonl csv"),
        (ENDORSED, "jsonl"),
        (NOWHERE, "json"),
        ("f" * 64, "table csv"),
    ],
)
def test_digests_of_the_default_catalog(
    asked: str, formats: str, slim: SlimInstall, default: BuildResult, run: Run
) -> None:
    for name in formats.split():
        line = ("lookup", asked, "--catalog", str(default.folder), "-f", name)
        assert slim.run(*line) == run(*line)


def test_a_batch(slim: SlimInstall, small: BuildResult, run: Run, tmp_path: Path) -> None:
    (tmp_path / "batch").write_text(f"{digest_of(small)}\n{NOWHERE}\nno digest\n{'0' * 64}\n")
    for format_ in ("table", "json", "jsonl", "csv"):
        line = ("lookup", str(tmp_path / "batch"), "--catalog", str(small.folder), "-f", format_)
        assert slim.run(*line) == run(*line)


def test_a_published_release(slim: SlimInstall, log: Place, small: BuildResult, run: Run) -> None:
    for digest, warned in (
        (digest_of(small), ""),
        (NOWHERE, f"ldcat: warning: {ONLY_INDEX.format(log.log / 'releases/1')}"),
    ):
        line = ("lookup", digest, *log.options())
        for _ in range(2):  # the second one would be on the fast path, if the index had been checked
            code, out, err = slim.run(*line)
            expected = run(*line)
            assert (code, out) == expected[:2]
            kept = [text for text in err.splitlines() if not warned or not text.startswith(warned)]
            assert kept == expected[2].splitlines()
            assert bool(warned) == (warned in err and warned != "")
    assert slim.run("lookup", digest_of(small), "--catalog", str(log.log))[0] == 2  # without a trust note


@pytest.mark.parametrize("ranges", [False, True])
def test_a_host(ranges: bool, slim: SlimInstall, log: Place, small: BuildResult, run: Run, tmp_path: Path) -> None:
    folder = log.log
    if ranges:
        folder = tmp_path / "site"
        assert run("site", str(log.log), "-o", str(folder), "--trust", str(log.trust))[0] == 0
    with static_host(folder) as host:
        for digest in (digest_of(small), NOWHERE):
            line = ("lookup", digest, "--catalog", host.url, "--trust", str(log.trust), "-f", "json")
            assert slim.run(*line)[:2] == run(*line)[:2]


@pytest.mark.parametrize("lie", ["another firmware", "another kernel", "another tree"])
def test_an_index_that_lies_is_found_out(lie: str, slim: SlimInstall, small: BuildResult, tmp_path: Path) -> None:
    index = "sev-snp/launch_digests.index"
    changes = {
        "another firmware": {index: elsewhere(1)},
        "another kernel": {index: elsewhere(2)},
        "another tree": {
            manifest.NAME: in_manifest(lambda text: text["files"][manifest.NAMES].update(fsverity="11" * 32))
        },
    }
    place = cosigned_today(tmp_path / "lie", forged(small, tmp_path / "catalog", changes[lie]))
    code, out, err = slim.run("lookup", with_kernel(small), *place.options(), XDG_STATE_HOME=str(tmp_path / "state"))
    assert (code, out) == (4, "")
    assert any(
        said in err
        for said in ("leads to a row that does not have", "does not match its rows", "cannot be used", "contradicts")
    )


def test_launches_of_tds(slim: SlimInstall, tds: BuildResult, run: Run, tmp_path: Path) -> None:
    digest, place = digest_of(tds, "tdx"), cosigned_today(tmp_path / "log", tds)
    own = {"XDG_STATE_HOME": str(tmp_path / "own"), "XDG_CACHE_HOME": str(tmp_path / "cache")}
    site = tmp_path / "site"
    assert run("site", str(place.log), "-o", str(site), "--trust", str(place.trust), "-q")[0] == 0
    with static_host(place.log) as plain, static_host(site) as ranges:
        for options in (
            ["--catalog", str(tds.folder)],
            *(["--catalog", at, "--trust", str(place.trust)] for at in (str(place.log), plain.url, ranges.url)),
        ):
            code, out, _ = slim.run("lookup", digest, *options, "-q", **own)
            assert (code, out) == run("lookup", digest, *options, "-q")[:2]
            assert (code, out.count("match "), out.count("not measured")) == (0, 2, 2)
    _, bundle, _ = run("prove", digest, "--catalog", str(place.log))
    (tmp_path / "proof").write_text(bundle)
    line = ("verify-proof", str(tmp_path / "proof"), "--trust", str(place.trust))
    assert slim.run(*line, **own) == run(*line)


@pytest.mark.parametrize(
    "lie",
    [
        {TD_NAMES: in_names(IMAGES, lambda record: record.__setitem__(3, "renamed.fd"))},
        {TD_NAMES: in_names(PROFILES, lambda record: record.__setitem__(1, "a cloud"))},
        {PROFILE: replaced('title = "', 'title = "The ')},
    ],
)
def test_false_data_of_tdx_are_found_out(
    lie: dict[str, Change], slim: SlimInstall, tds: BuildResult, tmp_path: Path
) -> None:
    place = cosigned_today(tmp_path / "lie", forged(tds, tmp_path / "catalog", lie))
    line = ("lookup", digest_of(tds, "tdx"), *place.options())
    assert slim.run(*line, XDG_STATE_HOME=str(tmp_path / "state"))[:2] == (4, "")


def test_proofs(slim: SlimInstall, log: Place, small: BuildResult, run: Run, tmp_path: Path) -> None:
    code, bundle, _ = run("prove", digest_of(small), "--catalog", str(log.log))
    assert code == 0
    (file := tmp_path / "proof").write_text(bundle)
    for options in ((), ("-f", "json"), ("--show",), ("--report", NOWHERE), ("--report", digest_of(small))):
        line = ("verify-proof", str(file), "--trust", str(log.trust), *options)
        assert slim.run(*line) == run(*line)
    file.write_text(bundle.replace("a", "b", 1))
    line = ("verify-proof", str(file), "--trust", str(log.trust))
    assert slim.run(*line) == run(*line)


@pytest.mark.parametrize(
    "line",
    [
        "lookup",
        "lookup x --frmat json",
        "lookup x -f xml",
        "verify-proof",
        "lookup --help",
        "verify-proof -h",
        "--version",
    ],
)
def test_help_and_usage_errors(line: str, slim: SlimInstall, run: Run) -> None:
    assert slim.run(*line.split()) == run(*line.split())


def test_what_a_slim_install_lacks(slim: SlimInstall, small: BuildResult, tmp_path: Path) -> None:
    image = tmp_path / "own.fd"
    image.write_bytes(plain_image())
    assert light_measure([str(image), *SNP.split()]), "a full install measures it at once"
    lacking = {
        ("sql", "FROM firmware"): (2, "a slim install has no command 'sql'"),
        ("measure", str(image), *SNP.split()): (2, "a slim install has no command 'measure'"),
        ("lookup", "--prefix", "0" * 20, "--catalog", str(small.folder)): (2, "needs the package pyarrow"),
        ("lookup", NOWHERE): (5, "and building one needs pyarrow"),
        ("no-such",): (2, "no such command 'no-such'"),
    }
    for line, (code, said) in lacking.items():
        found, out, err = slim.run(*line)
        error, hint = err.splitlines()
        assert (found, out) == (code, "")
        assert said in error
        assert "pip install ldcat" in hint or "ldcat --help" in hint
    assert slim.run("lokup")[2].endswith("hint: ldcat lookup is the nearest; ldcat --help lists all\n")
    assert slim.run("biuld")[2].endswith("hint: ldcat build is the nearest; ldcat --help lists all\n")
    assert sorted((*SLIM_COMMANDS, *OTHER_COMMANDS)) == command_names()
    code, out, err = slim.run("--help")
    assert (code, err) == (0, "")
    assert "This is a slim install" in out
