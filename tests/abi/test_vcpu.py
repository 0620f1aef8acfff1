"""VcpuSignature: family, model and stepping in the encoding of CPUID."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st
from sevsnpmeasure.vcpu_types import cpu_sig

from catalog.abi.vcpu import VcpuSignature
from catalog.errors import UsageError


@given(family=st.integers(0, 270), model=st.integers(0, 255), stepping=st.integers(0, 15))
def test_packing_matches_sev_snp_measure_and_round_trips(family: int, model: int, stepping: int) -> None:
    signature = VcpuSignature.of(family=family, model=model, stepping=stepping)
    assert signature.value == cpu_sig(family, model, stepping)
    assert (signature.family, signature.model, signature.stepping) == (family, model, stepping)


@pytest.mark.parametrize(
    ("family", "model", "stepping", "value"),
    [
        # virtee/sev, tests of cpuid signatures; QEMU target/i386/cpu.c for the named models
        (14, 1, 2, 0x00000E12),
        (23, 1, 2, 0x00800F12),
        (25, 1, 1, 0x00A00F11),
        (26, 0, 0, 0x00B00F00),
    ],
)
def test_known_signatures(family: int, model: int, stepping: int, value: int) -> None:
    signature = VcpuSignature.of(family=family, model=model, stepping=stepping)
    assert signature == VcpuSignature(value)
    assert str(signature) == f"0x{value:08x}"


@pytest.mark.parametrize(
    ("value", "family", "model"),
    [
        (0x00F00E12, 14, 1),  # the upper bits of an old family are reserved
        (0x0FF00E12, 14, 1),
        (0x00000F12, 15, 1),
        (0x00100F12, 16, 1),
        (0x0FFF0FF2, 270, 255),
    ],
)
def test_the_extended_family_applies_to_base_family_15_only(value: int, family: int, model: int) -> None:
    """AMD APM volume 3, CPUID Fn0000_0001_EAX."""
    assert (VcpuSignature(value).family, VcpuSignature(value).model) == (family, model)


@pytest.mark.parametrize(
    ("field", "number"),
    [("family", -1), ("family", 271), ("model", 256), ("model", -1), ("stepping", 16), ("stepping", -1)],
)
def test_a_number_that_does_not_fit_its_field_is_refused(field: str, number: int) -> None:
    numbers = {"family": 23, "model": 1, "stepping": 2} | {field: number}
    with pytest.raises(UsageError, match=f"vCPU {field} {number} is not between"):
        VcpuSignature.of(**numbers)


@pytest.mark.parametrize("value", [-1, 1 << 32])
def test_a_signature_is_a_32_bit_number(value: int) -> None:
    with pytest.raises(UsageError, match="32-bit"):
        VcpuSignature(value)
