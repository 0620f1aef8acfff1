"""Wrong command lines and files: a line of error, a line that names the next command, and the right exit code."""

from __future__ import annotations

import os
import re
import shlex
import shutil
import socket
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler
from pathlib import Path
from typing import NamedTuple

import pytest

from catalog.build.builder import BuildResult
from catalog.cli import main
from tests.support.attestation_builder import report_bytes
from tests.support.cli import AMDSEV
from tests.support.hosts import answer, serving
from tests.support.published_logs import cosigned_today

LONGEST = 200
"""Characters of a line on stderr."""

SPEC = 'name = "x"\nfirmware = { builds = ["sid/ovmf-amdsev/OVMF.amdsev.fd"] }\ntechnologies = { sev = {} }\n'


class Shop(NamedTuple):
    """The current folder of every case, and what a case names of it: the words of its templates."""

    folder: Path
    words: dict[str, str]


@pytest.fixture(scope="module")
def shop(small: BuildResult, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Shop]:
    folder = tmp_path_factory.mktemp("shop")
    shutil.copytree(small.folder, folder / "catalog")
    place = cosigned_today(folder / "place", small)
    for name in ("broken", "other-format"):
        shutil.copytree(small.folder, folder / name)
    (folder / "broken/manifest.json").write_text("{")
    manifest = (folder / "other-format/manifest.json").read_text()
    (folder / "other-format/manifest.json").write_text(manifest.replace("ldcat-catalog/2", "ldcat-catalog/1"))
    (folder / "a folder").mkdir()
    report = report_bytes()
    policy = "log example.com/log+00000000+AAAA\nquorum none\n"
    files: dict[str, bytes] = {
        "empty": b"",
        "junk": bytes(range(256)) * 9,
        "text": b"hello\n",
        "report": report,
        "short-report": report[:1000],
        "cert.pem": b"-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n",
        "policy": policy.encode(),
        "page.html": b"<!doctype html><title>Not found</title>",
        "typo.toml": SPEC.replace("technologies", "tecnologies").encode(),
        "type.toml": SPEC.replace('"x"', "1").encode(),
        "build.toml": SPEC.replace("sid/ovmf-amdsev", "sid/ovmf-amdsv").encode(),
        "syntax.toml": b"name = \n",
        "long.toml": f'name = "{"x" * 3000}'.encode(),
        "proof": b'{"format":"ldcat-proof/1"}\n',
        "passphrase": b"wrong\n",
        "right": b"right\n",
    }
    for name, data in files.items():
        (folder / name).write_bytes(data)
    with (
        pytest.MonkeyPatch.context() as patch,
        socket.create_server(("127.0.0.1", 0)) as used,
        serving(folder, _page) as html,
    ):
        patch.chdir(folder)
        for line in (
            "keygen example.com/log -o log.key",
            "keygen locked -o locked.key --passphrase-file right",
            "keygen root -o root.key --for root",
            "keygen example.com/log -o open.key",
            "keygen witness -o witness.key --for witness",
        ):
            assert main.run(shlex.split(line)) == 0
        (folder / "open.key").chmod(0o644)
        yield Shop(
            folder,
            {
                "log": str(place.log),
                "trust": str(place.trust),
                "used": f"127.0.0.1:{used.getsockname()[1]}",
                "closed": _closed_port(),
                "html": f"http://127.0.0.1:{html}/log",
                "digest": str(small.example),
                "short": str(small.example)[:40],
                "nothing": "0" * 96,
                "sha256": "0" * 64,
                "build": AMDSEV,
                "snp": "-t sev-snp --vmm qemu-kvm-init2",
                "rows": "--vmm qemu-kvm-init2 --vcpus 1",
                "in_log": f"-q --catalog {place.log} --trust {place.trust}",
                "root": f"a={(folder / 'root.key.pub').read_text().strip()}",
                "long": "x" * 5000,
                "nines": "9" * 20,
            },
        )


def _page(handler: BaseHTTPRequestHandler, _: Path) -> None:
    """What a misconfigured host answers to any request."""
    answer(handler, 200, b"<!doctype html><title>Welcome</title>", {"Content-Type": "text/html"})


def _closed_port() -> str:
    with socket.create_server(("127.0.0.1", 0)) as listening:
        return f"127.0.0.1:{listening.getsockname()[1]}"


CASES = [
    (2, "", "no command is given"),
    (2, "lokup", "no such command 'lokup'"),
    (2, "trust shwo", "no such command 'shwo'"),
    (2, "trust", "no command is given"),
    (2, "frobnicate --all", "no such command 'frobnicate'"),
    (2, "{long}", "no such command 'xxx"),
    (2, "lookup", "missing argument"),
    (2, "lookup {digest} --catlog catalog", "no such option: --catlog"),
    (2, "lookup {digest} --catalog", "requires an argument"),
    (2, "lookup {digest} another", "unexpected extra argument"),
    (2, "lookup {digest} --catalog ''", "the path is empty"),
    (2, "lookup {digest} --format xml", "'xml' is not one of 'table', 'json', 'jsonl', 'csv'"),
    (2, "lookup {digest} -f {long}", "invalid value for '--format'"),
    (2, "inspect {build} -f csv", "'csv' is not one of 'table', 'json', 'jsonl', 'toml'"),
    (2, "doctor {log} --trust {trust} -f sarif", "'sarif' is not one of 'table', 'json'"),
    (2, "vmsa show junk -f csv", "'csv' is not one of 'table', 'json', 'hex'"),
    (2, "keygen x -o k --algorithm rsa", "'rsa' is not one of"),
    (2, "keygen x", "missing option '--output'"),
    (5, "lookup {digest} --catalog nowhere", "no catalog at nowhere"),
    (5, "lookup {digest} --catalog text", "no catalog at text"),
    (5, "lookup {digest} --catalog 'a folder'", "no catalog at a folder"),
    (3, "lookup {digest} --catalog broken", "manifest.json: "),
    (3, "lookup {digest} --catalog other-format", "format 'ldcat-catalog/1' is not 'ldcat-catalog/2'"),
    (3, "lookup xyz --catalog catalog", "neither a file nor a launch digest"),
    (3, "lookup {short} --catalog catalog", "the argument has 40 hex digits"),
    (3, "lookup {digest}00 --catalog catalog", "the argument has 98 hex digits"),
    (3, "lookup {long} --catalog catalog", "neither a file nor a launch digest"),
    (3, "lookup empty --catalog catalog", "empty is not a launch digest"),
    (3, "lookup junk --catalog catalog", "junk is not a launch digest"),
    (3, "lookup cert.pem --catalog catalog", "cert.pem is not a launch digest"),
    (3, "lookup log.key --catalog catalog", "log.key is not a launch digest"),
    (3, "lookup page.html --catalog catalog", "page.html is not a launch digest"),
    (3, "lookup short-report --catalog catalog", "short-report is not a launch digest"),
    (5, "lookup 'a folder' --catalog catalog", "not a regular file"),
    (2, "lookup report --catalog catalog --at yesterday", "'yesterday' is not a time"),
    (2, "lookup report --catalog catalog --at {long}", "is not a time"),
    (2, "lookup report --catalog catalog --min-tcb {long}", "is not a minimum TCB"),
    (2, "lookup report --catalog catalog --min-tcb snp=lots", "'snp=lots' is not a minimum TCB"),
    (2, "lookup report --catalog catalog --report-data 00", "--report-data needs 64 bytes"),
    (3, "lookup report --catalog catalog --certs text", "no certificate was found"),
    (5, "lookup report --catalog catalog --certs nowhere", "nowhere: no such file"),
    (3, "lookup report --catalog catalog --root log.key", "log.key"),
    (3, "lookup report --catalog catalog --crl cert.pem", "cert.pem"),
    (3, "lookup report --catalog catalog --id-key log.key", "log.key"),
    (2, "lookup {digest} --catalog catalog --nonce 00", "are only for LAUNCH_MEASURE data"),
    (2, "lookup {digest} --catalog catalog --min-svn {long}", "is not FEED=N"),
    (2, "lookup {digest} --catalog {log}", "no trust note is given"),
    (2, "lookup {digest} --catalog catalog --trust {trust}", "is not published in a log"),
    (3, "lookup {digest} --catalog {log} --trust policy", "this is a trust policy, not a trust note"),
    (3, "lookup {digest} --catalog {log} --trust junk", "is not UTF-8"),
    (3, "lookup {digest} --catalog {log} --trust log.key", "no signatures"),
    (2, "lookup {digest} --catalog http://example.com/log", "only https is"),
    (2, "lookup {digest} --catalog https:///log", "is not a URL of a folder"),
    (5, "lookup {digest} --catalog http://{closed}/log --trust {trust}", "does not answer"),
    (3, "lookup {digest} --catalog {html} --trust {trust}", "/log/checkpoint: the note has no signatures"),
    (3, "lookup --prefix 12 --catalog catalog", "a prefix has 16 to 96 hex digits"),
    (2, "measure", "no firmware is given"),
    (2, "measure {build}", "no technology is given"),
    (2, "measure {build} -t cca", "unknown technology 'cca'"),
    (2, "measure sid/ovmf-amdsev/OVMF.amdsv.fd -t sev", "unknown build"),
    (2, "measure {long} -t sev", "unknown build"),
    (2, "measure {build} {snp} --vcpu-type EPYC", "no number of vCPUs is given"),
    (2, "measure {build} {snp} --vcpus 0 --vcpu-type EPYC", "0 vCPUs"),
    (2, "measure {build} {snp} --vcpus -1 --vcpu-type EPYC", "-1 vCPUs"),
    (2, "measure {build} {snp} --vcpus many --vcpu-type EPYC", "'many' is not a number"),
    (2, "measure {build} {snp} --vcpus {nines} --vcpu-type EPYC", "999"),
    (2, "measure {build} {snp} --vcpus 4 --vcpu-type EPYC-Rom", "unknown vCPU type 'EPYC-Rom'"),
    (2, "measure {build} {snp} --vcpus 4 --vcpu-type Nehalem", "unknown vCPU type 'Nehalem'"),
    (2, "measure {build} {snp} --vcpus 4 --vcpu-type EPYC --kernel-hashes deb", "unknown kernel hashes table"),
    (2, "measure {build} {snp} --vcpus 4 --vcpu-type EPYC --sev-features lots", "'lots' is not a number"),
    (2, "measure {build} -t sev-snp --vmm qemu --vcpus 4 --vcpu-type EPYC", "unknown VMM profile 'qemu'"),
    (5, "measure {build} -t sev --kernel nowhere", "nowhere: no such file"),
    (5, "measure {build} -t sev --kernel 'a folder'", "a folder: is a directory"),
    (3, "measure junk -t sev", "are not whole pages"),
    (3, "inspect empty", "are not whole pages"),
    (3, "inspect cert.pem", "are not whole pages"),
    (2, "inspect nobody", "unknown build or firmware file 'nobody'"),
    (2, "explain {digest} --budget -1", "a budget of -1 seconds is too small"),
    (2, "explain {digest} --budget soon", "'soon' is not a number of seconds"),
    (3, "explain {digest} --expect text", "the expectation cannot be read"),
    (2, "relate {digest}", "fewer than two"),
    (3, "relate text", "text is not a launch digest"),
    (3, "vmsa show text", "a VMSA is 4096 bytes, not 6"),
    (2, "vmsa build --vmm qemu", "unknown VMM profile 'qemu'"),
    (2, "vmsa diff - -", "stdin can be read only once"),
    (2, "export", "no format is given"),
    (2, "export --to rvsp {digest}", "unknown export format 'rvsp'"),
    (2, "export --to rvps {in_log}", "nothing is selected"),
    (2, "export --to rvps --vmm qemu-kvm-init2 {in_log}", "the selection is too wide"),
    (2, "export --to rvps --vcpus 1 {in_log}", "--vmm is missing"),
    (2, "export --to rvps {nothing} --vcpus 1 {in_log}", "launch digests and options that select rows are given"),
    (2, "export --to rvps {rows} {in_log} --vcpus 8-1", "the range '8-1' runs backwards"),
    (2, "export --to rvps --vmm {long} --vcpus 1 {in_log}", "unknown VMM profile 'xxx"),
    (2, "export --to rvps {rows} {in_log} --firmware nothing", "unknown build 'nothing'"),
    (2, "export --to rvps {rows}", "the default catalog is not published in a log"),
    (2, "export --to rvps {rows} --catalog catalog", "is not published in a log"),
    (2, "export --to rvps {rows} --catalog {log}", "no trust note is given"),
    (2, "export --to rvps {rows} {in_log} --insecure-skip-verify", "no such option: --insecure-skip-verify"),
    (2, "export --to rvps {rows} {in_log} --id-key root.key", "rvps takes no --id-key"),
    (2, "export --to id-block {rows} {in_log} -o block", "id-block needs --id-key FILE"),
    (2, "export --to id-block {rows} {in_log} --id-key root.key", "id-block is several files"),
    (2, "export --to corim {rows} --valid-from yesterday", "'yesterday' is not a day such as 2026-11-28"),
    (2, "export --to corim {rows} --valid-from 2026-02-30", "'2026-02-30' is not a day"),
    (2, "export --to id-block {rows} --family-id 00", "'00' is not 16 bytes in hex"),
    (2, "export --to gce-endorsement {rows} --commit x{long}", "is not 1 to 64 bytes in hex"),
    (2, "export --to rvps {rows} {in_log} --diff {log}", "'--diff' requires 2 arguments"),
    (2, "export --to dstack {rows} --diff {log} {log}", "does not replace a list of values"),
    (3, "export --to rvps xyz {in_log}", "'xyz' is not a launch digest"),
    (2, "export --to rvps {sha256} {in_log}", "it is a launch digest of SEV or SEV-ES"),
    (1, "export --to rvps {nothing} {in_log}", "launch digest 0000000000000000... is not in"),
    (1, "export --to rvps --vmm qemu-kvm-init2 --vcpus 77 {in_log}", "no SEV-SNP row of"),
    (1, "export --to rvps {rows} {in_log} --no-kernel", "the firmware is not known to launch"),
    (1, "export --to rvps --vmm ec2-2026 --vcpus 1 {in_log} --launch-unknown", "not expected to launch"),
    (5, "export --to rvps {rows} {in_log} --launch-unknown -o nowhere/values.json", "no such file or directory"),
    (2, "export --to rvps {rows} {in_log} --launch-unknown -o 'a folder'", "a folder is a folder"),
    (5, "export --to in-toto {rows} {in_log} --key nowhere --file text", "nowhere: no such file or directory"),
    (2, "sql --catalog catalog", "give a query"),
    (2, "sql 'SELEC 1' --catalog catalog", "syntax error"),
    (2, "sql 'SELECT nothing FROM configurations' --catalog catalog", "not found in FROM clause"),
    (2, "sql 'SELECT {long}' --catalog catalog", "the FROM clause is missing"),
    (3, "build typo.toml -o out", "unknown field `tecnologies`"),
    (3, "build type.toml -o out", "expected `str`, got `int` - at `$.name`"),
    (3, "build syntax.toml -o out", "syntax.toml: invalid value (at line 1, column 8)"),
    (3, "build long.toml -o out", "long.toml: unterminated string"),
    (2, "build build.toml -o out", "unknown build"),
    (2, "build build.toml", "unknown build"),
    (5, "build nowhere.toml -o out", "nowhere.toml: no such file"),
    (2, "build -o text", "is a file, not a folder"),
    (2, "build -o out --processes 0", "--processes 0 is not between"),
    (2, "build -o out --engine dask", "--engine dask and --scheduler"),
    (3, "import text", "text: a document of no known format"),
    (3, "import junk --root log.key", "log.key"),
    (5, "import nowhere", "nowhere: no such file"),
    (2, "publish catalog", "names the folder of the log"),
    (2, "publish catalog --log new", "names the private keys of the log"),
    (5, "publish catalog --log new --key nowhere.key", "nowhere.key: no such file"),
    (3, "publish catalog --log new --key text", "text has no private keys"),
    (3, "publish catalog --log new --key cert.pem", "cert.pem has no private keys"),
    (3, "publish catalog --log new --key log.key.pub", "log.key.pub has no private keys"),
    (5, "publish catalog --log new --key open.key", "open.key is a private key, and others can access it"),
    (2, "publish catalog --log new --key locked.key", "locked.key is encrypted, and no passphrase is given"),
    (3, "publish catalog --log new --key locked.key --passphrase-file passphrase", "the passphrase is wrong"),
    (2, "publish catalog --log new --key locked.key --passphrase-file empty", "empty contains no passphrase"),
    (2, "publish {log} --log new --key log.key", "is already published in a log"),
    (5, "publish nowhere --log new --key log.key", "no catalog at nowhere"),
    (2, "revoke --log {log} --key log.key --reason x --severity bad", "'bad' is not one of"),
    (2, "cosign --log {log} --key log.key --trust {trust}", "are not cosignature keys"),
    (5, "cosign --log nowhere --key witness.key --trust {trust}", "no log at nowhere"),
    (5, "prove {digest} --catalog catalog", "no log at catalog"),
    (3, "prove xyz --catalog {log}", "'xyz' is not a launch digest"),
    (5, "verify-proof {digest} --trust {trust}", "no such file"),
    (2, "verify-proof proof", "missing option '--trust'"),
    (3, "verify-proof proof --trust policy", "this is a trust policy, not a trust note"),
    (5, "diff catalog nowhere", "no catalog at nowhere"),
    (2, "diff catalog", "missing argument 'NEW'"),
    (2, "diff catalog catalog --trust {trust}", "is not published in a log"),
    (2, "audit catalog --remeasure some", "'some' is not a number"),
    (5, "audit nowhere", "no catalog at "),
    (5, "rebuild catalog --trust {trust}", "no log at catalog"),
    (2, "rebuild https://example.com/log/releases/1 --trust {trust}", "a log is recomputed as a whole, not release 1"),
    (5, "doctor nowhere --trust {trust}", "no log at nowhere"),
    (2, "doctor {log}", "names the trust note"),
    (3, "doctor {log} --trust policy", "this is a trust policy, not a trust note"),
    (2, "monitor {log} --trust {trust}", "is not a URL of a folder"),
    (5, "monitor http://{closed}/log --trust {trust}", "does not answer"),
    (2, "site catalog -o out", "is not published in a log"),
    (5, "serve catalog --listen {used}", "address already in use"),
    (2, "serve catalog --port many", "'many' is not a number"),
    (2, "serve catalog --port 70000", "'127.0.0.1:70000' is not an address"),
    (2, "serve catalog --listen here", "'here' is not an address"),
    (5, "serve nowhere --port 0", "no catalog at nowhere"),
    (2, "trust init --policy policy --root x --threshold 1", "'x' is not a root key"),
    (3, "trust init --policy policy --root a=b --threshold 1", "'b' is not a verifier key"),
    (3, "trust init --policy {trust} --root {root} --threshold 1", "this is a trust note, not a trust policy"),
    (2, "trust init --policy policy --root a=b --threshold one", "'one' is not a number"),
    (3, "trust show policy", "this is a trust policy, not a trust note"),
    (5, "trust show nowhere", "nowhere: no such file"),
    (3, "trust sign junk --key root.key", "is not UTF-8"),
    (4, "trust check {trust} {trust}", "version 1 of a trust note does not follow version 1"),
    (2, "witness serve --key witness.key --logs policy --listen {used}", "missing option '--db'"),
    (3, "witness serve --key witness.key --logs {trust} --db db --listen {used}", "this is a trust note"),
    (5, "witness ask --log nowhere --trust {trust}", "no log at nowhere"),
    (4, "verify-proof proof --trust {trust}", "proof proves nothing: "),
    (4, "verify-proof junk --trust {trust}", "junk proves nothing: "),
]
"""Exit code, command line, and what the error says."""


def names_below(folder: Path) -> set[str]:
    """Every path below a folder."""
    return {f"{above}/{name}" for above, *inner in os.walk(folder) for names in inner for name in names}


@pytest.mark.short_lines
@pytest.mark.parametrize(("code", "line", "part"), CASES, ids=[line[:60] or "nothing" for _, line, _ in CASES])
def test_an_error_is_a_line_and_the_next_command(
    shop: Shop,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
    code: int,
    line: str,
    part: str,
) -> None:
    for name in [name for name in os.environ if name.startswith("LDCAT_")]:
        monkeypatch.delenv(name)
    monkeypatch.setattr("catalog.net.static_host._PAUSES", ())
    monkeypatch.chdir(shop.folder)
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "state"))
    monkeypatch.setenv("XDG_DATA_HOME", str(tmp_path / "data"))
    before = names_below(shop.folder)
    for name in ("snp", "rows", "in_log"):
        line = line.replace("{" + name + "}", shop.words[name])
    words = shlex.split(line)
    found = main.run([word.format_map(shop.words) for word in words])
    shown = capsys.readouterr()
    lines = shown.err.splitlines()
    assert (found, len(lines)) == (code, 2), shown.err
    assert re.fullmatch(r"ldcat: error: [^A-Z].*[^.\s]", lines[0])
    assert part in lines[0]
    assert re.fullmatch(r"ldcat: hint: .*(ldcat [a-z-]+|pip install|openssl|chmod).*[^.\s]", lines[1])
    assert max(map(len, lines)) <= LONGEST
    assert "Traceback" not in shown.out + shown.err
    assert names_below(shop.folder) == before
