"""Looks up public launch digests in the default catalog, and prints a table by platform. Run as `python -m tools.wild`.

The digests are those of vectors/wild/corpus.jsonl in the folder that LDCAT_SHARED names, each with what is expected.
Exit code 1: an answer is less than expected; a line for each says how.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import tempfile
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from catalog.ask.answer import Answer
from catalog.ask.answering import answer
from catalog.ask.verification import VerificationInputs
from catalog.evidence.sniff import sniff
from catalog.fast.match import Match
from catalog.fast.match_text import ENDORSED, NOT_FOUND
from catalog.launch.hashing.backends import choose
from catalog.spec import embedded
from catalog.store.catalog import Catalog

ROOT = Path(__file__).resolve().parent.parent
CORPUS = "vectors/wild/corpus.jsonl"

KINDS = ("named", "endorsed", "related", "reported", "unexplained")

REPORTED = frozenset(
    (
        "azure-cvm-07",
        "etclab-gvisor-01",
        "hippius-01",
        "internet-computer-dfinity-21",
        "internet-computer-dfinity-22",
        "tum-cvm-eval-01",
    )
)
"""Digests that the corpus calls endorsed, and that documentation or tests merely quote."""

WITHOUT_PARTNER = frozenset(("internet-computer-dfinity-03", "internet-computer-dfinity-09"))
"""Digests whose chain needs another that may not be in a corpus."""


@dataclass(frozen=True, slots=True)
class Entry:
    """A public digest. expected: of KINDS."""

    name: str
    platform: str
    digest: str
    expected: frozenset[str]

    @classmethod
    def of(cls, line: str) -> Entry:
        said = json.loads(line)
        expected = set(said["expected"].split(", "))
        if said["id"] in REPORTED:
            expected = {"reported"}
        elif said["id"] in WITHOUT_PARTNER:
            expected.discard("related")
        return cls(said["id"], said["platform"], said["launch_digest"], frozenset(expected))


def kinds_of(reply: Answer) -> frozenset[str]:
    """What is answered, of KINDS."""
    found = {
        "named": reply.exit_code == 0 and all(map(_is_shipped, reply.matches)),
        "endorsed": reply.exit_code == ENDORSED and bool(reply.endorsements),
        "related": bool(reply.related.relations or reply.inferred),
        "reported": reply.exit_code == NOT_FOUND and bool(reply.reported),
    }
    return frozenset(kind for kind, holds in found.items() if holds) or frozenset(("unexplained",))


def _is_shipped(match: Match) -> bool:
    kernel = match.kernel_hashes
    return match.firmware["name"] in embedded.builds() and (kernel is None or kernel["name"] in embedded.kernels())


def read_corpus(path: Path) -> list[Entry]:
    """The digests of a file of JSON lines."""
    return [Entry.of(line) for line in path.read_text(encoding="utf-8").splitlines() if line]


def shortfalls(entries: Iterable[tuple[Entry, Answer]]) -> Iterator[str]:
    """A line for each answer that is less than expected."""
    for entry, reply in entries:
        got = kinds_of(reply)
        missing = sorted(entry.expected - got)
        if "unexplained" in entry.expected and (missing or not reply.asked):
            missing = ["exit code 1, and who was asked"]
        if missing:
            said = ", ".join(sorted(got))
            yield f"{entry.name}: {', '.join(missing)} expected; answered {said}, exit code {reply.exit_code}"


def table(entries: Sequence[tuple[Entry, Answer]]) -> Iterator[str]:
    """A table by platform: how many digests there are, and of each kind how many are answered and expected."""
    yield f"{'platform':28}{'digests':>8}" + "".join(f"{kind:>14}" for kind in KINDS)
    platforms = dict.fromkeys(entry.platform for entry, _ in entries)
    for name in (*platforms, "all"):
        rows = [one for one in entries if name in (one[0].platform, "all")]
        yield f"{name:28}{len(rows):8}" + "".join(f"{_count(rows, kind):>14}" for kind in KINDS)


def _count(rows: Sequence[tuple[Entry, Answer]], kind: str) -> str:
    expected = [reply for entry, reply in rows if kind in entry.expected]
    return f"{sum(kind in kinds_of(reply) for reply in expected)} of {len(expected)}" if expected else "-"


def look_up(folder: Path, entries: Iterable[Entry]) -> list[tuple[Entry, Answer]]:
    """Each digest with the answer of a catalog, as `ldcat lookup` gives it."""
    catalog, backend = Catalog.open(folder), choose()

    def asked(entry: Entry) -> Answer:
        evidence = sniff(entry.digest.encode())
        return answer(catalog, evidence, VerificationInputs(), backend, warn=_warn, tried=lambda _: None)

    return [(entry, asked(entry)) for entry in entries]


def _warn(text: str) -> None:
    sys.stderr.write(f"warning: {text}\n")


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command; returns its exit code."""
    parser = argparse.ArgumentParser(prog="python -m tools.wild", description=__doc__)
    parser.add_argument("--corpus", type=Path, help="a file like the shared one")
    parser.add_argument("--catalog", type=Path, help="a catalog that is built already, in place of the default one")
    options = parser.parse_args(arguments)
    shared = Path(os.environ.get("LDCAT_SHARED") or ROOT.parent / "shared")
    entries = read_corpus(options.corpus or shared / CORPUS)
    with tempfile.TemporaryDirectory(prefix="wild-") as work:
        folder = options.catalog or Path(work) / "catalog"
        if options.catalog is None:
            build = [sys.executable, "-m", "catalog", "build", "--output", str(folder), "--quiet"]
            subprocess.run(build, cwd=ROOT, check=True)  # noqa: S603  our own command
        found = look_up(folder, entries)
    for line in table(found):
        sys.stdout.write(f"{line}\n")
    faults = list(shortfalls(found))
    for line in faults:
        sys.stdout.write(f"less than expected: {line}\n")
    return 1 if faults else 0


if __name__ == "__main__":
    sys.exit(main())
