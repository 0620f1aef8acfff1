"""Remembers what was said of a proof that was verified (catalog/fast/known_proof.py)."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from contextlib import suppress
from pathlib import Path
from urllib.parse import quote

from catalog.errors import Unreadable
from catalog.fast.known_proof import KnownProof
from catalog.fast.xdg import state_home

_KEPT = ("note", "revocations", "revocations.json")


class ProofMemory:
    """Begin it before a proof is verified, and `keep` it afterwards.

    given: as for KnownProof. origins: of the logs that the trust note trusts.
    """

    def __init__(self, given: Sequence[bytes], origins: Iterable[str]) -> None:
        self._home = state_home()
        self._known = KnownProof(self._home, given) if self._home else None
        self._seen = [f"seen/{quote(origin, safe='')}.{kind}" for origin in sorted(origins) for kind in _KEPT]
        self._before = self._conditions()

    def keep(self, said: tuple[str, str, str], *, since: int, until: int) -> None:
        """Remember what was said. If that fails, or if something was seen meanwhile, it is verified again.

        since, until: when it begins and ends to hold, in seconds since 1970.
        """
        from catalog.log.log_folder import StateFolder

        if self._known is None or self._home is None or self._before is None or self._before != self._conditions():
            return
        with suppress(Unreadable, OSError, UnicodeEncodeError):
            text = self._known.text(said, self._seen, since=since, until=until)
            StateFolder(Path(self._home)).write([(self._known.name, text)])

    def _conditions(self) -> str | None:
        try:
            return self._known.conditions(self._seen) if self._known else None
        except OSError:  # others can write what was seen, which the verification reports
            return None
