"""The leaf of a row, taken apart into its digest, its vCPU count and the rest, which many rows have in common.

The rest is parsed once, with one digest and one count. That is enough: with other lower-case hex digits of the same
length, and with another decimal number of the field, the leaf is the canonical form of a record, too, or is not.
Quotes in a string of JSON are escaped, so that the names of the two keys, with their quotes, are found in no string.
"""

from __future__ import annotations

import re
from typing import NamedTuple

from catalog.abi.digest import SEV_DIGEST_SIZE, SNP_DIGEST_SIZE

LARGEST = SNP_DIGEST_SIZE
"""Bytes of the longest digest."""

NONE = -1
"""In place of a vCPU count: no vCPU is measured."""

_DIGEST = b'"launch_digest":"'
_VCPUS = b'"vcpus":'
_HEX = b"0123456789abcdef"
_SIZES = (SEV_DIGEST_SIZE, SNP_DIGEST_SIZE)
_COUNT = re.compile(rb"(?:null|0|[1-9][0-9]{0,4})(?=[,}])")
_MOST_VCPUS = (1 << 16) - 1


class RowText(NamedTuple):
    """The leaf of a row.

    rest: the text before the digest's hex digits, that between them and the vCPU count, and that after the count.
    digest: 32 or 48 bytes.
    vcpus: 0 to 65,535, or NONE.
    """

    rest: tuple[bytes, bytes, bytes]
    digest: bytes
    vcpus: int


def take_apart(leaf: bytes) -> RowText | None:
    """The parts of a leaf; None unless it has both keys, with values in canonical form, in the order of a row.

    A leaf that is taken apart is a row only if its rest is that of a row.
    """
    start = leaf.find(_DIGEST) + len(_DIGEST)
    end = leaf.find(b'"', start)
    digits = leaf[start:end]
    if start < len(_DIGEST) or len(digits) not in [2 * size for size in _SIZES] or digits.translate(None, _HEX):
        return None
    key = leaf.find(_VCPUS, end)
    found = _COUNT.match(leaf, key + len(_VCPUS)) if key >= 0 else None
    if found is None:
        return None
    vcpus = NONE if found[0] == b"null" else int(found[0])
    if vcpus > _MOST_VCPUS:
        return None
    return RowText(
        (leaf[:start], leaf[end : found.start()], leaf[found.end() :]), bytes.fromhex(digits.decode()), vcpus
    )
