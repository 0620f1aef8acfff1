"""Private key files: private to their owner, with or without a passphrase, never overwritten and never printed."""

from __future__ import annotations

import errno
import os
import re
import subprocess
from pathlib import Path

import pytest

from catalog.errors import DiskFull, LdcatError, MalformedInput, Unreadable, UsageError
from catalog.publish.key_files import KeyPair, new_key, read_keys, write_keys
from catalog.transparency.keys import SignatureType
from tests.support.logs import NOW, signature

NAME = "example.com/log"
CHECKPOINT = "example.com/log\n1\nbjQLnP+zepicpUTmu3gKLHiQHT+zNzh2hRGjBhevoB0=\n"


@pytest.fixture
def pairs() -> list[KeyPair]:
    return [new_key(NAME, kind) for kind in SignatureType]


@pytest.mark.parametrize("passphrase", [None, b"correct horse"])
def test_keys_round_trip(tmp_path: Path, pairs: list[KeyPair], passphrase: bytes | None) -> None:
    path = tmp_path / "log.key"
    write_keys(path, pairs, passphrase)
    assert path.stat().st_mode & 0o777 == 0o600
    assert sorted(p.name for p in tmp_path.iterdir()) == ["log.key", "log.key.pub"]
    found = read_keys(path, passphrase)
    assert [pair.key for pair in found] == [pair.key for pair in pairs]
    for pair, again in zip(pairs, found, strict=True):
        pair.key.verify(CHECKPOINT, signature(again.signer, CHECKPOINT, NOW).value)


def test_a_key_is_never_overwritten(tmp_path: Path, pairs: list[KeyPair]) -> None:
    path = tmp_path / "log.key"
    path.write_bytes(b"mine")
    with pytest.raises(UsageError, match="already exists"):
        write_keys(path, pairs, None)
    assert path.read_bytes() == b"mine"
    assert [p.name for p in tmp_path.iterdir()] == ["log.key"]
    with pytest.raises(Unreadable):
        write_keys(tmp_path / "no" / "log.key", pairs, None)


@pytest.mark.parametrize("umask", [0o000, 0o022, 0o077])
def test_verifier_keys_are_in_a_file_beside_it(tmp_path: Path, pairs: list[KeyPair], umask: int) -> None:
    before = os.umask(umask)
    try:
        write_keys(tmp_path / "log.key", pairs, b"correct horse")
    finally:
        os.umask(before)
    public = tmp_path / "log.key.pub"
    assert public.stat().st_mode & 0o777 == 0o644
    assert public.read_text() == "".join(f"{pair.key}\n" for pair in pairs)


def test_the_private_keys_are_named_if_both_files_exist(tmp_path: Path, pairs: list[KeyPair]) -> None:
    write_keys(tmp_path / "log.key", pairs, None)
    with pytest.raises(UsageError, match=r"log\.key already exists") as refused:
        write_keys(tmp_path / "log.key", pairs, None)
    assert "--output" in str(refused.value.hint)


def test_a_file_of_verifier_keys_is_never_overwritten(tmp_path: Path, pairs: list[KeyPair]) -> None:
    (tmp_path / "log.key.pub").write_text("mine")
    with pytest.raises(UsageError, match=r"log\.key\.pub already exists"):
        write_keys(tmp_path / "log.key", pairs, None)
    assert [(p.name, p.read_text()) for p in tmp_path.iterdir()] == [("log.key.pub", "mine")]


def test_no_key_is_left_without_its_verifier_keys(
    tmp_path: Path, pairs: list[KeyPair], monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(descriptor: int, mode: int) -> None:
        if mode == 0o644:
            raise OSError(errno.ENOSPC, "no space is left")

    monkeypatch.setattr(os, "fchmod", full)
    with pytest.raises(DiskFull):
        write_keys(tmp_path / "log.key", pairs, None)
    assert list(tmp_path.iterdir()) == []


def test_passphrases(tmp_path: Path, pairs: list[KeyPair]) -> None:
    write_keys(tmp_path / "open", pairs, None)
    write_keys(tmp_path / "closed", pairs, b"correct horse")
    assert b"ENCRYPTED" in (tmp_path / "closed").read_bytes()
    with pytest.raises(UsageError, match="is encrypted, and no passphrase is given"):
        read_keys(tmp_path / "closed", None)
    with pytest.raises(UsageError, match="is not encrypted"):
        read_keys(tmp_path / "open", b"correct horse")
    with pytest.raises(MalformedInput, match="the passphrase is wrong") as caught:
        read_keys(tmp_path / "closed", b"battery staple")
    assert "battery" not in str(caught.value)


def test_a_key_that_others_can_read_is_refused(tmp_path: Path, pairs: list[KeyPair]) -> None:
    path = tmp_path / "log.key"
    write_keys(path, pairs, None)
    for mode in (0o640, 0o604, 0o620):
        path.chmod(mode)
        with pytest.raises(Unreadable, match="others can access it"):
            read_keys(path, None)


def test_invalid_key_files_are_refused(tmp_path: Path, pairs: list[KeyPair]) -> None:
    path = tmp_path / "log.key"
    write_keys(path, pairs[:2], None)
    good = path.read_bytes()
    first, second = (pair.key for pair in pairs[:2])
    for data in (
        b"",
        b"\n",
        b"x" * 100,
        good[:-30],
        good.replace(b"PRIVATE", b"PUBLIC"),
        good.split(b"\n", 1)[1],
        good.replace(str(first).encode(), str(second).encode()),
        good.replace(b"AQAwBQYDK2Vw", b"AQAwBQYDK3Vw"),  # an unknown algorithm
        good.replace(b"AQAwBQYDK2Vw", b"AQAwBQYDK2Vv"),  # X448, for which OpenSSL reports another length
        bytes(1 << 17),
    ):
        assert data != good
        path.write_bytes(data)
        with pytest.raises(LdcatError) as caught:
            read_keys(path, None)
        assert "BEGIN" not in str(caught.value)


def test_the_documented_way_to_the_ed25519_key(tmp_path: Path) -> None:
    """Base64 of ML-DSA-44 has +A somewhere in every third key."""
    page = (Path(__file__).parents[2] / "docs/witnessing.md").read_text(encoding="utf-8")
    (command,) = re.findall(r"^(grep .* log\.key\.pub) > log\.vkey", page, re.MULTILINE)
    (tmp_path / "log.key.pub").write_text("example.com/log+0a1b2c3d+AYz+b\nexample.com/log+4e5f6a7b+BjQz+AbC\n")
    found = subprocess.run(["/bin/sh", "-c", command], cwd=tmp_path, capture_output=True, text=True, check=True)
    assert found.stdout == "example.com/log+0a1b2c3d+AYz+b\n"
