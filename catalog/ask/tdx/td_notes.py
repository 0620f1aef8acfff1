"""Notes on what a TD shows about itself: what weakens it, and what no launch digest covers.

Source: Intel TDX Module ABI Reference Specification, ATTRIBUTES; Intel TDX Module Base Architecture Specification,
measurement registers.
"""

from __future__ import annotations

from catalog.abi.tdx.tdreport import Tdreport
from catalog.notes import Note

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator

    from catalog.abi.tdx.attributes import TdAttributes
    from catalog.abi.tdx.quote import TdxQuote

_NOT_COVERED = Note(
    "rtmrs-not-covered",
    "RTMR0 to RTMR3 are not looked up: variables, ACPI tables, kernel and command line are measured there, not in MRTD",
)
_NO_SIGNATURE = Note(
    "tdreport-not-signed",
    "a TDREPORT has no signature, and only the processor that made it can verify its MAC: a quote can be verified",
)


def td_notes(shown: TdxQuote | Tdreport) -> list[Note]:
    """What weakens a quote or TDREPORT, then what this version does not know of it, and what no row covers."""
    notes = [*_on_attributes(shown.report.attributes)]
    if any(shown.report.mr_signer_seam):
        text = "MRSIGNERSEAM is not zero: the TDX module is not one that Intel has signed"
        notes.append(Note("td-module-not-intel", text))
    if isinstance(shown, Tdreport):
        notes.append(_NO_SIGNATURE)
    return [*notes, *shown.unknown, _NOT_COVERED]


def _on_attributes(attributes: TdAttributes) -> Iterator[Note]:
    if attributes.debug:
        text = "the TD is in debug mode: the host can read and change its memory and registers"
        yield Note("debug-allowed", text)
    if bits := attributes.bits_of(attributes.UNDER_DEBUG):
        yield Note("td-not-trusted", f"attribute {', '.join(bits)}: reserved for TDs that are not to be trusted")
    if bits := attributes.bits_of(attributes.UNDER_PROFILING):
        yield Note("td-profiled", f"attribute {', '.join(bits)}: the host may watch the TD by profiling")
    if attributes.migratable:
        text = "the TD can be migrated: the migration TD that the host binds to it can move it, and has its secrets"
        yield Note("td-migratable", text)
    if not attributes.sept_ve_disable:
        text = "SEPT_VE_DISABLE is off: the host can interrupt the TD at any access to memory, unless it forbids that"
        yield Note("sept-ve-enabled", text)
