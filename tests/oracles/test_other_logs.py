"""Against other C2SP implementations: their witnesses cosign ldcat's log, ldcat's witness cosigns theirs, and each
verifies what the other made.

litewitness and sigsum-verify are packages of Debian sid, and skipped if its mirror does not have them; aics-tlog and
aics-witness are on PyPI, in versions that say Python 3.12 and run with 3.11.
"""

from __future__ import annotations

import hashlib
import os
import re
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path

import pytest

from catalog.build.builder import BuildResult
from catalog.publish.key_files import new_key, write_keys
from catalog.transparency.checkpoint import Checkpoint
from catalog.transparency.encoding import to_base64
from catalog.transparency.keys import SignatureType, Signer, VerifierKey
from catalog.transparency.merkle import leaf_hash
from catalog.transparency.witness import AddCheckpoint, parse_cosignatures
from tests.oracles.debian_sid import unpack_from_sid
from tests.oracles.go_programs import require, unavailable
from tests.support.cli import Run
from tests.support.logs import signed, signer
from tests.support.services import SECONDS
from tests.support.witnesses import witness

ORIGIN = "example.com/digests"
COSIGNATURE = SignatureType.COSIGNATURE_ED25519
MESSAGE = b"a message\n"
AICS = ("aics-tlog==0.2.1", "aics-witness==0.1.0")


@pytest.fixture(scope="session")
def sid(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder with the programs of torchwood and sigsum-go."""
    folder = tmp_path_factory.mktemp("sid")
    if problem := unpack_from_sid(folder, ("torchwood", "sigsum-go")):
        pytest.skip(problem)
    programs = folder / "unpacked/usr/bin"
    if subprocess.run([programs / "litewitness", "-h"], capture_output=True).returncode not in (0, 2):
        pytest.skip("the programs of sid do not run with the C library of this release")
    return programs


@pytest.fixture(scope="session")
def aics(tmp_path_factory: pytest.TempPathFactory) -> Mapping[str, str]:
    """The environment in which Python finds aics-tlog and aics-witness."""
    folder = tmp_path_factory.mktemp("aics")
    uv = Path(sys.executable).with_name("uv")
    options = ("--quiet", "--no-deps", "--python-version", "3.12", "--target", str(folder))
    done = subprocess.run([uv, "pip", "install", *options, *AICS], capture_output=True, text=True)
    if done.returncode:
        unavailable(f"{' and '.join(AICS)} cannot be installed: {done.stderr}")
    return {**os.environ, "PYTHONPATH": str(folder), "AICS_WITNESS_CONFIG": str(folder / "witness.json")}


@pytest.fixture
def place(run: Run, small: BuildResult, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder with a log that has keys of both kinds, and its list of logs."""
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "state"))
    keys = run("keygen", ORIGIN, "-o", f"{tmp_path}/log.key")[1].splitlines()
    (tmp_path / "log.vkey").write_text(keys[0] + "\n")
    (tmp_path / "keys").write_text("".join(f"log {key}\n" for key in keys))
    (tmp_path / "root.v").write_text(run("keygen", "root.example", "-o", f"{tmp_path}/root.key", "--for", "root")[1])
    assert run("publish", str(small.folder), "--log", f"{tmp_path}/log", "--key", f"{tmp_path}/log.key", "-q")[0] == 0
    trust(run, tmp_path, "quorum none\n")
    code, out, _ = run("log-list", "--contact", "ops (at) example.com", "--trust", f"{tmp_path}/trust")
    assert code == 0
    (tmp_path / "entry").write_text(out)
    return tmp_path


def trust(run: Run, place: Path, policy: str) -> None:
    """Write a trust note with the log and the rest of a policy."""
    (place / "policy").write_text((place / "keys").read_text() + policy)
    root = ("--root", f"a={(place / 'root.v').read_text().strip()}", "--threshold", "1")
    (place / "text").write_text(run("trust", "init", "--policy", f"{place}/policy", *root)[1])
    (place / "trust").write_text(run("trust", "sign", f"{place}/text", "--key", f"{place}/root.key")[1])


def cosigned(run: Run, place: Path, key: str, url: str) -> None:
    """The witness cosigns, and the quorum that consists of it accepts the log."""
    trust(run, place, f"witness w {key} {url}\nquorum w\n")
    code, out, err = run("witness", "ask", "--log", f"{place}/log", "--trust", f"{place}/trust")
    assert (code, err, out.splitlines()[-1].split()) == (0, "", ["w", "cosigned"])


@contextmanager
def running(command: Sequence[str | Path], said: Path, pattern: str, **options: object) -> Iterator[re.Match[str]]:
    """A process, once its output has a pattern."""
    with said.open("w") as out, subprocess.Popen(command, stdout=out, stderr=out, **options) as process:  # type: ignore[call-overload]
        try:
            end = time.monotonic() + SECONDS
            while not (found := re.search(pattern, said.read_text())):
                assert process.poll() is None, said.read_text()
                assert time.monotonic() < end, said.read_text()
                time.sleep(0.02)
            yield found
        finally:
            process.send_signal(signal.SIGKILL)


def test_litewitness_reads_the_list_and_cosigns(run: Run, place: Path, sid: Path) -> None:
    require({"openssh-client": "ssh-agent"})
    database = place / "litewitness.db"
    pulled: list[str | Path] = [
        sid / "witnessctl",
        "pull-logs",
        "-db",
        database,
        "-source",
        place / "entry",
        "-verbose",
    ]
    done = subprocess.run(pulled, capture_output=True, text=True, check=True)
    assert f'Added log "{ORIGIN}"' in done.stderr
    made = ["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", str(place / "ssh")]
    subprocess.run(made, check=True)
    shown = subprocess.run(["ssh-keygen", "-lf", place / "ssh.pub"], capture_output=True, text=True, check=True).stdout
    with socket.create_server(("127.0.0.1", 0)) as free:
        address = f"127.0.0.1:{free.getsockname()[1]}"
    agent = ["ssh-agent", "-D", "-a", str(place / "agent")]
    serve: list[str | Path] = [sid / "litewitness", "-db", database, "-name", "w.example/lite", "-listen", address]
    serve += ["-key", shown.split()[1], "-ssh-agent", place / "agent"]
    with running(agent, place / "agent.out", "SSH_AUTH_SOCK"):
        environment = {**os.environ, "SSH_AUTH_SOCK": str(place / "agent")}
        subprocess.run(["ssh-add", "-q", place / "ssh"], check=True, env=environment, capture_output=True)
        with running(serve, place / "lite.out", r"vkey=(\S+)[^$]*msg=listening") as found:
            cosigned(run, place, found[1], f"http://{address}")


def test_aics_witness_cosigns_and_aics_tlog_verifies(run: Run, place: Path, aics: Mapping[str, str]) -> None:
    key = (place / "log.vkey").read_text().strip()
    environment = {**aics, "AICS_WITNESS_CONFIG": str(place / "aics.json")}
    program = [sys.executable, "-m", "aics_witness"]
    for more in (["init", "--name", "w.example/aics"], ["add-log", "--origin", ORIGIN, "--vkey", key]):
        subprocess.run([*program, *more], env=environment, check=True, capture_output=True)
    serve = [*program, "serve", "--listen", "127.0.0.1:0"]
    listening = r"witness vkey (\S+)[^$]*listening on (http://[0-9.:]+)"
    with running(serve, place / "aics.out", listening, env=environment) as found:
        cosigned(run, place, found[1], found[2])
    verify = [sys.executable, "-m", "aics_tlog"]
    log = ("--tiles", f"{place}/log", "--log-key", key, "--origin", ORIGIN, "--witness-key", found[1], "--quorum", "1")
    (place / "leaf").write_bytes(first_leaf(place / "log"))
    for more in (["verify-checkpoint"], ["verify-inclusion", "--index", "0", "--leaf", f"{place}/leaf"]):
        done = subprocess.run([*verify, *more, *log], env=aics, capture_output=True, text=True)
        assert (done.returncode, '"ok": true' in done.stdout) == (0, True), done.stdout + done.stderr


AICS_LOG = """
import sys
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from aics_tlog import Checkpoint, MerkleTree, sign_checkpoint, verify_checkpoint, vkey_from_ed25519
from aics_tlog.note import format_vkey, parse_note, parse_vkey
name, key = "aics.example/log", Ed25519PrivateKey.from_private_bytes(bytes(32))
vkey = vkey_from_ed25519(name, key.public_key())
tree = MerkleTree([b"1", b"2", b"3"])
note = sign_checkpoint(Checkpoint(name, 3, tree.root()), key, name).to_bytes()
print(format_vkey(vkey))
sys.stdout.write(note.decode())
if len(sys.argv) > 1:
    cosigned = parse_note(note + open(sys.argv[2], "rb").read())
    assert verify_checkpoint(cosigned, vkey, [parse_vkey(sys.argv[1])], quorum=1).ok
"""


def test_ldcats_witness_cosigns_a_log_of_aics(tmp_path: Path, aics: Mapping[str, str]) -> None:
    def said(*arguments: str | Path) -> tuple[str, str]:
        command = [sys.executable, "-c", AICS_LOG, *map(str, arguments)]
        out = subprocess.run(command, env=aics, capture_output=True, text=True, check=True).stdout
        vkey, _, note = out.partition("\n")
        return vkey, note

    vkey, note = said()
    pairs = [new_key("w.example", kind) for kind in (COSIGNATURE, SignatureType.COSIGNATURE_ML_DSA_44)]
    write_keys(tmp_path / "key", pairs, None)
    (tmp_path / "logs").write_text(f"logs/v0\nvkey {vkey}\nqpd 1\ncontact x\n")
    with witness(tmp_path, "--create") as ours:
        status, body, _ = ours.add_checkpoint(f"old 0\n\n{note}".encode())
    assert status == 200
    (tmp_path / "lines").write_bytes(body)
    assert said(str(pairs[0].key), tmp_path / "lines") == (vkey, note)


def first_leaf(log: Path) -> bytes:
    """The first leaf: its length as two bytes, big-endian, and its bytes (tlog-tiles)."""
    (bundle,) = log.glob("tile/entries/000*")
    path = bundle if bundle.is_file() else next(iter(sorted(bundle.iterdir())))
    data = path.read_bytes()
    return data[2 : 2 + int.from_bytes(data[:2], "big")]


def test_sigsum_verify_accepts_what_ldcats_witness_cosigned(tmp_path: Path, sid: Path) -> None:
    """A log of one leaf, made here as Sigsum's log.md says; ldcat's witness cosigns its tree head."""
    secret, submitter, witness_key = signer("log"), signer("submitter").key, new_key("w.example", COSIGNATURE)
    origin = f"sigsum.org/v1/tree/{hashlib.sha256(secret.key.public_key).hexdigest()}"
    log = Signer(VerifierKey(origin, SignatureType.ED25519, secret.key.public_key), secret.sign_message)
    checksum = hashlib.sha256(hashlib.sha256(MESSAGE).digest()).digest()
    statement = signer("submitter").sign_message(b"sigsum.org/v1/tree-leaf\0" + checksum)
    key_hash = hashlib.sha256(submitter.public_key).digest()
    head = Checkpoint(origin, 1, leaf_hash(checksum + statement + key_hash))
    note = signed(str(head), log)
    write_keys(tmp_path / "key", [witness_key], None)
    (tmp_path / "logs").write_text(f"log {log.key}\nquorum none\n")
    with witness(tmp_path, "--create") as ours:
        status, body, _ = ours.add_checkpoint(bytes(AddCheckpoint(0, (), note)))
    assert status == 200
    (cosignature,) = parse_cosignatures(body, note.text, [witness_key.key])
    said = f"{hashlib.sha256(witness_key.key.public_key).hexdigest()} {int.from_bytes(cosignature.value[:8])}"
    (tmp_path / "proof").write_text(
        f"version=2\nlog={origin.rpartition('/')[2]}\nleaf={key_hash.hex()} {statement.hex()}\n\n"
        f"size=1\nroot_hash={head.root.hex()}\nsignature={note.signatures[0].value.hex()}\n"
        f"cosignature={said} {cosignature.value[8:].hex()}\n"
    )
    wire = b"\0\0\0\x0bssh-ed25519\0\0\0 " + submitter.public_key
    (tmp_path / "submitter.pub").write_text(f"ssh-ed25519 {to_base64(wire)} submitter\n")
    named = f"log {log.key.public_key.hex()}\nwitness w {witness_key.key.public_key.hex()}\nquorum w\n"
    (tmp_path / "policy").write_text(named)
    verify: list[str | Path] = [
        sid / "sigsum-verify",
        "-k",
        tmp_path / "submitter.pub",
        "-p",
        tmp_path / "policy",
        tmp_path / "proof",
    ]
    codes = [subprocess.run(verify, input=data, capture_output=True).returncode for data in (MESSAGE, b"another")]
    assert codes == [0, 1]
