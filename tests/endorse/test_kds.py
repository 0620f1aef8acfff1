"""Where the certificates of a report are: the URLs of AMD's key distribution service, made from the report."""

from __future__ import annotations

import pytest
from omne_attest import vectors

from catalog.abi.report import AttestationReport
from catalog.endorse.kds import CertificateSource, certificate_sources
from tests.support.attestation_builder import CHIP, report_bytes

TURIN_TCB = bytes([1, 4, 0, 22, 0, 0, 0, 213])
SHORT = CHIP[:8].ljust(64, b"\0")
KDS = "https://kdsintf.amd.com"
MILAN_VCEK = f"{KDS}/vcek/v1/Milan/{CHIP.hex()}?blSPL=04&teeSPL=00&snpSPL=22&ucodeSPL=213"
UNSURE = ", if the processor is of {} (a report of version 2 does not say)"


def sources(**report: object) -> list[str]:
    return [str(one) for one in certificate_sources(AttestationReport.parse(report_bytes(**report)))]  # type: ignore[arg-type]


def test_the_vcek_is_named_by_chip_and_tcb() -> None:
    assert sources() == [
        f"the VCEK of this chip and TCB: {MILAN_VCEK}",
        f"the ASK and the ARK above it: {KDS}/vcek/v1/Milan/cert_chain",
    ]
    assert sources(cpuid=(0x19, 0xA0, 2))[0].startswith(f"the VCEK of this chip and TCB: {KDS}/vcek/v1/Genoa/0102")
    real = certificate_sources(AttestationReport.parse(vectors.attestation()))
    assert real[0].url is not None
    assert real[0].url.startswith(f"{KDS}/vcek/v1/Milan/")


def test_a_source_in_json_has_a_url_or_none() -> None:
    assert CertificateSource("the ARK", KDS).to_dict() == {"what": "the ARK", "url": KDS}
    assert CertificateSource("the ARK").to_dict() == {"what": "the ARK", "url": None}


def test_since_turin_a_chip_id_is_short_and_there_is_an_fmc() -> None:
    assert sources(cpuid=(0x1A, 2, 1), tcb=TURIN_TCB, chip=SHORT) == [
        f"the VCEK of this chip and TCB: {KDS}/vcek/v1/Turin/0102030405060708"
        "?fmcSPL=01&blSPL=04&teeSPL=00&snpSPL=22&ucodeSPL=213",
        f"the ASK and the ARK above it: {KDS}/vcek/v1/Turin/cert_chain",
    ]


def test_a_report_of_version_2_has_every_product_that_it_can_be_of() -> None:
    assert sources(version=2) == [
        f"the VCEK of this chip and TCB{UNSURE.format('Milan')}: {MILAN_VCEK}",
        f"the ASK and the ARK above it{UNSURE.format('Milan')}: {KDS}/vcek/v1/Milan/cert_chain",
        f"the VCEK of this chip and TCB{UNSURE.format('Genoa')}: {MILAN_VCEK.replace('Milan', 'Genoa')}",
        f"the ASK and the ARK above it{UNSURE.format('Genoa')}: {KDS}/vcek/v1/Genoa/cert_chain",
    ]
    (vcek, chain) = sources(version=2, chip=SHORT, tcb=TURIN_TCB)
    assert "/Turin/0102030405060708?fmcSPL=01" in vcek
    assert chain.endswith("/Turin/cert_chain")


def test_a_vlek_is_with_the_provider() -> None:
    assert sources(key_info=1 << 2) == [
        "the VLEK is with the provider of the machine: AMD gives it to nobody else",
        f"the ASVK and the ARK above it: {KDS}/vlek/v1/Milan/cert_chain",
    ]


def test_a_masked_chip_id_has_no_url() -> None:
    assert sources(chip=bytes(64)) == [
        "the VCEK has no URL, as the platform masks the chip ID: ask its provider",
        f"the ASK and the ARK above it: {KDS}/vcek/v1/Milan/cert_chain",
    ]


def test_a_tcb_of_unknown_layout_has_no_url() -> None:
    assert sources(tcb=TURIN_TCB)[0] == (
        "the VCEK has no URL, as the TCB version 01040016000000d5 is of unknown layout"
    )


@pytest.mark.parametrize("cpuid", [(0x1B, 0, 0), (0x1A, 0x50, 0)])
def test_a_product_that_is_not_served_has_no_url(cpuid: tuple[int, int, int]) -> None:
    why = "no URL of its VCEK is known: the processor is not one of Milan, Genoa, Turin"
    assert sources(cpuid=cpuid) == [why]


def test_a_report_that_is_not_signed_has_no_certificates() -> None:
    assert sources(key_info=7 << 2) == sources(key_info=3 << 2) == []
