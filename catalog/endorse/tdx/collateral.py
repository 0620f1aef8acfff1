"""Collateral: what Intel publishes about platforms, out of files: TCB info, QE identities, certificates, CRLs.

Nothing is verified here, and nothing is fetched. Source: Intel PCS API version 4; Phala-Network/dcap-qvl,
src/collateral.rs (one JSON with all).
"""

from __future__ import annotations

import re

from catalog.endorse.certificate import Certificate
from catalog.endorse.certificate_forms import from_pem
from catalog.endorse.crl import RevocationList
from catalog.endorse.tdx.signed_json import SignedJson
from catalog.errors import MalformedInput
from catalog.values import Value

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable
    from typing import Any

TCB_INFO_ID, QE_IDENTITY_ID = "TDX", "TD_QE"

_CERTIFICATE, _LIST = b"CERTIFICATE", b"X509 CRL"
_ENCODED_PEM = b"-----BEGIN%20"
"""How a chain begins in a header of an answer of the PCS."""

_ESCAPED = re.compile(rb"%([0-9A-Fa-f]{2})")

_HALF = re.compile("[\ud800-\udfff]")
"""Half of a surrogate pair: JSON can have it, and no text can."""

_DOCUMENTS = ("tcb_info", "qe_identity")
_CHAINS = ("pck_crl_issuer_chain", "tcb_info_issuer_chain", "qe_identity_issuer_chain", "pck_certificate_chain")
_LISTS = ("root_ca_crl", "pck_crl")
"""Members of the JSON of dcap-qvl."""


class Collateral(Value):
    """What files have; nothing in it is verified."""

    documents: tuple[SignedJson, ...] = ()
    certificates: tuple[Certificate, ...] = ()
    lists: tuple[RevocationList, ...] = ()

    @classmethod
    def parse(cls, data: bytes) -> Collateral:
        """Of a file: JSON of the PCS or of dcap-qvl, PEM, or DER; raises MalformedInput for anything else."""
        if data.lstrip().startswith(b"{"):
            return _of_json(data)
        if data.startswith(_ENCODED_PEM):
            data = _ESCAPED.sub(lambda found: bytes.fromhex(found[1].decode()), data)
        if b"-----BEGIN " in data:
            return _of_pem(data)
        return _of_der(data)

    @classmethod
    def joined(cls, parts: Iterable[Collateral]) -> Collateral:
        """All of several files."""
        found = list(parts)
        return cls(
            tuple(one for part in found for one in part.documents),
            tuple(one for part in found for one in part.certificates),
            tuple(one for part in found for one in part.lists),
        )

    def with_id(self, name: str) -> list[SignedJson]:
        """The documents with this id: TCB_INFO_ID or QE_IDENTITY_ID."""
        return [one for one in self.documents if one.fields.get("id") == name]


def _of_json(data: bytes) -> Collateral:
    try:
        text = data.decode("utf-8")
    except UnicodeDecodeError as error:
        raise MalformedInput("this JSON is not UTF-8") from error
    import json

    try:
        fields = json.loads(text)
    except (ValueError, RecursionError) as error:
        raise MalformedInput("this looks like JSON, but is invalid") from error
    if not fields.keys() & set(_DOCUMENTS):
        return Collateral((SignedJson.of_answer(text),))
    documents = [
        SignedJson.of_parts(_text(fields, name), _text(fields, f"{name}_signature"))
        for name in _DOCUMENTS
        if name in fields
    ]
    chains = [_of_pem(_text(fields, name).encode()) for name in _CHAINS if fields.get(name)]
    lists = [_of_list(_text(fields, name)) for name in _LISTS if fields.get(name)]
    return Collateral.joined([Collateral(tuple(documents)), *chains, *lists])


def _text(fields: dict[str, Any], name: str) -> str:
    value = fields.get(name)
    if not isinstance(value, str) or _HALF.search(value):
        raise MalformedInput(f"{name} of this collateral is not a text")
    return value


def _of_list(text: str) -> Collateral:
    """A revocation list in hex or PEM."""
    if text.startswith("-----BEGIN "):
        return _of_pem(text.encode())
    try:
        return Collateral(lists=(RevocationList.parse(bytes.fromhex(text)),))
    except ValueError as error:
        raise MalformedInput("a CRL of this collateral is neither hex nor PEM") from error


def _of_pem(data: bytes) -> Collateral:
    certificates = tuple(map(Certificate.parse, from_pem(data, _CERTIFICATE)))
    lists = tuple(map(RevocationList.parse, from_pem(data, _LIST)))
    if not certificates and not lists:
        raise MalformedInput("this PEM has neither certificates nor CRLs")
    return Collateral((), certificates, lists)


def _of_der(data: bytes) -> Collateral:
    try:
        return Collateral(lists=(RevocationList.parse(data),))
    except MalformedInput:
        pass
    try:
        return Collateral(certificates=(Certificate.parse(data),))
    except MalformedInput as error:
        raise MalformedInput(
            "no TCB info, QE identity, certificate or CRL", "known are the answers of Intel's PCS, and PEM and DER"
        ) from error
