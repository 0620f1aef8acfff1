"""The Python API of ldcat, under the name of the distribution: the same as `catalog`."""

from __future__ import annotations

import catalog
from catalog import __version__, errors

TYPE_CHECKING = False
if TYPE_CHECKING:
    from catalog import Outcome, Release, Severity, measure, verify_proof
else:
    __getattr__ = catalog.__getattr__

__all__ = ["Outcome", "Release", "Severity", "__version__", "errors", "measure", "verify_proof"]
