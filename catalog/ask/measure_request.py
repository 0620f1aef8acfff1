"""A configuration to measure, as given on the command line or in a line of a batch."""

from __future__ import annotations

from typing import Any

import msgspec

from catalog.abi.vcpu import VcpuSignature
from catalog.errors import MalformedRecord, UsageError
from catalog.rows.numbers import Number, parse_number
from catalog.spec import embedded
from catalog.wire import Wire

MAX_LINE = 4 << 20
"""Bytes: limit for one line of a batch."""

MAX_NESTING = 32
"""Limit for nested lists and objects in a field that is only passed through."""


class Request(Wire, frozen=True):
    """One configuration, with the fields of a line of a batch. Fields that the technology does not measure may be null.

    firmware: build name, SHA-256 or path.
    kernel, initrd: paths; with kernel_sha256 or initrd_sha256 they are only labels, and are not read.
    append: the text of -append.
    vcpu_signature, sev_features: integers, or text in 0x-hex.
    launch_digest to id: not read. The first ones are what an answer adds; the others are passed through.
    """

    technology: str
    firmware: str
    firmware_sha256: str | None = None
    kernel_hashes: str | None = None
    kernel: str | None = None
    kernel_sha256: str | None = None
    initrd: str | None = None
    initrd_sha256: str | None = None
    append: str | None = None
    cmdline_sha256: str | None = None
    vmm: str | None = None
    vcpus: int | None = None
    vcpu_type: str | None = None
    vcpu_signature: Number | None = None
    sev_features: Number | None = None
    launch_digest: Any = None
    launchable: Any = None
    kernel_hashes_enforced: Any = None
    policy: Any = None
    id_block_digest: Any = None
    notes: Any = None
    error: Any = None
    hint: Any = None
    line: Any = None
    source: Any = None
    note: Any = None
    id: Any = None


def parse_request(line: bytes) -> Request:
    """The request in one line of a batch; raises MalformedRecord if the line is invalid."""
    return request_from(parse_fields(line))


def parse_fields(line: bytes) -> dict[str, Any]:
    """The fields of one line of a batch, with any names. Raises MalformedRecord if it is not a JSON object."""
    if len(line) > MAX_LINE:
        raise MalformedRecord(f"the line has more than {MAX_LINE} bytes")
    try:
        fields = msgspec.json.decode(line)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        raise MalformedRecord(f"not JSON: {error}") from error
    if not isinstance(fields, dict):
        raise MalformedRecord("not a JSON object")
    values = list(fields.values())
    for _ in range(MAX_NESTING):
        values = [inner for value in values for inner in _inside(value)]
    if values:
        raise MalformedRecord(f"nested more than {MAX_NESTING} deep")
    return fields


def request_from(fields: dict[str, Any]) -> Request:
    """The request with these fields. Raises MalformedRecord if a field is unknown, missing or invalid."""
    try:
        return msgspec.convert(fields, Request)
    except msgspec.ValidationError as error:
        raise MalformedRecord(f"{error}"[:1].lower() + f"{error}"[1:]) from error


def _inside(value: Any) -> list[Any]:
    if isinstance(value, dict):
        return list(value.values())
    return value if isinstance(value, list) else []


def signature_of(request: Request) -> VcpuSignature | None:
    """The vCPU signature from a name, a number, or both; raises UsageError if they differ."""
    named = None if request.vcpu_type is None else embedded.vcpu_types().signature(request.vcpu_type)
    if request.vcpu_signature is None:
        return named
    given = VcpuSignature(parse_number(request.vcpu_signature))
    if named is not None and named != given:
        raise UsageError(f"{request.vcpu_type} has the vCPU signature {named}, not {given}")
    return given
