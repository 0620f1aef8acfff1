"""Where a published log is: a folder of this machine, or what a static host serves."""

from __future__ import annotations

from dataclasses import dataclass

from catalog.fast.published import is_number


@dataclass(frozen=True, slots=True)
class HostedPlace:
    """A log that a static host serves, or one of its releases. url: of the log. number: None for the last release."""

    url: str
    number: int | None

    def __str__(self) -> str:
        return self.url if self.number is None else f"{self.url}/releases/{self.number}"


def hosted_place(text: str) -> HostedPlace | None:
    """What a URL names; None for what is none. Raises UsageError for a URL that is not asked."""
    if not text.lower().startswith(("https:", "http:")):
        return None
    from catalog.net.static_host import StaticHost  # http.client takes long to load

    url = StaticHost.parse(text).url
    log, releases, number = url.rpartition("/releases/")
    if releases and is_number(number):
        return HostedPlace(log, int(number))
    return HostedPlace(url, None)
