"""Measure what the README says, in one run, and write docs/benchmarks.md: `make bench`, or with ROWS=100_000_000."""

from __future__ import annotations

import argparse
import os
import platform
import sys
import tempfile
from pathlib import Path

from catalog.abi.sha256_compression import in_use
from catalog.launch.hashing.backends import choose
from tools.bench_audit import audit_lines
from tools.bench_builds import MIB, Build, built, default_build
from tools.bench_evidence import Found, evidence
from tools.bench_export import export_lines
from tools.bench_groups import group_lines
from tools.bench_kernels import kernel_rates
from tools.bench_log import log_figures, log_lines
from tools.bench_lookups import Lookups, lookups
from tools.bench_service import service_lines
from tools.bench_starts import start_lines

REPORT = Path(__file__).parent.parent / "docs" / "benchmarks.md"

COMPARED = """
## Two versions compared

`make bench BASE=COMMIT` compares the speed of HEAD with that of another commit. It installs both and runs lookups,
builds, the service and other commands of each in turn, in five rounds, on catalogs and logs that each version makes
of the same specs. The ratio is the median of the five rounds, above 1 if HEAD is faster. The exit code is 1 if a
lookup, build or service figure is below 0.90. The last figure, `python -c pass`, is the same for both versions: its
ratios show how much the machine disturbs the others. `ROWS=1_000_000` needs less time and disk space than the default
of 10 million rows."""


def main() -> None:
    """Run every measurement and write the report."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rows", type=int, default=10_000_000, help="rows of the large catalog")
    rows = parser.parse_args().rows
    os.environ.pop("PYTHONDONTWRITEBYTECODE", None)  # else each command compiles what it loads
    with tempfile.TemporaryDirectory() as work:
        folders = [Path(work) / name for name in ("default", "sev-es", "large")]
        builds = [default_build(folders[0]), built(folders[1], 10_000_000, "sev-es"), built(folders[2], rows)]
        commands = evidence(folders[0], folders[1])
        found = lookups(folders[2])
        log = log_lines(log_figures(Path(work) / "log"))
        kernels = [*kernel_rates(Path(work)), "", *group_lines()]
        audits = audit_lines(folders[0], folders[2], rows)
        exports = export_lines(Path(work) / "exports")
        service = [*service_lines(folders[0], folders[2]), "", *start_lines(folders[0], Path(work) / "starts")]
    text = report(kernels, builds, found, commands, log, audits, exports, service)
    REPORT.write_text(text, encoding="utf-8")
    sys.stdout.write(text)


def report(
    kernels: list[str],
    builds: list[Build],
    found: Lookups,
    commands: list[Found],
    log: list[str],
    audits: list[str],
    exports: list[str],
    service: list[str],
) -> str:
    """The report as Markdown."""
    nothing = found.commands["python -c pass"]
    lines = [
        "# Benchmarks",
        "",
        "Written by `make bench` in one run. Compare the figures with each other, not with those of other machines.",
        "",
        f"Python {platform.python_version()}, {os.cpu_count()} processors. SHA-256 midstates: {in_use}.",
        f"{choose()}.",
        "",
        "## Hash backends: digests a second, one thread",
        "",
        "Chains of 128 vCPUs. hashlib: a loop over the same chains that shares all prefixes. sev-snp-measure 0.0.13:",
        "in process, one image of 4 MiB and 4 vCPUs; it reads and hashes the image for each digest. OpenSSL: computed",
        "from its blocks a second for one message at a time: 65 blocks a SEV-ES digest, 2 a SEV-SNP digest.",
        "",
        *kernels,
        "",
        "## Builds",
        "",
        "| catalog | rows | seconds | rows/s | peak memory | Parquet bytes a row | index bytes a row |",
        "|---|---|---|---|---|---|---|",
        *(
            f"| {b.name} | {b.rows:,} | {b.seconds:.1f} | {b.rows / b.seconds:,.0f} | {b.peak / MIB:,.0f} MiB "
            f"| {b.parquet / b.rows:.1f} | {b.index / b.rows:.2f} |"
            for b in builds
        ),
        "",
        "Seconds: the whole command, from a cold start to synced files. The index includes its Merkle tree.",
        f"A SEV-ES row takes {_row_seconds(builds[1]) / _row_seconds(builds[2]):.1f} times as long as a SEV-SNP row.",
        "",
        f"## Lookups in {builds[-1].rows:,} rows",
        "",
        "| whole command, warm page cache | median ms | times `python -c pass` |",
        "|---|---|---|",
        *(f"| `{name}` | {ms:.1f} | {ms / nothing:.2f} |" for name, ms in found.commands.items()),
        "",
        "| in process, every byte verified, one thread | lookups/s |",
        "|---|---|",
        f"| one by one, to the configuration | {found.one_by_one:,.0f} |",
        f"| one by one, to all names | {found.named:,.0f} |",
        f"| in batches of {found.batch:,} | {found.batched:,.0f} |",
        "",
        "## Launch measurements, and explain",
        "",
        "| whole command | digests tried | median s | digests a second, start included |",
        "|---|---|---|---|",
        *(f"| {c.what} | {c.tried:,} | {c.seconds:.2f} | {c.tried / c.seconds:,.0f} |" for c in commands),
        "",
        "## The log",
        "",
        *log,
        "",
        f"## Diff and audit of {builds[-1].rows:,} rows",
        "",
        *audits,
        "",
        "## Exports",
        "",
        *exports,
        "",
        "## The service, and a host of static files",
        "",
        *service,
        "",
        "Hash backends and single lookups are the best of many rounds; builds, releases, batches and the miss of",
        "everything are measured once. One by one: random digests, in a process that has answered 50,000 others.",
        COMPARED,
    ]
    return "\n".join(lines) + "\n"


def _row_seconds(build: Build) -> float:
    return build.seconds / build.rows


if __name__ == "__main__":
    main()
