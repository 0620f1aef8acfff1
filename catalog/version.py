"""The version of ldcat: in its output, in what it builds, and in pyproject.toml."""

__version__ = "0.2.0"
