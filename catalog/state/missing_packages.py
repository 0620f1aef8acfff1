"""Packages that may be absent, because a slim install or an install without extras has none: what to install."""

from __future__ import annotations

from catalog.errors import UsageError

SLIM = "ldcat-slim"
"""The distribution with few dependencies (docs/adr/0053-a-slim-distribution.md)."""

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
    """The command that installs an extra of ldcat, and takes nothing away if it fails.

    ldcat-slim is another distribution with files of the same names. Whichever of the two is uninstalled takes those of
    the other with it, so ldcat goes into an environment of its own.
    """
    from importlib.metadata import PackageNotFoundError, distribution

    wanted = "ldcat" if extra == "full" else f"'ldcat[{extra}]'"
    try:
        distribution(SLIM)
    except PackageNotFoundError:
        return f"pip install {wanted}"
    return f"python3 -m venv ldcat-full && ldcat-full/bin/pip install {wanted}"
