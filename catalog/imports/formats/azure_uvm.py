"""Azure UVM reference info: a COSE_Sign1 with a certificate chain, an issuer that is a did:x509, a feed and an SVN.

The root comes with the document: the issuer pins it. The issuer has to be Microsoft's, or the root one that the reader
gave. The time of signing is the signer's own word, because the RFC 3161 timestamp beside it is not read.
Source: microsoft/confidential-sidecar-containers, pkg/uvm; draft-birkholz-did-x509; RFC 9052, RFC 9360.
"""

from __future__ import annotations

import hashlib
import re

import msgspec

from catalog.errors import MalformedRecord, VerificationFailed
from catalog.imports.cbor import Tagged
from catalog.imports.chains import check_did, check_root, der, parse_chain, signing_note, validity, verify_chain
from catalog.imports.cose_sign1 import CONTENT_TYPE, SHA_256, X5T, Sign1
from catalog.imports.documents import Document, Form, Given
from catalog.imports.endorsed_facts import Claims, EndorsedDigest, Endorser
from catalog.imports.imported import Imported
from catalog.imports.strict_json import as_record, load_json
from catalog.wire import Wire, unhex

NAME = "azure-uvm"

MICROSOFT = "did:x509:0:sha256:I__iuL25oXEVFdTP_aBLx_eT1RPHbCQ_ECBQfYZpt9s::eku:1.3.6.1.4.1.311.76.59.1.2"
"""Issuer of the UVM of Azure container instances. Source: microsoft/confidential-sidecar-containers, pkg/uvm."""

_EPOCH = 1
_SVN = re.compile(r"0|[1-9][0-9]{0,9}")


class Payload(Wire, frozen=True):
    """What is signed. Numbers and hashes are text."""

    svn: str = msgspec.field(name="x-ms-sevsnpvm-guestsvn")
    measurement: str = msgspec.field(name="x-ms-sevsnpvm-launchmeasurement")


def recognizes(document: Document) -> bool:
    """Whether it is a tagged COSE_Sign1 that speaks of x-ms-sevsnpvm."""
    return document.data[:1] == b"\xd2" and b"x-ms-sevsnpvm-" in document.data


def parse(document: Document, given: Given) -> Imported:
    """The endorsed digest; raises MalformedRecord, UntrustedSigner for another issuer, VerificationFailed."""
    message = Sign1.parse(document.data, NAME)
    issuer, feed = (_text(message, name) for name in ("iss", "feed"))
    time = _time(message.protected.get("signingtime"))
    chain = parse_chain(message.chain(NAME), f"{NAME}: x5chain")
    thumbprint = message.protected.get(X5T)
    if X5T in message.protected and thumbprint != [SHA_256, hashlib.sha256(der(chain[0])).digest()]:
        raise VerificationFailed(f"{NAME}: x5t is not the hash of the signer's certificate")
    verify_chain(chain, time, NAME)
    check_did(issuer, chain, NAME)
    if issuer != MICROSOFT:
        check_root(chain[-1], given, f"{NAME}: the issuer is {issuer}, not Microsoft", "give its root with --root")
    message.verify(chain[0].public_key(), NAME)
    return Imported(
        NAME,
        document.sha256,
        checked="signature",
        document_time=time,
        certificate_until=validity(chain[0])[1],
        endorsed=(_endorsed(message, issuer, feed),),
        notes=(signing_note(time, chain[0], given.now), "the time of signing is the signer's own word"),
    )


def _endorsed(message: Sign1, issuer: str, feed: str) -> EndorsedDigest:
    if message.protected.get(CONTENT_TYPE) != "application/json":
        raise MalformedRecord(f"{NAME}: the payload is not application/json")
    payload = as_record(load_json(message.payload, f"{NAME}: payload"), Payload, f"{NAME}: payload")
    if not _SVN.fullmatch(payload.svn):
        raise MalformedRecord(f"{NAME}: payload: $.x-ms-sevsnpvm-guestsvn: {payload.svn[:24]!r} is no decimal number")
    path = f"{NAME}: payload: $.x-ms-sevsnpvm-launchmeasurement"
    digest = unhex(payload.measurement, 48, path)
    return EndorsedDigest(digest, "sev-snp", Endorser(NAME, issuer, feed, int(payload.svn)), Claims())


def _time(value: object) -> int:
    seconds = value.value if isinstance(value, Tagged) and value.tag == _EPOCH else None
    if type(seconds) is not int or not 0 < seconds < 1 << 40:
        raise MalformedRecord(f"{NAME}: signingtime: no time in seconds since 1970")
    return seconds


def _text(message: Sign1, name: str) -> str:
    value = message.protected.get(name)
    if not isinstance(value, str) or not 0 < len(value) <= 512:
        raise MalformedRecord(f"{NAME}: {name}: no text of 1 to 512 characters")
    return value


FORM = Form(NAME, "Azure UVM reference info (COSE)", recognizes, parse)
