"""Answer evidence from a catalog: look it up, search a launch measurement, and search related digests of a miss."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import closing
from typing import TYPE_CHECKING

from catalog.abi.digest import LaunchDigest
from catalog.ask.answer import IS_OF, Answer, demanding, found_answer, with_found
from catalog.ask.evidence_notes import notes_on, sev_policy_notes
from catalog.ask.lookup import Lookups
from catalog.ask.verification import VerificationInputs, check_verification_inputs, verified
from catalog.evidence.evidence import Evidence
from catalog.launch.hashing.backends import HashBackend
from catalog.notes import Note
from catalog.store.catalog import Catalog
from catalog.values import replace

if TYPE_CHECKING:  # what searches takes long to load, and most evidence is found
    from catalog.ask.launch_measure_search import MeasureQuestion
    from catalog.ask.related_digests import Relating


def answer(
    catalog: Catalog,
    evidence: Evidence,
    proofs: VerificationInputs,
    backend: HashBackend,
    *,
    warn: Callable[[str], None],
    tried: Callable[[int], None],
) -> Answer:
    """Look up evidence in a catalog.

    warn: receives a line about a damaged index.
    tried: receives how many digests a launch measurement was compared with, part by part.

    Raises UsageError if `proofs` do not fit the evidence, and the errors of `Lookups.lookup`.
    """
    check_verification_inputs(evidence, proofs)
    with closing(Lookups(catalog, warn)) as lookups:
        if data := evidence.measure_data:
            assert proofs.tik is not None, "check_verification_inputs demands it"  # noqa: S101
            from catalog.ask.launch_measure_search import MeasureQuestion

            question = MeasureQuestion.of(data, proofs.tik)
            digest, notes = _find_measured(catalog, question, proofs.debug_digest, backend, tried)
            about = Answer(evidence, digest, (), None, tuple(notes), catalog.release, catalog.notes)
            about = demanding(about, proofs)
            return with_found(catalog, about, question.technology, lookups.lookup, proofs.min_svn) if digest else about
        reply = found_answer(catalog, evidence, proofs, lookups.lookup)
        return _related(reply, lookups, backend)


def related_answer(reply: Answer, relating: Relating) -> Answer:
    """The same answer; if no row has an SEV-SNP digest, with the digests that it is related to.

    Also for one that is endorsed: who endorses a digest need not say for how many vCPUs.
    """
    if not reply.may_be_related or reply.digest is None:
        return reply
    related = relating.related(reply.digest.value)
    notes = (*reply.notes, *related.notes())
    return replace(reply, related=related, notes=notes, firmware_of=relating.firmware_of)


def endorsed_answer(catalog: Catalog, reply: Answer, backend: HashBackend, *, searched: bool) -> Answer:
    """An answer with endorsements of its digest, but without rows. searched: also with related digests."""
    if reply.digest is None or reply.evidence.measure_data:
        return reply
    found = with_found(catalog, reply, reply.evidence.technology, lambda _: (), {})
    if not searched:
        return found
    with closing(Lookups(catalog, lambda _: None)) as lookups:
        return _related(found, lookups, backend)


def _related(reply: Answer, lookups: Lookups, backend: HashBackend) -> Answer:
    """As `related_answer`, which loads what relates digests only if it is asked to."""
    if not reply.may_be_related:
        return reply
    from catalog.ask.related_digests import Relating

    return related_answer(reply, Relating(lookups, backend))


def answer_without_catalog(evidence: Evidence, proofs: VerificationInputs) -> Answer:
    """The answer to evidence without a catalog: whether it is verified, and notes.

    Raises UsageError if `proofs` do not fit the evidence, MalformedInput for an invalid policy.
    """
    check_verification_inputs(evidence, proofs)
    if data := evidence.measure_data:
        assert proofs.tik is not None, "check_verification_inputs demands it"  # noqa: S101
        from catalog.ask.launch_measure_search import MeasureQuestion

        about = Answer(evidence, None, (), None, tuple(sev_policy_notes(MeasureQuestion.of(data, proofs.tik).policy)))
    else:
        about = Answer(evidence, evidence.digest, (), verified(evidence, proofs), tuple(notes_on(evidence)))
    return demanding(about, proofs)


def _find_measured(
    catalog: Catalog,
    question: MeasureQuestion,
    hint: LaunchDigest | None,
    backend: HashBackend,
    tried: Callable[[int], None],
) -> tuple[LaunchDigest | None, list[Note]]:
    """The digest of the measurement, or None, and notes; the host's hint is tried first."""
    notes = sev_policy_notes(question.policy)
    if hint is not None:
        if question.matches(hint):
            text = "the measurement is of the digest that the host gave, under this TIK"
            return hint, [*notes, Note("measurement-matches", text)]
        text = "the measurement is not of the digest that the host gave, which is ignored"
        notes.append(Note("host-digest-ignored", text))
    from catalog.ask.launch_measure_search import search

    for found in search(catalog, question, backend, tried):
        return found, [*notes, IS_OF]
    return None, notes
