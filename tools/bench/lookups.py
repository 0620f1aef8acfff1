"""How long lookups take: as a command of their own, one by one in process, and in batches."""

from __future__ import annotations

import hashlib
import random
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import pyarrow.parquet as pq

from catalog.ask.batch import BatchIndex
from catalog.fast.packed import PackedCatalog
from catalog.store.catalog import Catalog
from catalog.store.manifest import part_names
from tests.support import attestation_builder
from tools.bench.catalogs import Catalogs

TECHNOLOGY = "sev-snp"
BATCH = 1_000_000
ONE_BY_ONE = 100_000
ROUNDS = 25


@dataclass(frozen=True)
class Lookups:
    """commands: median milliseconds by command. The others: lookups a second; batch: digests of one batch."""

    commands: dict[str, float]
    one_by_one: float
    named: float
    batched: float
    batch: int


def lookup_lines(catalogs: Catalogs) -> list[str]:
    """In the large catalog, as Markdown."""
    found = _lookups(catalogs.large.folder)
    nothing = found.commands["python -c pass"]
    return [
        f"In {catalogs.large.rows:,} rows.",
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
        "One by one: random digests, in a process that has answered 50,000 others; the best of many rounds.",
    ]


def _lookups(folder: Path) -> Lookups:
    """Random digests of a catalog, and how fast they are found."""
    digests = sampled_digests(folder, BATCH)
    few = digests[:ONE_BY_ONE]
    packed = PackedCatalog(str(folder), hashlib.sha256)
    index = packed.indexes[TECHNOLOGY]

    def configurations(digests: list[bytes]) -> None:
        for digest in digests:
            for ordinal in index.find(digest):
                index.group_of(ordinal).at(ordinal)

    def names(digests: list[bytes]) -> None:
        for digest in digests:
            packed.lookup(digest)

    batch = BatchIndex.open(Catalog.open(folder), TECHNOLOGY)
    asked = b"".join(digests)
    return Lookups(
        commands=_commands(folder, few[0].hex()),
        one_by_one=_rate(configurations, few),
        named=_rate(names, few),
        batched=len(digests) / _seconds(lambda: batch.find(asked)),
        batch=len(digests),
    )


def _rate(ask: Callable[[list[bytes]], None], digests: list[bytes]) -> float:
    """Digests a second in the best of many rounds, each of other digests, after as many digests again."""
    half = len(digests) // 2
    ask(digests[:half])
    each = half // ROUNDS
    return max(each / _seconds(partial(ask, digests[at : at + each])) for at in range(half, len(digests), each))


def sampled_digests(folder: Path, count: int) -> list[bytes]:
    """Random SEV-SNP digests of a catalog, at most so many."""
    catalog, chance = Catalog.open(folder), random.Random(1)
    entry = catalog.manifest.technologies[TECHNOLOGY]
    found: list[bytes] = []
    for name in part_names(TECHNOLOGY, entry.parts):
        column = pq.read_table(catalog.folder / name, columns=["launch_digest"])["launch_digest"]
        numbers = sorted(chance.sample(range(len(column)), min(len(column), -(-count // entry.parts))))
        found += [digest.as_py() for digest in column.take(numbers)]
    chance.shuffle(found)
    return found[:count]


def _commands(folder: Path, digest: str) -> dict[str, float]:
    with tempfile.TemporaryDirectory() as made:
        return _timed(folder, digest, Path(made))


def _timed(folder: Path, digest: str, made: Path) -> dict[str, float]:
    """Median milliseconds of each command. made: an empty folder, for a report and its certificates."""
    report, root, chain = made / "report.bin", made / "root.der", attestation_builder.chain(days=36_500)
    report.write_bytes(attestation_builder.signed(attestation_builder.report_bytes(measurement=bytes.fromhex(digest))))
    root.write_bytes(chain.ark.der)
    (made / "certs").mkdir()
    for name in ("leaf", "ask", "ark"):
        (made / "certs" / f"{name}.der").write_bytes(getattr(chain, name).der)
    lookup = [str(Path(sys.executable).with_name("ldcat")), "lookup", "--catalog", str(folder)]
    verified = [str(report), "--certs", str(made / "certs"), "--root", str(root)]
    commands = {
        "python -I -S -c pass": [sys.executable, "-I", "-S", "-c", "pass"],
        "python -c pass": [sys.executable, "-c", "pass"],
        "ldcat lookup DIGEST": [*lookup, digest],
        "ldcat lookup DIGEST --format json": [*lookup, digest, "--format", "json"],
        "ldcat lookup report.bin": [*lookup, str(report)],
        "ldcat lookup report.bin --format json": [*lookup, str(report), "--format", "json"],
        "ldcat lookup report.bin --certs DIR": [*lookup, *verified],
        "ldcat lookup report.bin --certs DIR --format json": [*lookup, *verified, "--format", "json"],
    }
    times: dict[str, list[float]] = {name: [] for name in commands}
    for _ in range(41):  # in turn, so that a slow moment is everyone's
        for name, command in commands.items():
            times[name].append(_seconds(partial(_quiet, command)))
    return {name: 1000 * sorted(taken)[len(taken) // 2] for name, taken in times.items()}


def _quiet(command: list[str]) -> None:
    subprocess.run(command, check=True, stdout=subprocess.DEVNULL)


def _seconds(work: Callable[[], object]) -> float:
    started = time.perf_counter()
    work()
    return time.perf_counter() - started
