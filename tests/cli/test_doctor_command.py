"""`ldcat doctor` on the command line, and against a local server whose answers the tests decide."""

from __future__ import annotations

import datetime
import ipaddress
import json
import shutil
import socket
import ssl
import threading
import time
from http.server import BaseHTTPRequestHandler
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec

from catalog.build.builder import BuildResult
from catalog.log.log_folder import LogFolder
from catalog.net import http_client
from catalog.publish.publish import publish
from catalog.state.folders import remembered
from catalog.store.catalog import Catalog
from catalog.transparency.keys import SignatureType
from catalog.transparency.trust import open_trust
from tests.support.cli import Run
from tests.support.hosts import FOREVER, Serve, Server6, answer, serving
from tests.support.logs import signed, signer
from tests.support.trust_notes import trust_text

ORIGIN = "example.com/digests"


@pytest.fixture(scope="module")
def healthy(small: BuildResult, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with a log, the state of the machine that published it, and a trust note; must not be changed."""
    folder, now = tmp_path_factory.mktemp("healthy"), int(time.time())
    keys = [signer(ORIGIN), signer(ORIGIN, SignatureType.COSIGNATURE_ML_DSA_44)]
    roots = [signer(f"root.example/{role}") for role in "abc"]
    policy = "".join(f"log {by.key}\n" for by in keys) + "quorum none\n"
    text = trust_text(policy, expires=now + 365 * 86400, roots=roots)
    (folder / "text").write_text(text)
    note = signed(text, roots[0])
    (folder / "trust").write_bytes(bytes(note))
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("XDG_STATE_HOME", str(folder / "state"))
        state = remembered("signed", ORIGIN)
        catalog, log = Catalog.open(small.folder), LogFolder(folder / "log")
        publish(catalog, log, keys, state, trust=open_trust(note), now=now)
    return folder


@pytest.fixture
def place(healthy: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A copy of `healthy`."""
    shutil.copytree(healthy, tmp_path, dirs_exist_ok=True)
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "state"))
    return tmp_path


def doctor_arguments(place: Path) -> tuple[str, ...]:
    return ("doctor", str(place / "log"), "--trust", str(place / "trust"))


def test_a_healthy_log(run: Run, place: Path) -> None:
    code, out, err = run(*doctor_arguments(place))
    assert (code, err) == (0, "")
    assert out.splitlines()[-1] == "nothing is wrong"
    assert f"signed by   {ORIGIN} (Ed25519)" in out
    code, out, err = run(*doctor_arguments(place), "-f", "json")
    assert (code, err) == (0, "")
    record = json.loads(out)
    assert (record["healthy"], record["findings"]) == (True, [])
    assert [signer["algorithm"] for signer in record["signers"]] == ["Ed25519", "ML-DSA-44 cosignature"]


def test_findings_are_grouped_by_severity(run: Run, place: Path) -> None:
    (place / "trust").write_text((place / "text").read_text())
    (place / "log/releases/1/revocations.json").unlink()
    (place / "log/tile/.0.partial").touch()
    code, out, err = run(*doctor_arguments(place))
    assert (code, err) == (1, "")
    lines = out.splitlines()
    assert lines[lines.index("errors") + 1] == "  trust note: 0 of its own root keys signed it, and 1 have to"
    assert lines[lines.index("errors") + 2] == "    > ldcat trust sign"
    assert lines[lines.index("errors") + 3].startswith("  releases/1/revocations.json: ")
    assert lines[lines.index("notes") + 1].startswith("  tile/.0.partial: ")
    assert "warnings" not in lines
    code, out, _ = run(*doctor_arguments(place), "-f", "json")
    assert code == 1
    found = json.loads(out)["findings"]
    assert [finding["severity"] for finding in found] == ["error", "error", "note"]
    assert {name for finding in found for name in finding} == {"severity", "subject", "what", "advice"}


def test_a_correct_host(run: Run, place: Path) -> None:
    with serving(place / "log") as port:
        code, out, err = run(*doctor_arguments(place), "--url", f"http://127.0.0.1:{port}/logs/", "-f", "json")
    assert (code, err) == (0, "")
    (found,) = json.loads(out)["findings"]
    assert (found["severity"], found["what"]) == ("note", "is not compressed, though gzip was requested")


def test_the_url_alone(run: Run, place: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """What a host serves is examined as a folder is, and nothing of another folder is asked for."""
    now = time.time()
    monkeypatch.setattr("time.time", lambda: now)
    monkeypatch.chdir(place)
    trust = ("--trust", str(place / "trust"), "-f", "json")
    with serving(place / "log") as port:
        url = f"http://127.0.0.1:{port}/logs"
        code, out, err = run("doctor", url, *trust)
        assert (code, err) == (0, "")
        assert run("doctor", *trust, "--url", url)[1] == out
        assert run("doctor", f"{url}/releases/1", *trust)[1] == out
        assert run("doctor", url, *trust, "--url", url)[0] == 2
    record = json.loads(out)
    assert record["checkpoint"]["origin"] == ORIGIN
    assert record["release"]["release"] == 1
    assert [finding["what"] for finding in record["findings"]] == ["is not compressed, though gzip was requested"]


def test_a_url_that_serves_no_log(run: Run, place: Path) -> None:
    trust = ("--trust", str(place / "trust"), "-f", "json")
    with serving(place / "log", lambda handler, _: answer(handler, 200, b"<!doctype html>")) as port:
        code, out, err = run("doctor", f"http://127.0.0.1:{port}/logs", *trust)
    assert (code, err) == (1, "")
    (found,) = [one for one in json.loads(out)["findings"] if one["severity"] == "error"]
    assert (found["subject"], "/logs/checkpoint: " in found["what"]) == ("checkpoint", True)
    assert found["advice"] == "look at the host, and at the URL"


def test_on_ipv6(run: Run, place: Path) -> None:
    try:
        with serving(place / "log", kind=Server6) as port:
            code, out, _ = run(*doctor_arguments(place), "--url", f"http://[::1]:{port}/logs")
    except OSError as error:
        pytest.skip(f"there is no IPv6 here: {error}")
    assert code == 0
    assert "errors" not in out


def compressed(handler: BaseHTTPRequestHandler, root: Path) -> None:
    answer(handler, 200, b"\x1f\x8b", {"Content-Encoding": "gzip", "Cache-Control": FOREVER})


def moved(handler: BaseHTTPRequestHandler, root: Path) -> None:
    answer(handler, 302, b"", {"Location": f"http://127.0.0.1:1{handler.path}\x1b"})


def a_page(handler: BaseHTTPRequestHandler, root: Path) -> None:
    answer(handler, 200, b"<html>" * 100_000, {"Content-Type": "text/html"})


def cut(handler: BaseHTTPRequestHandler, root: Path) -> None:
    handler.send_response(200)
    handler.send_header("Content-Length", "100")
    handler.end_headers()
    handler.wfile.write(b"example.com")


def endless(handler: BaseHTTPRequestHandler, root: Path) -> None:
    handler.send_response(200)
    handler.end_headers()
    while True:
        handler.wfile.write(bytes(1 << 16))


def twice(handler: BaseHTTPRequestHandler, root: Path) -> None:
    body = (root / "checkpoint").read_bytes()
    headers = {"Cache-Control": "public", "cache-control": "max-age=3600"}
    answer(handler, 200, body, headers)


def chunked(handler: BaseHTTPRequestHandler, root: Path) -> None:
    handler.protocol_version = "HTTP/1.1"
    handler.send_response(200)
    handler.send_header("Transfer-Encoding", "chunked")
    handler.end_headers()
    body = (root / "checkpoint").read_bytes()
    handler.wfile.write(b"%x\r\n%s\r\n0\r\n\r\n" % (len(body), body))


def closed(handler: BaseHTTPRequestHandler, root: Path) -> None:
    handler.connection.close()


def no_http(handler: BaseHTTPRequestHandler, root: Path) -> None:
    handler.wfile.write(b"SSH-2.0-OpenSSH_10\r\n")


@pytest.mark.parametrize(
    ("serve", "part"),
    [
        (compressed, "served checkpoint: comes with Content-Encoding: gzip, which was not requested"),
        (moved, "served checkpoint: is redirected (status 302) to http://127.0.0.1:1/logs/checkpoint\\x1b"),
        (a_page, "served tile/0/x001/x000/000: it does not exist, but is answered with status 200"),
        (cut, "served checkpoint: 127.0.0.1 does not answer: the connection was closed before the end"),
        (endless, "served checkpoint: is not a checkpoint: the note "),
        (twice, "served checkpoint: may be cached for 60 minutes"),
        (chunked, "served checkpoint: has no caching headers, so caches guess"),
        (closed, "served checkpoint: 127.0.0.1 does not answer: "),
        (no_http, "served checkpoint: 127.0.0.1 does not answer: "),
    ],
)
def test_a_wrong_host(run: Run, place: Path, serve: Serve, part: str) -> None:
    with serving(place / "log", serve) as port:
        code, out, err = run(*doctor_arguments(place), "--url", f"http://127.0.0.1:{port}/logs")
    assert (code, err) == (1, "")
    assert part in out


def test_a_slow_host(run: Run, place: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """It is abandoned after a timeout."""
    monkeypatch.setattr(http_client, "HEAD_SECONDS", 0.05)
    ended = threading.Event()

    def silent(handler: BaseHTTPRequestHandler, root: Path) -> None:
        ended.wait()

    with serving(place / "log", silent) as port:
        code, out, _ = run(*doctor_arguments(place), "--url", f"http://127.0.0.1:{port}")
        ended.set()
    assert code == 1
    assert "served checkpoint: 127.0.0.1 hangs: no head of an answer in 0.05 seconds" in out


def test_no_server(run: Run, place: Path) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))  # bound, but not listening
        code, out, err = run(*doctor_arguments(place), "--url", f"http://127.0.0.1:{taken.getsockname()[1]}")
    assert (code, err) == (1, "")
    assert "served checkpoint: 127.0.0.1 does not answer: connection refused" in out


@pytest.mark.parametrize("known", [True, False])
def test_https(run: Run, place: Path, monkeypatch: pytest.MonkeyPatch, known: bool) -> None:
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "test")])
    now = datetime.datetime.now(datetime.UTC).replace(tzinfo=None)
    certificate = (
        x509.CertificateBuilder(name, name, key.public_key(), x509.random_serial_number(), now - datetime.timedelta(1))
        .not_valid_after(now + datetime.timedelta(1))
        .add_extension(x509.SubjectAlternativeName([x509.IPAddress(ipaddress.ip_address("127.0.0.1"))]), critical=False)
        .add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
        .sign(key, hashes.SHA256())
    )
    form = serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    (place / "tls.key").write_bytes(key.private_bytes(serialization.Encoding.PEM, *form))
    (place / "tls.pem").write_bytes(certificate.public_bytes(serialization.Encoding.PEM))
    tls = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    tls.load_cert_chain(place / "tls.pem", place / "tls.key")
    if known:
        monkeypatch.setenv("SSL_CERT_FILE", str(place / "tls.pem"))
    with serving(place / "log", tls=tls) as port:
        code, out, err = run(*doctor_arguments(place), "--url", f"https://127.0.0.1:{port}/logs")
    assert (code, err) == (0 if known else 1, "")
    assert ("127.0.0.1 does not answer: " in out) is not known
    assert ("certificate verify failed" in out) is not known


def test_a_folder_without_a_checkpoint_is_not_compared(run: Run, place: Path) -> None:
    (place / "log/checkpoint").unlink()
    code, out, _ = run(*doctor_arguments(place), "--url", "http://127.0.0.1:1")
    assert code == 1
    assert "host: was not checked" in out


@pytest.mark.parametrize(
    ("arguments", "code", "part"),
    [
        (("--log", "{tmp}/nowhere", "--trust", "{tmp}/trust"), 5, "no log at"),
        (("--log", "{tmp}/log", "--trust", "{tmp}/nowhere"), 5, "nowhere"),
        (("--log", "{tmp}/log", "--trust", "{tmp}/log/checkpoint"), 3, "trust note"),
        (("--log", "{tmp}/log", "--trust", "{tmp}/trust", "-f", "csv"), 2, "csv"),
        (("--log", "{tmp}/log"), 2, "names the trust note"),
        (("--url", "http://example.com/log"), 2, "only https is"),
        (("--url", "ftp://127.0.0.1/log"), 2, "only https is"),
        (("--url", "file:///etc"), 2, "not a URL of a folder"),
        (("--url", "https://"), 2, "not a URL of a folder"),
        (("--url", "checkpoint"), 2, "not a URL of a folder"),
        (("--url", "https://user:secret@example.com/log"), 2, "contains a user name or a password"),
        (("--url", "https://user:secret@example.com:port/log"), 2, "contains a user name or a password"),
        (("--url", "https://example.com:99999/"), 2, "is not a URL"),
        (("--url", "https://[::1/"), 2, "is not a URL"),
        (("--url", "https://example.com/log?x=1"), 2, "not a URL of a folder"),
        (("--url", "https://example.com/log#x"), 2, "not a URL of a folder"),
        (("--url", "https://example.com/a b"), 2, "not a URL of a folder"),
        (("--url", "https://example.com/\r\nHost: x"), 2, "not a URL of a folder"),
        (("--url", "https://exämple.com/"), 2, "not a URL of a folder"),
    ],
)
def test_invalid_arguments_are_refused(run: Run, place: Path, arguments: tuple[str, ...], code: int, part: str) -> None:
    whole = arguments if "--log" in arguments else (*doctor_arguments(place)[1:], *arguments)
    got, out, err = run("doctor", *(argument.format(tmp=place) for argument in whole))
    assert (got, out) == (code, "")
    assert part in err
    assert "secret" not in err
    assert "internal error" not in err
