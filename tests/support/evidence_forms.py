"""A sample of every form of evidence, as other tools write it, around one report or digest."""

from __future__ import annotations

import base64
import json
from typing import Any

from tests.support.attestation_builder import certificate_table, report_bytes, signed
from tests.support.event_logs import booted, event_log
from tests.support.report_json import as_json

DIGEST = bytes(range(48))
SEV_DIGEST = bytes(range(100, 132))
REPORT = signed(report_bytes(measurement=DIGEST))
VCEK, ASK, ARK = (bytes.fromhex(guid) for guid in ("63da758de6644564adc5f4b93be8accd",
    "4ab7b379bbac4fe4a02f05aef327c782", "c0b406a4a803495297433fb6014cd0ae"))  # fmt: skip
CERTIFICATES = (b"\x30\x03VCEK", b"\x30\x02ASK", b"\x30\x02ARK")
"""Not certificates, but as long as nothing verifies them they need only begin as such."""

TABLE = certificate_table(dict(zip((VCEK, ASK, ARK), CERTIFICATES, strict=True)))
HCL = b"HCLA" + bytes(28) + REPORT + bytes(20) + b'{"keys":[]}'
RESPONSE = bytes(4) + (1184).to_bytes(4, "little") + bytes(24) + REPORT
SEV_REPORT = bytes(16) + SEV_DIGEST + b"\1\0\0\0\2\x10\0\0\2\0\0\0" + bytes(4) + bytes(144)
SEV_ES_REPORT = SEV_REPORT[:0x30] + b"\5\0\0\0" + SEV_REPORT[0x34:]
ID_BLOCK = DIGEST + b"family".ljust(16) + b"image".ljust(16) + b"\1\0\0\0\7\0\0\0" + (0x30000).to_bytes(8, "little")
SCALE = b"\0\3\x81\x12" + REPORT + bytes([4 * 3]) + b"".join(bytes([4 * len(one)]) + one for one in CERTIFICATES)


def base64url(data: bytes) -> str:
    return base64.urlsafe_b64encode(data).decode().rstrip("=")


def standard(data: bytes) -> str:
    return base64.b64encode(data).decode()


def pem(data: bytes) -> str:
    return f"-----BEGIN CERTIFICATE-----\n{standard(data)}\n-----END CERTIFICATE-----\n"


PEM = "".join(map(pem, CERTIFICATES))


def xxd(data: bytes) -> str:
    """As xxd prints it: groups of two bytes, and the text."""
    lines = []
    for at in range(0, len(data), 16):
        row = data[at : at + 16]
        groups = " ".join(row[pair : pair + 2].hex() for pair in range(0, len(row), 2))
        lines.append(f"{at:08x}: {groups:<39}  {_printed(row)}\n")
    return "".join(lines)


def hexdump(data: bytes) -> str:
    """As `hexdump -C` prints it, repeated lines as `*`."""
    return _dump(data, lambda at, row: f"{at:08x}  {row[:8].hex(' ')}  {row[8:].hex(' ')}  |{_printed(row)}|", "08x")


def od(data: bytes, offset: str = "07o") -> str:
    """As `od -t x1` prints it, repeated lines as `*`. offset: format of the offsets, `06x` for -A x."""
    return _dump(data, lambda at, row: f"{at:{offset}} {row.hex(' ')}", offset)


def _dump(data: bytes, line: Any, offset: str) -> str:
    lines: list[str] = []
    before = b""
    for at in range(0, len(data), 16):
        row = data[at : at + 16]
        if row == before:
            if lines[-1] != "*":
                lines.append("*")
            continue
        lines.append(line(at, row))
        before = row
    return "\n".join([*lines, f"{len(data):{offset}}"]) + "\n"


def _printed(row: bytes) -> str:
    return "".join(chr(byte) if 32 <= byte < 127 else "." for byte in row)


def hex_lines(data: bytes, *, upper: bool = False) -> str:
    lines = "\n".join(data[at : at + 16].hex(" ") for at in range(0, len(data), 16))
    return lines.upper() if upper else lines


def snpguest_text(*, upper: bool = False) -> str:
    """The start of what `snpguest display report` prints: before version 7 of sev in lower case."""
    return (
        f"Attestation Report:\n\nVersion:                      3\n\nGuest SVN:                    0\n\n"
        f"Guest Policy (0x30000):\n  ABI Major:     0\n\nFamily ID:\n{hex_lines(bytes(16))}\n\nVMPL:              0\n\n"
        f"Report Data:\n{hex_lines(bytes(64))}\n\nMeasurement:\n{hex_lines(DIGEST, upper=upper)}\n\n"
        f"Host Data:\n{hex_lines(bytes(32))}\n\nID Key Digest:\n{hex_lines(bytes(range(1, 49)), upper=upper)}\n\n"
    )


def amd_text() -> str:
    """The start of what AMD's sev-guest-parse-report prints."""
    return (
        f"Version: 2\nGuest SVN: 0\nPolicy: 0x30000\n - Debugging Allowed:       No\nVMPL: 0\n"
        f"Measurement:\n    {DIGEST.hex()[:48]}\n    {DIGEST.hex()[48:]}\nHost Data:\n    {bytes(32).hex()}\n"
        f"ID Key Digest:\n    {bytes(24).hex()}\n    {bytes(24).hex()}\n"
    )


def igvmmeasure_text() -> str:
    return f"{'=' * 40}\nigvmmeasure 'svsm.igvm'\nLaunch Digest: {DIGEST.hex().upper()}\n{'=' * 40}\n"


def virtee(**more: object) -> dict[str, Any]:
    """Evidence of Trustee's snp: the report, and the certificates with their kinds."""
    kinds = ("VCEK", "ASK", "ARK")
    chain: list[Any] = [{"cert_type": kind, "data": list(one)} for kind, one in zip(kinds, CERTIFICATES, strict=True)]
    chain.append({"cert_type": {"OTHER": "ecae0c0f-9502-43b1-afa2-0ae2e0d565b6"}, "data": [48, 0]})
    return {"attestation_report": as_json(REPORT, hexadecimal=False, old=False), "cert_chain": chain, **more}


def go_attestation() -> dict[str, Any]:
    """The JSON of protobuf's Attestation of go-sev-guest: 64-bit numbers are texts, bytes are base64."""

    def number(at: int) -> str:
        return str(int.from_bytes(REPORT[at : at + 8], "little"))

    family, model, stepping = REPORT[0x188:0x18B]
    report = {
        "version": REPORT[0],
        "guestSvn": REPORT[4],
        "policy": number(0x08),
        "familyId": standard(REPORT[0x10:0x20]),
        "imageId": standard(REPORT[0x20:0x30]),
        "signatureAlgo": REPORT[0x34],
        "currentTcb": number(0x38),
        "platformInfo": number(0x40),
        "signerInfo": int.from_bytes(REPORT[0x48:0x4C], "little"),
        "reportData": standard(REPORT[0x50:0x90]),
        "measurement": standard(REPORT[0x90:0xC0]),
        "hostData": standard(REPORT[0xC0:0xE0]),
        "idKeyDigest": standard(REPORT[0xE0:0x110]),
        "authorKeyDigest": standard(REPORT[0x110:0x140]),
        "reportId": standard(REPORT[0x140:0x160]),
        "reportIdMa": standard(REPORT[0x160:0x180]),
        "reportedTcb": number(0x180),
        "chipId": standard(REPORT[0x1A0:0x1E0]),
        "committedTcb": number(0x1E0),
        **{name: REPORT[0x1E8 + at] for at, name in enumerate(("currentBuild", "currentMinor", "currentMajor"))},
        **{name: REPORT[0x1EC + at] for at, name in enumerate(("committedBuild", "committedMinor", "committedMajor"))},
        "launchTcb": number(0x1F0),
        "signature": standard(REPORT[0x2A0:]),
        "cpuid1eaxFms": (family - 15) << 20 | (model >> 4) << 16 | 15 << 8 | (model & 15) << 4 | stepping,
    }
    names = ("vcekCert", "askCert", "arkCert")
    chain = {name: standard(one) for name, one in zip(names, CERTIFICATES, strict=True)}
    return {"report": report, "certificateChain": chain}


def azure(version: int) -> dict[str, Any]:
    """Evidence of Trustee's az-snp-vtpm: version 0 has lists of numbers and PEM, later ones base64url."""
    if version == 0:
        quote: dict[str, Any] = {"message": [1], "pcrs": [[2]], "signature": [3]}
        return {"quote": quote, "report": list(HCL), "vcek": pem(CERTIFICATES[0])}
    quote = {"message": "01", "pcrs": ["02"], "signature": "03"}
    return {"version": version, "tpm_quote": quote, "hcl_report": base64url(HCL), "vcek": base64url(CERTIFICATES[0])}


def thim() -> dict[str, str]:
    """Certificates as Azure's THIM gives them."""
    return {"vcekCert": pem(CERTIFICATES[0]), "certificateChain": "".join(map(pem, CERTIFICATES[1:])), "tcbm": "DB18"}


def maa_claims(digest: bytes = DIGEST) -> dict[str, Any]:
    claims = {"x-ms-attestation-type": "sevsnpvm", "x-ms-sevsnpvm-launchmeasurement": digest.hex()}
    return {"iss": "https://maa.example", "x-ms-isolation-tee": {**claims, "x-ms-sevsnpvm-guestsvn": 2}}


def ear_claims(measurement: str, tee: str = "snp") -> dict[str, Any]:
    """An EAR of Trustee: `measurement` is hex for snp, and base64 for az-snp-vtpm."""
    evidence = {tee: {"measurement": measurement, "report_data": "00" * 64}, "init_data": "00" * 32}
    cpu = {"ear.status": "affirming", "ear.veraison.annotated-evidence": evidence}
    return {"eat_profile": "tag:github.com,2024:confidential-containers/Trustee", "submods": {"cpu0": cpu}}


def token(claims: dict[str, Any]) -> str:
    return ".".join(base64url(json.dumps(part).encode()) for part in ({"alg": "RS256"}, claims)) + ".c2lnbmF0dXJl"


def message_pack(value: object) -> bytes:
    """As rmp_serde writes the attestation of dstack: bytes are lists of numbers."""
    if isinstance(value, str):
        data = value.encode()
        return (bytes([0xA0 | len(data)]) if len(data) < 32 else b"\xd9" + bytes([len(data)])) + data
    if isinstance(value, bytes):
        return b"\xdc" + len(value).to_bytes(2, "big") + b"".join(map(message_pack, value))
    if isinstance(value, int):
        return bytes([value]) if value < 128 else b"\xcc" + bytes([value])
    if isinstance(value, list):
        return bytes([0x90 | len(value)]) + b"".join(map(message_pack, value))
    assert isinstance(value, dict)
    return bytes([0x80 | len(value)]) + b"".join(message_pack(one) for pair in value.items() for one in pair)


def dstack() -> dict[str, Any]:
    """Version 1 of the attestation of dstack."""
    data = {"report": REPORT, "cert_chain": list(CERTIFICATES), "mr_config": "{}"}
    return {"version": 1, "platform": {"kind": "sev-snp", "data": data}, "stack": {"kind": "dstack", "data": {}}}


def cbor(value: object) -> bytes:
    """The shortest CBOR of texts, bytes, small numbers, lists and objects."""
    if isinstance(value, int):
        return _head(0, value)
    if isinstance(value, bytes):
        return _head(2, len(value)) + value
    if isinstance(value, str):
        return _head(3, len(value.encode())) + value.encode()
    if isinstance(value, list):
        return _head(4, len(value)) + b"".join(map(cbor, value))
    assert isinstance(value, dict)
    return _head(5, len(value)) + b"".join(cbor(one) for pair in value.items() for one in pair)


def _head(major: int, number: int) -> bytes:
    if number < 24:
        return bytes([major << 5 | number])
    size = 1 if number < 256 else 2
    return bytes([major << 5 | 23 + size]) + number.to_bytes(size, "big")


def _json(value: object) -> bytes:
    return json.dumps(value).encode()


def samples() -> dict[str, bytes]:
    """Every form that is read, by a short name."""
    numbers = ", ".join(f"0x{byte:02x}" for byte in REPORT)
    tsm = {"provider": "sev_guest", "outblob": REPORT, "auxblob": TABLE}
    in_claims = {"report": {"measurement": bytes(48).hex(), "quote": base64url(REPORT)}}
    return {
        "digest-checksum": f"{DIGEST.hex()}  disk image.raw\n".encode(),
        "digest-sha384": f"sha384:{DIGEST.hex()}".encode(),
        "digest-sha256": f"SHA256:{SEV_DIGEST.hex()}".encode(),
        "digest-quoted": f'"{DIGEST.hex()}",\n'.encode(),
        "digest-base64url": base64url(b"\xff" * 48).encode(),
        "digest-unpadded": standard(SEV_DIGEST).rstrip("=").encode(),
        "digest-numbers": str(list(DIGEST)).encode(),
        "digest-colons": DIGEST.hex(":").encode(),
        "report-table": REPORT + TABLE,
        "report-empty-table": REPORT + bytes(24),
        "report-base64url": base64url(REPORT).encode(),
        "report-base64url-padded": base64.urlsafe_b64encode(REPORT) + b"\n",
        "report-base64-64": "\n".join(standard(REPORT)[at : at + 64] for at in range(0, 1580, 64)).encode(),
        "report-xxd": xxd(REPORT).encode(),
        "digest-xxd": xxd(DIGEST).encode(),
        "report-xxd-p": "\n".join(REPORT.hex()[at : at + 60] for at in range(0, 2368, 60)).encode(),
        "report-xxd-i": f"unsigned char a_bin[] = {{\n  {numbers}\n}};\nunsigned int a_bin_len = 1184;\n".encode(),
        "report-hex-64": "\n".join(REPORT.hex()[at : at + 64] for at in range(0, 2368, 64)).encode(),
        "report-c-array": f"{{{numbers},}}".encode(),
        "report-numbers": _json(list(REPORT)),
        "report-hexdump": hexdump(REPORT).encode(),
        "report-od": od(REPORT).encode(),
        "report-od-hex": od(REPORT, "06x").encode(),
        "report-scale": SCALE,
        "report-message-pack": message_pack(dstack()),
        "report-message-pack-hex": message_pack(dstack()).hex().encode(),
        "report-cbor": cbor(tsm),
        "report-tsm-json": _json({**tsm, "outblob": standard(REPORT), "auxblob": standard(TABLE)}),
        "report-trustee": _json(virtee()),
        "report-kbs": _json({"tee": "snp", "tee-evidence": virtee()}),
        "report-go": _json(go_attestation()),
        "report-azure-0": _json(azure(0)),
        "report-azure-1": _json(azure(1)),
        "report-azure-2": _json(azure(2)),
        "report-maa-request": _json({"report": base64url(_json({"SnpReport": base64url(REPORT), **thim()}))}),
        "report-ccf": _json({"evidence": standard(REPORT), "endorsements": standard(PEM.encode())}),
        "report-differs": _json(in_claims),
        "id-block": ID_BLOCK,
        "id-block-base64": standard(ID_BLOCK).encode(),
        "id-block-hex": ID_BLOCK.hex().encode(),
        "id-block-json": _json({"qom-type": "sev-snp-guest", "id": "sev0", "id-block": standard(ID_BLOCK)}),
        "sev-report": SEV_REPORT,
        "sev-es-report-base64": standard(SEV_ES_REPORT).encode(),
        "sev-report-qmp": _json({"return": {"data": standard(SEV_REPORT)}}),
        "text-snpguest": snpguest_text().encode(),
        "text-snpguest-upper": snpguest_text(upper=True).encode(),
        "text-amd": amd_text().encode(),
        "text-igvmmeasure": igvmmeasure_text().encode(),
        "text-alone": f"expected {DIGEST.hex()} here.\n".encode(),
        "text-twice": f"expected {DIGEST.hex()}, got {DIGEST.hex().upper()}.\n".encode(),
        "claims-maa": _json(maa_claims()),
        "claims-maa-token": token(maa_claims()).encode(),
        "claims-ear": _json(ear_claims(DIGEST.hex())),
        "claims-ear-token": token(ear_claims(standard(DIGEST), "az-snp-vtpm")).encode(),
        "claims-older-trustee": _json({"tcb-status": {"snp.measurement": standard(DIGEST)}}),
    }


def refused() -> dict[str, bytes]:
    """What is recognised, and refused, by a short name."""
    csv = {"attestation_report": {"data": [1], "flags": 0, "magic": [2]}, "cert_chain": {"pek": {}}}
    tdx = b"HCLA" + bytes(28) + b"\x81" + bytes(1183)
    return {
        "refused-two-lines": f"{DIGEST.hex()}\n{SEV_DIGEST.hex()}\n".encode(),
        "refused-two-in-text": f"expected {DIGEST.hex()}, got {bytes(48).hex()}".encode(),
        "refused-two-labels": (snpguest_text() + snpguest_text().replace("00 01 02", "ff 01 02")).encode(),
        "refused-two-claims": _json({"a": maa_claims(), "b": maa_claims(bytes(48))}),
        "refused-two-reports": _json({"report": standard(REPORT), "quote": standard(report_bytes())}),
        "refused-csv": _json(csv),
        "refused-igvm": b"IGVM" + bytes(100),
        "refused-event-log": event_log(booted()),
        "refused-thim": _json(thim()),
        "refused-go-metadata": _json({"MetadataItems": [], "ResetEIP": "0x80b004", "OVMFHash": DIGEST.hex()}),
        "refused-proof": _json({"format": "ldcat-proof/2", "revocations": [{"launch_digest": DIGEST.hex()}]}),
        "refused-azure-tdx": _json({"version": 1, "hcl_report": base64url(tdx)}),
        "refused-gap": xxd(REPORT).replace("00000010: ", "00000020: ").encode(),
        "refused-dump": xxd(DIGEST[:40]).encode(),
        "refused-token": token({"sub": "nobody"}).encode(),
        "refused-sha384-short": f"sha384:{SEV_DIGEST.hex()}".encode(),
        "refused-table": REPORT + TABLE[:40],
        "refused-scale": SCALE[:-1],
        "refused-half": DIGEST.hex()[:80].encode(),
    }
