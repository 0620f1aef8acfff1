"""Trust notes: text with a default head that tests change in parts, and signatures."""

from __future__ import annotations

from collections.abc import Sequence
from string import ascii_lowercase
from typing import Any

from catalog.transparency.keys import SignatureType, Signer
from catalog.transparency.note import Note
from catalog.transparency.trust import Trust
from tests.support.logs import DAY, LOG, NOW, signed, signer

ROOT = signer("root.example")
WITNESSES = [signer(f"w{number}.example", SignatureType.COSIGNATURE_ED25519) for number in (1, 2)]


def trust_text(
    policy: str,
    *,
    version: int = 1,
    expires: int = NOW + 300 * DAY,
    max_age: int = 7 * DAY,
    threshold: int = 1,
    roots: Sequence[Signer] = (ROOT,),
    demands_all: bool = False,
) -> str:
    """The text with a policy. roots: named a, b, c and so on. demands_all: requires all signatures of the log."""
    head = f"version {version}\nexpires {expires}\nmax-age {max_age}\nthreshold {threshold}\n"
    head += "log-signatures all\n" if demands_all else ""
    named = "".join(f"root {name} {root.key}\n" for name, root in zip(ascii_lowercase, roots, strict=False))
    return f"{head}{named}\n{policy}"


def trust_of(policy: str, **head: Any) -> Trust:
    """head: arguments of trust_text."""
    return Trust.parse(trust_text(policy, **head))


def trust_note(policy: str, signers: Sequence[Signer] = (ROOT,), **head: Any) -> Note:
    """head: arguments of trust_text."""
    return signed(trust_text(policy, **head), *signers)


ALONE = trust_of(f"log {LOG.key}\nquorum none\n")
"""The key of a log, and no witness."""

WITNESSED = trust_of(
    f"log {LOG.key}\n"
    + "".join(f"witness w{number} {by.key}\n" for number, by in enumerate(WITNESSES, 1))
    + "group both all w1 w2\nquorum both\n"
)
"""The key of a log, and two witnesses, both of which have to cosign."""
