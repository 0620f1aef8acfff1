"""`ldcat export`: what is exported from a log and from a local catalog, what is refused, and what is written."""

from __future__ import annotations

import base64
import json
from pathlib import Path
from typing import Any

import pytest
from cryptography.hazmat.primitives.asymmetric import ec

from catalog.build.builder import BuildResult
from catalog.export import export_output
from catalog.export.settings import GivenFile
from catalog.export.sidecar import read_sidecar, sidecar_of
from tests.support.catalogs import PLACES, contents, digest_of, digest_with, rows_of
from tests.support.cli import NOWHERE, Run
from tests.support.hosts import static_host
from tests.support.id_block_exports import key_file
from tests.support.published_logs import Place, revoke

ALL = ("--launch-unknown", "--no-kernel", "--unenforced")
SELECTED = ("--vmm", "qemu-kvm-init2", "--vcpus", "1-2", "--vcpu-type", "EPYC-Milan", "--sev-features", "1")


def values(out: str) -> list[str]:
    """The launch digests in a message to RVPS."""
    [(_, found)] = json.loads(base64.b64decode(json.loads(out)["payload"])).items()
    return list(found)


def one_of(small: BuildResult) -> str:
    """A launch digest of QEMU, with kernel hashes that are enforced."""
    bare = {digest.hex() for row, digest in rows_of(small).items() if row[PLACES["kernel_hashes_sha256"]] is None}
    return min(of_small(small, vmm=["qemu-kvm-init2"], vcpus=[1]) - bare)


def of_small(small: BuildResult, **wanted: Any) -> set[str]:
    """Launch digests of rows under SEV-SNP with these inputs."""
    wanted["technology"] = ["sev-snp"]
    return {
        digest.hex()
        for row, digest in rows_of(small).items()
        if all(row[PLACES[name]] in one_of_these for name, one_of_these in wanted.items())
    }


def test_rows_of_a_log_are_exported(run: Run, place: Place, small: BuildResult) -> None:
    code, out, err = run("export", "--to", "rvps", *SELECTED, *ALL, *place.options())
    assert code == 0
    expected = of_small(small, vmm=["qemu-kvm-init2"], vcpus=[1, 2], vcpu_signature=[0xA00F11], sev_features=[1])
    assert (len(values(out)), set(values(out))) == (len(expected), expected)
    assert "ldcat: note: release 1 of example.com/log, checkpoint of " in err
    assert "ldcat: warning: 4 launch digests exported: the firmware is not known to launch" in err


def test_output_has_a_sidecar(run: Run, place: Place, tmp_path: Path) -> None:
    path = tmp_path / "values.json"
    code, out, _ = run("export", "--to", "rvps", *SELECTED, *ALL, *place.options(), "-o", str(path), "-q")
    assert (code, out) == (0, "")
    sidecar = read_sidecar((tmp_path / "values.json.ldcat.json").read_bytes(), "sidecar")
    assert sidecar.release is not None
    assert (sidecar.format, sidecar.release.origin, sidecar.release.number) == ("rvps", "example.com/log", 1)
    assert sidecar.digests.count == len(values(path.read_text()))
    assert sidecar.selection == {
        "vmm": "qemu-kvm-init2",
        "vcpu-type": "EPYC-Milan",
        "sev-features": "0x1",
        "vcpus": "1-2",
        "launch-unknown": True,
        "unenforced": True,
        "no-kernel": True,
    }
    assert [note.code for note in sidecar.notes][:1] == ["launch-not-known"]


@pytest.mark.parametrize("selector", ["digest", "profile"])
def test_a_revoked_row_is_never_exported(
    run: Run, place: Place, small: BuildResult, tmp_path: Path, selector: str
) -> None:
    digest = one_of(small)
    place.publish(
        revoke("revoked", **({"launch_digest": digest} if selector == "digest" else {"technology": "sev-snp"}))
    )
    path = tmp_path / "values.json"
    code, _, err = run("export", "--to", "rvps", digest, *ALL, *place.options(), "-o", str(path))
    assert code == 1
    assert f"ldcat: error: launch digest {digest[:16]}... is not exported: revoked by the publisher" in err
    assert not path.exists()
    place.publish(
        revoke("restored", **({"launch_digest": digest} if selector == "digest" else {"technology": "sev-snp"}))
    )
    assert run("export", "--to", "rvps", digest, *ALL, *place.options(), "-o", str(path))[0] == 0


def test_a_deprecated_row_is_exported_with_a_warning(run: Run, place: Place, small: BuildResult) -> None:
    place.publish(revoke("deprecated", technology="sev-snp"))
    code, out, err = run("export", "--to", "rvps", digest_of(small), *ALL, *place.options(), "-q")
    assert (code, values(out)) == (0, [digest_of(small)])
    assert "ldcat: warning: 1 launch digest exported: deprecated by the publisher of the log" in err


def test_what_an_option_has_to_allow(run: Run, place: Place, small: BuildResult) -> None:
    code, out, err = run("export", "--to", "rvps", *SELECTED, *place.options())
    assert (code, out) == (1, "")
    assert "ldcat: error: none of the 4 launch digests selected may be exported" in err
    assert "ldcat: hint: --launch-unknown exports it nevertheless" in err
    code, out, err = run("export", "--to", "rvps", *SELECTED, "--launch-unknown", *place.options())
    kernels = of_small(small, vmm=["qemu-kvm-init2"], vcpus=[1, 2], vcpu_signature=[0xA00F11], sev_features=[1])
    assert code == 0
    assert len(values(out)) == 2
    assert set(values(out)) < kernels
    assert "ldcat: note: 2 launch digests left out: no kernel hashes are measured" in err


def test_one_launch_digest_without_kernel_hashes_needs_no_option(run: Run, place: Place, small: BuildResult) -> None:
    digest = digest_with(small, technology="sev-snp", kernel_hashes_sha256=None, vmm="qemu-kvm-init2", vcpus=1)
    code, out, err = run("export", "--to", "rvps", digest, "--launch-unknown", *place.options())
    assert (code, values(out)) == (0, [digest])
    assert "ldcat: warning: 1 launch digest exported: no kernel hashes are measured" in err


def test_several_launch_digests_in_one_argument_are_named(run: Run, place: Place, small: BuildResult) -> None:
    """As a shell gives them for "$(cat FILE)" with quotes."""
    digests = f"{one_of(small)}\n{'0' * 96}"
    code, out, err = run("export", "--to", "rvps", digests, *place.options())
    assert (code, out) == (2, "")
    assert "ldcat: error: 2 words are given as one launch digest\n" in err
    assert "$(cat FILE) without quotes" in err


def test_a_local_catalog_needs_an_option(run: Run, small: BuildResult) -> None:
    digest = one_of(small)
    code, out, err = run("export", "--to", "rvps", digest, "--launch-unknown")
    assert (code, out) == (2, "")
    assert "is not published in a log" in err
    code, out, err = run("export", "--to", "rvps", digest, "--launch-unknown", "--unpublished")
    assert (code, values(out)) == (0, [digest])
    assert "NOT VERIFIED" in err


def test_the_default_catalog_is_not_built_to_be_refused(
    run: Run, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.delenv("LDCAT_CATALOG")
    monkeypatch.setenv("XDG_DATA_HOME", str(tmp_path / "data"))
    code, _, err = run("export", "--to", "rvps", NOWHERE)
    assert (code, "the default catalog is not published" in err) == (2, True)
    assert not (tmp_path / "data").exists()


def test_a_digest_of_sev_is_refused(run: Run, place: Place, small: BuildResult) -> None:
    code, out, err = run("export", "--to", "rvps", digest_of(small, "sev"), *place.options())
    assert (code, out) == (2, "")
    assert "it is a launch digest of SEV or SEV-ES" in err


def test_a_digest_that_no_row_has_is_refused(run: Run, place: Place, small: BuildResult) -> None:
    code, out, err = run("export", "--to", "rvps", one_of(small), NOWHERE, *ALL, *place.options())
    assert (code, out) == (1, "")
    assert "launch digest 0000000000000000... is not in" in err


def test_a_selection_that_nothing_has_is_refused(run: Run, place: Place) -> None:
    line = ("export", "--to", "rvps", "--vmm", "qemu-kvm-init2", "--vcpus", "77", *place.options())
    code, out, err = run(*line)
    assert (code, out) == (1, "")
    assert "no SEV-SNP row of" in err
    assert 'vmm, vcpus FROM configurations" lists what there is, with the same --catalog and --trust\n' in err


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ((), "nothing is selected"),
        (("--vcpus", "4"), "--vmm is missing"),
        (("--firmware", "whole.fd"), "--vmm is missing"),
        (("--vmm", "qemu-kvm-init2"), "the selection is too wide"),
        ((NOWHERE, "--vcpus", "4"), "launch digests and options that select rows are given"),
    ],
)
def test_what_a_selection_lacks_is_said(run: Run, place: Place, given: tuple[str, ...], message: str) -> None:
    code, _, err = run("export", "--to", "rvps", *given, *place.options())
    assert (code, f"ldcat: error: {message}\n" in err) == (2, True)


def test_distinguished_digests_alone_are_refused(run: Run, few_kept: BuildResult) -> None:
    line = ("export", "--to", "rvps", "--vmm", "qemu-kvm-init2", "--vcpus", "2", "--unpublished")
    code, out, err = run(*line, "--catalog", str(few_kept.folder))
    assert (code, out) == (2, "")
    assert "keeps distinguished digests only" in err


def test_many_parts_give_the_same_rows(run: Run, small: BuildResult, parted: BuildResult) -> None:
    line = ("export", "--to", "rvps", "--vmm", "qemu-kvm-init2", "--vcpus", "1,3", *ALL, "--unpublished")
    one, many = (run(*line, "--catalog", str(built.folder))[1] for built in (small, parted))
    assert values(one) == values(many)
    assert len(values(one)) == 16


def test_a_log_on_a_host_is_verified_and_exported(run: Run, place: Place, small: BuildResult) -> None:
    expected = run("export", "--to", "rvps", *SELECTED, *ALL, *place.options())[1]
    with static_host(place.log) as host:
        at_host = ("--catalog", host.url, "--trust", str(place.trust))
        assert run("export", "--to", "rvps", *SELECTED, *ALL, *at_host)[:2] == (0, expected)
        assert run("export", "--to", "rvps", one_of(small), *ALL, *at_host)[0] == 0


def test_a_log_without_trust_note_is_not_exported(run: Run, place: Place) -> None:
    code, out, err = run("export", "--to", "rvps", *SELECTED, "--catalog", str(place.log))
    assert (code, out) == (2, "")
    assert "--insecure-skip-verify" not in err
    code, out, err = run("export", "--to", "rvps", *SELECTED, *place.options(), "--insecure-skip-verify")
    assert (code, out) == (2, "")
    assert "ldcat: hint: leave it out: who reads an export trusts it" in err


def test_nothing_is_exported_from_a_damaged_release(run: Run, place: Place, tmp_path: Path) -> None:
    part = place.log / "releases/1/sev-snp/launch_digests.parquet"
    part.write_bytes(part.read_bytes()[:-9] + bytes(9))
    path = tmp_path / "values.json"
    assert run("export", "--to", "rvps", *SELECTED, *ALL, *place.options(), "-o", str(path))[0] == 4
    assert sorted(tmp_path.glob("values*")) == []


def test_binary_is_not_printed_on_a_terminal(
    run: Run, place: Place, small: BuildResult, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("sys.stdout.isatty", lambda: True, raising=False)
    code, out, err = run("export", "--to", "dstack", one_of(small), *ALL, *place.options())
    assert (code, out) == (2, "")
    assert "dstack is binary, and standard output is a terminal" in err


def test_a_sidecar_is_replaced_with_its_file(run: Run, place: Place, tmp_path: Path) -> None:
    path, line = tmp_path / "values.json", ("export", "--to", "rvps", "-q", *ALL, *place.options())
    assert run(*line, *SELECTED, "-o", str(path))[0] == 0
    before = path.read_bytes()
    assert run(*line, "--vmm", "qemu-kvm-legacy", "--vcpus", "9", "-o", str(path))[0] == 1
    assert path.read_bytes() == before
    assert run(*line, "--vmm", "qemu-kvm-init2", "--vcpus", "3", "-o", str(path))[0] == 0
    given = GivenFile(str(path), path.read_bytes(), (tmp_path / "values.json.ldcat.json").read_bytes())
    assert sidecar_of(given).selection["vcpus"] == "3"
    assert sorted(one.name for one in tmp_path.glob("values*")) == ["values.json", "values.json.ldcat.json"]


def test_a_folder_of_others_is_not_replaced(run: Run, place: Place, small: BuildResult, tmp_path: Path) -> None:
    key = tmp_path / "id.pem"
    key.write_bytes(key_file(ec.derive_private_key(7, ec.SECP384R1())).data)
    folder = tmp_path / "block"
    line = (
        "export",
        "--to",
        "id-block",
        one_of(small),
        *ALL,
        *place.options(),
        "--id-key",
        str(key),
        "-o",
        str(folder),
    )
    assert run(*line)[0] == 0
    first = contents(folder)
    assert sorted(first) == ["id-auth.bin", "id-block.bin", "id-keys.json", "ldcat-export.json"]
    assert run(*line)[0] == 0
    assert contents(folder) == first
    changed = (folder / "id-keys.json").read_bytes().replace(b'"', b"'")
    others = {"id-keys.json": changed, "id-auth.bin": bytes(4097), "notes.txt": b"mine", "ldcat-export.json": b"{}"}
    for name, data in others.items():
        reason = "which was changed after" if name.startswith("id-") else "which is not part of an earlier export"
        original = (folder / name).read_bytes() if name in first else b""
        (folder / name).write_bytes(data)
        before = contents(folder)
        code, _, err = run(*line)
        assert (code, f"holds {name!r}, {reason}" in err) == (2, True)
        assert contents(folder) == before
        if name.startswith("id-"):
            (folder / name).write_bytes(original)
    code, _, err = run(*line[:-2])
    assert (code, "id-block is several files" in err) == (2, True)


def test_a_name_that_is_too_long_is_refused(run: Run, place: Place, small: BuildResult, tmp_path: Path) -> None:
    path = tmp_path / ("x" * 256)
    code, out, err = run("export", "--to", "rvps", one_of(small), *ALL, *place.options(), "-q", "-o", str(path))
    assert (code, out) == (5, "")
    assert f"ldcat: error: {path}: file name too long" in err


def test_a_folder_has_a_largest_number_of_files(
    run: Run, place: Place, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    line = ("export", "--to", "check", *SELECTED, *ALL, *place.options(), "-o", str(tmp_path / "configs"))
    monkeypatch.setattr(export_output, "MOST_FILES", 3)
    code, _, err = run(*line)
    assert (code, "this export is 4 files, more than 3" in err) == (2, True)
    assert not (tmp_path / "configs").exists()
    monkeypatch.setattr(export_output, "MOST_FILES", 4)
    assert run(*line)[0] == 0
    code, _, err = run(*line[:-1], str(tmp_path / "four.textproto"))
    assert (code, "this export is 4 files, and four.textproto is the name of one" in err) == (2, True)


@pytest.mark.parametrize("output", ["id.pem", "./id.pem", "link/id.pem", "id"])
def test_a_file_that_is_read_is_not_replaced(
    run: Run, place: Place, small: BuildResult, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, output: str
) -> None:
    """The last one is the name of a key that the sidecar would have."""
    monkeypatch.chdir(tmp_path)
    (tmp_path / "link").symlink_to(tmp_path)
    key = tmp_path / ("id.ldcat.json" if output == "id" else "id.pem")
    key.write_bytes(key_file(ec.derive_private_key(7, ec.SECP384R1())).data)
    before = key.read_bytes()
    line = ("export", "--to", "qemu", one_of(small), *ALL, *place.options(), "--id-key", str(key), "-o", output)
    code, _, err = run(*line)
    assert (code, f"ldcat: error: {key} is read, and the export would replace it" in err) == (2, True)
    assert key.read_bytes() == before
    assert not (tmp_path / "id").exists()
