"""Files as `ldcat export -o` writes them, each with its sidecar, to be given to a later export."""

from __future__ import annotations

import hashlib
from collections.abc import Collection
from typing import Any

from catalog.export.exported import Source
from catalog.export.settings import GivenFile
from catalog.export.sidecar import DescribedFile, make_sidecar
from tests.support.exports import SOURCE, row_of


def digests_of(vcpus: int) -> list[bytes]:
    """The digests of an export of 1 to `vcpus` vCPUs."""
    return [row_of(count).digest for count in range(1, vcpus + 1)]


def given_file(
    name: str,
    data: bytes = b"values\n",
    *,
    digests: Collection[bytes] = tuple(digests_of(1)),
    source: Source = SOURCE,
    kind: str = "rvps",
    others: Collection[str] = (),
    **changes: Any,
) -> GivenFile:
    """A file of an export. kind: its format. others: of the same export. changes: of the given file."""
    base = name.rpartition("/")[2]
    described = [
        DescribedFile(name=one, size=len(data), sha256=hashlib.sha256(data).hexdigest()) for one in (base, *others)
    ]
    sidecar = bytes(make_sidecar(kind, source, digests, described, []))
    return GivenFile(**{"name": name, "data": data, "sidecar": sidecar, **changes})
