"""ldcat: a catalog of the launch digests of confidential VMs (AMD SEV, SEV-ES, SEV-SNP; Intel TDX).

The names in `__all__` are the Python API, which can also be imported from `ldcat`; docs/python.md says how to use them.
"""

from __future__ import annotations

from catalog.version import __version__

TYPE_CHECKING = False
if TYPE_CHECKING:
    from catalog.api.functions import measure, verify_proof
    from catalog.api.release import Release
    from catalog.api.severity import Severity
    from catalog.prove.verdict import Outcome

_MODULES = {
    "Outcome": "prove.verdict",
    "Release": "api.release",
    "Severity": "api.severity",
    "measure": "api.functions",
    "verify_proof": "api.functions",
}

__all__ = ["Outcome", "Release", "Severity", "__version__", "measure", "verify_proof"]


def __getattr__(name: str) -> object:
    """Import a part of the API on first use: importing the package loads none of it."""
    if name not in _MODULES:
        raise AttributeError(f"module 'catalog' has no attribute {name!r}")
    from importlib import import_module

    return getattr(import_module(f"catalog.{_MODULES[name]}"), name)
