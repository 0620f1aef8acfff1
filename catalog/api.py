"""The Python API: look up digests in a release, make proofs and verify them; `from catalog import Release`.

For key brokers, and for programs that look up more than one digest. What the command line prints as a warning goes to
the logger `ldcat`.
"""

from __future__ import annotations

import logging
import os
import time
from collections.abc import Mapping
from functools import cached_property
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING

from catalog.abi.digest import LaunchDigest
from catalog.ask.lookup import Lookups
from catalog.errors import Stale, UsageError
from catalog.fast.match import Match
from catalog.fast.match_text import printable
from catalog.prove.remembered_proof import verified_proof
from catalog.store.catalog import Catalog
from catalog.verify.location import parse_location
from catalog.verify.notices import Notices
from catalog.verify.opening import open_catalog
from catalog.verify.trust_choice import TrustChoice

if TYPE_CHECKING:
    from catalog.ask.answer import Answer
    from catalog.ask.related_digests import Relating
    from catalog.prove.verify_proof import Verdict

_log = logging.getLogger("ldcat")


def _warn(text: str) -> None:
    _log.warning("%s", printable(text))


class Release:
    """A catalog that is open for lookups. If it is published in a log, it was verified, unless that was skipped.

    Several threads may use one. Close it after use, or open it in a `with` statement.
    """

    def __init__(self, catalog: Catalog) -> None:
        self._catalog = catalog
        self._lookups = Lookups(catalog, _warn)

    @classmethod
    def open(
        cls,
        place: str | os.PathLike[str],
        trust: str | os.PathLike[str] | None = None,
        *,
        insecure_skip_verify: bool = False,
    ) -> Release:
        """Open a catalog or a published release.

        place: folder of a catalog, of a log or of a release in it, or the URL of a log on a static host.
        trust: file of the trust note to verify a published release against; if None, the file that LDCAT_TRUST names.
        insecure_skip_verify: use a published release without verifying who signed it or how old it is.

        As on the command line, the newest checkpoint that was verified is kept in the state folder of this user, and
        an older one is refused. Raises LdcatError: UsageError if a published release has no trust note, Stale,
        OlderThanSeen, UntrustedSigner, FalseRecord, VerificationFailed, MalformedInput, Unreadable.
        """
        text = os.fspath(place)
        if not text:
            raise UsageError("the path is empty")
        choice = TrustChoice.of_environment(None if trust is None else Path(trust), skip=insecure_skip_verify)
        return cls(open_catalog(parse_location(text), choice, now=int(time.time()), notices=Notices(_warn)))

    @property
    def place(self) -> str:
        """The folder or the URL of the release."""
        return self._catalog.location

    @property
    def origin(self) -> str | None:
        """Origin of the log; None for a catalog that is not published in a log."""
        return self._catalog.release.origin if self._catalog.release else None

    @property
    def number(self) -> int | None:
        """Number of the release in its log; None for a catalog that is not published in a log."""
        return self._catalog.release.number if self._catalog.release else None

    @property
    def verified(self) -> bool:
        """Whether the release was verified against a trust note."""
        return bool(self._catalog.release and self._catalog.release.trust_version)

    @property
    def fresh_until(self) -> int | None:
        """Seconds since 1970: after that, open the release again. None if it was not verified."""
        return self._catalog.release.fresh_until if self._catalog.release and self.verified else None

    def lookup(self, digest: str | bytes) -> tuple[Match, ...]:
        """Every known configuration with a launch digest. `revocation` of a match: whether it is revoked or deprecated.

        digest: 32 or 48 bytes, or their text in hex, 0x-hex or base64. Raises MalformedInput for anything else, Stale
        after `fresh_until`, VerificationFailed for a damaged catalog.
        """
        self._check_fresh()
        return tuple(row for row in self._lookups.lookup(_digest(digest)) if not row.inferred)

    def answer(self, digest: str | bytes, *, related: bool = False, min_svn: Mapping[str, int] | None = None) -> Answer:
        """All that the release says about a launch digest, as `ldcat lookup` does.

        `matches` of the answer are what `lookup` returns; `inferred`, `endorsements`, `reported` and `related` are what
        else is known, and `exit_code` that of the command. `to_dict()` is the JSON.

        related: also search related digests if nothing else is known: this takes some tenths of a second.
        min_svn: the least SVN by feed: endorsements with a lower one, or with none, are refused.

        Raises as `lookup`.
        """
        from catalog.ask.answer import found_answer
        from catalog.ask.answering import related_answer
        from catalog.evidence.evidence import Evidence

        self._check_fresh()
        evidence = Evidence("launch digest", _digest(digest))
        found = found_answer(self._catalog, evidence, None, self._lookups.lookup, min_svn)
        return related_answer(found, self._relating) if related else found

    @cached_property
    def _relating(self) -> Relating:
        from catalog.ask.related_digests import Relating
        from catalog.launch.hashing.backends import choose

        return Relating(self._lookups, choose())

    def prove(self, digest: str | bytes) -> tuple[bytes, ...]:
        """A proof bundle for each configuration that has a launch digest, as `ldcat prove` prints it.

        Raises as `lookup`; UsageError for a catalog that is not published in a log; Unreadable, MalformedInput or
        VerificationFailed for a damaged log.
        """
        self._check_fresh()
        if self._catalog.release is None:
            raise UsageError(f"{self.place} is not published in a log, so there is no proof of its rows")
        from catalog.log.log_reader import open_log
        from catalog.prove.prove import Prover

        prover = Prover(open_log(self._catalog.release))
        bundles = prover.prove_digest(_digest(digest), warn=_warn, catalog=self._catalog)
        return tuple(map(bytes, bundles))

    def close(self) -> None:
        """Close the files of the catalog."""
        self._lookups.close()

    def __enter__(self) -> Release:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def _check_fresh(self) -> None:
        if self.fresh_until is not None and time.time() > self.fresh_until:
            raise Stale(
                f"{self.place}: the release is stale: its newest cosignature is older than max-age",
                "open it again; its publisher may have a newer one",
            )


def verify_proof(bundle: bytes, trust: str | os.PathLike[str], *, digest: str | bytes | None = None) -> Verdict:
    """Verify a proof bundle from the bundle and the file of a trust note alone.

    digest: the launch digest that the proof has to be about.

    `outcome` of the verdict is match, endorsed, revoked, unknown, stale, older-than-seen, untrusted-signer, bad-proof
    or false-record; `row` has the inputs if they were verified. The newest checkpoint is remembered.

    An invalid bundle is an outcome, not an error. Raises VerificationFailed, UntrustedSigner or MalformedInput for a
    trust note that is expired or invalid, Unreadable if it or the state folder cannot be read.
    """
    trust_note = TrustChoice(Path(trust)).trust_for("the proof")
    return verified_proof(bundle, trust_note, None if digest is None else _digest(digest).hex(), now=int(time.time()))


def _digest(digest: str | bytes) -> LaunchDigest:
    return LaunchDigest(digest) if isinstance(digest, bytes) else LaunchDigest.parse(digest)
