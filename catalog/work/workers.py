"""Checks that the workers of a cluster are the same program as this one, and see the same storage."""

from __future__ import annotations

import os
from collections.abc import Callable, Sequence
from importlib.metadata import PackageNotFoundError, version

from catalog.errors import LdcatError, Unreadable, UsageError
from catalog.files.direct_io import ALIGNED, allocated
from catalog.version import __version__
from catalog.work.storage import Gone, Storage

_TOKEN_SIZE = 32

Seen = tuple[dict[str, str], str]
"""Versions of a worker by package, and why it cannot use the storage, empty if it can."""


def check_workers(storage: Storage, on_each: Callable[..., Sequence[Seen]]) -> None:
    """Raises UsageError if workers have other versions, Unreadable if one cannot read and write what this process does.

    on_each: calls a function with arguments on each worker; gives the results.
    """
    probe, token = storage.below(f"ldcat-probe-{os.urandom(8).hex()}"), os.urandom(_TOKEN_SIZE)
    try:
        _write(probe, "token", token)
        found = on_each(see, probe, token)
    finally:
        probe.remove()
    for package, ours in _versions().items():
        if others := {versions[package] for versions, _ in found} - {ours}:
            raise UsageError(f"workers have {package} {', '.join(sorted(others))}, and this is {ours}")
    for _, why in found:
        if why:
            raise Unreadable(
                f"a worker cannot use the storage {storage}: {why}",
                "name storage that all workers reach and may write: --storage URL",
            )


def see(probe: Storage, token: bytes) -> Seen:
    """Called on each worker: read the token, and write a file."""
    why = ""
    try:
        if bytes(next(probe.ranges([("token", 0, _TOKEN_SIZE)]))) != token:
            why = "it sees another file of the same name"
        _write(probe, os.urandom(8).hex(), token)
    except Gone:
        why = "it does not see what this process wrote there"
    except LdcatError as error:
        why = str(error)
    return _versions(), why


def _versions() -> dict[str, str]:
    """Versions of what decides the bytes of a catalog."""
    try:
        arrow = version("pyarrow")
    except PackageNotFoundError:
        arrow = "not installed"
    return {"ldcat": __version__, "pyarrow": arrow}


def _write(storage: Storage, name: str, data: bytes) -> None:
    memory = allocated(ALIGNED)
    memory[: len(data)] = data
    storage.put(name, memory, len(data))
