"""Evidence: what a guest owner has about a launch, and what is known of where it came from."""

from __future__ import annotations

from catalog.abi.digest import LaunchDigest
from catalog.abi.guest_policy import SevPolicy
from catalog.abi.id_block import IdBlock
from catalog.abi.report import AttestationReport
from catalog.abi.sev_attestation import SevAttestationReport
from catalog.errors import MalformedInput, UsageError
from catalog.values import Value, replace

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping
    from typing import Any

    from catalog.abi.tdx.quote import TdxQuote
    from catalog.abi.tdx.tdreport import Tdreport
    from catalog.notes import Note

BARE_DIGEST = "launch digest"
"""Form of a launch digest in hex."""

HCL_FORM = "attestation report in an Azure HCL blob"
"""How the form begins of a report that an Azure confidential VM has in its vTPM."""


class LaunchMeasureData(Value):
    """A launch measurement and what else its HMAC covers; None for a field that the input lacks.

    measurement: 32 bytes.
    nonce: 16 bytes.
    api_major, api_minor, build_id: version of the SEV firmware.
    policy: guest policy, 32 bits.
    """

    measurement: bytes
    nonce: bytes | None = None
    api_major: int | None = None
    api_minor: int | None = None
    build_id: int | None = None
    policy: int | None = None

    def completed(self, other: Mapping[str, Any]) -> LaunchMeasureData:
        """The same with fields from elsewhere; raises MalformedInput if a field has two different values."""
        given = {name: value for name, value in other.items() if value is not None}
        for name, value in given.items():
            if getattr(self, name) not in (None, value):
                raise MalformedInput(f"the launch measurement has another {name.replace('_', ' ')} than the one given")
        return replace(self, **given)

    @property
    def missing(self) -> list[str]:
        """Names of the fields that are still unknown."""
        return [name for name in self.FIELDS if getattr(self, name) is None]

    def technologies(self) -> list[str]:
        """Names of the technologies that its policy allows; raises MalformedInput for an invalid policy."""
        return ["sev", "sev-es"] if self.policy is None else [SevPolicy.parse(self.policy).technology]


class Evidence(Value):
    """Evidence of one of the forms.

    form: what was read, for people, such as "attestation report in an xxd dump".
    value: the parsed evidence.
    certificates: certificates in DER that came with it; none of them is trusted for being there.
    notes: on how it was read.
    claimed_by: what states the digest without a signature in the input that proves it, such as "a text"; else None.
    """

    form: str
    value: LaunchDigest | AttestationReport | LaunchMeasureData | SevAttestationReport | IdBlock | TdxQuote | Tdreport
    certificates: tuple[bytes, ...] = ()
    notes: tuple[Note, ...] = ()
    claimed_by: str | None = None

    def read_from(self, carrier: str) -> Evidence:
        """The same, read from something that carries it, such as "base64"."""
        return replace(self, form=f"{self.form} in {carrier}")

    @property
    def report(self) -> AttestationReport | None:
        return self.value if isinstance(self.value, AttestationReport) else None

    @property
    def measure_data(self) -> LaunchMeasureData | None:
        return self.value if isinstance(self.value, LaunchMeasureData) else None

    @property
    def sev_report(self) -> SevAttestationReport | None:
        return self.value if isinstance(self.value, SevAttestationReport) else None

    @property
    def id_block(self) -> IdBlock | None:
        return self.value if isinstance(self.value, IdBlock) else None

    @property
    def td(self) -> TdxQuote | Tdreport | None:
        """What a TD shows about itself."""
        if isinstance(
            self.value, LaunchDigest | AttestationReport | LaunchMeasureData | SevAttestationReport | IdBlock
        ):
            return None
        return self.value

    @property
    def quote(self) -> TdxQuote | None:
        if self.td is None:
            return None
        from catalog.abi.tdx.quote import TdxQuote

        return self.td if isinstance(self.td, TdxQuote) else None

    @property
    def verifiable(self) -> bool:
        """Whether certificates can verify it: a report of SEV-SNP, or a TDX quote."""
        return self.report is not None or self.quote is not None

    @property
    def technology(self) -> str | None:
        """Name of the technology that it is of; None if that of the digest decides, or for a launch measurement."""
        if isinstance(self.value, SevAttestationReport):
            return self.value.technology
        if self.td is not None:
            return self.td.TECHNOLOGY
        if isinstance(self.value, IdBlock):
            return "sev-snp"
        return self.value.TECHNOLOGY if isinstance(self.value, AttestationReport) else None

    @property
    def digest(self) -> LaunchDigest:
        """The launch digest that it states; raises UsageError for a launch measurement, which states none."""
        if isinstance(self.value, LaunchMeasureData):
            raise UsageError("a launch measurement does not state its launch digest", "give a report or a digest")
        return self.value if isinstance(self.value, LaunchDigest) else self.value.measurement

    def technologies(self) -> list[str]:
        """Names of the technologies that it can belong to; for a bare digest, all that have digests of its size.

        Raises MalformedInput for a launch measurement with an invalid policy.
        """
        if self.technology:
            return [self.technology]
        if isinstance(self.value, LaunchMeasureData):
            return self.value.technologies()
        from catalog.launch.technology import technologies_of_size

        return technologies_of_size(len(self.digest.value))
