"""What an answer says besides its matches, as text for people: the same in terminal and page."""

from __future__ import annotations

from catalog.ask.evidence_notes import FIRMWARE_NOT_PUBLIC
from catalog.fast.match import refusal_note, revocation_notes, shared_by
from catalog.fast.match_text import REVOKED, fact_lines, match_dangers, match_facts, not_found, searches_further
from catalog.fast.note_text import dangers, note_line, part_lines, titled
from catalog.notes import Note, worst_first
from catalog.values import Value

TYPE_CHECKING = False
if TYPE_CHECKING:  # what takes long to load is imported where it is needed: a lookup with a match does without it
    from collections.abc import Iterator, Sequence

    from catalog.ask.answer import Answer
    from catalog.ask.found_endorsements import FoundEndorsement
    from catalog.relate.known_digests import KnownRelation

Facts = list[tuple[str, object]]

ENDORSED_CLAIMS = Note("endorser-claims", "no hash proves what an endorser claims")
VERIFIED_BY = Note(
    "publisher-verified-document",
    "a signature was verified by whoever made this catalog, which keeps the document: ldcat import verifies it again",
)

MOST_NAMES = 8
"""How many endorsers are named."""

_NO_DIGEST = Note("measurement-not-found", "no launch digest of this catalog gives this measurement under this TIK")


class Told(Value):
    """A part of an answer.

    facts: names and values.
    notes: the worst first; the first one says why, if it is revoked.
    severity: `revoked` or `deprecated`; empty for neither.
    """

    title: str
    facts: Facts
    notes: tuple[Note, ...] = ()
    severity: str = ""

    def lines(self) -> Iterator[str]:
        """As `ldcat lookup` prints it."""
        yield from part_lines(list(fact_lines(self.facts, title=titled(self.title, self.notes))), self.notes)


def told(answer: Answer, now: float, configuration: str | None = None) -> Iterator[Told]:
    """What an answer says besides its matches: inferred rows, endorsements, reports of the digest, and relations.

    now, configuration: as for `told_endorsements`.
    """
    for number, row in enumerate(answer.inferred, 1):
        title = f"inferred {number} of {len(answer.inferred)}, firmware not known: {row.technology}"
        yield Told(title, match_facts(row), tuple(row.notes()), row.revocation[0] if row.revocation else "")
    yield from told_endorsements(answer, now, configuration)
    if answer.digest and answer.related.relations:
        yield from _related(answer.digest.value, answer.related.relations)


def told_endorsements(answer: Answer, now: float, configuration: str | None = None) -> Iterator[Told]:
    """Who endorses the digest, and where it was seen.

    now: seconds since 1970.
    configuration: what is known of it; None: what the answer says.
    """
    for one in (*answer.endorsements, *answer.reported):
        yield Told(
            endorsement_title(one, now),
            [
                *([] if one.is_reported else [("endorser", one.record.endorser_id)]),
                ("configuration", configuration or _configuration(answer)),
                *_claims(one),
                *_source(one),
            ],
            tuple(worst_first([*revocation_notes(one.revocation), *_notes(one)])),
            one.severity or "",
        )


def _related(digest: bytes, relations: Sequence[KnownRelation]) -> Iterator[Told]:
    """The nearest known digest for each AP page, and how many others there are. relations: the nearest first."""
    from catalog.relate.related_chains import count_vcpus, more_vcpus, short

    by_page: dict[bytes, list[KnownRelation]] = {}
    for one in relations:
        by_page.setdefault(one.page.tail, []).append(one)
    for found in by_page.values():
        nearest = found[0]
        facts: Facts = [("known digest", nearest.known.digest.hex()), ("which is", nearest.known.label)]
        if nearest.vcpus is not None:
            facts.append(("inferred", count_vcpus(nearest.vcpus)))
        facts.append(("by AP page", nearest.page))
        if more := len(found) - 1:
            digests = "1 more known digest" if more == 1 else f"{more} more known digests"
            facts.append(("others", f"{digests} of the same launch: --format json has more"))
        yield Told(f"related  {short(digest)}  is {short(nearest.known.digest)} with {more_vcpus(nearest.more)}", facts)


def danger_lines(answer: Answer, now: float) -> Iterator[str]:
    """The first lines: why not to rely on the evidence, on its matches, or on what else is known of the digest."""
    if answer.refused:
        is_verified = answer.verified
        yield f"DANGER: {'' if is_verified else 'NOT VERIFIED: '}{answer.refused}"
    yield from map(note_line, dangers(answer.notes))
    yield from match_dangers(answer.matches)
    for part in told(answer, now):
        if dangers(part.notes):
            yield f"DANGER: do not rely on this: {part.title}"


def title_without_match(answer: Answer) -> str:
    """The heading of a page for an answer without matches."""
    is_revoked = answer.found_code == REVOKED
    if answer.inferred:
        if is_revoked:
            return "This launch digest is revoked; it follows from a published one"
        return "This launch digest follows from a published one; its firmware is not known"
    if answer.endorsements:
        subject = "revoked" if is_revoked else "endorsed"
        return f"This launch digest is {subject}; its configuration is not known"
    return "No configuration has this launch digest"


def closing_notes(answer: Answer) -> Iterator[Note]:
    """Notes on all that `told` gives."""
    yield from shared_by(len(answer.inferred))
    yield from endorsement_notes(answer)
    if answer.related.relations:
        from catalog.relate.related_chains import RESTS_ON

        yield RESTS_ON


def endorsement_notes(answer: Answer) -> Iterator[Note]:
    """Notes on all that `told_endorsements` gives."""
    if answer.endorsements:
        yield ENDORSED_CLAIMS
    if any(one.record.checked == "signature" for one in answer.endorsements):
        yield VERIFIED_BY


def miss_notes(reply: Answer, options: Sequence[str] = ()) -> Iterator[Note]:
    """Notes on an answer without rows and endorsements: what was looked for, and what to do next.

    options: of the command that searches further, quoted for a shell.

    What `told` says of a reported digest is not repeated.
    """
    if reply.digest is None:
        yield _NO_DIGEST
    elif not reply.reported:
        yield not_found(reply.digest.value)
        if reply.firmware_of:
            yield Note("firmware-asked", f"the catalog has rows of firmware from: {_few(reply.firmware_of)}")
        if reply.asked:
            yield Note("endorsers-asked", f"none of its endorsers endorses this digest: {_few(reply.asked)}")
    if reply.related.tried and not reply.related.relations:
        text = f"no known digest was found to be it with another number of vCPUs; tried: {reply.related.tried}"
        yield Note("not-related", text)
    if FIRMWARE_NOT_PUBLIC not in reply.notes:
        yield searches_further(reply.digest.value if reply.digest else None, options)


def _few(names: Sequence[str]) -> str:
    more = len(names) - MOST_NAMES
    return f"{', '.join(names[:MOST_NAMES])}{f' and {more} more' if more > 0 else ''}"


def endorsement_title(one: FoundEndorsement, now: float) -> str:
    """The first line: whose digest it is, in few words, since when, and how that was checked.

    now: seconds since 1970.
    """
    from catalog.imports.dates import day
    from catalog.relate.related_chains import short
    from catalog.store.endorsements import short_name

    record = one.record
    digest = short(bytes.fromhex(record.launch_digest))
    if one.is_reported:
        return f"reported  {digest}  seen in {record.origin}; nobody endorses it"
    feed = record.endorser.feed
    parts = [f"feed {feed}" if feed else f"by {short_name(record)}"]
    if record.endorser.svn is not None:
        parts.append(f"SVN {record.endorser.svn}")
    if record.document_time is not None:
        parts.append(f"{'signed' if record.checked == 'signature' else 'of'} {day(record.document_time)}")
    checks = ["signature verified" if record.checked == "signature" else "no signature verified"]
    if (until := record.certificate_until) is not None:
        checks.append(f"certificate {'expired' if until < now else 'valid until'} {day(until)}")
    return f"endorsed  {digest}  {', '.join(parts)} ({'; '.join(checks)})"


def _configuration(answer: Answer) -> str:
    if answer.matches:
        return "known: it is that of the match above"
    if answer.inferred:
        return "inferred, as above: the firmware is not known"
    return "unknown: no catalogued firmware gives this digest"


def _claims(one: FoundEndorsement) -> Facts:
    """What the endorser claims, and which of it the configuration has, too."""
    claimed = ", ".join(f"{name} {value}" for name, value in one.record.claims.given().items())
    nothing = "nothing but the digest" + ("" if one.record.endorser.svn is None else " and its SVN")
    agrees = [("agrees", ", ".join(one.agrees))] if one.agrees else []
    return [("claimed", claimed or nothing), *agrees]


def _source(one: FoundEndorsement) -> Facts:
    """Where it was published, and which document says so."""
    record = one.record
    shown: Facts = []
    if record.origin not in (None, record.endorser.id) and not one.is_reported:
        shown.append(("source", record.origin))
    document = record.document_sha256
    return [*shown, ("document", "not kept" if document is None else f"SHA-256 {document}")]


def _notes(one: FoundEndorsement) -> Iterator[Note]:
    claims = one.record.claims.given()
    for name in one.contradicts:
        text = f"CONTRADICTS the configuration: it is claimed that {name} is {claims[name]}"
        yield Note("claim-contradicted", text)
    if one.firmware:
        names = ", ".join(one.firmware)
        text = f"DIFFERS from what is computed: the claimed firmware is {names}, and none of its rows has this digest"
        yield Note("firmware-differs", text)
    if one.refused:
        yield refusal_note(one.refused)
