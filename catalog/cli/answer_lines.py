"""An answer as lines of text, as `ldcat lookup` and `ldcat explain` print it."""

from __future__ import annotations

from catalog.abi.report import HOST_REQUESTED
from catalog.ask.answer_text import closing_notes, danger_lines, told
from catalog.ask.verification import not_verified, sources
from catalog.evidence.evidence import BARE_DIGEST
from catalog.fast.match import shared_digest
from catalog.fast.match_text import fact_lines, match_lines
from catalog.fast.note_text import MARKS, note_line
from catalog.notes import DANGER, OK, WARNING, worst_first

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from catalog.abi.report import AttestationReport
    from catalog.ask.answer import Answer
    from catalog.endorse.report_finding import Finding


_INCOMPLETE = "signed, but not verified: nothing that is given says that the TCB of the platform is up to date"


def answer_lines(answer: Answer, now: float) -> Iterator[str]:
    """What is a danger, the evidence with its verification and notes, the matches, then what else is known."""
    yield from danger_lines(answer, now)
    yield from evidence_lines(answer)
    yield from match_lines(answer.matches)
    yield from told_lines(answer, now)


def told_lines(answer: Answer, now: float, configuration: str | None = None) -> Iterator[str]:
    """What is known of the digest besides matches. now, configuration: as for `told_endorsements`."""
    for part in told(answer, now, configuration):
        yield from part.lines()
    yield from map(note_line, closing_notes(answer))


def evidence_lines(answer: Answer) -> Iterator[str]:
    """What was read: its form, its fields, its verification, and notes. A bare digest in hex has none of these."""
    if answer.report:
        yield from fact_lines(_report_facts(answer.report), title=answer.evidence.form)
        yield from verification_lines(answer)
    elif answer.evidence.td:
        from catalog.ask.tdx.td_facts import td_facts

        yield from fact_lines(td_facts(answer.evidence.td), title=answer.evidence.form)
        yield from verification_lines(answer)
    elif answer.evidence.form != BARE_DIGEST:
        yield from fact_lines(_other_facts(answer), title=answer.evidence.form)
    for note in worst_first(list(answer.notes)):
        if note.severity != DANGER and note not in shared_digest(answer.matches):  # which are printed elsewhere
            yield note_line(note, "  ")


def verification_lines(answer: Answer) -> Iterator[str]:
    """Each check of a report or quote against the certificates, or that none were given.

    No line for other evidence, but for what was demanded. That a check failed is said once more above all else: see
    `danger_lines`.
    """
    if not answer.evidence.verifiable:
        yield from map(_finding, answer.checks)
        return
    if answer.endorsement is None:
        yield f"  {MARKS[WARNING]}: {not_verified(answer.evidence)}"
    elif answer.verified:
        root = " and the root" if answer.endorsement.trusted_by == "given" else ""
        yield f"  {MARKS[OK]}: verified with the certificates{root} given"
    elif not answer.endorsement.failed:
        yield f"  {MARKS[WARNING]}: {_INCOMPLETE}"
    if answer.endorsement is not None:
        yield from map(_finding, answer.endorsement.findings)
    if not answer.verified:
        yield from (f"    {source}" for source in sources(answer.evidence))
    yield from map(_finding, answer.checks)


def _finding(finding: Finding) -> str:
    return f"  {MARKS[finding.severity]}: {finding.code}: {finding.text}"


def _other_facts(answer: Answer) -> list[tuple[str, object]]:
    from catalog.abi.guest_policy import SevPolicy, SnpPolicy

    facts: list[tuple[str, object]] = [("launch digest", answer.digest.hex() if answer.digest else "unknown")]
    if report := answer.evidence.sev_report:
        bits = _set_bits(SevPolicy.parse(report.policy).to_dict())
        return [*facts, ("policy", f"{report.policy:#x} ({bits or 'no bits'})"), ("nonce", report.nonce.hex())]
    if block := answer.evidence.id_block:
        policy = f"{block.policy:#x} ({_set_bits(SnpPolicy.parse(block.policy).to_dict()) or 'nothing allowed'})"
        facts += [("policy", policy), ("family id", block.family_id.hex()), ("image id", block.image_id.hex())]
        return [*facts, ("guest SVN", block.guest_svn)]
    return facts


def _set_bits(policy: Mapping[str, object]) -> str:
    return ", ".join(name for name, value in policy.items() if value is True)


def _report_facts(report: AttestationReport) -> list[tuple[str, object]]:
    product = report.product.name if report.product else "unknown"
    if report.cpuid:
        product += " (family {:#x}, model {:#x}, stepping {:#x})".format(*report.cpuid)
    return [
        ("version", report.version),
        ("launch digest", report.measurement.hex()),
        ("policy", f"{report.policy_bits:#x} ({_set_bits(report.policy.to_dict()) or 'nothing allowed'})"),
        ("VMPL", "requested by the host" if report.vmpl == HOST_REQUESTED else report.vmpl),
        ("guest SVN", report.guest_svn),
        ("REPORT_DATA", report.report_data.hex()),
        ("HOST_DATA", report.host_data.hex()),
        ("product", product),
        ("reported TCB", report.reported_tcb),
        ("SNP firmware", report.current),
        ("signed by", report.signing_key),
    ]
