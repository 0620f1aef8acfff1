"""PAGE_INFO: each page type compared with sev-snp-measure, each field, and a published chain of pages."""

from __future__ import annotations

import hashlib
import struct
from collections.abc import Callable
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from sevsnpmeasure.gctx import GCTX

from catalog.abi.page_info import (
    HAS_CONTENTS,
    INITIAL_DIGEST,
    PAGE_SIZE,
    PageType,
    contents_digest,
    fold,
    fold_pages,
    page_info_tail,
)

DIGESTS = st.binary(min_size=48, max_size=48)
GPAS = st.integers(0, (1 << 52) - 1).map(lambda gpa: gpa & ~0xFFF)


@given(DIGESTS, GPAS, st.binary(max_size=40))
def test_each_page_type_matches_sev_snp_measure(seed: bytes, gpa: int, start: bytes) -> None:
    page = start.ljust(PAGE_SIZE, b"\0")
    peer_calls: dict[PageType, Callable[[Any], None]] = {
        PageType.NORMAL: lambda peer: peer.update_normal_pages(gpa, page),
        PageType.ZERO: lambda peer: peer.update_zero_pages(gpa, PAGE_SIZE),
        PageType.UNMEASURED: lambda peer: peer.update_unmeasured_pages(gpa, PAGE_SIZE),
        PageType.SECRETS: lambda peer: peer.update_secrets_page(gpa),
        PageType.CPUID: lambda peer: peer.update_cpuid_page(gpa),
    }
    for page_type, call in peer_calls.items():
        peer = GCTX(seed)
        call(peer)
        contents = [contents_digest(page)] if page_type in HAS_CONTENTS else []
        assert fold(seed, page_info_tail(page_type, gpa, *contents)) == peer.ld()


@given(DIGESTS, st.binary(max_size=40))
def test_a_vmsa_page_matches_sev_snp_measure(seed: bytes, start: bytes) -> None:
    page = start.ljust(PAGE_SIZE, b"\0")
    peer = GCTX(seed)
    peer.update_vmsa_page(page)
    assert fold_pages(seed, PageType.VMSA, GCTX.VMSA_GPA, page) == peer.ld()


def test_the_fields_of_page_info_are_those_of_the_specification() -> None:
    # SEV-SNP ABI (56860) 8.17.2, table 67: 0x70 bytes; `tail` leaves out the 48 of DIGEST_CUR
    tail = page_info_tail(PageType.CPUID, 0x80E000)
    assert tail == bytes(48) + struct.pack("<HBB", 0x70, 6, 0) + bytes(4) + struct.pack("<Q", 0x80E000)
    assert fold(INITIAL_DIGEST, tail) == hashlib.sha384(INITIAL_DIGEST + tail).digest()


@given(DIGESTS, GPAS, st.integers(0, 3))
def test_pages_are_chained_in_order(seed: bytes, gpa: int, count: int) -> None:
    data = b"".join(bytes([number]) * PAGE_SIZE for number in range(count))
    expected = seed
    for number in range(count):
        at = number * PAGE_SIZE
        expected = fold_pages(expected, PageType.NORMAL, gpa + at, data[at : at + PAGE_SIZE])
    assert fold_pages(seed, PageType.NORMAL, gpa, data) == expected


def test_a_chain_of_gce_tcb_verifier_is_reproduced() -> None:
    # google/gce-tcb-verifier 74582c07, sev: three pages of a fake image, marked at both ends
    data = bytearray(3 * PAGE_SIZE)
    data[:16] = data[-16:] = b"LGTM" * 4
    expected = "cba1cd767c33b30f96271837dbbae4081a945464a5af397b9b0336b5d8759ee88cc6b62c05d915c4424a9ac5747437d4"
    assert fold_pages(INITIAL_DIGEST, PageType.NORMAL, 0, bytes(data)).hex() == expected


@pytest.mark.parametrize("gpa", [-1, 1 << 64])
def test_an_address_is_64_bits(gpa: int) -> None:
    with pytest.raises(struct.error):
        page_info_tail(PageType.ZERO, gpa)
