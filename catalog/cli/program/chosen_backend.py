"""The hash backend that the environment chooses."""

from __future__ import annotations

import os

from catalog.launch.hashing.backends import HashBackend, choose


def hash_backend() -> HashBackend:
    """The hash backend that LDCAT_HASH_BACKEND, or its older name LDCAT_KERNELS, names; otherwise the fastest one.

    Raises UsageError if this machine has no such backend.
    """
    return choose(os.environ.get("LDCAT_HASH_BACKEND") or os.environ.get("LDCAT_KERNELS") or None)
