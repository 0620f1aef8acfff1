"""The output of the commands if nothing fails: data on stdout, messages on stderr, in every format."""

from __future__ import annotations

import csv
import io
import json
import re
from pathlib import Path

import pyarrow.parquet as pq
import pytest

from catalog.abi import sha256_compression
from catalog.build.builder import BuildResult
from catalog.cli.commands import build
from catalog.launch.hashing.backends import choose
from catalog.version import __version__
from catalog.work.folder_storage import FolderStorage
from tests.support.cli import AMDSEV, SNP, Run
from tests.support.samples import SMALL, whole_image, write_spec


@pytest.fixture
def digest(small: BuildResult) -> str:
    """A SEV-SNP digest of the small catalog, with kernel hashes."""
    table = pq.read_table(small.folder / "sev-snp/launch_digests.parquet").to_pylist()
    found: str = next(row["launch_digest"] for row in table if row["kernel_hashes_sha256"]).hex()
    return found


def test_version(run: Run) -> None:
    expected = f"ldcat {__version__} (SHA-256 midstates: {sha256_compression.in_use}; {choose()})\n"
    assert run("--version") == (0, expected, "")


@pytest.mark.parametrize("name", ["LDCAT_HASH_BACKEND", "LDCAT_KERNELS"])
def test_the_hash_backend_can_be_chosen(run: Run, monkeypatch: pytest.MonkeyPatch, tmp_path: Path, name: str) -> None:
    monkeypatch.setenv(name, "python")
    assert "SHA-256 chains: python, SHA-384 chains: python" in run("--version")[1]
    monkeypatch.setenv(name, "abacus")
    code, out, err = run("build", "--output", str(tmp_path / "catalog"))
    assert (code, out) == (2, "")
    assert err.startswith("ldcat: error: there is no hash backend 'abacus' on this machine\nldcat: hint: one of: ")


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (["--engine", "dask"], "--engine dask and --scheduler ADDRESS go together"),
        (["--scheduler", "tcp://127.0.0.1:1"], "--engine dask and --scheduler ADDRESS go together"),
        (["--engine", "dask", "--scheduler", "here"], "'here' is not the address of a Dask scheduler"),
        (
            ["--engine", "dask", "--scheduler", "tcp://127.0.0.1:1", "--processes", "2"],
            "--processes is for this machine",
        ),
        (["--engine", "abacus"], "invalid value for '--engine'"),
        (["--storage", "shared"], "--storage is what the workers of a cluster share"),
        (
            ["--engine", "dask", "--scheduler", "tcp://127.0.0.1:1", "--storage", "s3://key:secret@bucket"],
            "this URL is not storage",
        ),
    ],
)
def test_invalid_engine_options_are_refused(run: Run, tmp_path: Path, options: list[str], message: str) -> None:
    code, out, err = run("build", "--output", str(tmp_path / "catalog"), *options)
    assert (code, out) == (2, "")
    assert err.startswith(f"ldcat: error: {message}")
    assert "secret" not in err
    assert not (tmp_path / "catalog").exists()


def test_without_a_name_the_storage_of_a_cluster_is_beside_the_catalog(tmp_path: Path) -> None:
    (tmp_path / "link").symlink_to(tmp_path / "disk" / "catalog")
    for out in (tmp_path / "disk" / "catalog", tmp_path / "link"):
        cluster = build._cluster(build.EngineName.DASK, "tcp://127.0.0.1:1", None, out)
        assert cluster
        assert cluster.storage == FolderStorage(str(tmp_path / "disk"))


def test_measure_prints_the_bare_digest(run: Run) -> None:
    code, out, err = run("measure", AMDSEV, *SNP, "--vcpus", "4")
    assert (code, err) == (0, "")
    assert len(out) == 97
    for same in ("0x4", "0b100"):
        assert run("measure", AMDSEV, *SNP, "--vcpus", same)[1] == out
    assert run("measure", AMDSEV, "-t", "sev-snp", "--vmm", "qemu-kvm-init2", "--vcpus", "4",
               "--vcpu-family", "23", "--vcpu-model", "1", "--vcpu-stepping", "2")[1] == out  # fmt: skip


def test_measure_in_other_formats(run: Run) -> None:
    hexed = run("measure", AMDSEV, *SNP, "--vcpus", "4")[1].strip()
    for name in ("json", "jsonl"):
        record = json.loads(run("measure", AMDSEV, *SNP, "--vcpus", "4", "--format", name)[1])
        assert record["launch_digest"] == hexed
        assert (record["firmware"], record["launchable"]) == (AMDSEV, "yes")
    (row,) = csv.DictReader(io.StringIO(run("measure", AMDSEV, *SNP, "--vcpus", "4", "--format", "csv")[1]))
    assert row["launch_digest"] == hexed
    assert hexed in run("measure", AMDSEV, *SNP, "--vcpus", "4", "--format", "table")[1]


def test_notes_and_warnings_are_on_stderr(run: Run) -> None:
    flash = ("measure", "trixie/ovmf/OVMF_CODE_4M.fd", *SNP, "--vcpus", "1")
    code, out, err = run(*flash)
    assert (code, len(out)) == (0, 97)
    assert err.startswith("ldcat: warning: trixie/ovmf/OVMF_CODE_4M.fd is not expected to launch under sev-snp: pflash")
    assert run(*flash, "--quiet")[2] == err
    unknown = ("measure", "trixie/ovmf/OVMF.fd", *SNP, "--vcpus", "1")
    assert run(*unknown)[2].startswith("ldcat: note: trixie/ovmf/OVMF.fd is not known to launch")
    assert run(*unknown, "--quiet")[2] == ""


def test_a_local_file(run: Run, inputs: Path) -> None:
    code, out, err = run("measure", str(inputs / "whole.fd"), *SNP, "--vcpus", "1", "--kernel", str(inputs / "vmlinuz"))
    assert (code, len(out)) == (0, 97)
    assert "whole.fd is not known to launch under sev-snp: nobody has recorded it for this build" in err


def test_a_batch(run: Run, tmp_path: Path) -> None:
    lines = [json.dumps({"technology": "sev", "firmware": AMDSEV, "id": n}) for n in range(3)]
    lines[1] = "garbage"
    batch = tmp_path / "batch.jsonl"
    batch.write_text("\n\n".join(lines))
    code, out, err = run("measure", "--batch", str(batch))
    answers = [json.loads(line) for line in out.splitlines()]
    assert (code, err) == (1, "")
    assert ["error" in answer for answer in answers] == [False, True, False]
    assert [answer.get("id") for answer in answers] == [0, None, 2]
    batch.write_text(lines[0])
    assert run("measure", "--batch", str(batch))[0] == 0
    batch.write_bytes(b"")
    assert run("measure", "--batch", str(batch)) == (0, "", "")


def test_lookup_in_every_format(run: Run, digest: str) -> None:
    document = json.loads(run("lookup", digest, "--format", "json")[1])
    assert document["found"] is True
    lines = [json.loads(line) for line in run("lookup", digest, "-f", "jsonl")[1].splitlines()]
    assert lines == document["matches"]
    rows = list(csv.DictReader(io.StringIO(run("lookup", digest, "-f", "csv")[1])))
    assert [row["firmware.name"] for row in rows] == [match["firmware"]["name"] for match in document["matches"]]
    code, out, err = run("lookup", digest)
    assert (code, err) == (0, "")
    danger, title, firmware = out.splitlines()[:3]  # both matches are under a hosted VMM profile
    assert danger.startswith("DANGER: this build is not expected to launch under sev-snp: ")
    assert (title, firmware) == ("match 1 of 2: sev-snp, DANGER", "  firmware          twin.fd")
    assert "trusted" not in out


def test_lookup_takes_a_digest_in_any_form(run: Run, digest: str) -> None:
    import base64

    expected = run("lookup", digest, "-f", "json")
    for text in (digest.upper(), f"0x{digest}", f" {digest}\n", f"'{digest}',"):
        assert run("lookup", text, "-f", "json") == expected
    code, out, err = run("lookup", base64.b64encode(bytes.fromhex(digest)).decode(), "-f", "json")
    assert (code, out.replace("launch digest in base64", "launch digest"), err) == expected


def test_a_miss_is_exit_code_1(run: Run) -> None:
    code, out, err = run("lookup", "f" * 64)
    assert (code, out) == (1, "")
    assert err.startswith(f"ldcat: note: no configuration of this catalog has the 32-byte launch digest {'f' * 64}\n")
    assert run("lookup", "f" * 64, "--quiet") == (1, "", "")
    reply = json.loads(run("lookup", "f" * 64, "-f", "json")[1])
    assert (reply["found"], reply["matches"], reply["evidence"]) == (False, [], "launch digest")
    assert run("lookup", "f" * 64, "-q", "-f", "csv")[1] in ("", "\n")


def test_inspect(run: Run, inputs: Path) -> None:
    code, out, err = run("inspect", str(inputs / "whole.fd"))
    assert code == 0
    assert "does not begin with a firmware volume" in err
    assert run("inspect", str(inputs / "whole.fd"), "--quiet")[2] == ""
    for part in ("SEV-ES reset vector", "SNP_KERNEL_HASHES", "GUID table", "sev-snp", "unknown"):
        assert part in out
    assert json.loads(run("inspect", AMDSEV, "--format", "json")[1])["name"] == AMDSEV
    assert "give the file to see it" in run("inspect", AMDSEV)[1]
    bare = run("inspect", str(inputs / "bare.fd"))[1]
    assert "image has no LZMA-compressed volume" in bare
    assert re.search("firmware version +not known", bare)


def test_sql_in_every_format(run: Run) -> None:
    query = "SELECT technology, min(launch_digest) AS digest, NULL AS none FROM launch_digests_sev GROUP BY ALL"
    (record,) = json.loads(run("sql", query, "-f", "json")[1])
    assert (record["technology"], len(record["digest"]), record["none"]) == ("sev", 64, None)
    assert json.loads(run("sql", query, "-f", "jsonl")[1]) == record
    (row,) = csv.DictReader(io.StringIO(run("sql", query, "-f", "csv")[1]))
    assert row == {**record, "none": ""}
    assert record["digest"] in run("sql", query)[1]


def test_a_local_database(run: Run, tmp_path: Path) -> None:
    path = tmp_path / "catalog.duckdb"
    assert run("sql", "--database", str(path)) == (0, f"{path}\n", "")
    assert path.is_file()


def test_build_prints_the_folder_and_a_lookup_to_try(run: Run, inputs: Path, tmp_path: Path) -> None:
    spec, folder = write_spec(inputs, SMALL), tmp_path / "made"
    code, out, err = run("build", str(spec), "--output", str(folder), "--processes", "1")
    assert (code, out) == (0, f"{folder}\n")
    tried = next(line for line in err.splitlines() if "try: " in line).partition("try: ldcat ")[2].split()
    assert run(*tried)[0] == 0
    assert run("build", str(spec), "--output", str(folder), "--processes", "0b1", "-q") == (0, f"{folder}\n", "")


def test_options_have_environment_variables(run: Run, digest: str, monkeypatch: pytest.MonkeyPatch) -> None:
    expected = run("lookup", digest, "--format", "json")
    monkeypatch.setenv("LDCAT_FORMAT", "json")
    assert run("lookup", digest) == expected
    monkeypatch.setenv("LDCAT_QUIET", "1")
    assert run("lookup", "f" * 64)[2] == ""
    monkeypatch.setenv("LDCAT_CATALOG", "/nowhere")
    assert run("lookup", digest)[0] == 5


def test_without_a_terminal_there_are_no_escape_codes(run: Run, digest: str) -> None:
    for arguments in (("lookup", digest), ("inspect", AMDSEV), ("sql", "FROM firmware"), ("lookup", "--help")):
        assert "\x1b" not in run(*arguments)[1]


def test_a_long_table_is_truncated_with_a_note(run: Run) -> None:
    code, out, err = run("sql", "FROM range(1500)")
    assert code == 0
    assert " 999 " in out
    assert " 1000 " not in out
    assert err == "ldcat: warning: there are more rows than the 1,000 shown; --format csv or jsonl shows all\n"
    assert run("sql", "FROM range(1000)")[2] == ""


def test_the_result_of_every_query_is_valid_json(run: Run) -> None:
    query = "SELECT 'nan'::DOUBLE AS a, [1, 2] AS b, {'x': DATE '2026-01-02'} AS c, 1.5::DECIMAL(3, 1) AS d"
    (record,) = json.loads(run("sql", query, "-f", "json")[1], parse_constant=lambda _: 1 / 0)
    assert record == {"a": "nan", "b": [1, 2], "c": {"x": "2026-01-02"}, "d": "1.5"}


def test_a_record_of_an_image_and_back(run: Run, inputs: Path, tmp_path: Path) -> None:
    code, record, _ = run("inspect", str(inputs / "whole.fd"), "--format", "toml")
    assert code == 0
    (tmp_path / "whole.toml").write_text(record)
    options = (*SNP, "--vcpus", "2", "--quiet")
    expected = run("measure", str(inputs / "whole.fd"), *options)
    assert run("measure", str(tmp_path / "whole.toml"), *options) == expected
    assert run("measure", "whole.fd", *options) == expected  # the build of the small catalog


def test_options_of_a_configuration_do_not_go_with_a_batch(run: Run, tmp_path: Path) -> None:
    (tmp_path / "batch").write_text("")
    for option in (("--sev-features", "1"), ("--vcpu-type", "EPYC"), ("--vcpu-stepping", "1"), ("--append", "x")):
        assert run("measure", "--batch", str(tmp_path / "batch"), *option)[0] == 2


def test_two_columns_with_the_same_name_cannot_be_json(run: Run) -> None:
    assert run("sql", "SELECT 1 AS a, 2 AS a", "-f", "jsonl")[0] == 2
    assert run("sql", "SELECT 1 AS a, 2 AS a", "-f", "csv")[1] == "a,a\n1,2\n"


def test_a_catalog_with_another_image_under_an_embedded_name(run: Run, tmp_path: Path) -> None:
    image = tmp_path / "sid/ovmf-amdsev/OVMF.amdsev.fd"
    image.parent.mkdir(parents=True)
    image.write_bytes(whole_image())
    text = f'name = "x"\nfirmware = {{ files = ["{AMDSEV}"] }}\ntechnologies = {{ sev = {{}} }}\n'
    assert run("build", str(write_spec(tmp_path, text)), "-o", str(tmp_path / "made"))[0] == 0
    code, out, err = run("measure", AMDSEV, "-t", "sev", "--catalog", str(tmp_path / "made"))
    assert (code, out) == (2, "")
    assert "is an embedded build, but another image in the catalog" in err


def test_measure_for_several_vcpu_counts(run: Run) -> None:
    each = [run("measure", AMDSEV, *SNP, "--vcpus", str(count))[1].strip() for count in (1, 2, 3, 9)]
    several = ("measure", AMDSEV, *SNP, "--vcpus", "9,1-3,2")
    assert run(*several, "-f", "hex") == (0, "\n".join(each) + "\n", "")
    code, out, err = run(*several)
    assert (code, err) == (0, "")
    assert [row.split() for row in out.splitlines() if row.count("│") == 3] == [
        ["│", str(count), "│", digest, "│"] for count, digest in zip((1, 2, 3, 9), each, strict=True)
    ]
    document = json.loads(run(*several, "-f", "json")[1])
    assert [(row["vcpus"], row["launch_digest"]) for row in document["launch_digests"]] == list(
        zip((1, 2, 3, 9), each, strict=True)
    )
    assert document["firmware"] == AMDSEV
    lines = [json.loads(line) for line in run(*several, "-f", "jsonl")[1].splitlines()]
    assert [(line["vcpus"], line["launch_digest"]) for line in lines] == list(zip((1, 2, 3, 9), each, strict=True))
    rows = list(csv.DictReader(io.StringIO(run(*several, "-f", "csv")[1])))
    assert [row["launch_digest"] for row in rows] == each
    sev = run("measure", AMDSEV, "-t", "sev", "--vcpus", "1-64")
    assert sev[1] == run("measure", AMDSEV, "-t", "sev")[1]
    assert sev[2] == "ldcat: note: this digest does not depend on: vcpus\n"
