"""KernelHashes: the table compared with sev-snp-measure's, and which values are refused."""

from __future__ import annotations

import hashlib
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from sevsnpmeasure.sev_hashes import SevHashes

from catalog.abi.kernel_hashes import PAGE_SIZE, KernelHashes, hash_cmdline
from catalog.abi.kernel_table import TABLE_SIZE
from catalog.errors import MalformedInput

COMMAND_LINES = st.text(st.characters(codec="utf-8", exclude_characters="\0"), max_size=60)


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("kernel")


@given(
    kernel=st.binary(max_size=50),
    initrd=st.none() | st.binary(max_size=50),
    append=st.none() | COMMAND_LINES,
    offset=st.integers(0, PAGE_SIZE - TABLE_SIZE),
)
def test_table_and_page_match_sev_snp_measure(
    folder: Path, kernel: bytes, initrd: bytes | None, append: str | None, offset: int
) -> None:
    (folder / "kernel").write_bytes(kernel)
    (folder / "initrd").write_bytes(initrd or b"")
    peer = SevHashes(str(folder / "kernel"), str(folder / "initrd") if initrd is not None else "", append or "")
    ours = KernelHashes.of(
        kernel=hashlib.sha256(kernel).digest(),
        initrd=None if initrd is None else hashlib.sha256(initrd).digest(),
        append=append,
    )
    assert ours.table() == peer.construct_table()
    assert ours.page(offset) == peer.construct_page(offset)
    assert ours.table_sha256 == hashlib.sha256(peer.construct_table()).digest()


def test_a_missing_command_line_is_hashed_as_empty_and_nothing_is_trimmed() -> None:
    assert hash_cmdline(None) == hash_cmdline("") == hashlib.sha256(b"\0").digest()
    assert hash_cmdline(" x ") == hashlib.sha256(b" x \0").digest()
    assert hash_cmdline("x\n") != hash_cmdline("x")


def test_argument_bytes_that_are_not_utf8_are_hashed_unchanged() -> None:
    assert hash_cmdline(b"a\xffb".decode("utf-8", "surrogateescape")) == hashlib.sha256(b"a\xffb\0").digest()


@pytest.mark.parametrize(("append", "reason"), [("a\0b", "NUL"), ("a\ud800", "UTF-8")])
def test_invalid_command_lines_are_refused(append: str, reason: str) -> None:
    with pytest.raises(MalformedInput, match=reason):
        hash_cmdline(append)


@pytest.mark.parametrize("field", ["kernel", "initrd", "cmdline"])
def test_a_hash_of_another_length_is_refused(field: str) -> None:
    hashes = {"kernel": bytes(32), "initrd": bytes(32), "cmdline": bytes(32)} | {field: bytes(31)}
    with pytest.raises(MalformedInput, match="32 bytes"):
        KernelHashes(**hashes)


@pytest.mark.parametrize("offset", [-1, PAGE_SIZE - TABLE_SIZE + 1])
def test_a_table_that_does_not_fit_its_page_is_a_programming_error(offset: int) -> None:
    with pytest.raises(ValueError, match="does not fit"):
        KernelHashes.of(kernel=bytes(32)).page(offset)
