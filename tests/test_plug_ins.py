"""As CONTRIBUTING.md promises, a technology, a VMM profile and a command each take one new file and no edit."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest

from tests.support.plug_ins import ROOT, Copy
from tests.support.samples import write_inputs, write_spec

TECHNOLOGY = '''
"""Toy: the launch digest is a hash of the firmware image alone."""

from __future__ import annotations

import hashlib

from catalog.abi.digest import LaunchDigest
from catalog.firmware.component import FirmwareComponent
from catalog.launch.technology import Technology


class Toy(Technology):
    """It knows neither vCPUs nor kernel hashes."""

    name = "toy"
    title = "Toy TD"
    digest_size = 48

    def firmware_blocker(self, firmware: FirmwareComponent) -> str | None:
        return None if firmware.sha384 else "the SHA-384 of the image is not known"

    def baseline(self, firmware: FirmwareComponent) -> bytes:
        return hashlib.sha384(b"toy" + firmware.sha384).digest()

    def finish(self, state: bytes) -> LaunchDigest:
        return LaunchDigest(state)


TECHNOLOGY = Toy()
'''

TOY_SPEC = """
name = "toys"

[firmware]
files = ["whole.fd", "bare.fd"]

[kernel_hashes]
tables = ["none", "mine"]

[[kernel_hashes.define]]
name = "mine"
kernel = "vmlinuz"
append = "quiet"

[technologies.toy]

[technologies.sev-snp]
vmm = ["qemu-kvm-init2"]
vcpu_signatures = ["EPYC-Milan"]
sev_features = [1]
vcpus = ["1-2"]
"""

PROFILE_SPEC = """
name = "profiles"
firmware = { files = ["whole.fd"] }

[technologies.sev-snp]
vmm = ["acme-2026", "qemu-kvm-init2"]
vcpu_signatures = ["EPYC-Milan"]
sev_features = [1]
vcpus = ["1-2"]
"""

COMMAND = '''
"""`ldcat reference-values`: every row of a catalog as a line of JSON."""

from __future__ import annotations

import msgspec

from catalog.cli.catalogs import open_named
from catalog.cli.options import QuietOption, ReleaseArgument, SkipVerifyOption, TrustOption
from catalog.rows.digest_record import digest_record
from catalog.store.digest_parts import row_tables
from catalog.terminal import render


def command(
    release: ReleaseArgument,
    trust: TrustOption = None,
    skip_verify: SkipVerifyOption = False,
    quiet: QuietOption = False,
) -> None:
    """Write every row as a reference value."""
    opened = open_named(release, trust, skip=skip_verify, quiet=quiet)
    for technology in opened.manifest.technologies:
        for table in row_tables(opened, technology):
            for row in table.to_pylist():
                record = digest_record({**row, "technology": technology})
                render.exact(msgspec.json.encode(record).decode())
'''

COUNTED = "select technology, count(*), max(vcpus) from configurations group by 1"
NO_KERNEL = "the launch digest does not cover what the firmware boots"
UNKNOWN = "0" * 96


def test_a_technology_is_one_file(tmp_path: Path) -> None:
    write_spec(write_inputs(tmp_path), TOY_SPEC)
    copy = Copy.with_files(tmp_path / "copy", {"catalog/launch/technologies/toy.py": TECHNOLOGY.lstrip()})
    measure = ("measure", "whole.fd", "-t", "toy")
    built, measured, ignored, refused, inspected = copy.run(
        ("build", "spec.toml", "--output", "digests", "-q"),
        (*measure, "-f", "json"),
        (*measure, "--vcpus", 2, "--vmm", "qemu-kvm-init2"),
        (*measure, "--kernel", "vmlinuz"),
        ("inspect", "whole.fd"),
    )
    assert (built.code, measured.code, ignored.code, inspected.code) == (0, 0, 0, 0)
    digest = measured.record["launch_digest"]
    assert NO_KERNEL in [note["text"] for note in measured.record["notes"]]
    assert (ignored.out, "does not depend on: vmm, vcpus" in ignored.err) == (f"{digest}\n", True)
    assert refused.code == 2
    assert refused.err.startswith("ldcat: error: toy cannot launch this: toy measures no kernel hashes\nldcat: hint: ")
    assert re.search(r"toy +│ yes", inspected.out)

    arguments = (digest, "--catalog", "digests")
    quick, slow, explained, unknown, audited, counted, diffed, page = copy.run(
        ("plain-lookup", *arguments),
        ("lookup", *arguments, "-f", "json"),
        ("explain", *arguments),
        ("explain", UNKNOWN, "--catalog", "digests", "--budget", 0.001, "-f", "json"),
        ("audit", "digests"),
        ("sql", "--catalog", "digests", COUNTED, "-f", "csv"),
        ("diff", "digests", "digests"),
        ("report", "digests", "--html", "report.html"),
    )
    assert (quick.code, quick.out.count("match 1 of 1: toy"), quick.out.count(NO_KERNEL)) == (0, 1, 1)
    [match] = slow.record["matches"]
    assert [match[name] for name in ("technology", "kernel_hashes", "vcpus", "sev_features")] == [
        "toy",
        None,
        None,
        None,
    ]
    assert match["notes"][0]["text"] == NO_KERNEL
    assert (explained.code, "nothing differs from the catalog" in explained.out) == (0, True)
    [searched] = unknown.record["searched"]
    assert (unknown.code, searched["axes"]["technology"]) == (1, {"near": ["sev-snp", "toy"], "others": ["tdx"]})
    assert (audited.code, audited.out.splitlines()[-1]) == (0, "every claim holds")
    assert sorted(counted.out.splitlines()[1:]) == ["sev-snp,4,2", "toy,2,"]
    assert (diffed.code, page.code) == (0, 0)
    assert "6 unchanged" in diffed.out

    keys, published, signed, proof, site = copy.run(
        ("keygen", "example.com/toys", "-o", "log.key"),
        ("publish", "digests", "--log", "log", "--key", "log.key"),
        ("lookup", digest, "--catalog", "log", "--insecure-skip-verify", "-f", "json"),
        ("prove", digest, "--catalog", "log"),
        ("site", "log", "-o", "site", "--insecure-skip-verify"),
    )
    assert (keys.code, published.code, signed.code, proof.code, site.code) == (0, 0, 0, 0, 0)
    assert signed.record["matches"] == slow.record["matches"]
    assert signed.record["release"]["origin"] == "example.com/toys"
    shown = json.loads((tmp_path / "site/page.json").read_bytes())
    launches = [build["launch"] for builds in shown["firmware"].values() for build in builds]
    assert {launch["toy"]["no_kernel_note"]["text"] for launch in launches} == {NO_KERNEL}
    assert NO_KERNEL not in {launch["sev-snp"]["no_kernel_note"]["text"] for launch in launches}


def test_explain_searches_no_vcpu_axis_for_a_technology_without_vcpus(tmp_path: Path) -> None:
    """Nor is one of kernel hashes, unless another technology with digests of that size has it."""
    spec = TOY_SPEC.partition("[technologies.sev-snp]")[0].replace('"none", "mine"', '"none"')
    write_spec(write_inputs(tmp_path), spec)
    copy = Copy.with_files(tmp_path / "copy", {"catalog/launch/technologies/toy.py": TECHNOLOGY.lstrip()})
    built, unknown = copy.run(
        ("build", "spec.toml", "--output", "digests", "-q"),
        ("explain", UNKNOWN, "--catalog", "digests", "--budget", 0.001, "-f", "json"),
    )
    assert (built.code, unknown.code) == (0, 1)
    [searched] = unknown.record["searched"]
    stages = [*searched["excluded"], *searched["not_excluded"]]
    assert [stage for stage in stages if "technology" not in stage] == [[], ["firmware"]]
    assert [*stages[2:3]] == [["technology"]]


def test_a_vmm_profile_is_one_file(tmp_path: Path) -> None:
    profile = (ROOT / "data/vmm/qemu-kvm-init2.toml").read_text(encoding="utf-8")
    profile = re.sub("(?m)^name = .*$", 'name = "acme-2026"', profile)
    profile = re.sub("(?m)^title = .*$", 'title = "Acme Cloud"', profile)
    profile = re.sub("(?m)^mxcsr = .*$", "mxcsr = 0x1f00", profile)
    write_spec(write_inputs(tmp_path), PROFILE_SPEC)
    copy = Copy.with_files(tmp_path / "copy", {"data/vmm/acme-2026.toml": profile})
    launch = {"technology": "sev-snp", "firmware": "whole.fd", "vcpus": 2, "vcpu_type": "EPYC-Milan"}
    expected = json.dumps(launch | {"vmm": "qemu-kvm-init2"})
    build = ("vmsa", "build", "--vmm", "acme-2026", "--vcpu-type", "EPYC-Milan", "-o", "bsp.bin")
    measured, page, shown, built = copy.run(
        ("measure", "whole.fd", "-t", "sev-snp", "--vmm", "acme-2026", "--vcpus", 2, "--vcpu-type", "EPYC-Milan", "-q"),
        build,
        ("vmsa", "show", "bsp.bin", "-f", "json"),
        ("build", "spec.toml", "--output", "digests", "-q"),
    )
    assert (measured.code, page.code, built.code) == (0, 0, 0)
    assert [made["vmm"] for made in shown.record["profiles"]] == ["acme-2026"]
    found, explained, covered = copy.run(
        ("plain-lookup", measured.out.strip(), "--catalog", "digests"),
        ("explain", measured.out.strip(), "--catalog", "digests", "--expect", expected),
        ("report", "digests", "--html", "report.html"),
    )
    assert (found.code, "acme-2026 (Acme Cloud)" in found.out) == (0, True)
    assert explained.code == 0
    assert "vmm: acme-2026; expected: qemu-kvm-init2" in explained.out
    assert "mxcsr: 0x1f80 was expected, not 0x1f00" in explained.out
    assert covered.code == 0
    assert "acme-2026" in (tmp_path / "report.html").read_text(encoding="utf-8")


FORMAT = '''
"""Lines of launch digests, for a test."""

from catalog.imports.documents import Form
from catalog.imports.endorsed_facts import EndorsedDigest, Endorser
from catalog.imports.imported import Imported


def parse(document, given):
    digest = bytes.fromhex(document.text.split()[1])
    return Imported("lines", document.sha256, endorsed=(EndorsedDigest(digest, "sev-snp", Endorser("lines")),))


FORM = Form("lines", "lines of digests", lambda document: document.data.startswith(b"digest "), parse)
'''


def test_a_format_of_documents_is_one_file(tmp_path: Path) -> None:
    copy = Copy.with_files(tmp_path / "copy", {"catalog/imports/formats/lines.py": FORMAT.lstrip()})
    (tmp_path / "digests").write_text(f"digest {'5a' * 48}\n")
    read, written = copy.run(
        ("import", "digests", "-f", "json"), ("import", "digests", "--origin", "https://example", "-o", "records")
    )
    assert (read.code, read.record["documents"][0]["form"]) == (0, "lines")
    assert written.code == 0
    assert sorted(path.name[:6] for path in (tmp_path / "records").iterdir()) == ["docume", "lines-"]


EXPORT = '''
"""Digests as lines, for a test."""

from catalog.export.export_format import ExportFormat
from catalog.export.exported import ExportFile


class Lines(ExportFormat):
    name = "lines"
    title = "digests, one a line"
    settings = frozenset({"name"})

    def files(self, export):
        lines = [export.settings.name or "digests", *(digest.hex() for digest in export.digests)]
        return [ExportFile.of("digests.txt", "text/plain", "".join(f"{line}\\n" for line in lines).encode())]


FORMAT = Lines()
'''


def test_a_format_of_exports_is_one_file(tmp_path: Path) -> None:
    write_spec(write_inputs(tmp_path), PROFILE_SPEC.replace('"acme-2026", ', ""))
    copy = Copy.with_files(tmp_path / "copy", {"catalog/export/formats/lines.py": EXPORT.lstrip()})
    rows = ("--vmm", "qemu-kvm-init2", "--vcpus", "1-2", "--catalog", "digests", "--unpublished")
    built, listed, refused, exported = copy.run(
        ("build", "spec.toml", "--output", "digests", "-q"),
        ("list", "export-formats", "-f", "csv"),
        ("export", "--to", "lines", *rows, "--tag", "x"),
        ("export", "--to", "lines", *rows, "--name", "mine", "--launch-unknown", "--no-kernel"),
    )
    assert built.code == 0
    assert '\nlines,"digests, one a line"\n' in listed.out
    assert (refused.code, "lines takes no --tag" in refused.err) == (2, True)
    name, *digests = exported.out.splitlines()
    assert (exported.code, name, [len(digest) for digest in digests]) == (0, "mine", [96, 96])


@pytest.mark.parametrize("damaged", [False, True])
def test_a_command_is_one_file(tmp_path: Path, damaged: bool) -> None:
    write_spec(write_inputs(tmp_path), PROFILE_SPEC.replace('"acme-2026", ', ""))
    copy = Copy.with_files(tmp_path / "copy", {"catalog/cli/commands/reference_values.py": COMMAND.lstrip()})
    [built] = copy.run(("build", "spec.toml", "--output", "digests", "-q"))
    assert built.code == 0
    if damaged:
        part = tmp_path / "digests/sev-snp/launch_digests.parquet"
        part.write_bytes(part.read_bytes().replace(b"PAR1", b"PAR2"))
    helped, listed = copy.run(("--help",), ("reference-values", "digests"))
    assert re.search("reference-values +Write every row as a reference value", helped.out)
    if damaged:
        assert (listed.code, listed.out) == (4, "")
        return
    rows = [json.loads(line) for line in listed.out.splitlines()]
    assert (listed.code, sorted((row["technology"], row["vcpus"]) for row in rows)) == (
        0,
        [("sev-snp", 1), ("sev-snp", 2)],
    )


@pytest.mark.parametrize(
    ("change", "part"),
    [
        (('name = "toy"', 'name = "sev"'), "'sev' is the name of another technology"),
        (('name = "toy"', 'name = "TOY_1"'), "'TOY_1', 48 bytes: not a technology"),
        (("digest_size = 48", "digest_size = 64"), "'toy', 64 bytes: not a technology"),
    ],
)
def test_an_invalid_technology_is_refused_before_it_measures(
    tmp_path: Path, change: tuple[str, str], part: str
) -> None:
    path = "catalog/launch/technologies/toy.py"
    copy = Copy.with_files(tmp_path / "copy", {path: TECHNOLOGY.lstrip().replace(*change)})
    [measured] = copy.run(("measure", "sid/ovmf-amdsev/OVMF.amdsev.fd", "-t", "sev"))
    assert (measured.code, measured.out) == (70, "")
    assert f"toy.py: {part}" in measured.err


def test_a_module_with_an_underscore_is_no_plug_in(tmp_path: Path) -> None:
    files = [f"catalog/{folder}/_shared.py" for folder in ("launch/technologies", "cli/commands", "export/formats")]
    copy = Copy.with_files(tmp_path / "copy", dict.fromkeys(files, '"""Shared code."""\n'))
    helped, measured, listed = copy.run(
        ("--help",), ("measure", "sid/ovmf-amdsev/OVMF.amdsev.fd", "-t", "sev"), ("list", "export-formats")
    )
    assert (helped.code, measured.code, listed.code, "shared" in helped.out) == (0, 0, 0, False)


@pytest.mark.parametrize(
    ("text", "part"),
    [("name = 3\n", "VMM profile"), (None, "another record is named 'qemu-kvm-init2'")],
    ids=["invalid", "same name"],
)
def test_an_error_in_a_profile_names_its_file(tmp_path: Path, text: str | None, part: str) -> None:
    profile = text or (ROOT / "data/vmm/qemu-kvm-init2.toml").read_text(encoding="utf-8")
    copy = Copy.with_files(tmp_path / "copy", {"data/vmm/zz.toml": profile})
    [measured] = copy.run(
        ("measure", "sid/ovmf-amdsev/OVMF.amdsev.fd", "-t", "sev-snp", "--vmm", "qemu-kvm-init2", "--vcpus", 1)
    )
    assert (measured.code, measured.out) == (3, "")
    assert measured.err.startswith("ldcat: error: data/vmm/zz.toml: ")
    assert part in measured.err
