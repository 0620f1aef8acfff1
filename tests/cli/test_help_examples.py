"""Every example of `--help` runs, in a folder that has the files it names."""

from __future__ import annotations

import re
import shlex
import shutil
from pathlib import Path
from typing import Any

import pytest
import typer.main

from catalog.cli import main
from catalog.cli.help_form import Example
from catalog.cli.help_page import HelpPage, pages_below
from catalog.cli.program.app import make_app
from catalog.spec import embedded
from tests.support.attestation_builder import chain, report_bytes, signed
from tests.support.certificate_builder import pem
from tests.support.event_logs import booted, event_log, sha384
from tests.support.igvm_builder import igvm_bytes, page, platform, policy
from tests.support.published_documents import gce, root
from tests.support.published_documents import pem as document_pem
from tests.support.samples import whole_image

APP = typer.main.get_command(make_app())
PAGES = {page.name: page for page in pages_below(APP, "ldcat")}
SNP = "--vmm qemu-kvm-init2 --vcpu-type EPYC-Milan"
AMDSEV = "sid/ovmf-amdsev/OVMF.amdsev.fd"
KERNEL = "debian-13-cloud-6.12.107"
SPEC = """
name = "{name}"
firmware = {{ builds = [{builds}] }}
kernel_hashes = {{ tables = ["none", "{kernel}"] }}
[technologies.sev]
[technologies.sev-snp]
vmm = ["qemu-kvm-init2"]
vcpu_signatures = ["EPYC-Milan"]
sev_features = [1]
vcpus = ["1-4"]
"""


class Shell:
    """Runs command lines in this process, with `$(cat FILE)`, which is split into words unless quoted, and `> FILE`."""

    def __init__(self, capsys: pytest.CaptureFixture[str]) -> None:
        self._capsys = capsys

    def __call__(self, line: str, *, code: int = 0) -> str:
        line = re.sub(r"\$\(cat ([^)]+)\)", lambda found: Path(found[1]).read_text().rstrip("\n"), line)
        command, _, target = line.partition(" > ")
        program, *arguments = shlex.split(command)
        result = main.run(arguments)
        out, err = self._capsys.readouterr()
        assert (program, result) == ("ldcat", code), f"{line}\n{err}"
        if target:
            Path(target).write_text(out)
        return out


@pytest.fixture
def shell(capsys: pytest.CaptureFixture[str]) -> Shell:
    return Shell(capsys)


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("examples") / "made"


@pytest.fixture
def place(made: Path, shell: Shell, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The current folder, with everything that examples name; it may be changed."""
    for name in ("LDCAT_TRUST", "LDCAT_LOG", "LDCAT_KEY"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("LDCAT_CATALOG", "catalog")  # instead of the default catalog, which takes longer to build
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "state"))
    monkeypatch.setenv("LDCAT_ROOT", "ark.pem")  # the certificates of these tests are not AMD's
    if not made.exists():
        made.mkdir()
        monkeypatch.chdir(made)
        monkeypatch.setenv("XDG_STATE_HOME", str(made / "state"))
        _prepare(shell)
        monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "state"))
    shutil.copytree(made, tmp_path / "place", symlinks=True)
    (tmp_path / "place" / "state").rename(tmp_path / "state")
    monkeypatch.chdir(tmp_path / "place")
    return tmp_path / "place"


def _prepare(shell: Shell) -> None:
    """Make all files in the current folder, by ldcat itself as far as it has them."""
    Path("keys").mkdir()
    for name, role, origin in (
        ("log", "log", "example.com/digests"),
        ("witness", "witness", "witness.example.com"),
        ("root-1", "root", "a"),
        ("root-2", "root", "b"),
    ):
        shell(f"ldcat keygen {origin} --for {role} -o keys/{name}.key")
    logs = [f"log {key}" for key in Path("keys/log.key.pub").read_text().split()]
    witness = Path("keys/witness.key.pub").read_text().split()[0]
    Path("policy.txt").write_text("\n".join([*logs, f"witness w {witness}", "quorum none", ""]))
    roots = "".join(f' --root {name}="$(cat keys/root-{number}.key.pub)"' for number, name in ((1, "a"), (2, "b")))
    shell(f"ldcat trust init --policy policy.txt{roots} --threshold 1 > trust.txt")
    shell("ldcat trust sign trust.txt --key keys/root-1.key > trust.note")
    shell("ldcat trust rotate trust.note --days 400 > next.txt")
    shell("ldcat trust sign next.txt --key keys/root-1.key > next.note")
    for name, builds in (("old-catalog", f'"{AMDSEV}"'), ("catalog", f'"{AMDSEV}", "sid/ovmf-generic/OVMF.fd"')):
        Path("spec.toml").write_text(SPEC.format(name=name, builds=builds, kernel=KERNEL))
        shell(f"ldcat build spec.toml -q -o {name}")
        shell(f"ldcat publish {name} --log public --key keys/log.key -q")
    shell(f"ldcat measure {AMDSEV} -t sev-snp {SNP} --vcpus 2 --format json > expected.json")
    launch = f"{AMDSEV} -t sev-snp {SNP} --kernel-hashes {KERNEL}"
    digests = [shell(f"ldcat measure {launch} --vcpus {n}").strip() for n in (1, 4)]
    Path("digests.txt").write_text("\n".join([*digests, ""]))
    shell(f"ldcat prove {digests[1]} --catalog public > proof.json")
    certificates = chain()
    Path("report.bin").write_bytes(signed(report_bytes(measurement=bytes.fromhex(digests[1]))))
    Path("certs").mkdir()
    Path("certs/vcek.pem").write_bytes(pem(certificates.leaf.der))
    Path("certs/ask.pem").write_bytes(pem(certificates.ask.der))
    Path("ark.pem").write_bytes(pem(certificates.ark.der))
    shell(f"ldcat vmsa build --ap --firmware {AMDSEV} {SNP} -o ap.vmsa")
    shell(f"ldcat vmsa build {SNP} -o other.vmsa")
    Path("OVMF.fd").write_bytes(whole_image())
    Path("SVSM.igvm").write_bytes(igvm_bytes(platform(), policy(), page(0x1000, 1)))
    Path("vmlinuz").write_bytes(b"kernel")
    Path("initrd.img").write_bytes(b"initrd")
    facts = embedded.builds()["trixie/ovmf/OVMF.fd"].image.tdx
    assert facts is not None
    assert facts.recorded is not None
    Path("CCEL").write_bytes(event_log(booted(cfv=facts.recorded.digests["cfv"], initrd=sha384(b"initrd"))))
    Path("endorsement.binarypb").write_bytes(gce())
    Path("endorser-root.pem").write_bytes(document_pem(root()))


@pytest.mark.parametrize("page", PAGES.values(), ids=list(PAGES))
def test_every_command_has_some_examples(page: HelpPage) -> None:
    assert 1 <= len(page.examples) <= 4
    assert all(one.what[0].isupper() and not one.what.endswith((".", ":")) for one in page.examples)


@pytest.mark.parametrize("name", [name for name, page in PAGES.items() if any(one.runs for one in page.examples)])
def test_the_examples_run_one_after_the_other(
    name: str, place: Path, shell: Shell, monkeypatch: pytest.MonkeyPatch
) -> None:
    if name == "ldcat init":  # it makes what the folder has already, and never for a name that was signed here
        monkeypatch.setenv("XDG_STATE_HOME", str(place / "new"))
        (place / "empty").mkdir()
        monkeypatch.chdir(place / "empty")
    for example in PAGES[name].examples:
        if example.runs:
            shell(example.line, code=example.code)


@pytest.mark.parametrize("example", [one for page in PAGES.values() for one in page.examples if not one.runs], ids=str)
def test_an_example_that_needs_a_network_or_a_signal_is_parsed(example: Example) -> None:
    """It is parsed as the command does, and not started: that it works is tested where the command is."""
    words = shlex.split(example.line)[1:]
    command: Any = APP
    context = command.make_context("ldcat", words)
    while getattr(command, "commands", None):
        name, command, rest = command.resolve_command(context, [*context._protected_args, *context.args])
        context = command.make_context(name, list(rest), parent=context)
