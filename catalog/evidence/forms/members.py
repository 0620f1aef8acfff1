"""Evidence in an object of JSON, CBOR or MessagePack: its members are found by their names, at any depth.

Known objects: reports of the virtee crates and of go-sev-guest, quotes of go-tdx-guest; evidence of Trustee (snp,
az-snp-vtpm, tdx), of dstack, of Constellation, of CCF and of Azure Attestation; claims of Azure Attestation (MAA) and
of EAR tokens. The names are in docs/evidence.md.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from typing import Any

from catalog.abi.digest import LaunchDigest
from catalog.abi.go_report import is_go_report, parse_go_report
from catalog.abi.report_json import is_report_json, parse_report_json
from catalog.endorse.certificate_forms import certificates_of_members, is_certificate_name
from catalog.errors import MalformedInput
from catalog.evidence.codings import decoded
from catalog.evidence.digest_line import SIZES
from catalog.evidence.evidence import Evidence
from catalog.notes import Note
from catalog.values import replace

MOST_MEMBERS = 10_000
DEEPEST = 16

_CARRIERS = frozenset(
    (
        *("report", "attestationreport", "hclreport", "snpreport", "quote", "evidence", "teeevidence", "rawreport"),
        *("outblob", "attestation", "instanceinfo", "idblock"),
    )
)
"""Names of members with evidence as bytes, in lower case, without - and _."""

_MAA_CLAIM = "x-ms-sevsnpvm-launchmeasurement"
_CLAIMS = frozenset(
    (
        *("xmssevsnpvmlaunchmeasurement", "measurement", "snp.measurement", "launchmeasurement", "launchdigest"),
        *("mrtd", "tdxmrtd", "tdx.quote.body.mrtd"),
    )
)
"""Names of members with a launch digest as text, likewise."""

_QUOTE_BODIES = ("tdQuoteBody", "td_quote_body", "tdQuoteBodyDescriptor", "td_quote_body_descriptor")
"""Members of a quote of go-tdx-guest."""

_TCBS = frozenset(("current_tcb", "reported_tcb", "committed_tcb", "launch_tcb"))
"""Members of a report in JSON: one that lacks others is refused, and its measurement is no claim."""

DIFFER = Note(
    "digests-differ", "the input states another launch digest than its report: that of the report is looked up"
)


def evidence_of(
    objects: Iterable[Mapping[Any, Any]], what: str, of_bytes: Callable[[bytes], Evidence | None]
) -> Evidence | None:
    """The evidence in objects; None if no member has any.

    what: what the objects are, for people, such as "JSON".
    of_bytes: reads the bytes of a member; None for bytes that are no evidence.

    Raises MalformedInput for invalid evidence, several different reports or digests, and too many or too deep members.
    """
    walk = _Walk(what, of_bytes)
    for one in objects:
        walk.objects_of(one, 1)
    return walk.result()


class _Walk:
    """What was found so far."""

    def __init__(self, what: str, of_bytes: Callable[[bytes], Evidence | None]) -> None:
        self.what, self.of_bytes = what, of_bytes
        self.members = 0
        self.found: list[Evidence] = []
        self.claims: dict[bytes, str] = {}
        self.certificates: list[bytes] = []

    def objects_of(self, fields: Mapping[Any, Any], depth: int) -> None:
        if is_go_report(fields):
            self.found.append(Evidence("attestation report", parse_go_report(fields)))
        elif is_report_json(fields) or (fields.keys() & _TCBS and "measurement" in fields):
            self.found.append(Evidence("attestation report", parse_report_json(fields)))
        elif is_go_quote(fields):
            self.found.append(go_quote(fields))
        else:
            self.certificates += certificates_of_members(fields)
            for name, value in fields.items():
                if not is_certificate_name(name):
                    self.member(name, value, depth)

    def member(self, name: object, value: Any, depth: int) -> None:
        self.members += 1
        if self.members > MOST_MEMBERS or depth > DEEPEST:
            raise MalformedInput(f"this {self.what} has more than {MOST_MEMBERS:,} members, or is nested too deeply")
        known = name.lower().replace("_", "").replace("-", "") if isinstance(name, str) else ""
        if isinstance(value, dict):
            self.objects_of(value, depth + 1)
        elif known in _CARRIERS and (data := _bytes_of(value)):
            if one := self.of_bytes(data):
                self.found.append(one)
        elif known in _CLAIMS and (data := _bytes_of(value)) and len(data) in SIZES:
            self.claims.setdefault(data, "MAA claims" if name == _MAA_CLAIM else "claims")
        elif isinstance(value, list):
            for one in value:
                if isinstance(one, dict | list):
                    self.member(None, one, depth + 1)

    def result(self) -> Evidence | None:
        if len({_stated(one) for one in self.found}) > 1:
            raise MalformedInput(f"this {self.what} has several different reports", "give one of them")
        if self.found:
            one = self.found[0]
            differ = self.claims.keys() - {one.digest.value}
            notes = (DIFFER,) if differ else ()
            read = one.read_from(self.what)
            return replace(read, certificates=(*one.certificates, *self.certificates), notes=(*one.notes, *notes))
        if len(self.claims) > 1:
            raise MalformedInput(f"this {self.what} has several different launch digests", "give one of them")
        for digest, claims in self.claims.items():
            by = claims if claims == "MAA claims" else f"claims in {self.what}"
            return Evidence(f"launch digest in {by}", LaunchDigest(digest), notes=(only_claimed(by),), claimed_by=by)
        return None


def only_claimed(by: str) -> Note:
    """The note on a digest that nothing proves."""
    return Note("digest-only-claimed", f"only {by} state this launch digest; nothing in the input proves it")


def _stated(evidence: Evidence) -> bytes:
    shown = evidence.report or evidence.td
    return shown.raw if shown else evidence.digest.value


def is_go_quote(fields: Mapping[Any, Any]) -> bool:
    """Whether an object may be a quote of go-tdx-guest."""
    return isinstance(fields.get("header"), dict) and any(name in fields for name in _QUOTE_BODIES)


def go_quote(fields: Mapping[Any, Any]) -> Evidence:
    """A quote of go-tdx-guest. Raises MalformedInput for an invalid one."""
    from catalog.abi.tdx.go_quote import parse_go_quote
    from catalog.evidence.quote_evidence import quote_evidence

    return quote_evidence(parse_go_quote(fields))


def _bytes_of(value: Any) -> bytes:
    """The bytes of a member: bytes, text in hex or base64, or a list of numbers; empty for anything else."""
    if isinstance(value, bytes):
        return value
    if isinstance(value, str):
        found = decoded(value)
        return found[1] if found else b""
    if isinstance(value, list) and value and all(type(one) is int and 0 <= one < 256 for one in value):
        return bytes(value)
    return b""
