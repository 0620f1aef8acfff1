"""Types of the callbacks by which long work reports its progress."""

from __future__ import annotations

from collections.abc import Callable

Progress = Callable[[int], None]
"""Called with the number of rows done since the last call."""

StartProgress = Callable[[str, int], Progress]
"""Called with the name of the work that starts and its number of rows; returns its Progress."""
