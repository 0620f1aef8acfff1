"""What `ldcat --version` prints: the version, and which code hashes."""

from __future__ import annotations

from catalog.abi import sha256_compression
from catalog.cli.program.chosen_backend import hash_backend
from catalog.version import __version__


def version_line() -> str:
    """What `ldcat --version` prints."""
    return f"ldcat {__version__} (SHA-256 midstates: {sha256_compression.in_use}; {hash_backend()})"
