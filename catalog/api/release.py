"""Release: a catalog that is open for lookups by a program; warnings go to the logger `ldcat`."""

from __future__ import annotations

import os
import time

from catalog.api.opened import Opened, warn
from catalog.errors import Stale, UsageError

TYPE_CHECKING = False
if TYPE_CHECKING:  # what takes long to load is imported where it is needed
    from collections.abc import Mapping
    from datetime import datetime, timedelta
    from types import TracebackType
    from typing import Any

    from catalog.api.evidence_inputs import CertificatesInput, EvidenceInput
    from catalog.ask.answer import Answer
    from catalog.ask.measure import AnyMeasured
    from catalog.ask.related_digests import Relating
    from catalog.explain.explanation import Explanation


class Release:
    """A catalog that is open for lookups. If it is published in a log, it was verified, unless that was skipped.

    Several threads may use one. Close it after use, or open it in a `with` statement.
    """

    def __init__(self, opened: Opened) -> None:
        self._opened = opened
        self._related: Relating | None = None

    @classmethod
    def open(
        cls,
        place: str | os.PathLike[str],
        trust: str | os.PathLike[str] | None = None,
        *,
        insecure_skip_verify: bool = False,
        max_checkpoint_age: timedelta | None = None,
    ) -> Release:
        """Open a catalog or a published release.

        place: folder of a catalog, of a log or of a release in it, or the URL of a log on a static host.
        trust: file of the trust note to verify a published release against; if None, the file that LDCAT_TRUST names.
        insecure_skip_verify: use a published release without verifying who signed it or how old it is.
        max_checkpoint_age: use a checkpoint that a host had so long ago, such as timedelta(minutes=5), without asking
            it for a newer one. By default it is asked, so a revocation is seen at once.

        As on the command line, the newest checkpoint that was verified is kept in the state folder of this user, and
        an older one is refused. Raises LdcatError: UsageError if a published release has no trust note, Stale,
        OlderThanSeen, UntrustedSigner, FalseRecord, VerificationFailed, MalformedInput, Unreadable.
        """
        text = os.fspath(place)
        if not text:
            raise UsageError("the path is empty")
        may_be_at_once = not insecure_skip_verify and (trust is None or os.fspath(trust))
        if may_be_at_once and (found := Opened.at_once(text, os.fspath(trust or ""))):
            return cls(found)
        from pathlib import Path

        from catalog.fast.asked import CheckpointAge, Moment
        from catalog.verify.location import parse_location
        from catalog.verify.notices import Notices
        from catalog.verify.opening import open_catalog
        from catalog.verify.trust_choice import TrustChoice

        choice = TrustChoice.of_environment(None if trust is None else Path(trust), skip=insecure_skip_verify)
        age = CheckpointAge(0 if max_checkpoint_age is None else max_checkpoint_age.total_seconds(), Moment.now())
        opened = open_catalog(parse_location(text), choice, now=int(time.time()), notices=Notices(warn), age=age)
        return cls(Opened.of(opened))

    @property
    def place(self) -> str:
        """The folder or the URL of the release."""
        return self._opened.place

    @property
    def origin(self) -> str | None:
        """Origin of the log; None for a catalog that is not published in a log."""
        return self._opened.release.origin if self._opened.release else None

    @property
    def number(self) -> int | None:
        """Number of the release in its log; None for a catalog that is not published in a log."""
        return self._opened.release.number if self._opened.release else None

    @property
    def verified(self) -> bool:
        """Whether the release was verified against a trust note."""
        return bool(self._opened.release and self._opened.release.trust_version)

    @property
    def fresh_until(self) -> datetime | None:
        """The time, in UTC, after which the release has to be opened again. None if it was not verified."""
        from datetime import UTC, datetime

        seconds = self._fresh_seconds
        return None if seconds is None else datetime.fromtimestamp(seconds, UTC)

    @property
    def _fresh_seconds(self) -> int | None:
        return self._opened.release.fresh_until if self._opened.release and self.verified else None

    def lookup(
        self,
        evidence: EvidenceInput,
        *,
        certs: CertificatesInput = (),
        roots: CertificatesInput = (),
        crls: CertificatesInput = (),
        tik: bytes | None = None,
        at: datetime | None = None,
        require_verified: bool = False,
        report_data: bytes | None = None,
        host_data: bytes | None = None,
        id_key_digest: bytes | None = None,
        policy: int | None = None,
        min_tcb: str | None = None,
        min_svn: Mapping[str, int] | None = None,
        related: bool = False,
    ) -> Answer:
        """All that the release says about evidence, as `ldcat lookup` does.

        evidence: a launch digest, an attestation report or a launch measurement: as a value, as bytes or text in any
            form that the command line reads, or as the path of a file. 32 and 48 bytes are a digest.
        certs: certificates that endorse a report, in PEM, DER or a certificate table: bytes, or files or folders; for a
            TDX quote, TCB info, QE identity, their certificates and CRLs, as Intel's PCS gives them.
        roots: ARKs that are trusted besides AMD's, or roots besides Intel's, in the same forms.
        crls: revocation lists of AMD or Intel, in PEM or DER, in the same forms.
        tik: the TIK of a launch measurement, 16 bytes.
        at: the time at which certificates have to be valid; None for now.
        require_verified: raise VerificationFailed unless it is verified, as --require-verified does.
        report_data, host_data, id_key_digest, policy, min_tcb: what a report has to have: 64, 32 and 48 bytes, exactly
            these bits of the guest policy, and a TCB of at least, as `snp=22,microcode=213`. Quotes have the first.
        min_svn: the least SVN by feed: endorsements with a lower one, or with none, are refused.
        related: also search related digests if nothing else is known: this takes some tenths of a second.

        Raises MalformedInput for evidence or certificates in no known form, UsageError for an input that does not
        belong to this evidence, Unreadable for a file, Stale after `fresh_until`, VerificationFailed for a damaged
        catalog, if verification is required and missing or failed, or if a report has not what it has to have.
        """
        self._check_fresh()
        demands = (tik, at, report_data, host_data, id_key_digest, policy, min_tcb, min_svn)
        if (certs, roots, crls) == ((), (), ()) and demands == (None,) * 8 and not (require_verified or related):
            answer_at_once = self._opened.first_answer(evidence)
            if answer_at_once:
                return answer_at_once
        from catalog.api.evidence_inputs import check_accepted, checks_of, evidence_of
        from catalog.api.verified_by import verified_by
        from catalog.ask.answer import found_answer
        from catalog.ask.verification import check_verification_inputs
        from catalog.values import replace

        found = evidence_of(evidence, with_tik=tik is not None)
        proofs = replace(
            verified_by(found, certs, roots, crls, tik, at, require_verified=require_verified),
            checks=checks_of(report_data, host_data, id_key_digest, policy, min_tcb),
            min_svn=min_svn or {},
        )
        check_verification_inputs(found, proofs)
        if found.measure_data:
            from catalog.ask.answering import answer
            from catalog.launch.hashing.backends import choose

            reply = answer(self._opened.catalog, found, proofs, choose(), warn=warn, tried=lambda _: None)
        else:
            reply = found_answer(self._opened.catalog, found, proofs, self._opened.lookups.lookup)
        if require_verified or proofs.checks:
            check_accepted(reply)
        if not related:
            return reply
        from catalog.ask.answering import related_answer

        return related_answer(reply, self._relating)

    @property
    def _relating(self) -> Relating:
        if self._related is None:
            from catalog.ask.related_digests import Relating
            from catalog.launch.hashing.backends import choose

            self._related = Relating(self._opened.lookups, choose())
        return self._related

    def explain(
        self,
        evidence: EvidenceInput,
        *,
        expected: Mapping[str, Any] | None = None,
        certs: CertificatesInput = (),
        roots: CertificatesInput = (),
        crls: CertificatesInput = (),
        tik: bytes | None = None,
        at: datetime | None = None,
        require_verified: bool = False,
        budget: float = 20.0,
    ) -> Explanation:
        """Search for the inputs of a digest that is not the expected one, as `ldcat explain` does.

        evidence: as for `lookup`.
        expected: the expected configuration, as a line of `ldcat measure --batch` or the JSON of `ldcat measure`; the
            search begins there, and goes on with this release.
        certs, roots, crls, tik, at: as for `lookup`.
        require_verified: raise VerificationFailed unless it is verified; before the search, if that is known.
        budget: seconds that the search may take.

        `hits` of the result are the configurations that were found, and `to_dict()` is the JSON of the command.

        Raises UsageError for a budget that is no time or a missing TIK, MalformedRecord for an invalid expectation, the
        errors of `measure` for one that cannot be measured, and the errors of `lookup`; VerificationFailed also for a
        report that certificates do not endorse.
        """
        from catalog.api.evidence_inputs import evidence_of
        from catalog.api.explaining import explained
        from catalog.api.verified_by import verified_by

        self._check_fresh()
        found = evidence_of(evidence, with_tik=tik is not None)
        proofs = verified_by(found, certs, roots, crls, tik, at, require_verified=require_verified)
        return explained(self._opened.catalog, found, expected, budget, proofs)

    def measure(self, *, technology: str, firmware: str, **inputs: Any) -> AnyMeasured:
        """The launch digest of a configuration, as `measure`; `firmware` can also name a build of this catalog."""
        from catalog.ask.builds import builds_with
        from catalog.ask.measure import Workbench, requested

        return Workbench(builds_with(self._opened.catalog)).measure(requested(technology, firmware, inputs))

    def prove(self, digest: EvidenceInput) -> tuple[bytes, ...]:
        """A proof bundle for each configuration that has a launch digest, as `ldcat prove` prints it.

        Raises as `lookup`; UsageError for a catalog that is not published in a log; Unreadable, MalformedInput or
        VerificationFailed for a damaged log.
        """
        self._check_fresh()
        if self._opened.release is None:
            raise UsageError(f"{self.place} is not published in a log, so there is no proof of its rows")
        from catalog.api.evidence_inputs import evidence_of
        from catalog.log.log_reader import open_log
        from catalog.prove.prove import Prover

        prover = Prover(open_log(self._opened.release))
        bundles = prover.prove_digest(evidence_of(digest).digest, warn=warn, catalog=self._opened.catalog)
        return tuple(map(bytes, bundles))

    def __repr__(self) -> str:
        of_log = f", number {self.number} of {self.origin}" if self.origin else ""
        return f"<Release in {self.place}{of_log}{', verified' if self.verified else ''}>"

    def close(self) -> None:
        """Close the files of the catalog."""
        self._opened.close()

    def __enter__(self) -> Release:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def _check_fresh(self) -> None:
        if self._fresh_seconds is not None and time.time() > self._fresh_seconds:
            raise Stale(
                f"{self.place}: the release is stale: its newest cosignature is older than max-age",
                "open it again; its publisher may have a newer one",
            )
