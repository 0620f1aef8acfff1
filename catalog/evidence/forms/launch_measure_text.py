"""LAUNCH_MEASURE data of a SEV or SEV-ES guest, as QMP or virsh prints them; also QMP's attestation report."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from catalog.abi.launch_measure import MEASUREMENT_SIZE, NONCE_SIZE
from catalog.errors import MalformedInput
from catalog.evidence.codings import BASE64, from_base64
from catalog.evidence.evidence import Evidence, LaunchMeasureData

_MEASURED = {"data", "api-major", "api-minor", "build-id", "policy"}
_NUMBERS = ("api-major", "api-minor", "build-id", "policy")
_MOST_DIGITS = 20
_LIBVIRT_LINE = re.compile(r"\s*(sev-[a-z-]+)\s*:\s*(\S+)\s*")


def read_qmp(objects: Sequence[Mapping[str, Any]], of_bytes: Callable[[bytes], Evidence | None]) -> Evidence | None:
    """`query-sev-launch-measure`, also with `query-sev`, or `query-sev-attestation-report`; None for other objects.

    of_bytes: reads an attestation report. Raises MalformedInput for two values of a field, and for invalid data.
    """
    merged: dict[str, Any] = {}
    for one in objects:
        for key in _MEASURED & one.keys() & merged.keys():
            if merged[key] != one[key]:
                raise MalformedInput(f"this JSON has two different values of {key}")
        merged |= one
    if "data" not in merged:
        return None
    data = _canonical(merged["data"] if isinstance(merged["data"], str) else "")
    if report := of_bytes(data):
        return report.read_from("JSON")
    wanted = {name.replace("-", "_"): merged.get(name) for name in _NUMBERS}
    if any(value is not None and type(value) is not int for value in wanted.values()):
        raise MalformedInput("an API version, build id or policy in this JSON is not a number")
    return Evidence("launch measurement", measure_data(data).completed(wanted))


def read_libvirt(text: str) -> Evidence:
    """Lines of virsh domlaunchsecinfo, each with a name and a value. Raises MalformedInput for invalid ones."""
    lines = (_LIBVIRT_LINE.fullmatch(line) for line in text.splitlines() if line.strip())
    pairs = [match.groups() for match in lines if match]
    found: dict[str, str] = dict(pairs)  # type: ignore[arg-type]
    if len(found) < len(pairs):
        raise MalformedInput("domlaunchsecinfo has a name twice")
    texts = {name.replace("-", "_"): found[f"sev-{name}"] for name in _NUMBERS if f"sev-{name}" in found}
    if not all(text.isascii() and text.isdecimal() and len(text) <= _MOST_DIGITS for text in texts.values()):
        raise MalformedInput("an API version, build id or policy of domlaunchsecinfo is not a number")
    numbers = {name: int(text) for name, text in texts.items()}
    value = _canonical(found.get("sev-measurement", ""))
    return Evidence("launch measurement", measure_data(value).completed(numbers))


def measure_data(value: bytes) -> LaunchMeasureData:
    """The measurement and, if present, the nonce behind it. Raises MalformedInput for another length."""
    if len(value) not in (MEASUREMENT_SIZE, MEASUREMENT_SIZE + NONCE_SIZE):
        raise MalformedInput(
            "the launch measurement is not 32 or 48 bytes in base64: a measurement, or one with its nonce"
        )
    return LaunchMeasureData(value[:MEASUREMENT_SIZE], value[MEASUREMENT_SIZE:] or None)


def _canonical(text: str) -> bytes:
    """The bytes of padded base64; empty for anything else."""
    found = from_base64(text) if len(text) % 4 == 0 else None
    return found[1] if found and found[0] == BASE64 else b""
