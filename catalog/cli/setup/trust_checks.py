"""Whether a new trust note should be signed: what is refused, and what is warned of."""

from __future__ import annotations

from typing import TYPE_CHECKING

from catalog.cli.setup.trust_view import report_policy
from catalog.errors import UsageError

if TYPE_CHECKING:  # cryptography takes long to load
    from catalog.transparency.trust import Trust


def check_worth_signing(trust: Trust, now: int, *, notes: bool) -> None:
    """Print warnings about a policy, and notes unless they are not wanted. now: seconds since 1970.

    Raises UsageError for a threshold of all of several roots, a note that has expired, and a policy that cannot work.
    """
    if 1 < trust.threshold == len(trust.roots):
        raise UsageError(
            f"a threshold of all {trust.threshold} root keys cannot be met once one is lost", "name more keys"
        )
    if trust.expires <= now:
        raise UsageError("the trust note would have expired already", "--days DAYS")
    report_policy(trust.policy, quiet=not notes)
