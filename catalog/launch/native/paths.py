"""Paths: which code each kernel runs on this processor; the Python reference where nothing is compiled."""

from __future__ import annotations

from dataclasses import dataclass

from catalog.errors import UsageError

try:
    from catalog.launch.native._kernels import ffi, lib
except ImportError:
    ffi = lib = None

__all__ = ["PYTHON", "REFERENCE", "Kernels", "choose", "ffi", "lib", "path_number", "sha256_paths", "sha384_paths"]

PYTHON = "python"
"""The path of the reference: hashlib, and SHA-256 midstates as catalog.abi.sha256 has them."""

_SHA256 = ("avx512", "sha-ni", "avx2", "portable")
_SHA384 = ("avx512", "avx2", "portable")


@dataclass(frozen=True, slots=True)
class Kernels:
    """The path of each kernel, by name. sha256: SEV-ES chains and LAUNCH_MEASURE. sha384: SNP chains."""

    sha256: str
    sha384: str

    @property
    def compiled(self) -> bool:
        """Whether every kernel is compiled code, which runs without the GIL."""
        return PYTHON not in (self.sha256, self.sha384)

    def here(self) -> Kernels:
        """The same where this processor has the paths, else its best: work may be sent to another machine."""
        return Kernels(_or_best(self.sha256, sha256_paths()), _or_best(self.sha384, sha384_paths()))

    def __str__(self) -> str:
        return f"SHA-256 chains: {self.sha256}, SHA-384 chains: {self.sha384}"


REFERENCE = Kernels(PYTHON, PYTHON)


def path_number(path: str) -> int:
    """The number the compiled code has for a path."""
    return int(getattr(lib, "LDCAT_" + path.upper().replace("-", "_")))


def sha256_paths() -> tuple[str, ...]:
    """Paths of SHA-256 chains this processor has, best first."""
    paths = [path for path in _SHA256 if _has(path)]
    if "sha-ni" in paths and lib.ldcat_halves_512_bits():
        paths.sort(key=lambda path: path != "sha-ni")  # stable
    return (*paths, PYTHON)


def sha384_paths() -> tuple[str, ...]:
    """Paths of SHA-384 chains this processor has, best first."""
    return (*(path for path in _SHA384 if _has(path)), PYTHON)


def choose(path: str | None = None) -> Kernels:
    """The best path of each kernel, or the one named; a kernel that has none of that name keeps its best.

    Raises UsageError for a path that no kernel has here.
    """
    sha256, sha384 = sha256_paths(), sha384_paths()
    if path is not None and path not in {*sha256, *sha384}:
        here = ", ".join(dict.fromkeys((*sha256, *sha384)))
        raise UsageError(f"no kernel has a path {path!r} on this machine", f"one of: {here}")
    return Kernels(_or_best(path, sha256), _or_best(path, sha384))


def _or_best(path: str | None, paths: tuple[str, ...]) -> str:
    return path if path in paths else paths[0]


def _has(path: str) -> bool:
    return lib is not None and bool(lib.ldcat_has_path(path_number(path)))
