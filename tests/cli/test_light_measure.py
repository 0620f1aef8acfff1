"""The light path of `ldcat measure`: it prints what the full path prints, and loads no large library."""

from __future__ import annotations

import shlex
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from catalog.cli.light.light_measure import light_measure
from catalog.cli.main import run
from tests.support.firmware_builder import build_ovmf, packed_volume, volume_contents
from tests.support.uefi_volumes import ARM, plain_image

ROOT = Path(__file__).parents[2]
SNP = "-t sev-snp --vmm qemu-kvm-init2 --vcpu-type EPYC-Milan --vcpus 4"
HEAVY = {
    "dataclasses",
    "json",
    "msgspec",
    "typer",
    "rich",
    "pyarrow",
    "duckdb",
    "cryptography",
    "catalog.store",
    "lzma",
}
"""What the light path never loads if there is no kernel."""


@pytest.fixture
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    for name in ("FORMAT", "QUIET", "CATALOG", "TRUST", "HASH_BACKEND", "KERNELS"):
        monkeypatch.delenv(f"LDCAT_{name}", raising=False)
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "state"))
    whole = packed_volume(volume_contents(verifier=True))
    files = {
        "yes.fd": plain_image(whole),
        "no.fd": plain_image(packed_volume(volume_contents(verifier=False))),
        "unknown.fd": plain_image(),
        "damaged.fd": plain_image(packed_volume(volume_contents(verifier=True), cut=400)),
        "arm.fd": plain_image(whole, machine=ARM),
        "odd.fd": plain_image(pages=33),
        "junk.fd": bytes(range(256)) * 64,
        "old.fd": build_ovmf(standalone_reset_block=True),
        "vmlinuz": b"kernel" * 100_000,
        "initrd": b"initrd",
        "x.toml": b"",
        "a\u200bb.fd": plain_image(whole),
        "0" * 64: plain_image(whole),
    }
    for name, data in files.items():
        (tmp_path / name).write_bytes(data)
    monkeypatch.chdir(tmp_path)
    return tmp_path


LIGHT = [
    *(f"{name}.fd {SNP}" for name in ("yes", "no", "unknown", "damaged")),
    *(f"{name}.fd {SNP} --kernel vmlinuz" for name in ("yes", "no", "unknown", "damaged")),
    f"yes.fd {SNP} --kernel vmlinuz --initrd initrd --append 'console=ttyS0 \u00e4' -q",
    f"no.fd {SNP} --kernel vmlinuz --initrd=initrd --append=quiet --quiet",
    f"yes.fd {SNP} -f hex",
    f"yes.fd {SNP} --format=hex",
    f"'a\u200bb.fd' {SNP}",
    "yes.fd --technology=sev-snp --vmm ec2-2026 --vcpu-type EPYC-v4 --vcpus=1".replace("ec2-2026", "qemu-kvm-legacy"),
]

FULL = [
    "",
    "yes.fd",
    f"{SNP}",
    f"yes.fd no.fd {SNP}",
    f"yes.fd {SNP} -f json",
    f"yes.fd {SNP} -f table",
    f"yes.fd {SNP} -f",
    f"yes.fd {SNP} --vcpus 4",
    f"yes.fd {SNP} --sev-features 0x21",
    f"yes.fd {SNP} -qf hex",
    f"yes.fd {SNP} --quiet=1",
    f"yes.fd {SNP} --initrd initrd",
    f"yes.fd {SNP} --append x",
    f"yes.fd {SNP} --kernel vmlinuz --append=",
    f"yes.fd {SNP} --kernel=",
    f"yes.fd {SNP} --kernel vmlinuz --initrd=",
    f"yes.fd {SNP} --kernel nowhere",
    f"yes.fd {SNP} --kernel .",
    f"yes.fd {SNP} --kernel vmlinuz --append -x",
    f"yes.fd {SNP} --",
    *(f"{name} {SNP}" for name in ("./yes.fd", ".//yes.fd", "../here//yes.fd", "yes.fd/")),
    *(f"{name} {SNP}" for name in ("arm.fd", "odd.fd", "junk.fd", "old.fd", "vmlinuz", "x.toml", "nowhere.fd", ".")),
    *(f"yes.fd {SNP.replace('4', vcpus)}" for vcpus in ("0", "04", "1-4", "4097", "99999", "x", "-1", "''")),
    f"yes.fd {SNP.replace('qemu-kvm-init2', 'qemu')}",
    f"yes.fd {SNP.replace('qemu-kvm-init2', '../vmm/qemu-kvm-init2')}",
    f"yes.fd {SNP.replace('EPYC-Milan', 'EPYC-Rom')}",
    f"yes.fd {SNP.replace('sev-snp', 'sev-es')}",
    f"yes.fd {SNP.replace('sev-snp', 'tdx')}",
]


@pytest.mark.parametrize("line", LIGHT)
@pytest.mark.usefixtures("here")
def test_it_prints_what_the_full_path_prints(line: str, capsys: pytest.CaptureFixture[str]) -> None:
    arguments = shlex.split(line)
    found = light_measure(arguments)
    assert light_measure(arguments) == found, "what was remembered gives another answer"
    code = run(["measure", *arguments])
    assert found == (*capsys.readouterr(), code)


@pytest.mark.parametrize("line", FULL)
@pytest.mark.usefixtures("here")
def test_all_else_takes_the_full_path(line: str) -> None:
    assert light_measure(shlex.split(line)) is None


@pytest.mark.parametrize("profile", ["qemu-kvm-init2", "qemu-kvm-legacy", "qemu-amdese-2022", "ec2-2023", "gce-v1"])
@pytest.mark.usefixtures("here")
def test_any_profile(profile: str, capsys: pytest.CaptureFixture[str]) -> None:
    arguments = shlex.split(f"yes.fd {SNP.replace('qemu-kvm-init2', profile)} --kernel vmlinuz")
    found = light_measure(arguments)
    code = run(["measure", *arguments])
    assert found in (None, (*capsys.readouterr(), code))


def test_a_recorded_image_or_name_takes_the_full_path(here: Path) -> None:
    name = "sid/ovmf-amdsev/OVMF.amdsev.fd"
    (here / name).parent.mkdir(parents=True)
    shutil.copy("yes.fd", name)
    recorded = next((ROOT / "data/firmware").glob("sid_ovmf-amdsev*")).read_text()
    sha256 = recorded.partition('sha256 = "')[2][:64]
    shutil.copy("yes.fd", sha256.upper())
    for path in (name, sha256.upper()):
        assert light_measure([path, *SNP.split()]) is None
    assert light_measure([str(here / name), *SNP.split()])
    assert light_measure(["0" * 64, *SNP.split()])


@pytest.mark.parametrize("variable", ["FORMAT", "QUIET", "CATALOG"])
@pytest.mark.usefixtures("here")
def test_settings_take_the_full_path(variable: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(f"LDCAT_{variable}", "1")
    assert light_measure(["yes.fd", *SNP.split()]) is None


@pytest.mark.usefixtures("here")
def test_no_large_library_is_loaded() -> None:
    code = (
        "import sys\n"
        f"sys.path.insert(0, {str(ROOT)!r})\n"
        "before = set(sys.modules)\n"
        "from catalog.cli.light.light_measure import light_measure\n"
        f"assert light_measure({['yes.fd', *SNP.split()]!r})\n"
        "print(*set(sys.modules) - before)\n"
    )
    done = subprocess.run([sys.executable, "-S", "-c", code], capture_output=True, text=True, check=True)
    assert not set(done.stdout.split()) & HEAVY
