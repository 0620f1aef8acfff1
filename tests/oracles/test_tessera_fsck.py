"""Against tessera's fsck, which reads a whole log and computes its tiles and root: it finds ldcat's log right.

It needs a newer Go than Debian's stable releases have, so Go is unpacked from sid, too: 50 MB, and half a minute of a
processor to compile. So it runs only with LDCAT_SLOW_ORACLES=1.
"""

from __future__ import annotations

import os
import subprocess
from pathlib import Path

import pytest

from catalog.build.builder import BuildResult
from tests.oracles.debian_sid import unpack_from_sid
from tests.support.cli import Run

SOURCES = Path(__file__).parent / "tessera_fsck"
PACKAGES = (
    "golang-github-transparency-dev-tessera-dev",
    "golang-1.27-go",
    "golang-1.27-src",
    "golang-github-cenkalti-backoff-v5-dev",
    "golang-github-cespare-xxhash-v2-dev",
    "golang-github-avast-retry-go-dev",
    "golang-github-go-logr-logr-dev",
    "golang-github-go-logr-stdr-dev",
    "golang-github-hashicorp-golang-lru-v2-dev",
    "golang-github-robinus2-golang-moving-average-dev",
    "golang-github-transparency-dev-formats-dev",
    "golang-github-transparency-dev-merkle-dev",
    "golang-golang-x-crypto-dev",
    "golang-golang-x-mod-dev",
    "golang-golang-x-sync-dev",
    "golang-k8s-klog-dev",
    "golang-opentelemetry-otel-dev",
)


@pytest.mark.skipif(os.environ.get("LDCAT_SLOW_ORACLES") != "1", reason="LDCAT_SLOW_ORACLES=1 runs it")
def test_fsck_finds_the_log_right(
    run: Run, small: BuildResult, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    if problem := unpack_from_sid(tmp_path, PACKAGES):
        pytest.skip(problem)
    unpacked = tmp_path / "unpacked/usr"
    settings = {"GO111MODULE": "off", "GOTOOLCHAIN": "local", "GOPATH": str(unpacked / "share/gocode")}
    build: list[str | Path] = [unpacked / "lib/go-1.27/bin/go", "build", "-o", tmp_path / "fsck", "."]
    environment = {**os.environ, **settings, "GOCACHE": str(tmp_path / "gocache")}
    done = subprocess.run(build, cwd=SOURCES, env=environment, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "state"))
    key = run("keygen", "example.com/digests", "-o", f"{tmp_path}/log.key")[1].splitlines()[0]
    assert run("publish", str(small.folder), "--log", f"{tmp_path}/log", "--key", f"{tmp_path}/log.key", "-q")[0] == 0
    fsck: list[str | Path] = [tmp_path / "fsck", tmp_path / "log", key]
    assert subprocess.run(fsck, capture_output=True).returncode == 0
    (leaves,) = sorted((tmp_path / "log/tile/entries").rglob("*.p/*"))[-1:]
    data = leaves.read_bytes()
    leaves.write_bytes(data[:9] + bytes([data[9] ^ 1]) + data[10:])
    assert subprocess.run(fsck, capture_output=True, timeout=60).returncode == 1
