"""Firmware of which a platform publishes only what SEV-SNP needs: measured, shown, and nothing about it invented."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import pytest

from catalog.firmware.build import FirmwareBuild
from catalog.firmware.component import FirmwareComponent
from catalog.firmware.metadata import Area
from catalog.firmware.ovmf import OvmfImage
from tests.support.cli import AMDSEV, SNP, Run
from tests.support.samples import ONE_ROW, whole_image, write_spec

LAUNCH = (*SNP, "--vcpus", "2", "-q")


@pytest.fixture
def record(tmp_path: Path) -> Path:
    """A record of whole_image that knows no hash, size or SHA-256 state of the file."""
    whole = FirmwareComponent.from_image(OvmfImage.parse(whole_image()))
    assert whole.hashes_area
    known = replace(whole, sha256=None, sha384=None, size=None, sha256_midstate=None)
    known = replace(known, hashes_area=Area(whole.hashes_area.gpa, None))
    path = tmp_path / "published.toml"
    path.write_text(FirmwareBuild("published", known, None, {}).to_toml())
    return path


def test_a_record_is_written_and_read_with_what_it_knows(record: Path) -> None:
    text = record.read_text()
    assert not {"sha256", "sha384", "size", "sha256_midstate"} & {
        line.partition(" = ")[0] for line in text.splitlines()
    }
    assert FirmwareBuild.parse(text).to_toml() == text


def test_snp_digests_are_those_of_the_image(run: Run, record: Path, tmp_path: Path) -> None:
    (tmp_path / "whole.fd").write_bytes(whole_image())
    for more in ((), ("--kernel-sha256", "11" * 32, "--append", "quiet")):
        image = run("measure", str(tmp_path / "whole.fd"), *LAUNCH, *more)
        assert image[0] == 0
        assert run("measure", str(record), *LAUNCH, *more)[:2] == image[:2]


@pytest.mark.parametrize("launch", [("-t", "sev"), ("-t", "sev-es", "--vmm", "qemu-kvm-legacy", "--vcpus", "1")])
def test_other_technologies_are_refused_with_the_reason(run: Run, record: Path, launch: tuple[str, ...]) -> None:
    code, out, err = run("measure", str(record), *launch, *(("--vcpu-type", "EPYC") if len(launch) > 2 else ()))
    assert (code, out) == (2, "")
    reason = "the digest cannot be computed: the SHA-256 state after the image is not known, only what SEV-SNP needs"
    assert (
        err
        == f"ldcat: error: {launch[1]}: {reason}\nldcat: hint: ldcat inspect shows what a firmware can launch under\n"
    )


def test_inspect_says_what_is_not_known(run: Run, record: Path) -> None:
    code, out, _ = run("inspect", str(record))
    assert code == 0
    assert out.count("not known") == 7  # two hashes, size, version, the size of the area, why not SEV and SEV-ES
    shown = json.loads(run("inspect", str(record), "-f", "json")[1])
    unknown = {name for name in ("sha256", "sha384", "size", "gpa", "end", "sha256_midstate") if shown[name] is None}
    assert unknown == {"sha256", "sha384", "size", "gpa", "end", "sha256_midstate"}
    assert shown["hashes_area"]["size"] is None
    assert [shown["launches"][name]["measurable"] for name in ("sev", "sev-es", "sev-snp")] == ["no", "no", "yes"]
    assert run("inspect", str(record), "-f", "toml")[1].rstrip() == record.read_text().rstrip()


def test_a_record_of_a_known_image_is_joined_or_refused(run: Run, tmp_path: Path) -> None:
    known = FirmwareBuild.parse(run("inspect", AMDSEV, "-f", "toml")[1]).image
    in_part = replace(known, sha256=None, sha384=None, size=None, sha256_midstate=None)
    path = tmp_path / "known.toml"
    path.write_text(FirmwareBuild("mine", in_part, None, {}).to_toml())
    assert json.loads(run("inspect", str(path), "-f", "json")[1])["sha256"] == known.key.hex()
    path.write_text(FirmwareBuild("mine", replace(in_part, reset_vector=0x80B000), None, {}).to_toml())
    code, _, err = run("inspect", str(path))
    assert (code, f"contradicts {AMDSEV}" in err) == (3, True)


def test_a_catalog_takes_it(run: Run, record: Path, tmp_path: Path) -> None:
    spec = f'name = "x"\nfirmware = {{ files = ["{record.name}"] }}\n[technologies.sev-snp]\nvmm = ["qemu-kvm-init2"]\n'
    spec += 'vcpu_signatures = ["EPYC"]\nsev_features = [1]\nvcpus = [2]\n'
    assert run("build", str(write_spec(tmp_path, spec)), "-o", str(tmp_path / "out"), "-q")[0] == 0
    launch_digest = run("measure", str(record), *LAUNCH)[1].strip()
    code, out, _ = run("lookup", launch_digest, "--catalog", str(tmp_path / "out"), "-f", "json")
    (match,) = json.loads(out)["matches"]
    assert (code, match["firmware"]["name"], match["firmware"]["sha256"]) == (0, "published", None)


def _only_baseline(baseline: bytes) -> str:
    return f'name = "mine"\n\n[component]\nsnp_baseline = "{baseline.hex()}"\n'


def test_a_baseline_alone_gets_the_other_facts_of_a_known_image(run: Run, tmp_path: Path) -> None:
    known = FirmwareBuild.parse(run("inspect", AMDSEV, "-f", "toml")[1]).image
    path = tmp_path / "mine.toml"
    path.write_text(_only_baseline(known.snp_baseline))
    assert run("measure", str(path), *LAUNCH)[:2] == run("measure", AMDSEV, *LAUNCH)[:2]
    assert FirmwareBuild.parse(run("inspect", str(path), "-f", "toml")[1]).image == known
    path.write_text(_only_baseline(known.snp_baseline) + "sections = []\n")
    code, _, err = run("measure", str(path), *LAUNCH)
    assert (code, "contradicts" in err, "sections" in err) == (3, True, True)


@pytest.mark.parametrize(
    ("more", "unknown"),
    [
        ("", "sections and reset_vector are not known"),
        ("reset_vector = 0x80b004\n", "sections are not known"),
        ('sections = [{ gpa = 0x800000, size = 0x1000, type = "CPUID" }]\n', "reset_vector is not known"),
        (f'sha256 = "{"11" * 32}"\n', "sections and reset_vector are not known"),
    ],
)
def test_a_baseline_alone_of_another_image_is_refused(run: Run, tmp_path: Path, more: str, unknown: str) -> None:
    path = tmp_path / "mine.toml"
    path.write_text(_only_baseline(bytes(48)) + more)
    for command in (("measure", str(path), *LAUNCH), ("inspect", str(path))):
        code, out, err = run(*command)
        assert (code, out) == (3, "")
        assert f"{unknown}, so no digest follows from the SNP baseline\n" in err
        assert "hint: add them to [component]" in err


def test_an_area_that_a_record_does_not_give_is_not_known(run: Run, record: Path) -> None:
    lines = [line for line in record.read_text().splitlines() if not line.startswith("hashes_area")]
    record.write_text("\n".join(lines))
    assert run("measure", str(record), *LAUNCH)[0] == 0
    code, _, err = run("measure", str(record), *LAUNCH, "--kernel-sha256", "11" * 32)
    assert (code, "sev-snp: the digest cannot be computed: " in err) == (2, True)
    _, out, _ = run("inspect", str(record))
    assert "kernel hashes area      not known" in out
    assert "no kernel hashes area" not in out


def test_no_sections_are_written_as_such(record: Path) -> None:
    known = FirmwareBuild.parse(record.read_text())
    none = replace(known, component=replace(known.image, sections=()))
    assert FirmwareBuild.parse(none.to_toml()) == none


def test_a_build_notes_what_gives_no_digest_and_nothing_left_out(run: Run, tmp_path: Path) -> None:
    spec = write_spec(tmp_path, ONE_ROW + '[imports]\nfleets = ["secretvm"]\n')
    code, _, err = run("build", str(spec), "-o", str(tmp_path / "out"))
    assert (code, err.count("kernels are known in part: no digest follows from them\n")) == (0, 1)
    assert "left out" not in err
    less = ONE_ROW.replace("sev = {}", f'"sev-es" = {_ES}') + "[[together]]\nwhen = {}\nonly = { vcpus = [1] }\n"
    _, _, err = run("build", str(write_spec(tmp_path, less)), "-o", str(tmp_path / "es"))
    assert "1 combination was left out; manifest.json says which" in err


_ES = '{ vmm = ["qemu-kvm-legacy"], vcpu_signatures = ["EPYC"], sev_features = [0], vcpus = [1, 2] }'
