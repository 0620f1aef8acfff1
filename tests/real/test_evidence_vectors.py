"""Inputs of public threads and projects, each with the match that it must have."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from catalog.build.builder import BuildResult
from catalog.endorse.certificates import parse_certificates
from catalog.errors import LdcatError
from catalog.evidence.sniff import sniff
from tests.real.shared import EVIDENCE
from tests.support.cli import Run

MILAN = "ac7e7232f680f70c0ad60257f927d6b403669984323384838ba3e4096c6f8177ae19c8b5489842bac561920667b8f780"
OF_BASELINE = "c995d6122aacbc0434128f0c63783f03b7caec3f8f4292948522a00c0395ff126f1633d8346a20aa85f8dd3bd8739a38"
"""Of ovmf_hash_only.toml, as sev-snp-measure 0.0.13 prints it."""
SEV = "3e4fd0b3fe3b2dbe481c3d9e99418a034174f26cbe1f55aa212b0f18c12d2d6f"


@pytest.mark.parametrize(
    ("name", "form", "claimed_by"),
    [
        ("turin_v5_bit6_synthetic.bin", "attestation report", None),
        (
            "report_then_cert_table_synthetic.bin",
            "attestation report followed by a certificate table without certificates",
            None,
        ),
        ("snpguest_display_report.txt", "launch digest in the text of an attestation report", "a text"),
        ("amd_parse_report.txt", "launch digest in the text of an attestation report", "a text"),
        ("igvmmeasure_output.txt", "launch digest in the output of igvmmeasure", "a text"),
        ("azure_evidence_v1_shape.json", "attestation report in an Azure HCL blob in JSON", None),
        ("azure_evidence_v0_shape.json", "attestation report in an Azure HCL blob in JSON", None),
        ("report_b64url.txt", "attestation report in base64url", None),
        ("report_b64url_padded.txt", "attestation report in base64url", None),
        ("id_block.b64", "ID block in base64", "an ID block"),
        ("id_block.bin", "ID block", "an ID block"),
        ("maa_claims.json", "launch digest in MAA claims", "MAA claims"),
        ("report_xxd.txt", "attestation report in an xxd dump", None),
        ("sev610_milan_v4.bin", "attestation report", None),
        ("report_milan_synthetic.bin", "attestation report", None),
        ("go_sev_guest_textproto_like.json", "attestation report in JSON", None),
    ],
)
def test_every_form_has_its_match(run: Run, default: BuildResult, name: str, form: str, claimed_by: str | None) -> None:
    code, out, _ = run("lookup", str(EVIDENCE / name), "--catalog", str(default.folder), "-f", "json")
    reply = json.loads(out)
    assert (reply["evidence"], reply["claimed_by"], reply["launch_digest"]) == (form, claimed_by, MILAN)
    (match,) = reply["matches"]
    kernel, firmware = match["kernel_hashes"]["name"], match["firmware"]["name"]
    assert (firmware, kernel) == ("sid/ovmf-amdsev/OVMF.amdsev.fd", "debian-12-installer-text")
    assert (match["vmm"], match["vcpus"], "EPYC-Milan" in match["vcpu_types"]) == ("qemu-kvm-init2", 4, True)
    assert code == 0


def test_a_report_of_sev_needs_no_tik(run: Run, default: BuildResult) -> None:
    path = str(EVIDENCE / "qmp_sev_attestation_report.json")
    code, out, _ = run("lookup", path, "--catalog", str(default.folder), "-f", "json")
    reply = json.loads(out)
    assert (code, reply["launch_digest"], reply["matches"][0]["technology"]) == (0, SEV, "sev")
    assert "pek-not-checked" in {note["code"] for note in reply["notes"]}


def test_two_digests_are_two_lines(run: Run, default: BuildResult) -> None:
    code, out, _ = run("lookup", str(EVIDENCE / "two_digests.txt"), "--catalog", str(default.folder))
    assert (code, [line.split("  ")[:2] for line in out.splitlines()]) == (0, [[MILAN, "found"]] * 2)


def test_certificates_in_json_are_those_of_the_report(run: Run, default: BuildResult) -> None:
    certificates = EVIDENCE / "host_amd_cert_thim_shape.json"
    assert len(parse_certificates(certificates.read_bytes())) == 3
    arguments = ("--certs", str(certificates), "--catalog", str(default.folder), "-f", "json")
    reply = json.loads(run("lookup", str(EVIDENCE / "uvm_snp_report.bin"), *arguments)[1])
    assert (reply["verification"]["verified"], reply["verification"]["root"]) == (True, "Milan")


def test_firmware_that_is_known_by_its_baseline_alone(run: Run, tmp_path: Path) -> None:
    record, options = EVIDENCE / "ovmf_hash_only.toml", ("--vmm", "qemu-kvm-init2", "--vcpus", "4", "-q")
    measured = run("measure", str(record), "-t", "sev-snp", *options, "--vcpu-type", "EPYC-Milan")
    assert measured == (0, f"{OF_BASELINE}\n", "")
    other = tmp_path / "other.toml"
    other.write_text(record.read_text().replace("9d0dd8be", "9d0dd8bf"))
    for technology in ("sev", "sev-es"):
        code, _, err = run("measure", str(other), "-t", technology, *options[:4], "--vcpu-type", "EPYC-Milan")
        assert code == 2
        assert "the SHA-256 state after the image is not known" in err


@pytest.mark.parametrize(
    ("command", "name", "message"),
    [
        (("lookup",), "fake.igvm", "an IGVM file"),
        (("inspect",), "fake.igvm", "an IGVM file"),
        (("measure", "-t", "sev"), "fake.igvm", "an IGVM file"),
        (("measure", "-t", "sev"), "ovmf_hash_only_go.json", "firmware metadata of sev-snp-measure-go"),
        (("inspect",), "ovmf_hash_only_go.json", "firmware metadata of sev-snp-measure-go"),
        (("lookup",), "ovmf_hash_only_go.json", "firmware metadata of sev-snp-measure-go"),
    ],
)
def test_other_inputs_are_named(run: Run, command: tuple[str, ...], name: str, message: str) -> None:
    code, _, err = run(command[0], str(EVIDENCE / name), *command[1:])
    assert code == 3
    assert message in err


def test_evidence_of_hygon_csv_is_named(tmp_path: Path) -> None:
    """As in Trustee's test data: attestation_report has data, flags and magic, the chain a PEK."""
    csv = {
        "attestation_report": {"data": [0] * 4096, "flags": 0, "magic": [0] * 16},
        "cc_eventlog": "",
        "cert_chain": {"pek": {"body": {}, "ver": 1}},
        "serial_number": [0] * 64,
    }
    with pytest.raises(LdcatError, match="Hygon CSV"):
        sniff(json.dumps(csv).encode())
