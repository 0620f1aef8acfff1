"""KernelRecord: a command line that is given by its text, by its hash, or by both."""

from __future__ import annotations

import hashlib

import pytest

from catalog.errors import MalformedRecord
from catalog.firmware.kernel_record import KernelRecord

APPEND = "quiet nr_cpus=2"
SHA256 = hashlib.sha256(f"{APPEND}\0".encode()).hexdigest()
RECORD = 'name = "k"\nkernel = {{ sha256 = "{}" }}\n'.format("11" * 32)


def test_a_command_line_that_is_known_by_its_hash_alone() -> None:
    read = KernelRecord.parse(f'{RECORD}append_sha256 = "{SHA256}"\n')
    assert (read.append, read.hashes.cmdline.hex()) == (None, SHA256)


def test_a_record_whose_hash_is_of_another_text_is_refused() -> None:
    both = KernelRecord.parse(f'{RECORD}append = "{APPEND}"\nappend_sha256 = "{SHA256}"\n')
    assert (both.append, both.hashes.cmdline.hex()) == (APPEND, SHA256)
    with pytest.raises(MalformedRecord, match="append does not have the SHA-256 append_sha256"):
        KernelRecord.parse(f'{RECORD}append = "x"\nappend_sha256 = "{SHA256}"\n')
    with pytest.raises(MalformedRecord, match="append_sha256"):
        KernelRecord.parse(f'{RECORD}append_sha256 = "{SHA256[2:]}"\n')
