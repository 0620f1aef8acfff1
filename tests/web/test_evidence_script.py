"""The script that parses evidence in the browser, compared with the parser of the command line."""

from __future__ import annotations

import json
from typing import Any

from catalog.abi.digest import LaunchDigest
from catalog.abi.guest_policy import SevPolicy
from catalog.abi.report import AttestationReport
from catalog.ask.evidence_notes import report_notes, sev_policy_notes
from catalog.build.builder import BuildResult
from catalog.errors import LdcatError
from catalog.evidence.evidence import LaunchMeasureData
from catalog.evidence.sniff import sniff
from tests.support.attestation_builder import report_bytes
from tests.support.browsers import Watched
from tests.support.catalogs import rows_of
from tests.support.report_json import as_json
from tests.support.services import Service


def test_evidence_is_parsed_as_on_the_command_line(seen: Watched, served: Service, small: BuildResult) -> None:
    """Both get the same original and mutated bytes, and accept the same inputs with the same digest."""
    digest = bytes.fromhex(next(digest.hex() for inputs, digest in rows_of(small).items() if inputs[0] == "sev-snp"))
    raw, vlek = report_bytes(measurement=digest, policy=0x30000), report_bytes(measurement=digest, key_info=1 << 2)
    samples = [
        *(raw, raw.hex().encode(), b"0x" + raw.hex().upper().encode(), b"HCLA" + bytes(28) + raw + b"more"),
        *(b"\4\0\2\0\x81\0\0\0" + bytes(624), b"HCLA" + bytes(28) + b"\x81" + bytes(1183)),
        *(bytes(4) + (1184).to_bytes(4, "little") + bytes(24) + raw, raw[:-1], b"\x09" + raw[1:], bytes(1184)),
        *(
            digest.hex().encode(),
            b" 0X" + digest.hex().encode() + b"\n",
            digest[:32].hex().encode(),
            digest[:20].hex().encode(),
        ),
        *(
            b"",
            b"x",
            b"0x",
            b"AAAA",
            b"A" * 43 + b"=",
            b"A" * 43,
            b"A" * 64,
            b"\xff\xfe",
            "\u00e9".encode(),
            b"{",
            b"{}",
            b"[]",
        ),
        *(
            json.dumps(as_json(raw, hexadecimal=True, old=False)).encode(),
            json.dumps(as_json(raw, hexadecimal=False, old=True)).encode(),
            json.dumps({"report": 1}).encode(),
            *(json.dumps(as_json(vlek, hexadecimal=True, old=old)).encode() for old in (False, True)),
            vlek,
        ),
        *(b'{"return": {"data": "' + b"A" * 64 + b'"}}', b'{"data": "AA=="}', b'{"data": 5}'),
        b'{"return": {"data": "' + b"A" * 64 + b'"}}\n{"return": {"policy": 1}}',
        *(b"sev-measurement: " + b"A" * 64 + b"\nsev-policy: 1\n", b"sev-measurement: AA\n"),
    ]
    seen.page.goto(f"{served.url}/")
    script = seen.page.locator("script[type=module]").get_attribute("src")
    for sample in samples:
        found = seen.page.evaluate(
            """async ([module, bytes]) => {
                const { sniff } = await import(new URL(module, document.baseURI));
                try {
                    const { digest, notes, measured } = sniff(Uint8Array.from(bytes));
                    return { digest, notes, measured };
                } catch (error) {
                    return error.message;
                }
            }""",
            [str(script).replace("page.js", "evidence.js"), list(sample)],
        )
        assert found == expected(sample) or (isinstance(found, str) and expected(sample) is None), sample[:80]


def expected(sample: bytes) -> dict[str, Any] | None:
    """The expected digest; None if the input is refused."""
    try:
        value = sniff(sample).value
    except LdcatError:
        return None
    if isinstance(value, LaunchMeasureData):
        notes = [] if value.policy is None else sev_policy_notes(SevPolicy.parse(value.policy))
        return {"digest": None, "notes": notes, "measured": True}
    if isinstance(value, LaunchDigest):
        return {"digest": value.hex(), "notes": [], "measured": False}
    notes = report_notes(value) if isinstance(value, AttestationReport) else []
    return {"digest": value.measurement.hex(), "notes": notes, "measured": False}
