"""Hash backends: which implementation of each hash runs on this processor; the Python reference if none is compiled."""

from __future__ import annotations

from catalog.errors import UsageError
from catalog.values import Value

try:
    from catalog.launch.hashing._hashing import ffi, lib
except ImportError:
    ffi = lib = None

__all__ = [
    "FASTEST",
    "PYTHON",
    "REFERENCE",
    "HashBackend",
    "choose",
    "ffi",
    "implementation_number",
    "lib",
    "sha256_implementations",
    "sha384_implementations",
]

PYTHON = "python"
"""The reference implementation: hashlib, and SHA-256 midstates of catalog.abi.sha256."""

FASTEST = "fastest"
"""The compiled implementations that hash some SHA-256 chains in the least time; it depends on how many there are."""

_SHA256 = ("avx512", "sha-ni", "avx2", "portable")
_SHA384 = ("avx512", "avx2", "portable")


class HashBackend(Value):
    """The implementation of each hash, by name."""

    sha256: str
    """For SEV and SEV-ES chains, and for the LAUNCH_MEASURE scan."""
    sha384: str
    """For SEV-SNP chains."""

    @property
    def compiled(self) -> bool:
        """Whether both are compiled code, which runs without the GIL."""
        return PYTHON not in (self.sha256, self.sha384)

    def here(self) -> HashBackend:
        """The same backend if this processor can run it, else its best one: tasks may come from another machine."""
        return HashBackend(
            _or_best(self.sha256, sha256_implementations()), _or_best(self.sha384, sha384_implementations())
        )

    def __str__(self) -> str:
        names = [name for name in sha256_implementations() if name not in (FASTEST, PYTHON)]
        sha256 = f"{FASTEST} of {', '.join(names)}" if self.sha256 == FASTEST else self.sha256
        return f"SHA-256 chains: {sha256}, SHA-384 chains: {self.sha384}"


REFERENCE = HashBackend(PYTHON, PYTHON)


def implementation_number(name: str) -> int:
    """The number of an implementation in the compiled code."""
    return int(getattr(lib, "LDCAT_" + name.upper().replace("-", "_")))


def sha256_implementations() -> tuple[str, ...]:
    """Implementations of SHA-256 chains that this processor can run, best first."""
    found = [name for name in _SHA256 if _runs(name)]
    return (FASTEST, *found, PYTHON) if found else (PYTHON,)


def sha384_implementations() -> tuple[str, ...]:
    """Implementations of SHA-384 chains that this processor can run, best first."""
    return (*(name for name in _SHA384 if _runs(name)), PYTHON)


def choose(name: str | None = None) -> HashBackend:
    """The best implementation of each hash, or the named one; a hash without one of that name gets its best.

    Raises UsageError if no hash has an implementation of that name here.
    """
    sha256, sha384 = sha256_implementations(), sha384_implementations()
    if name is not None and name not in {*sha256, *sha384}:
        here = ", ".join(dict.fromkeys((*sha256, *sha384)))
        raise UsageError(f"there is no hash backend {name!r} on this machine", f"one of: {here}")
    return HashBackend(_or_best(name, sha256), _or_best(name, sha384))


def _or_best(name: str | None, implementations: tuple[str, ...]) -> str:
    return name if name in implementations else implementations[0]


def _runs(name: str) -> bool:
    return lib is not None and bool(lib.ldcat_has_implementation(implementation_number(name)))
