"""The sections of the report, in its order."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from tools.bench.audit import audit_lines
from tools.bench.build_table import build_lines
from tools.bench.catalogs import Catalogs
from tools.bench.cluster import cluster_lines
from tools.bench.evidence import evidence_lines
from tools.bench.export import export_lines
from tools.bench.groups import group_lines
from tools.bench.growth import growth_lines
from tools.bench.kernels import kernel_lines
from tools.bench.log import log_lines
from tools.bench.lookups import lookup_lines
from tools.bench.rebuild import rebuild_lines
from tools.bench.service import service_lines
from tools.bench.site import site_lines
from tools.bench.starts import start_lines
from tools.bench.stores import store_lines


@dataclass(frozen=True)
class Section:
    """lines: measures, and gives Markdown without the heading."""

    name: str
    title: str
    lines: Callable[[Catalogs], list[str]]


SECTIONS = (
    Section("kernels", "Hash backends: digests a second, one thread", kernel_lines),
    Section("groups", "Hash backends with few chains at once", group_lines),
    Section("builds", "Builds", build_lines),
    Section("starts", "Commands that do little", start_lines),
    Section("lookups", "Lookups in the large catalog", lookup_lines),
    Section("stores", "Beside LMDB, SQLite and DuckDB", store_lines),
    Section("evidence", "Launch measurements, and explain", evidence_lines),
    Section("log", "The log", log_lines),
    Section("growth", "Growth, and what else is done with a catalog", growth_lines),
    Section("audit", "Diff and audit of the large catalog", audit_lines),
    Section("rebuild", "Rebuilds of a log", rebuild_lines),
    Section("cluster", "A cluster", cluster_lines),
    Section("exports", "Exports", export_lines),
    Section("service", "The service", service_lines),
    Section("site", "A host of static files", site_lines),
)
