"""What needs no release: measure a configuration, and verify a proof."""

from __future__ import annotations

import os
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

from catalog.api.evidence_inputs import EvidenceInput, evidence_of
from catalog.errors import UsageError
from catalog.verify.trust_choice import TrustChoice

if TYPE_CHECKING:  # what takes long to load is imported where it is needed
    from datetime import timedelta

    from catalog.ask.measure import AnyMeasured
    from catalog.prove.verdict import Verdict


def measure(*, technology: str, firmware: str, **inputs: Any) -> AnyMeasured:
    """The launch digest of a configuration, as `ldcat measure` computes it; `digest` of the result has it.

    technology: sev, sev-es, sev-snp or tdx.
    firmware: name of an embedded build, or path of an image.
    inputs: the other fields of a line of `ldcat measure --batch` (docs/command-line.md), such as vmm, vcpus, vcpu_type,
        kernel, initrd and append.

    Raises UsageError for contradictory, missing or invalid inputs, UnknownName, CannotLaunch, Unreadable,
    MalformedInput for invalid images and hashes.
    """
    from catalog.ask.measure import Workbench, requested

    return Workbench().measure(requested(technology, firmware, inputs))


def verify_proof(
    bundle: bytes,
    trust: str | os.PathLike[str],
    *,
    digest: EvidenceInput | None = None,
    report: EvidenceInput | None = None,
    accept_older: timedelta | None = None,
) -> Verdict:
    """Verify a proof bundle from the bundle and the file of a trust note alone.

    digest, report: the launch digest that the proof has to be about, itself or in a report; at most one of them. The
    signature of the report is not verified: `Release.lookup` does that, and `notes` of the verdict say so.

    accept_older: accept a proof that is older than what this machine saw of the log, if it was cosigned at most so long
        ago; the newest revocations that were seen are applied, and `notes` of the verdict say that it is older.

    `outcome` of the verdict, an `Outcome`, is match, endorsed, inferred, revoked, unknown, stale, older-than-seen,
    untrusted-signer, bad-proof or false-record; `row` has the inputs if they were verified. The newest checkpoint is
    remembered. A bare tlog-proof with the row as its extra data is included instead of match, and nothing is
    remembered: it does not show whether the row is revoked.

    An invalid bundle is an outcome, not an error. Raises VerificationFailed, UntrustedSigner or MalformedInput for a
    trust note that is expired or invalid, Unreadable if it or the state folder cannot be read, UsageError if both a
    digest and a report are given, or if accept_older is longer than max-age of the trust note.
    """
    from catalog.prove.remembered_proof import verified_proof

    if digest is not None and report is not None:
        raise UsageError("a digest and a report are given", "give one of them")
    about = digest if report is None else report
    trust_note = TrustChoice(Path(trust)).trust_for("the proof")
    expected = None if about is None else evidence_of(about)
    older = None if accept_older is None else int(accept_older.total_seconds())
    return verified_proof(bundle, trust_note, expected, now=int(time.time()), accept_older=older)
