"""Whether the certificates above a report's signing key are revoked, by lists (CRLs) that its root has signed.

AMD's lists are of what an ARK has issued: the ASKs and ASVKs. They cannot name a VCEK: it is superseded by the next TCB
version, and all have the serial number 0. Source: RFC 5280, 5 and 6.3; AMD 57230, 4.2.
"""

from __future__ import annotations

from catalog.endorse.certificate import Certificate
from catalog.endorse.certificate_signatures import has_signed
from catalog.endorse.crl import RevocationList
from catalog.endorse.report_finding import Finding

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Sequence

MOST_LISTS = 16
"""Lists of one root whose signature is verified."""

CODE = "revocation"


def find_revocation(
    lists: Sequence[RevocationList], ark: Certificate | None, middle: Certificate | None, name: str, now: float
) -> Finding:
    """Look up the ASK or ASVK and its ARK in the newest list that the ARK has signed.

    lists: from any source; none is trusted.
    middle: the ASK or ASVK that the ARK has issued; name: which of them.
    now: seconds since 1970.
    """
    if not lists:
        return Finding(CODE, None, "not looked up: no CRL is given")
    if ark is None or middle is None:
        return Finding(CODE, False, f"not looked up: the chain from the {name} to the ARK is broken")
    named = [one for one in lists if one.signed.issuer == ark.subject][:MOST_LISTS]
    if not named:
        return Finding(CODE, False, f"no CRL given is of {ark.subject_name}")
    ours = [one for one in named if ark.may_revoke and has_signed(ark.key, one.signed)]
    if not ours:
        return Finding(CODE, False, f"the ARK, {ark.subject_name}, has not signed the CRL")
    newest = max(ours, key=lambda one: one.this_update.seconds)
    if not newest.understood:
        return Finding(CODE, False, "the CRL has a critical extension that is unknown here")
    until = newest.next_update
    if until is None or not newest.this_update.seconds <= now <= until.seconds:
        ends = until.day if until else "no date"
        return Finding(CODE, False, f"the CRL is valid from {newest.this_update.day} to {ends}")
    for one, what in ((middle, name), (ark, "ARK")):
        if one.serial in newest.serials:
            return Finding(CODE, False, f"the {what} is revoked by the CRL of {newest.this_update.day}")
    return Finding(CODE, True, f"neither {name} nor ARK is in the CRL, which is valid until {until.day}")
