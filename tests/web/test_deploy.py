"""The unit and the container file of docs/deploy, as far as they can be tested without systemd and container engine."""

from __future__ import annotations

import configparser
import http.client
import json
import os
import re
import shutil
import socket
import ssl
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from catalog.build.builder import BuildResult
from tests.support.catalogs import rows_of
from tests.support.published_logs import Place, cosigned_today
from tests.support.services import ROOT, SECONDS, service

DEPLOY = ROOT / "docs/deploy"
UNIT = DEPLOY / "ldcat-serve.service"


def test_the_unit_is_valid(tmp_path: Path) -> None:
    """systemd-analyze finds a program at the path that the unit names."""
    if shutil.which("systemd-analyze") is None:
        pytest.skip("systemd-analyze is not installed")
    unit = tmp_path / UNIT.name
    unit.write_text(UNIT.read_text().replace("/opt/ldcat/bin/ldcat", "/bin/true"))
    found = subprocess.run(["systemd-analyze", "verify", "--man=no", str(unit)], capture_output=True, text=True)
    assert (found.returncode, found.stderr) == (0, "")


def test_the_unit_is_confined() -> None:
    parser = configparser.RawConfigParser(strict=False)
    parser.optionxform = str  # type: ignore[assignment,method-assign]
    parser.read(UNIT)
    unit = parser["Service"]
    assert unit["DynamicUser"] == unit["NoNewPrivileges"] == unit["MemoryDenyWriteExecute"] == "yes"
    assert unit["ProtectSystem"] == "strict"
    assert unit["CapabilityBoundingSet"] == ""


def test_the_image_runs_as_nobody_with_valid_arguments(place: Place, tmp_path: Path) -> None:
    lines = re.sub(r"\\\n\s*", "", (DEPLOY / "Containerfile").read_text()).splitlines()
    steps = [line.split(" ", 1) for line in lines if line and not line.startswith("#")]
    second = steps[max(at for at, step in enumerate(steps) if step[0] == "FROM") :]
    user = second.index(["USER", "65532:65532"])
    assert not [step for step in second[user + 1 :] if step[0] in ("USER", "RUN", "COPY")]
    entry, command = (json.loads(dict(second)[name]) for name in ("ENTRYPOINT", "CMD"))
    assert entry[0] == "ldcat"
    assert "/readyz" in dict(second)["HEALTHCHECK"]
    there = {"/srv/ldcat/log": place.log, "/etc/ldcat/trust.note": place.trust}
    assert entry[1:3] == ["serve", "--listen"]
    with service(tmp_path, *(there.get(word, word) for word in command)) as served:
        assert served.json("/readyz")["verified"]


@contextmanager
def proxied(folder: Path, upstream: tuple[str, int]) -> Iterator[str]:
    """The host and port of nginx with the configuration of docs/deploy, with the placeholders filled in."""
    if shutil.which("nginx") is None:
        if os.environ.get("LDCAT_REQUIRE_ORACLES"):
            pytest.fail("nginx is not installed")
        pytest.skip("nginx is not installed")
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    made = ["-keyout", "key.pem", "-out", "certificate.pem"]
    subprocess.run(
        ["openssl", "req", "-x509", "-newkey", "ed25519", "-nodes", "-subj", "/CN=localhost", "-days", "1", *made],
        cwd=folder,
        check=True,
        capture_output=True,
    )
    text = (DEPLOY / "nginx.conf").read_text()
    for name, filled in (
        ("listen      443 ssl;", f"listen 127.0.0.1:{port} ssl;"),
        ("    listen      [::]:443 ssl;\n", ""),
        ("DIGESTS.EXAMPLE.COM", "localhost"),
        ("/etc/ldcat/tls/CERTIFICATE.pem", str(folder / "certificate.pem")),
        ("/etc/ldcat/tls/KEY.pem", str(folder / "key.pem")),
        ("/var/log/nginx", str(folder)),
        ("rate=2r/s", "rate=1r/m"),  # so that the test does not depend on time
        ("127.0.0.1:8080", "{}:{}".format(*upstream)),
    ):
        assert name in text
        text = text.replace(name, filled)
    places = [f"{name}_temp_path {folder / name};" for name in ("client_body", "proxy", "fastcgi", "uwsgi", "scgi")]
    head = f"daemon off; master_process off; pid {folder}/pid; error_log {folder}/error; events {{}}\n"
    (folder / "nginx.conf").write_text(f"{head}http {{\n{chr(10).join(places)}\n{text}\n}}\n")
    command = ["nginx", "-e", str(folder / "error"), "-c", str(folder / "nginx.conf")]
    tested = subprocess.run([*command, "-t"], capture_output=True, text=True)
    assert tested.returncode == 0, tested.stderr
    assert "[warn]" not in tested.stderr
    with subprocess.Popen(command) as nginx:
        try:
            yield f"127.0.0.1:{port}"
        finally:
            nginx.terminate()


def test_the_proxy_has_limits_for_each_client(place: Place, tmp_path: Path) -> None:
    folder, context = tmp_path / "nginx", ssl._create_unverified_context()
    folder.mkdir()
    with service(tmp_path, place.log, "--trust", place.trust) as served, proxied(folder, served.address) as host:

        def ask(path: str, method: str = "GET", body: bytes | None = None) -> int:
            connection = http.client.HTTPSConnection(host, timeout=SECONDS, context=context)
            try:
                connection.request(method, path, body)
                return connection.getresponse().status
            finally:
                connection.close()

        end = time.monotonic() + SECONDS
        while True:
            try:
                assert ask("/readyz") == 200
                break
            except ConnectionRefusedError:  # it is not listening yet
                assert time.monotonic() < end
        digest = "0" * 96
        assert ask(f"/d/{digest}.json") == 200
        assert ask("/metrics") == 403
        assert ask("/healthz", "DELETE") == 403
        assert ask("/v1/report", "POST", bytes((1 << 20) + 1)) == 413
        body = json.dumps({"digests": [digest]}).encode()
        answers = [ask("/v1/lookup", "POST", body) for _ in range(20)]
        assert answers == [200] * 11 + [429] * 9  # the one that is due, and a burst of ten
        assert ask(f"/d/{digest}.json") == 200
    assert digest not in (folder / "ldcat.log").read_text()


CONFINED = """
import ctypes, os, sys
home = {home!r}
libc = ctypes.CDLL(None, use_errno=True)
def check(result):
    if result:
        raise OSError(ctypes.get_errno(), "cannot be confined")
check(libc.unshare(0x00020000))                                        # CLONE_NEWNS
check(libc.mount(b"none", b"/", None, 0x4000 | 0x40000, None))         # MS_REC | MS_PRIVATE
check(libc.mount(home.encode(), home.encode(), None, 0x1000, None))    # MS_BIND: its state
check(libc.mount(b"none", b"/", None, 0x20 | 0x1000 | 1, None))        # MS_REMOUNT | MS_BIND | MS_RDONLY
os.setgroups([])
if {nobody}:
    os.setgid(65532)
    os.setuid(65532)
check(libc.prctl(38, 1, 0, 0, 0))                                      # PR_SET_NO_NEW_PRIVS
libc.prctl(65, 1, 0, 0, 0)                                             # PR_SET_MDWE, since Linux 6.3
try:
    open("/written", "w")
    raise SystemExit("the root can be written to")
except OSError:
    pass
"""


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can give up what it has")
def test_it_serves_as_nobody_with_a_read_only_root(small: BuildResult, tmp_path: Path) -> None:
    place_folder, home = tmp_path / "place", tmp_path / "home"
    place_folder.mkdir()
    home.mkdir()
    place = cosigned_today(place_folder, small)
    for folder in (tmp_path, *tmp_path.parents[:3]):
        if str(folder).startswith("/tmp/"):
            folder.chmod(0o755)
    nobody = all(folder.stat().st_mode & 1 for folder in Path(sys.base_prefix, "lib").resolve().parents)
    os.chown(home, 65532 if nobody else 0, -1)
    prelude = CONFINED.format(home=str(home), nobody=nobody)
    with service(home, place.log, "--trust", place.trust, prelude=prelude, fresh=True) as served:
        status = dict(
            line.split(":\t", 1)
            for line in Path(f"/proc/{served.process.pid}/status").read_text().splitlines()
            if ":\t" in line
        )
        assert status["NoNewPrivs"] == "1"
        if nobody:  # otherwise, only root could read Python itself
            assert (status["Uid"].split()[0], int(status["CapEff"], 16)) == ("65532", 0)
        digest = next(digest.hex() for digest in rows_of(small).values())
        assert served.json(f"/d/{digest}.json")["found"]
        assert served.json("/readyz")["verified"]
        assert served.ask("/range/1/0")[0] == 200
        assert served.stop() == 0
