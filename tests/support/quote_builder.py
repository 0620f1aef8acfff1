"""TDX quotes, TDREPORTs and collateral, with keys of the tests."""

from __future__ import annotations

import base64
import hashlib
import json
from datetime import UTC, datetime, timedelta
from typing import Any

from catalog.abi.tdx.quote import INTEL_QE
from catalog.endorse.tdx.quoting_enclave import INTEL_SIGNER
from tests.support.certificate_builder import NOW, pem
from tests.support.intel_certificates import (
    COMPONENTS,
    FMSPC,
    PCE_SVN,
    PCK,
    SIGNING,
    p256_key,
    pck,
    platform_ca,
    raw_point,
    raw_signature,
    root,
)

MRTD = bytes(range(48))
REPORT_DATA = bytes(range(64))
SEPT_VE_DISABLE = 1 << 28
XFAM = 0x602E7
TEE_TCB_SVN = bytes((6, 1, 3)) + bytes(13)
AUTH_DATA = bytes(range(32))
ATTESTATION_KEY = "attestation key"


def le(value: int, size: int) -> bytes:
    return value.to_bytes(size, "little")


def td_report(*, attributes: int = SEPT_VE_DISABLE, xfam: int = XFAM, mrtd: bytes = MRTD, is_15: bool = False) -> bytes:
    """The body of a quote; of TDX 1.5 if asked for."""
    rtmrs = b"".join(bytes([number + 1]) * 48 for number in range(4))
    raw = b"".join(
        (TEE_TCB_SVN, b"\x5b" * 48, bytes(48), bytes(8), le(attributes, 8), le(xfam, 8), mrtd, bytes(3 * 48), rtmrs)
    )
    return raw + REPORT_DATA + (TEE_TCB_SVN + bytes(48) if is_15 else b"")


def qe_report(
    *,
    auth_data: bytes = AUTH_DATA,
    signer: bytes = INTEL_SIGNER,
    product: int = 2,
    svn: int = 6,
    attributes: int = 0x11,
) -> bytes:
    """A report of the QE that has ATTESTATION_KEY."""
    raw = bytearray(384)
    raw[48] = attributes
    raw[128:160] = signer
    raw[256:260] = le(product, 2) + le(svn, 2)
    raw[320:352] = hashlib.sha256(raw_point(p256_key(ATTESTATION_KEY)) + auth_data).digest()
    return bytes(raw)


def pck_chain() -> bytes:
    """The certificates of a quote, in PEM."""
    return b"".join(pem(one.der) for one in (pck(), platform_ca(), root()))


def signature_data(
    signed: bytes,
    *,
    report: bytes | None = None,
    auth_data: bytes = AUTH_DATA,
    kind: int = 6,
    inner_kind: int = 5,
    chain: bytes | None = None,
) -> bytes:
    """What is behind the body of a quote, without its length."""
    enclave = qe_report() if report is None else report
    certificates = pck_chain() if chain is None else chain
    certified = b"".join(
        (
            enclave,
            raw_signature(p256_key(PCK), enclave),
            le(len(auth_data), 2) + auth_data,
            le(inner_kind, 2) + le(len(certificates), 4) + certificates,
        )
    )
    key = p256_key(ATTESTATION_KEY)
    return raw_signature(key, signed) + raw_point(key) + le(kind, 2) + le(len(certified), 4) + certified


def quote(body: bytes | None = None, *, version: int = 4, body_type: int | None = None, **signature: Any) -> bytes:
    """A whole quote. signature: as of `signature_data`."""
    body = td_report() if body is None else body
    header = le(version, 2) + le(2, 2) + le(0x81, 4) + bytes(4) + INTEL_QE + bytes(20)
    kind = body_type or (3 if len(body) > 584 else 2)
    signed = header + (b"" if version == 4 else le(kind, 2) + le(len(body), 4)) + body
    data = signature_data(signed, **signature)
    return signed + le(len(data), 4) + data


def tdreport(*, version: int = 0) -> bytes:
    """A TDREPORT of the TD of `td_report`."""
    body = td_report()
    raw = bytearray(1024)
    raw[0], raw[2] = 0x81, version
    raw[0x80:0xC0] = REPORT_DATA
    raw[0x108:0x118], raw[0x118:0x180] = TEE_TCB_SVN, body[16:120]
    raw[0x200:0x390] = body[120:520]
    return bytes(raw)


def go_quote(raw: bytes) -> dict[str, Any]:
    """A quote as protobuf's JSON of go-tdx-guest has it."""
    at = 48 if raw[0] == 4 else 54
    size = 584 if raw[0] == 4 else int.from_bytes(raw[50:54], "little")
    body, data = raw[at : at + size], raw[at + size + 4 :]

    def text(value: bytes) -> str:
        return base64.b64encode(value).decode()

    sizes = {"teeTcbSvn": 16, "mrSeam": 48, "mrSignerSeam": 48, "seamAttributes": 8, "tdAttributes": 8, "xfam": 8,
        "mrTd": 48, "mrConfigId": 48, "mrOwner": 48, "mrOwnerConfig": 48, "rtmrs": 192, "reportData": 64,
        "teeTcbSvn2": 16, "mrServiceTd": 48}  # fmt: skip
    fields: dict[str, Any] = {}
    start = 0
    for name, length in sizes.items():
        part = body[start : start + length]
        start += length
        if part:
            fields[name] = [text(part[of : of + 48]) for of in range(0, 192, 48)] if name == "rtmrs" else text(part)
    enclave, auth = data[134 : 134 + 384], int.from_bytes(data[582:584], "little")
    names = {"cpuSvn": (0, 16), "reserved1": (20, 48), "attributes": (48, 64), "mrEnclave": (64, 96),
        "reserved2": (96, 128), "mrSigner": (128, 160), "reserved3": (160, 256), "reserved4": (260, 320),
        "reportData": (320, 384)}  # fmt: skip
    report: dict[str, Any] = {name: text(enclave[slice(*where)]) for name, where in names.items()}
    report |= {"isvProdId": enclave[256], "isvSvn": enclave[258]}
    inner = 584 + auth
    found: dict[str, Any] = {
        "header": {
            "version": raw[0],
            "attestationKeyType": 2,
            "teeType": 0x81,
            "qeSvn": text(raw[10:12]),
            "pceSvn": text(raw[8:10]),
            "qeVendorId": text(raw[12:28]),
            "userData": text(raw[28:48]),
        },
        "signedDataSize": len(data),
        "signedData": {
            "signature": text(data[:64]),
            "ecdsaAttestationKey": text(data[64:128]),
            "certificationData": {
                "certificateDataType": 6,
                "size": len(data) - 134,
                "qeReportCertificationData": {
                    "qeReport": report,
                    "qeReportSignature": text(data[518:582]),
                    "qeAuthData": {"parsedDataSize": auth, "data": text(data[584:inner])},
                    "pckCertificateChainData": {
                        "certificateDataType": 5,
                        "size": len(data) - inner - 6,
                        "pckCertChain": text(data[inner + 6 :]),
                    },
                },
            },
        },
    }
    if raw[0] == 4:
        return {**found, "tdQuoteBody": fields}
    kind = int.from_bytes(raw[48:50], "little")
    described = {"tdQuoteBodyType": kind, "tdQuoteBodySize": len(body), "tdQuoteBodyV5": fields}
    return {**found, "tdQuoteBodyDescriptor": described}


def day(offset: int) -> str:
    """A time so many days after NOW, as the PCS writes it."""
    return (datetime.fromtimestamp(NOW, UTC) + timedelta(days=offset)).strftime("%Y-%m-%dT%H:%M:%SZ")


def level(status: str = "UpToDate", **tcb: Any) -> dict[str, Any]:
    return {"tcb": tcb, "tcbDate": "2026-01-01T00:00:00Z", "tcbStatus": status}


def tcb_level(
    status: str = "UpToDate", *, sgx: Any = COMPONENTS, tdx: Any = (5, 0, 3, *bytes(13)), pce: int = PCE_SVN
) -> Any:
    return level(
        status,
        sgxtcbcomponents=[{"svn": svn} for svn in sgx],
        tdxtcbcomponents=[{"svn": svn} for svn in tdx],
        pcesvn=pce,
    )


def module(**changes: Any) -> dict[str, Any]:
    """The identity of a TDX module, without its id and levels."""
    return {"mrsigner": "00" * 48, "attributes": "00" * 8, "attributesMask": "FF" * 8, **changes}


def tcb_info(**changes: Any) -> dict[str, Any]:
    return {
        "id": "TDX",
        "version": 3,
        "issueDate": day(-10),
        "nextUpdate": day(20),
        "fmspc": FMSPC.hex().upper(),
        "pceId": "0000",
        "tdxModule": module(),
        "tdxModuleIdentities": [{"id": "TDX_01", **module(), "tcbLevels": [level(isvsvn=4)]}],
        "tcbLevels": [tcb_level()],
        **changes,
    }


def qe_identity(**changes: Any) -> dict[str, Any]:
    return {
        "id": "TD_QE",
        "version": 2,
        "issueDate": day(-10),
        "nextUpdate": day(20),
        "miscselect": "00000000",
        "miscselectMask": "FFFFFFFF",
        "attributes": "11" + "00" * 15,
        "attributesMask": "FBFFFFFFFFFFFFFF0000000000000000",
        "mrsigner": INTEL_SIGNER.hex(),
        "isvprodid": 2,
        "tcbLevels": [level(isvsvn=4)],
        **changes,
    }


def pcs_answer(fields: dict[str, Any], signer: str = SIGNING) -> bytes:
    """A document as the PCS answers with it."""
    name = "tcbInfo" if fields.get("id") == "TDX" else "enclaveIdentity"
    body = json.dumps(fields, separators=(",", ":"))
    return f'{{"{name}":{body},"signature":"{raw_signature(p256_key(signer), body.encode()).hex()}"}}'.encode()
