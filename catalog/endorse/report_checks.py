"""ReportChecks: what a key broker demands of a report besides its signature; each has its own outcome.

Source: SEV-SNP ABI (56860), 7.3 (fields of a report) and 8.17 (the digest of an ID key); the checks are those of
go-sev-guest validate.
"""

from __future__ import annotations

from catalog.abi.ecdsa_p384 import EcdsaPublicKey
from catalog.abi.report import AttestationReport
from catalog.abi.tcb import TcbLayout, TcbVersion
from catalog.endorse.certificates import parse_public_key
from catalog.endorse.report_finding import Finding
from catalog.errors import UsageError
from catalog.values import Value

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from catalog.abi.tdx.td_report import TdReport

REPORT_DATA_SIZE, HOST_DATA_SIZE, KEY_DIGEST_SIZE = 64, 32, 48
TCB_PARTS = ("fmc", "bootloader", "tee", "snp", "microcode")


class MinTcb(Value):
    """The least TCB: either of the two. parts: the least number of a part. packed: a TCB version, 8 bytes."""

    parts: Mapping[str, int] | None = None
    packed: bytes | None = None

    @classmethod
    def parse(cls, text: str) -> MinTcb:
        """From `bootloader=3,snp=8`, or 16 hex digits: a 64-bit number, microcode first, as Azure's tcbm.

        Raises UsageError.
        """
        bare = text.removeprefix("0x")
        if len(bare) == 16 and _is_hex(bare):
            return cls(packed=bytes.fromhex(bare)[::-1])
        parts: dict[str, int] = {}
        for part in text.split(","):
            name, _, number = part.partition("=")
            name = name.strip()
            if name not in TCB_PARTS or name in parts or not (number.isascii() and number.isdigit()) or len(number) > 3:
                raise UsageError(
                    f"{text[:80]!r} is not a minimum TCB",
                    f"such as --min-tcb bootloader=3,snp=8; parts are {', '.join(TCB_PARTS)}; or 16 hex digits",
                )
            parts[name] = int(number)
            if parts[name] > 255:
                raise UsageError(f"{name} of the minimum TCB is above 255", "each part is one byte")
        return cls(parts=parts)

    def check(self, report: AttestationReport) -> Finding:
        """Whether each part of the reported TCB is at least that which is demanded."""
        tcb, layout = report.reported_tcb, report.tcb_layout
        if layout is None:
            return Finding("min-tcb", False, f"the reported TCB, {tcb}, cannot be compared")
        least = self.parts if self.packed is None else _unpacked(self.packed, layout)
        if least is None:
            return Finding("min-tcb", False, "the minimum TCB does not have the layout of the report's product")
        less = [
            f"{part} {_shown(getattr(tcb, part))} is below {number}"
            for part, number in least.items()
            if (getattr(tcb, part) is None) or getattr(tcb, part) < number
        ]
        demanded = ", ".join(f"{part} {number}" for part, number in least.items())
        return Finding("min-tcb", not less, "; ".join(less) or f"the reported TCB is at least {demanded}")


class ReportChecks(Value):
    """What is demanded of a report; None for what is not.

    policy: exactly these bits of the guest policy.
    report_data, host_data: 64 and 32 bytes.
    id_key_digest: SHA-384 of the public key that signed the ID block, as `id_key_digest` gives it.
    """

    min_tcb: MinTcb | None = None
    policy: int | None = None
    report_data: bytes | None = None
    host_data: bytes | None = None
    id_key_digest: bytes | None = None

    def __bool__(self) -> bool:
        return self != ReportChecks()

    def check(self, report: AttestationReport) -> Iterator[Finding]:
        """The outcome of each check that is demanded."""
        if self.min_tcb is not None:
            yield self.min_tcb.check(report)
        if self.policy is not None:
            same = report.policy_bits == self.policy
            wanted = "as demanded" if same else f"not {self.policy:#x}"
            yield Finding("policy", same, f"the guest policy is {report.policy_bits:#x}, {wanted}")
        yield from _compared("report-data", self.report_data, report.report_data, "REPORT_DATA")
        yield from _compared("host-data", self.host_data, report.host_data, "HOST_DATA")
        yield from _compared("id-key", self.id_key_digest, report.id_key_digest, "the digest of the ID key")

    @property
    def for_snp_alone(self) -> list[str]:
        """Names of what is demanded, and only a report of SEV-SNP has."""
        return [name for name in self.FIELDS if name != "report_data" and getattr(self, name) is not None]

    def check_td(self, report: TdReport) -> Iterator[Finding]:
        """The outcome of each check that is demanded of a TD."""
        yield from _compared("report-data", self.report_data, report.report_data, "REPORTDATA")


def _compared(code: str, wanted: bytes | None, found: bytes, name: str) -> Iterator[Finding]:
    """Whether bytes are as demanded; nothing if none are."""
    if wanted is not None:
        same = found == wanted
        yield Finding(code, same, f"{name} is {'' if same else 'not '}as demanded")


def parse_bytes(text: str, size: int, name: str) -> bytes:
    """Bytes in hex, of this size; raises UsageError. name: what errors call it."""
    bare = text.removeprefix("0x")
    if not _is_hex(bare) or len(bare) != 2 * size:
        raise UsageError(
            f"{name} needs {size} bytes in hex ({2 * size} digits), got {len(bare)} characters",
            "a shorter value is padded by whoever wrote it into the report: add the same bytes, usually zeros",
        )
    return bytes.fromhex(bare)


def id_key_digest(public_key: bytes) -> bytes:
    """The digest by which a report names an ID key, from the public key in PEM or DER: 48 bytes.

    SHA-384 of the 1,028 bytes that the firmware is given: the curve, then both coordinates, all little-endian.
    Raises MalformedInput for anything but a public key on P-384.
    """
    return EcdsaPublicKey.from_point(parse_public_key(public_key).point).digest()


def _unpacked(packed: bytes, layout: TcbLayout) -> dict[str, int] | None:
    """The parts of a packed TCB version; None if it does not have the layout."""
    if not layout.fits(packed):
        return None
    return {part: number for part, number in TcbVersion.parse(packed, layout).to_dict().items() if number is not None}


def _shown(number: int | None) -> str:
    return "(none)" if number is None else str(number)


def _is_hex(text: str) -> bool:
    return all(char in "0123456789abcdefABCDEF" for char in text)
