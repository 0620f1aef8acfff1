"""The text in which a machine keeps the chain of the revocations that it saw in a log."""

from __future__ import annotations

from catalog.log.revocation_chain import RevocationChain
from catalog.transparency.encoding import is_digits
from catalog.values import Value

MAX_KEPT_CHAIN = 1 << 10
"""Bytes: the longest text that is read."""

_FORMAT_1, _FORMAT_2 = "ldcat-revocations/1", "ldcat-revocations/2"
_HOW = ("word", "leaves")
_WHAT = ("not", "committed")
_MOST_LEAVES, _MOST_REVOCATIONS, _HASH = 19, 10, 64
"""Digits."""


class KeptChain(Value):
    """What is kept beside the newest checkpoint that was seen.

    size: leaves of the checkpoint whose revocations these are; None in format 1, which did not say it.
    chain: the hash chain. from_leaves, commits: as in Seen.
    """

    size: int | None
    chain: RevocationChain
    from_leaves: bool
    commits: bool

    @classmethod
    def parse(cls, data: bytes) -> KeptChain | None:
        """Parse a text; None for any other."""
        form, *lines = data.decode("ascii", "replace").split("\n")
        size = lines.pop(0) if form == _FORMAT_2 and lines else None
        if form not in (_FORMAT_1, _FORMAT_2) or len(lines) != 5:
            return None
        count, value, how, what, end = lines
        is_hash = len(value) == _HASH and set(value) <= set("0123456789abcdef")
        if end or not is_hash or how not in _HOW or what not in _WHAT:
            return None
        if not _is_number(count, _MOST_REVOCATIONS) or not (size is None or _is_number(size, _MOST_LEAVES)):
            return None
        leaves = None if size is None else int(size)
        return cls(leaves, RevocationChain(int(count), value), how == _HOW[True], what == _WHAT[True])

    def __bytes__(self) -> bytes:
        how, what = _HOW[self.from_leaves], _WHAT[self.commits]
        lines = (_FORMAT_2, str(self.size), str(self.chain.count), self.chain.value, how, what, "")
        return "\n".join(lines).encode("ascii")


def _is_number(text: str, most: int) -> bool:
    return is_digits(text, most) and (text == "0" or text[0] != "0")
