"""Lookup in the ranges of a host: the one file that can list a digest is fetched, and each of its rows measured again.

So a row that is found has the digest, whoever wrote the file. That there is no row is the claim of the host. Ranges
list the first 16 bytes of a digest: a row whose digest differs after them is another row, and no fault of the host.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable, Iterator
from typing import Any

from catalog.abi.digest import LaunchDigest
from catalog.errors import LdcatError, VerificationFailed
from catalog.rows.fields import BY_NAME, FACTS, INPUTS
from catalog.rows.launch_config import LaunchConfig
from catalog.store.catalog import Catalog
from catalog.store.ranges import FRAGMENT, MAX_READ, RangeIndex

_KEPT = 64
"""Ranges that were fetched: how many are kept, at most 2 MiB unless many rows have one digest."""

Fetch = Callable[[str, int], bytes]
"""Fetches a file by its name; the number is the most bytes that it may have."""


class Ranges:
    """The ranges of a catalog, read with `fetch`. Raises VerificationFailed if they belong to another catalog."""

    def __init__(self, catalog: Catalog, index: bytes, fetch: Fetch) -> None:
        self._index = RangeIndex.parse(index)
        if self._index.manifest_sha256 != catalog.manifest_sha256:
            raise VerificationFailed(f"the ranges of {catalog.location} belong to another catalog")
        self._catalog = catalog
        self._fetch = fetch
        self._fetched: OrderedDict[str, bytes] = OrderedDict()
        self._components = catalog.launch_components
        _ = catalog.firmware, catalog.launchable, catalog.vcpu_types  # all components now: a lookup asks for one file

    def rows(self, digest: LaunchDigest) -> Iterator[dict[str, Any]]:
        """Every row that has the digest, by the columns of launch_digests.parquet.

        Raises MalformedInput for an invalid range, VerificationFailed for a row whose digest is not the listed one, and
        the errors of `fetch`.
        """
        name = self._index.name(digest.value)
        data = self._fetched.pop(name, None)
        if data is None:
            data = self._fetch(name, MAX_READ)
        yield from self._measured(digest, data)
        self._fetched[name] = data  # only now: whatever was wrong is not kept
        while len(self._fetched) > _KEPT:
            self._fetched.popitem(last=False)

    def _measured(self, digest: LaunchDigest, data: bytes) -> Iterator[dict[str, Any]]:
        """The rows of a range that have the digest, each measured again."""
        for inputs in self._index.find(data, digest.value):
            if inputs["technology"] not in self._catalog.manifest.known:
                continue
            config = self._config(inputs)
            measured = _measured(config)
            if config is None or measured is None or measured.value[:FRAGMENT] != digest.value[:FRAGMENT]:
                raise VerificationFailed(
                    f"a range of {self._catalog.location} lists a row that does not have this launch digest",
                    "the host serves wrong data: use another host, or fetch the catalog",
                )
            if measured == digest:
                facts = {fact.name: fact.value(config) if fact.name in self._index.facts else None for fact in FACTS}
                yield {field.name: field.value(config) for field in INPUTS} | facts | {"launch_digest": digest.value}

    def _config(self, inputs: dict[str, Any]) -> LaunchConfig | None:
        """The launch configuration of a row; None if the catalog lacks a component of it, or a value is invalid."""
        try:
            return self._components.config({name: _value(name, value) for name, value in inputs.items()})
        except (LdcatError, ValueError):
            return None


def _measured(config: LaunchConfig | None) -> LaunchDigest | None:
    try:
        return config.digest() if config else None
    except LdcatError:
        return None


def _value(name: str, value: Any) -> Any:
    """A value from index.json as a row has it: hashes there are hex, numbers are numbers."""
    return bytes.fromhex(value) if value is not None and BY_NAME[name].kind.arrow == "binary" else value
