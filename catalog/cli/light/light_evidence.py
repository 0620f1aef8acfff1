"""Evidence on the light path: a digest, or a report in a file."""

from __future__ import annotations

from catalog.evidence.digest_line import digest_of_line
from catalog.evidence.sniff import sniff
from catalog.fast.beneath import read_bounded

TYPE_CHECKING = False
if TYPE_CHECKING:
    from catalog.evidence.evidence import Evidence


def light_evidence(given: str) -> Evidence | None:
    """A digest or a report, as `read_evidence` reads them; None for anything else."""
    data = given.encode("utf-8", "surrogateescape") if digest_of_line(given) else read_bounded(given)
    found = None if data is None else sniff(data, name=given)
    return None if found is None or found.measure_data else found
