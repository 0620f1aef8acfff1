"""CoRIM with AMD's SEV-SNP profile: the measurement of each reference triple, unsigned or in a COSE_Sign1.

Other triples and other measurements are left out; a guest policy and a security version beside a digest are claims.
Source: draft-ietf-rats-corim (CDDL of 2026-08-19); veraison/services, scheme sevsnp; AMD's profile for SNP.
"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from contextlib import suppress
from typing import Any

from cryptography.hazmat.primitives.asymmetric.types import PublicKeyTypes
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat
from cryptography.x509 import Certificate

from catalog.errors import MalformedRecord, UntrustedSigner, VerificationFailed
from catalog.imports.cbor import Tagged, decode
from catalog.imports.chains import check_root, parse_chain, rooted, signing_note, validity, verify_chain
from catalog.imports.cose_sign1 import CONTENT_TYPE, Sign1
from catalog.imports.dates import day
from catalog.imports.documents import Document, Form, Given
from catalog.imports.endorsed_facts import Claims, EndorsedDigest, Endorser
from catalog.imports.imported import Imported
from catalog.imports.strict_json import MOST_ITEMS, check_count

NAME = "corim"
PROFILE = "tag:amd.com,2024:snp-corim-profile"

_CORIM, _COMID, _URI, _TIME, _OID, _BYTES, _SVN, _MIN_SVN = 501, 506, 32, 1, 111, 560, 552, 553
"""CBOR tags."""

_ID, _TAGS, _PROFILE, _VALIDITY, _ENTITIES = 0, 1, 3, 4, 5
_TRIPLES, _REFERENCE = 4, 0
_CLASS, _INSTANCE = 0, 1
_MEASUREMENT, _GUEST_SVN, _POLICY = 641, 1, 2
"""Keys of measurements: fields of the attestation report, by the profile."""

_DIGESTS, _RAW, _SVN_VALUE = 2, 4, 1
_SHA_384 = 7
_AMD_SNP = bytes.fromhex("2b060104019c7803")
"""The object identifier 1.3.6.1.4.1.3704.3, below which AMD has the classes of its profile."""

_COMID_ITEMS = 24 * MOST_ITEMS
"""Data items of a CoMID: a triple with nothing but a digest has 21."""

_META = 8
_LONGEST = 512
"""Characters of a name or an id."""
_MEDIA_TYPE = "application/rim+cbor"

_ROOT_HINT = "give the signer's root certificate with --root"


def recognizes(document: Document) -> bool:
    """Whether it is tagged as a CoRIM, or a COSE_Sign1 of one."""
    data = document.data
    return data.startswith(b"\xd9\x01\xf5") or (data[:1] == b"\xd2" and _MEDIA_TYPE.encode() in data[:4096])


def parse(document: Document, given: Given) -> Imported:
    """The endorsed digests; raises MalformedRecord, UntrustedSigner without key or root, VerificationFailed."""
    if document.data.startswith(b"\xd9\x01\xf5"):
        corim = decode(document.data, NAME)
        endorsed = _endorsed(corim, _entity(corim.value))
        return Imported(NAME, document.sha256, endorsed=endorsed, notes=_said(corim))
    message = Sign1.parse(document.data, NAME)
    if message.protected.get(CONTENT_TYPE) != _MEDIA_TYPE:
        raise MalformedRecord(f"{NAME}: the payload is not {_MEDIA_TYPE}")
    signer, start, end = _meta(message)
    until, notes = _verify(message, given, start)
    if start is not None and end is not None:
        notes.append(f"the signature counts from {day(start)} to {day(end)}")
    corim = decode(message.payload, f"{NAME}: payload")
    endorsed = _endorsed(corim, signer)
    return Imported(
        NAME,
        document.sha256,
        checked="signature",
        document_time=start,
        certificate_until=until,
        endorsed=endorsed,
        notes=(*notes, *_said(corim)),
    )


def _verify(message: Sign1, given: Given, signed: int | None) -> tuple[int | None, list[str]]:
    """Verify the signature by a given key, or by a chain to a given root; the certificate's end and a note."""
    chain = parse_chain(message.chain(NAME), f"{NAME}: x5chain") if message.chain(NAME) else []
    if chain:
        if signed is None:
            raise MalformedRecord(f"{NAME}: it has certificates, and no time for which they could be verified")
        chain = _to_root(chain, given)
        verify_chain(chain, signed, NAME)
        check_root(chain[-1], given, NAME, _ROOT_HINT)
        message.verify(chain[0].public_key(), NAME)
        return validity(chain[0])[1], [signing_note(signed, chain[0], given.now)]
    keys: list[PublicKeyTypes] = [*given.keys, *(root.public_key() for root in given.roots)]
    if not keys and given.untrusted:
        return None, []
    if not keys:
        raise UntrustedSigner(f"{NAME}: no key is given that could have signed it", "give the signer's key with --root")
    spki = _signer(message, keys).public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)
    return None, [f"signed by the key with SHA-256 {hashlib.sha256(spki).hexdigest()}"]


def _to_root(chain: list[Certificate], given: Given) -> list[Certificate]:
    """A chain with the given root that issued its last certificate: a signer need not add the root (RFC 9360, 2)."""
    last = chain[-1]
    if last in given.roots or last.issuer == last.subject:
        return chain
    return [*chain[:-1], *rooted(last, given, NAME, _ROOT_HINT)]


def _signer(message: Sign1, keys: Sequence[PublicKeyTypes]) -> PublicKeyTypes:
    """The key that made the signature; raises VerificationFailed if none did."""
    for key in keys[:-1]:
        with suppress(VerificationFailed):
            message.verify(key, NAME)
            return key
    message.verify(keys[-1], NAME)
    return keys[-1]


def _meta(message: Sign1) -> tuple[str | None, int | None, int | None]:
    """Who signed, by name or URI, and from when to when the signature counts."""
    what = f"{NAME}: meta"
    raw = message.protected.get(_META)
    if not isinstance(raw, bytes):
        raise MalformedRecord(f"{what}: not there")
    meta = _map(decode(raw, what), what)
    validity_map = _map(meta.get(1, {}), f"{what}: validity")
    start, end = (_time(validity_map.get(key), f"{what}: validity") for key in (0, 1))
    return _party(_map(meta.get(0), f"{what}: signer"), f"{what}: signer"), start, end


def _said(corim: Any) -> tuple[str, ...]:
    """Notes of the id, if it is text, and of the end of validity, if the CoRIM has one."""
    notes, identity = [], corim.value.get(_ID)
    if isinstance(identity, str) and 0 < len(identity) <= _LONGEST:
        notes.append(f"the id of the document is {identity}")
    if _VALIDITY in corim.value:
        end = _time(_map(corim.value[_VALIDITY], f"{NAME}: validity").get(1), f"{NAME}: validity")
        notes += [f"the document counts until {day(end)}"] if end is not None else []
    return tuple(notes)


def _entity(corim: Any) -> str | None:
    """The first entity of an unsigned CoRIM, by URI or name; its own word."""
    entities = corim.get(_ENTITIES, []) if isinstance(corim, dict) else []
    if not isinstance(entities, list):
        raise MalformedRecord(f"{NAME}: entities: no list")
    return _party(_map(entities[0], f"{NAME}: entity"), f"{NAME}: entity") if entities else None


def _party(fields: dict[Any, Any], what: str) -> str | None:
    uri = fields.get(1)
    named = _untag(uri, _URI, what) if uri is not None else fields.get(0)
    if named is not None and (not isinstance(named, str) or not 0 < len(named) <= _LONGEST):
        raise MalformedRecord(f"{what}: no name of 1 to {_LONGEST} characters")
    return named


def _endorsed(corim: Any, by: str | None) -> tuple[EndorsedDigest, ...]:
    body = _map(_untag(corim, _CORIM, NAME), NAME)
    if _untag(body.get(_PROFILE), _URI, f"{NAME}: profile") != PROFILE:
        raise MalformedRecord(f"{NAME}: the profile is not {PROFILE}")
    found: dict[EndorsedDigest, None] = {}
    for at, tag in enumerate(_list(body.get(_TAGS), f"{NAME}: tags")):
        what = f"{NAME}: tag {at}"
        raw = _untag(tag, _COMID, what)
        if not isinstance(raw, bytes):
            raise MalformedRecord(f"{what}: no bytes")
        triples = _map(_map(decode(raw, what, _COMID_ITEMS), what).get(_TRIPLES), f"{what}: triples")
        reference = _list(triples[_REFERENCE], f"{what}: reference triples") if _REFERENCE in triples else []
        for number, triple in enumerate(reference):
            path = f"{what}: reference triple {number}"
            for digest, svn, policy in _measured(triple, path):
                found[EndorsedDigest(digest, "sev-snp", Endorser(NAME, by, svn=svn), Claims(policy=policy))] = None
    check_count(len(found), f"{NAME}: launch digests")
    return tuple(found)


def _measured(triple: Any, what: str) -> list[tuple[bytes, int | None, int | None]]:
    """Launch digests of a reference triple, with security version and policy."""
    pair = _list(triple, what)
    if len(pair) != 2:
        raise MalformedRecord(f"{what}: not an environment and measurements")
    environment = _map(pair[0], f"{what}: environment")
    kind = _untag(_map(environment.get(_CLASS), f"{what}: class").get(0), _OID, f"{what}: class")
    if not isinstance(kind, bytes) or not kind.startswith(_AMD_SNP):
        raise MalformedRecord(f"{what}: the class is not of AMD's SEV-SNP profile")
    values: dict[Any, dict[Any, Any]] = {}
    for measurement in _list(pair[1], f"{what}: measurements"):
        fields = _map(measurement, f"{what}: measurement")
        key = fields.get(0)
        if not isinstance(key, int) or key in values:
            raise MalformedRecord(f"{what}: a measurement has no number of its own")
        values[key] = _map(fields.get(1), f"{what}: measurement {key}")
    if _MEASUREMENT not in values:
        return []
    digests = _digests(values[_MEASUREMENT].get(_DIGESTS), f"{what}: measurement {_MEASUREMENT}")
    instance = environment.get(_INSTANCE)
    if instance is not None and [_untag(instance, _BYTES, f"{what}: instance")] != digests:
        raise MalformedRecord(f"{what}: the instance is not the digest that is measured")
    return [(digest, _svn(values, what), _policy(values, what)) for digest in digests]


def _digests(value: Any, what: str) -> list[bytes]:
    digests = _list(value, f"{what}: digests")
    for pair in digests:
        if not isinstance(pair, list) or len(pair) != 2 or pair[0] != _SHA_384 or not isinstance(pair[1], bytes):
            raise MalformedRecord(f"{what}: a digest is not [{_SHA_384}, bytes] (SHA-384)")
    return [pair[1] for pair in digests]


def _svn(values: dict[Any, dict[Any, Any]], what: str) -> int | None:
    if _GUEST_SVN not in values:
        return None
    value = values[_GUEST_SVN].get(_SVN_VALUE)
    if not isinstance(value, Tagged) or value.tag not in (_SVN, _MIN_SVN) or type(value.value) is not int:
        raise MalformedRecord(f"{what}: measurement {_GUEST_SVN}: no security version")
    return value.value


def _policy(values: dict[Any, dict[Any, Any]], what: str) -> int | None:
    """The guest policy: 8 bytes, big-endian as Veraison writes them."""
    if _POLICY not in values:
        return None
    raw = _untag(values[_POLICY].get(_RAW), _BYTES, f"{what}: measurement {_POLICY}")
    if not isinstance(raw, bytes) or len(raw) != 8:
        raise MalformedRecord(f"{what}: measurement {_POLICY}: no 8 bytes")
    return int.from_bytes(raw, "big")


def _map(value: Any, what: str) -> dict[Any, Any]:
    if not isinstance(value, dict):
        raise MalformedRecord(f"{what}: no map")
    return value


def _list(value: Any, what: str) -> list[Any]:
    if not isinstance(value, list) or not value:
        raise MalformedRecord(f"{what}: no list with an entry")
    return value


def _untag(value: Any, tag: int, what: str) -> Any:
    if not isinstance(value, Tagged) or value.tag != tag:
        raise MalformedRecord(f"{what}: not tagged {tag}")
    return value.value


def _time(value: Any, what: str) -> int | None:
    if value is None:
        return None
    seconds = _untag(value, _TIME, what)
    if type(seconds) is not int or not 0 < seconds < 1 << 40:
        raise MalformedRecord(f"{what}: no time in seconds since 1970")
    return seconds


FORM = Form(NAME, "CoRIM of AMD's SEV-SNP profile", recognizes, parse)
