"""RelatedDigests: what a search for related digests found."""

from __future__ import annotations

from catalog.notes import Note
from catalog.values import Value

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator

    from catalog.relate.known_digests import KnownRelation


class RelatedDigests(Value):
    """The result of a search.

    relations: the nearest first, each digest once.
    tried: one line for people.
    based: vCPUs of the rows that follow from the digest, ascending.
    """

    relations: tuple[KnownRelation, ...] = ()
    tried: str = ""
    based: tuple[int, ...] = ()

    def notes(self) -> Iterator[Note]:
        """What is said about the digest itself."""
        if self.based:
            from catalog.relate.related_chains import count_vcpus
            from catalog.rows.numbers import as_ranges

            counts = count_vcpus(self.based[0]) if len(self.based) == 1 else f"{as_ranges(self.based)} vCPUs"
            text = f"this digest is the base of rows of this catalog with {counts}, which follow from it"
            yield Note("base-of-rows", text)


NOT_RELATED = RelatedDigests()
"""Nothing was searched."""
