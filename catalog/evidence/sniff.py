"""Evidence of a guest owner, recognised by its form: a launch digest, an attestation report or a launch measurement.

Nothing is guessed: input that has one of the forms is parsed strictly, and an error lists the accepted forms.
"""

from __future__ import annotations

import base64
import binascii
import json
import re
from collections.abc import Iterator
from typing import Any

from catalog.abi.digest import SEV_DIGEST_SIZE, SNP_DIGEST_SIZE, LaunchDigest
from catalog.abi.launch_measure import MEASUREMENT_SIZE, NONCE_SIZE
from catalog.abi.report import REPORT_SIZE, AttestationReport
from catalog.abi.report_json import is_report_json, parse_report_json
from catalog.errors import MalformedInput
from catalog.evidence.evidence import Evidence, LaunchMeasureData

MAX_EVIDENCE = 1 << 20
"""Bytes: limit for evidence."""

MAX_OBJECTS = 64
"""Limit for concatenated JSON objects, as in a QMP session."""

HCL_FORM = "attestation report in an Azure HCL blob"
"""Form of a report that an Azure confidential VM has in its vTPM."""

_HCL_MAGIC = b"HCLA"
_HCL_REPORT_AT = 0x20
_RESPONSE_REPORT_AT = 0x20
_BLANKS = re.compile(r"\s*")
_MEASURED = {"data", "api-major", "api-minor", "build-id", "policy"}
_HEX = re.compile(rb"(?:0[xX])?((?:[0-9a-fA-F]{2})+)")
_LIBVIRT_LINE = re.compile(r"\s*(sev-[a-z-]+)\s*:\s*(\S+)\s*")
_TDX_TYPE = 0x81
_TDX_QUOTE_VERSIONS = (4, 5)
_TDX_QUOTE_SIZE = 48 + 584
"""Bytes: header and report body of version 4, which is the shortest."""

_TDX = "{} is of Intel TDX, on a platform without public firmware: ldcat knows launch digests of AMD SEV only"
_TRIED = (
    "accepted are: a launch digest in hex or base64; an attestation report of 1,184 bytes, raw, in hex or base64, as "
    "JSON of the virtee crates or in an Azure HCL blob; LAUNCH_MEASURE data as printed by QMP or virsh domlaunchsecinfo"
)


def sniff(data: bytes, *, name: str = "this", with_tik: bool = False) -> Evidence:
    """Recognise and parse evidence, raw or as text.

    name: what errors call the input.
    with_tik: 32 or 48 bytes are a launch measurement, not a digest.

    Raises MalformedInput for input that has none of the forms, or is invalid. The error has nothing of the input: that
    may be a key, given by mistake.
    """
    if found := _binary(data):
        return found
    text = data.strip()
    if text.startswith(b"{"):
        return _json(text)
    if b"sev-measurement" in text:
        return _libvirt(text)
    value = _decoded(b"".join(text.split()))
    if with_tik and (len(value) in (MEASUREMENT_SIZE, MEASUREMENT_SIZE + NONCE_SIZE)):
        return Evidence("launch measurement", _measure_data(value))
    if len(value) in (SEV_DIGEST_SIZE, SNP_DIGEST_SIZE):
        return Evidence("launch digest", LaunchDigest(value))
    if found := _binary(value):
        return found
    raise MalformedInput(f"{name} is not a launch digest, an attestation report or LAUNCH_MEASURE data", _TRIED)


def sniff_digests(data: bytes, name: str) -> list[LaunchDigest]:
    """The launch digests of a text that has one a line, blank lines left out; or the one of a report.

    name: what errors call the input.

    Raises MalformedInput, which names the line, and UsageError for a launch measurement.
    """
    texts = data.decode("latin-1").splitlines()
    lines = [(number, text) for number, text in enumerate(texts, 1) if text.strip()]
    if len(lines) < 2 or not stated_digest(lines[0][1]):
        return [sniff(data, name=f"what {name} holds").digest]
    found = []
    for number, text in lines:
        digest = stated_digest(text)
        if digest is None:
            raise MalformedInput(f"{name}, line {number}, is not a launch digest", "write one digest a line")
        found.append(digest)
    return found


def stated_digest(text: str) -> LaunchDigest | None:
    """The launch digest that a text is; None for another text."""
    try:
        return LaunchDigest.parse(text)
    except MalformedInput:
        return None


def _binary(data: bytes) -> Evidence | None:
    """A raw report, alone, in a MSG_REPORT_RSP or in an Azure HCL blob; None for other input.

    Raises MalformedInput for an invalid report, and for one of Intel TDX. Source of its types: Intel TDX module ABI,
    REPORTTYPE; Intel TDX DCAP Quoting Library API, appendix 3 (quote header: version, key type, TEE type).
    """
    if _is_tdx_quote(data):
        raise MalformedInput(_TDX.format("this quote"))
    if data[:4] == _HCL_MAGIC:
        if data[_HCL_REPORT_AT : _HCL_REPORT_AT + 1] == bytes([_TDX_TYPE]):
            raise MalformedInput(_TDX.format("the report in this Azure HCL blob"))
        report = data[_HCL_REPORT_AT : _HCL_REPORT_AT + REPORT_SIZE]
        return Evidence(HCL_FORM, AttestationReport.parse(report))
    if len(data) >= _RESPONSE_REPORT_AT + REPORT_SIZE and data[:8] == bytes(4) + REPORT_SIZE.to_bytes(4, "little"):
        report = data[_RESPONSE_REPORT_AT : _RESPONSE_REPORT_AT + REPORT_SIZE]
        return Evidence("attestation report in a MSG_REPORT_RSP", AttestationReport.parse(report))
    if len(data) == REPORT_SIZE and data[1:4] == bytes(3):  # a version; no text has such bytes
        return Evidence("attestation report", AttestationReport.parse(data))
    return None


def _is_tdx_quote(data: bytes) -> bool:
    version, tee_type = int.from_bytes(data[:2], "little"), int.from_bytes(data[4:8], "little")
    return len(data) >= _TDX_QUOTE_SIZE and version in _TDX_QUOTE_VERSIONS and tee_type == _TDX_TYPE


def _decoded(text: bytes) -> bytes:
    """Bytes from hex or canonical base64; empty for anything else."""
    if match := _HEX.fullmatch(text):
        return bytes.fromhex(match.group(1).decode("ascii"))
    return _from_base64(text)


def _from_base64(text: bytes) -> bytes:
    try:
        value = base64.b64decode(text, validate=True)
    except binascii.Error:
        return b""
    return value if base64.b64encode(value) == text else b""


def _json(text: bytes) -> Evidence:
    """One object, or several concatenated, as in a QMP session."""
    merged: dict[str, Any] = {}
    for value in _json_objects(text):
        for key in _MEASURED & value.keys() & merged.keys():
            if merged[key] != value[key]:
                raise MalformedInput(f"this JSON has two different values of {key}")
        merged |= value
    if is_report_json(merged):
        return Evidence("attestation report", parse_report_json(merged))
    if "data" in merged:
        wanted = {name: merged.get(name.replace("_", "-")) for name in ("api_major", "api_minor", "build_id", "policy")}
        if any(value is not None and type(value) is not int for value in wanted.values()):
            raise MalformedInput("an API version, build id or policy in this JSON is not a number")
        measured = _from_base64(str(merged["data"]).encode("utf-8", "replace"))
        return Evidence("launch measurement", _measure_data(measured).completed(wanted))
    raise MalformedInput("this JSON is neither an attestation report nor LAUNCH_MEASURE data", _TRIED)


def _json_objects(text: bytes) -> Iterator[dict[str, Any]]:
    """The objects, without the wrappings of QMP and of reports."""
    try:
        decoded, decoder, at, count = text.decode("utf-8"), json.JSONDecoder(object_pairs_hook=_object), 0, 0
        while at < len(decoded):
            value, at = decoder.raw_decode(decoded, at)
            at = _BLANKS.match(decoded, at).end()  # type: ignore[union-attr]  # it always matches
            if (count := count + 1) > MAX_OBJECTS:
                raise MalformedInput(f"this JSON has more than {MAX_OBJECTS} objects", _TRIED)
            for wrapping in ("return", "attestation_report"):
                if isinstance(value, dict) and isinstance(value.get(wrapping), dict):
                    value = value[wrapping]
            if not isinstance(value, dict):
                raise MalformedInput("this JSON is not an object", _TRIED)
            yield value
    except (ValueError, RecursionError) as error:  # ValueError: also text that is not UTF-8
        raise MalformedInput(f"this looks like JSON, but is invalid: {error}", _TRIED) from error


def _object(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) < len(pairs):
        raise ValueError("an object has a key twice")
    return found


def _libvirt(text: bytes) -> Evidence:
    """Lines of virsh domlaunchsecinfo, each with a name and a value."""
    lines = (_LIBVIRT_LINE.fullmatch(line) for line in text.decode("utf-8", "replace").splitlines() if line.strip())
    pairs = [match.groups() for match in lines if match]
    found: dict[str, str] = dict(pairs)  # type: ignore[arg-type]
    if len(found) < len(pairs):
        raise MalformedInput("domlaunchsecinfo has a name twice")
    try:
        numbers = {
            name.replace("-", "_"): int(found[f"sev-{name}"], 10)
            for name in ("api-major", "api-minor", "build-id", "policy")
            if f"sev-{name}" in found
        }
    except ValueError as error:
        raise MalformedInput("an API version, build id or policy of domlaunchsecinfo is not a number") from error
    value = _from_base64(found.get("sev-measurement", "").encode("utf-8"))
    return Evidence("launch measurement", _measure_data(value).completed(numbers))


def _measure_data(value: bytes) -> LaunchMeasureData:
    """The measurement and, if present, the nonce behind it."""
    if len(value) not in (MEASUREMENT_SIZE, MEASUREMENT_SIZE + NONCE_SIZE):
        raise MalformedInput(
            "the launch measurement is not 32 or 48 bytes in base64: a measurement, or one with its nonce"
        )
    return LaunchMeasureData(value[:MEASUREMENT_SIZE], value[MEASUREMENT_SIZE:] or None)
