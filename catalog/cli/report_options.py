"""Options of `lookup` and `explain` that demand something of an attestation report: verification, time, TCB, fields."""

from __future__ import annotations

import re
import sys
import time
from pathlib import Path
from typing import Annotated

from catalog.ask.evidence_files import read_id_key
from catalog.cli.declare.declared import Option
from catalog.cli.options import named_path
from catalog.endorse.report_checks import HOST_DATA_SIZE, REPORT_DATA_SIZE, MinTcb, ReportChecks, parse_bytes
from catalog.errors import UsageError

_REPORT = "Attestation reports (SEV-SNP) and quotes (TDX)"
_DEMANDS = "What a key broker demands of a report (exit code 4 otherwise)"

CrlOption = Annotated[
    Path | None,
    Option(
        "--crl",
        parser=named_path,
        metavar="FILE",
        help="AMD's certificate revocation list, in DER or PEM: refuse a chain whose ASK, ASVK or ARK is in it. "
        "For a quote, Intel's list for PCK certificates or for its CAs.",
        rich_help_panel=_REPORT,
    ),
]
AtOption = Annotated[
    str | None,
    Option(
        "--at",
        metavar="TIME",
        help="Time at which certificates and CRL have to be valid, instead of now: for an archived report. "
        "2026-06-01T00:00:00Z, or seconds since 1970.",
        rich_help_panel=_REPORT,
    ),
]
RequireVerifiedOption = Annotated[
    bool,
    Option(
        "--require-verified",
        help="Exit code 4 unless the evidence is verified: a report up to AMD's root, or one given with --root, in all "
        "its parts; a quote up to Intel's root, with current collateral and a TCB that is up to date, of a TD without "
        "debug mode; a launch measurement by its TIK. The answer is printed all the same.",
        rich_help_panel=_DEMANDS,
    ),
]
MinTcbOption = Annotated[
    str | None,
    Option(
        metavar="TCB",
        help="Least reported TCB, part by part: bootloader=3,tee=0,snp=8,microcode=115, or 16 hex digits.",
        rich_help_panel=_DEMANDS,
    ),
]
ReportDataOption = Annotated[
    str | None,
    Option(metavar="HEX", help="REPORT_DATA, 64 bytes, such as a nonce; also of a quote.", rich_help_panel=_DEMANDS),
]
HostDataOption = Annotated[str | None, Option(metavar="HEX", help="HOST_DATA, 32 bytes.", rich_help_panel=_DEMANDS)]
IdKeyOption = Annotated[
    str | None,
    Option(
        metavar="HEX|FILE",
        help="The key that signed the ID block: its digest, 48 bytes, or the public key on P-384 in PEM or DER.",
        rich_help_panel=_DEMANDS,
    ),
]

_RFC_3339 = re.compile(
    r"[0-9]{4}-[0-9]{2}-[0-9]{2}[Tt][0-9]{2}:[0-9]{2}:[0-9]{2}(\.[0-9]{1,6})?([Zz]|[+-][0-9]{2}:[0-9]{2})"
)
_SECONDS = 12
"""Digits of seconds since 1970: until the year 33658."""


def report_checks(
    *, min_tcb: str | None, policy: int | None, report_data: str | None, host_data: str | None, id_key: str | None
) -> ReportChecks | None:
    """The checks that are demanded; None if there are none. Raises UsageError, and the errors of `read_id_key`."""
    checks = ReportChecks(
        min_tcb=None if min_tcb is None else MinTcb.parse(min_tcb),
        policy=policy,
        report_data=None if report_data is None else parse_bytes(report_data, REPORT_DATA_SIZE, "--report-data"),
        host_data=None if host_data is None else parse_bytes(host_data, HOST_DATA_SIZE, "--host-data"),
        id_key_digest=None if id_key is None else read_id_key(id_key, sys.stdin.buffer),
    )
    return checks or None


def parse_time(text: str) -> float:
    """A time in seconds since 1970, of that number or of RFC 3339; raises UsageError for anything else."""
    from datetime import datetime

    if text.isascii() and text.isdigit() and len(text) <= _SECONDS:
        return int(text)
    try:
        if _RFC_3339.fullmatch(text):
            return datetime.fromisoformat(text).timestamp()
    except ValueError:  # no such date
        pass
    raise UsageError(f"{text[:40]!r} is not a time", "such as 2026-06-01T00:00:00Z, or seconds since 1970")


def now_or(at: str | None) -> float:
    """The time at which certificates have to be valid."""
    return time.time() if at is None else parse_time(at)
