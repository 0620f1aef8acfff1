"""The errors of a host that does not answer, for rooms that only catch them: HTTP takes long to load."""

from __future__ import annotations

from catalog.errors import Unreadable


class NoAnswer(Unreadable):
    """The host was not found or reached, did not speak HTTP, or closed the connection before the end."""


class Hangs(NoAnswer):
    """The host was too slow, or silent: the response was not complete in time."""
