"""ldcat: a catalog of the launch digests of confidential VMs (AMD SEV, SEV-ES, SEV-SNP).

`Release` and `verify_proof` are the Python API; docs/python.md says how to use them.
"""

from __future__ import annotations

from catalog.version import __version__

TYPE_CHECKING = False
if TYPE_CHECKING:
    from catalog.api import Release, verify_proof


__all__ = ["Release", "__version__", "verify_proof"]


def __getattr__(name: str) -> object:
    """Import the API on first use: the fast path of the command line does not need it."""
    if name in ("Release", "verify_proof"):
        from catalog import api

        return getattr(api, name)
    raise AttributeError(f"module 'catalog' has no attribute {name!r}")
