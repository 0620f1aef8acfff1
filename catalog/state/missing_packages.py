"""Packages that may be absent, because a slim install or an install without extras has none: what to install."""

from __future__ import annotations

from importlib.metadata import PackageNotFoundError, distribution

from catalog.errors import UsageError

SLIM = "ldcat-slim"
"""The distribution with the same code and few dependencies (docs/adr/0053-two-distributions-of-the-same-code.md)."""

_EXTRAS = {
    **dict.fromkeys(("duckdb", "jinja2", "markupsafe", "pyarrow", "rich", "typer"), "full"),
    **dict.fromkeys(("anyio", "granian", "prometheus_client", "starlette"), "serve"),
    **dict.fromkeys(("dask", "distributed"), "dask"),
}
"""The extra that has a package, by the name under which it is imported; `full` is in ldcat itself."""


def missing_package(error: ModuleNotFoundError, what: str) -> UsageError | None:
    """The error to report if a package is missing that an extra has; None for any other module, which is a defect.

    what: what needs it, such as `ldcat sql`.
    """
    package = (error.name or "").partition(".")[0]
    extra = _EXTRAS.get(package)
    if extra is None:
        return None
    return UsageError(f"{what} needs the package {package}, which is not installed", how_to_get(extra))


def how_to_get(extra: str) -> str:
    """The command that installs an extra of the distribution that this one is."""
    try:
        distribution(SLIM)
    except PackageNotFoundError:
        return "pip install ldcat" if extra == "full" else f"pip install 'ldcat[{extra}]'"
    return f"pip install '{SLIM}[{extra}]'" if extra == "full" else f"pip install '{SLIM}[full,{extra}]'"
