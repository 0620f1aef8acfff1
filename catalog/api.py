"""The Python API: a release opened for lookups, its proofs, and proofs verified; `from catalog import Release`.

For key brokers, and whoever asks more than once. What the command line would print as a warning goes to the logger
`ldcat`.
"""

from __future__ import annotations

import logging
import os
import time
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
    from catalog.prove.verify_proof import Verdict

_log = logging.getLogger("ldcat")


def _warn(text: str) -> None:
    _log.warning("%s", printable(text))


class Release:
    """A catalog that is open for lookups, of several threads too: verified, where it is published in a log.

    Close it after use, or open it in a `with` statement.
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
        """place: folder of a catalog, of a log or of its release, or the URL where a static host serves a log.

        trust: file of the trust note that a published release is verified against; else the one that LDCAT_TRUST
        names. The newest checkpoint that was verified is kept in the state folder of this user, as the command line
        does, and an older one is refused. Raises LdcatError: UsageError where nothing says whom to trust, Stale,
        OlderThanSeen, UntrustedSigner, VerificationFailed, MalformedInput, Unreadable.
        """
        text = os.fspath(place)
        if not text:
            raise UsageError("an empty path names nothing")
        choice = TrustChoice.of_environment(None if trust is None else Path(trust), skip=insecure_skip_verify)
        return cls(open_catalog(parse_location(text), choice, now=int(time.time()), notices=Notices(_warn)))

    @property
    def place(self) -> str:
        """The folder or the URL of the release."""
        return self._catalog.location

    @property
    def origin(self) -> str | None:
        """Name of the log; None for a catalog that is published in none."""
        return self._catalog.release.origin if self._catalog.release else None

    @property
    def number(self) -> int | None:
        """Of the release in its log."""
        return self._catalog.release.number if self._catalog.release else None

    @property
    def verified(self) -> bool:
        """Whether it was verified against a trust note."""
        return bool(self._catalog.release and self._catalog.release.trust_version)

    @property
    def fresh_until(self) -> int | None:
        """Seconds since 1970; then it has to be opened again. None for what was not verified."""
        return self._catalog.release.fresh_until if self._catalog.release and self.verified else None

    def lookup(self, digest: str | bytes) -> tuple[Match, ...]:
        """Every configuration with a launch digest, revoked ones too, as `revocation` of each says.

        digest: 32 or 48 bytes, or their text in hex, 0x-hex or base64. Raises MalformedInput for anything else, Stale
        once nobody vouches for the release any more, VerificationFailed for a damaged catalog.
        """
        self._check_fresh()
        return self._lookups.lookup(_digest(digest))

    def prove(self, digest: str | bytes) -> tuple[bytes, ...]:
        """A proof bundle for each configuration that has a launch digest, as `ldcat prove` writes it.

        Raises UsageError for a catalog that is published in no log, and what `lookup` and reading the log do.
        """
        self._check_fresh()
        if self._catalog.release is None:
            raise UsageError(f"{self.place} is published in no log, so nothing proves that it has a row")
        from catalog.log.log_reader import open_log
        from catalog.prove.prove import Prover

        prover = Prover(open_log(self._catalog.release))
        bundles = prover.prove_digest(_digest(digest), warn=_warn, catalog=self._catalog)
        return tuple(map(bytes, bundles))

    def close(self) -> None:
        """Close its files."""
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
                f"nobody vouches for {self.place} any more", "open it again; its publisher may have a newer one"
            )


def verify_proof(bundle: bytes, trust: str | os.PathLike[str], *, digest: str | bytes | None = None) -> Verdict:
    """What a proof bundle says, from the bundle and the file of a trust note alone.

    digest: that it has to be of. `outcome` of the verdict is match, revoked, unknown, stale, older-than-seen,
    untrusted-signer or bad-proof; `row` has the inputs, where they were verified. The newest checkpoint is remembered.
    Raises VerificationFailed for a trust note that has expired, and what reading it does; nothing for a bundle,
    whatever it is.
    """
    believed = TrustChoice(Path(trust)).trust_for("the proof")
    return verified_proof(bundle, believed, None if digest is None else _digest(digest).hex(), now=int(time.time()))


def _digest(digest: str | bytes) -> LaunchDigest:
    return LaunchDigest(digest) if isinstance(digest, bytes) else LaunchDigest.parse(digest)
