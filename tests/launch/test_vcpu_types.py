"""VcpuTypes: the file of names compared with sev-snp-measure's table, and invalid names."""

from __future__ import annotations

import pytest
from sevsnpmeasure.vcpu_types import CPU_SIGS

from catalog.abi.vcpu import VcpuSignature
from catalog.errors import LdcatError, MalformedRecord, UnknownName
from catalog.launch.vcpu_types import VcpuTypes
from tests.support.profiles import DATA

TEXT = (DATA / "vcpu_types.toml").read_text(encoding="utf-8")
TYPES = VcpuTypes.parse(TEXT)


def test_every_name_of_sev_snp_measure_has_its_signature() -> None:
    assert {name: TYPES.signature(name).value for name in CPU_SIGS} == CPU_SIGS


@pytest.mark.parametrize(
    ("name", "value"),
    # QEMU 10.2, target/i386/cpu.c: names that sev-snp-measure does not have
    [("EPYC-v5", 0x800F12), ("EPYC-Genoa-v3", 0xA10F10), ("EPYC-Turin-v2", 0xB00F00), ("Dhyana-v2", 0x900F01)],
)
def test_further_names_of_qemu(name: str, value: int) -> None:
    assert TYPES.signature(name).value == value


def test_names_of_a_signature_in_the_order_of_the_file() -> None:
    assert TYPES.names(TYPES.signature("EPYC"))[:2] == ("EPYC", "EPYC-v1")
    assert TYPES.names(VcpuSignature(0x00AA0F02)) == ()


def test_versions_never_change_the_signature() -> None:
    for name, signature in TYPES.by_name.items():
        base, _, version = name.rpartition("-v")
        if base and version.isdigit():
            assert TYPES.signature(base) == signature


def test_an_unknown_name_suggests_the_nearest() -> None:
    with pytest.raises(UnknownName, match="unknown vCPU type 'EPYC-Millan'") as caught:
        TYPES.signature("EPYC-Millan")
    assert "EPYC-Milan" in str(caught.value.hint)


@pytest.mark.parametrize(
    ("right", "wrong", "part"),
    [
        ('"EPYC-IBPB"', '"EPYC-IBPB", "EPYC"', "the name 'EPYC' occurs twice"),
        ('"EPYC-IBPB"', '"EPYC-IBPB", "Dhyana"', "the name 'Dhyana' occurs twice"),
        ("stepping = 2", 'stepping = "2"', "$.vcpu[0].stepping"),
        ("stepping = 2", "steping = 2", "unknown field `steping`"),
        ("[[vcpu]]", "[[vcpus]]", "vcpu"),
        ("stepping = 2", "stepping = 16", "stepping 16 is not between 0 and 15"),
    ],
)
def test_an_invalid_file_is_refused(right: str, wrong: str, part: str) -> None:
    assert right in TEXT
    with pytest.raises(LdcatError) as caught:
        VcpuTypes.parse(TEXT.replace(right, wrong, 1))
    assert part in str(caught.value)


def test_a_number_beyond_its_field_is_a_malformed_record() -> None:
    with pytest.raises(MalformedRecord, match="stepping 16"):
        VcpuTypes.parse(TEXT.replace("stepping = 2", "stepping = 16", 1))
