"""Collateral out of files: the forms that Intel's PCS and dcap-qvl give it in, and what is refused."""

from __future__ import annotations

import json
from urllib.parse import quote as escaped

import pytest

from catalog.endorse.tdx.collateral import Collateral
from catalog.endorse.tdx.signed_json import SignedJson
from catalog.errors import MalformedInput
from tests.support.certificate_builder import pem
from tests.support.intel_certificates import PLATFORM, ROOT, list_der, p256_key, raw_signature, root, tcb_signing
from tests.support.quote_builder import pcs_answer, qe_identity, tcb_info

CHAIN = pem(tcb_signing().der) + pem(root().der)
LIST = list_der(PLATFORM)


def dcap_qvl(**changes: object) -> bytes:
    """All in one JSON, as dcap-qvl keeps it."""
    body = json.dumps(tcb_info())
    fields = {
        "tcb_info_issuer_chain": CHAIN.decode(),
        "qe_identity_issuer_chain": CHAIN.decode(),
        "root_ca_crl": list_der(ROOT).hex(),
        "pck_crl": pem(LIST, "X509 CRL").decode(),
        "tcb_info": body,
        "tcb_info_signature": raw_signature(p256_key("x"), body.encode()).hex(),
        **changes,
    }
    return json.dumps({name: value for name, value in fields.items() if value is not None}).encode()


def counts(data: bytes) -> tuple[int, int, int]:
    found = Collateral.parse(data)
    return len(found.documents), len(found.certificates), len(found.lists)


@pytest.mark.parametrize(
    ("data", "expected"),
    [
        (pcs_answer(tcb_info()), (1, 0, 0)),
        (b"\n " + pcs_answer(qe_identity()) + b"\n", (1, 0, 0)),
        (CHAIN, (0, 2, 0)),
        (escaped(CHAIN.decode()).encode(), (0, 2, 0)),
        (pem(LIST, "X509 CRL"), (0, 0, 1)),
        (CHAIN + pem(LIST, "X509 CRL"), (0, 2, 1)),
        (LIST, (0, 0, 1)),
        (root().der, (0, 1, 0)),
        (dcap_qvl(), (1, 4, 2)),
        (dcap_qvl(pck_crl=None, root_ca_crl=None), (1, 4, 0)),
    ],
)
def test_every_form_is_read(data: bytes, expected: tuple[int, int, int]) -> None:
    assert counts(data) == expected


def test_what_is_signed_is_kept_byte_for_byte() -> None:
    answer = pcs_answer(tcb_info())
    (document,) = Collateral.parse(answer).documents
    assert answer.startswith(b'{"tcbInfo":' + document.body + b',"signature":"')
    assert Collateral.parse(answer).with_id("TDX") == [document]
    assert Collateral.parse(answer).with_id("TD_QE") == []


@pytest.mark.parametrize(
    ("data", "message"),
    [
        (b"{", "invalid"),
        (b"{\xff}", "not UTF-8"),
        (b"{}", "does not begin with tcbInfo or enclaveIdentity"),
        (b'{"tcbInfo":[1],"signature":"' + b"0" * 127 + b'"}', "no signature of 128 hex digits"),
        (b'{"tcbInfo":[1],"signature":"' + b"0" * 128 + b'"}', "not one object"),
        (dcap_qvl(tcb_info=3), "tcb_info of this collateral is not a text"),
        (dcap_qvl(tcb_info="\ud800"), "tcb_info of this collateral is not a text"),
        (dcap_qvl(pck_crl="\udfff"), "pck_crl of this collateral is not a text"),
        (dcap_qvl(tcb_info="{"), "is not JSON"),
        (dcap_qvl(tcb_info_signature="x"), "has not 128 hex digits"),
        (dcap_qvl(tcb_info_signature="00"), "has not 128 hex digits"),
        (dcap_qvl(pck_crl="x"), "neither hex nor PEM"),
        (b"-----BEGIN KEY-----", "neither certificates nor CRLs"),
        (b"junk", "no TCB info, QE identity, certificate or CRL"),
        (b"{" + b'"a":{' * 100_000, "invalid"),
    ],
)
def test_other_files_are_refused(data: bytes, message: str) -> None:
    with pytest.raises(MalformedInput, match=message):
        Collateral.parse(data)


def test_a_document_with_more_behind_it_is_refused() -> None:
    with pytest.raises(MalformedInput, match="not one object"):
        SignedJson.of_parts("{} ", "00" * 64)
