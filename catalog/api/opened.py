"""What a Release has open: at first the packed index alone, and the whole catalog as soon as more is asked of it.

One lookup from Python takes a few reads of the index; to import what reads whole catalogs takes ten times as long.
"""

from __future__ import annotations

import os
import time
from _thread import allocate_lock

from catalog.errors import LdcatError, VerificationFailed
from catalog.fast.match_text import printable
from catalog.fast.plain_lookup import found_in, named_folder, opened_at_once, path_text

TYPE_CHECKING = False
if TYPE_CHECKING:
    from catalog.api.evidence_inputs import EvidenceInput
    from catalog.ask.answer import Answer
    from catalog.ask.lookup import Lookups
    from catalog.fast.packed import PackedCatalog
    from catalog.fast.published import PublishedRelease
    from catalog.store.catalog import Catalog


def warn(text: str) -> None:
    """Log a warning of ldcat."""
    from logging import getLogger

    getLogger("ldcat").warning("%s", printable(text))


class Opened:
    """An open catalog; `close` it after use. Several threads may use one.

    place: its folder or URL.
    release: the release that it belongs to; None if it is not published.
    """

    def __init__(self, place: str, release: PublishedRelease | None, begun: PackedCatalog | None) -> None:
        self.place = place
        self.release = release
        self._begun = begun
        self._manifest_sha256 = begun.manifest_sha256 if begun else None
        self._folder = os.path.abspath(place) if begun else place  # noqa: PTH100 - pathlib takes 8 ms
        self._whole: tuple[Catalog, Lookups] | None = None
        self._lock = allocate_lock()

    @classmethod
    def of(cls, catalog: Catalog) -> Opened:
        """A catalog that is open as a whole."""
        from catalog.ask.lookup import Lookups

        opened = cls(catalog.location, catalog.release, None)
        opened._whole = catalog, Lookups(catalog, warn)
        return opened

    @classmethod
    def at_once(cls, place: str, trust: str) -> Opened | None:
        """Open a catalog, or a release that was verified before; None if more has to be verified or said.

        trust: path of the trust note, or empty.
        """
        if not isinstance(place, str) or place.startswith("//") or named_folder(place) != place:
            return None
        found = opened_at_once(place, trust)
        if found is None:
            return None
        packed, release = found
        return cls(release.location if release else path_text(place), release, packed)

    def first_answer(self, given: EvidenceInput) -> Answer | None:
        """The answer to evidence with no demands, once, from the packed index; None if the whole catalog says more."""
        with self._lock:
            packed, self._begun = self._begun, None
        if packed is None:
            return None
        try:
            return self._answer(packed, given) if isinstance(given, str | bytes) else None
        except LdcatError:  # which the whole catalog raises again
            return None
        finally:
            packed.close()

    def _answer(self, packed: PackedCatalog, given: str | bytes) -> Answer | None:
        from catalog.api.evidence_inputs import evidence_of
        from catalog.ask.answer import matched_answer
        from catalog.ask.verification import VerificationInputs, check_verification_inputs

        found, proofs = evidence_of(given), VerificationInputs(now=time.time())
        if found.measure_data:
            return None
        check_verification_inputs(found, proofs)
        matches = found_in(packed, found.digest.value)
        return None if matches is None else matched_answer(found, proofs, matches, self.release)

    @property
    def catalog(self) -> Catalog:
        """The whole catalog. Raises as `Catalog.open`; VerificationFailed if it is another one by now."""
        return self._opened()[0]

    @property
    def lookups(self) -> Lookups:
        """Lookups in it; raises as `catalog`."""
        return self._opened()[1]

    def _opened(self) -> tuple[Catalog, Lookups]:
        with self._lock:
            if self._whole is None:
                from pathlib import Path

                from catalog.ask.lookup import Lookups
                from catalog.store.catalog import Catalog

                catalog = Catalog.open_release(self.release) if self.release else Catalog.open(Path(self._folder))
                if catalog.manifest_sha256 != self._manifest_sha256:
                    raise VerificationFailed(f"{self.place} has another catalog than when it was opened")
                self._whole = catalog, Lookups(catalog, warn)
            return self._whole

    def close(self) -> None:
        """Close the files that are open."""
        with self._lock:
            if self._begun:
                self._begun.close()
            self._begun = None
            if self._whole:
                self._whole[1].close()
