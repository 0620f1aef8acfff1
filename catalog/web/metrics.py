"""Metrics of the service, for Prometheus: requests are counted by route template, never by digest."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, ProcessCollector, generate_latest

if TYPE_CHECKING:
    from catalog.fast.published import PublishedRelease

CONTENT_TYPE = "text/plain; version=0.0.4; charset=utf-8"
_SECONDS = (0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 1, 5, 30)


class Metrics:
    """The metrics of one service."""

    def __init__(self) -> None:
        self._registry = CollectorRegistry()
        ProcessCollector(registry=self._registry)
        self._requests = Counter("ldcat_requests", "Requests answered.", ("route", "status"), registry=self._registry)
        self._seconds = Histogram(
            "ldcat_request_seconds", "Time to answer.", ("route",), buckets=_SECONDS, registry=self._registry
        )
        self._release = Gauge("ldcat_release_number", "Release that is served; 0: no log.", registry=self._registry)
        self._fresh = Gauge("ldcat_release_fresh_until_seconds", "End of its freshness.", registry=self._registry)
        self._opened = Gauge("ldcat_release_opened_seconds", "Time when it was opened.", registry=self._registry)
        self.refused = Counter("ldcat_releases_refused", "Releases that were refused.", registry=self._registry)
        self.unanswered = Counter(
            "ldcat_host_unanswered", "Polls for a newer release that the host did not answer.", registry=self._registry
        )
        self._known: dict[tuple[str, int], tuple[Counter, Histogram]] = {}

    def answered(self, route: str, status: int, seconds: float) -> None:
        """Count a request. seconds: time to answer."""
        key = route, status
        if key not in self._known:
            self._known[key] = self._requests.labels(route, status), self._seconds.labels(route)
        counter, histogram = self._known[key]
        counter.inc()
        histogram.observe(seconds)

    def serves(self, release: PublishedRelease | None) -> None:
        """Record the release that is served from now on; None for a catalog without a log."""
        self._release.set(release.number if release else 0)
        self._fresh.set(release.fresh_until if release else 0)
        self._opened.set(time.time())

    def text(self) -> bytes:
        """All metrics in the text format of Prometheus."""
        return generate_latest(self._registry)
