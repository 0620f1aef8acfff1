"""Compare the speed of two versions, in turn, on this machine: `make bench BASE=COMMIT`.

Each version is a fresh install of its commit, with compiled modules of its own; other packages are those of this venv.
"""

from __future__ import annotations

import argparse
import subprocess
import sys
import sysconfig
import tarfile
import tempfile
import venv
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from statistics import median

from tools.bench.figures import Figure, figures
from tools.bench.inputs import made_inputs, prepare, sample_digests
from tools.bench.versions import Version, finished

ROUNDS = 5
LIMIT = 0.90
CONTROL = "control"
"""The group of what is the same for both versions; all other figures have the limit."""
SAMPLE_MILLISECONDS = 600  # how long one version takes in one round, about
MOST_SAMPLES = 15


@dataclass(frozen=True)
class Comparison:
    """A figure of two versions: one value of each for each round."""

    name: str
    group: str
    unit: str
    base: tuple[float, ...]
    head: tuple[float, ...]

    @property
    def ratios(self) -> list[float]:
        """How fast HEAD is compared with BASE in each round; above 1 is faster."""
        pairs = zip(self.base, self.head, strict=True)
        return [base / head if self.unit == "ms" else head / base for base, head in pairs]

    @property
    def ratio(self) -> float:
        """The median of `ratios`: the two values of a round are from the same moment."""
        return median(self.ratios)

    @property
    def too_slow(self) -> bool:
        return self.group != CONTROL and self.ratio < LIMIT


def main() -> None:
    """Compare, print the table, and exit with 1 if a figure is below its limit."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--base", required=True, help="commit that HEAD is compared with")
    parser.add_argument("--rows", type=int, default=10_000_000, help="rows of the large catalog")
    given = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="ldcat-bench-") as work:
        versions = [_installed(Path(work) / name, commit) for name, commit in (("base", given.base), ("head", "HEAD"))]
        _say(f"preparing catalogs and logs of {versions[0].name} and {versions[1].name}")
        inputs = made_inputs(Path(work) / "inputs", versions[0], given.rows)
        for version in versions:
            prepare(version, inputs)
        sample_digests(versions[0], versions[1], inputs)
        taken = [figure for figure in figures(inputs) if all(version.has(figure.needs) for version in versions)]
        found = compared(taken, versions[0], versions[1], _say)
    sys.stdout.write("\n".join([*table(found, versions[0].name, versions[1].name), "", *verdict(found)]) + "\n")
    raise SystemExit(any(each.too_slow for each in found))


def compared(
    taken: Sequence[Figure], base: Version, head: Version, say: Callable[[str], None] = lambda _: None
) -> list[Comparison]:
    """Take every figure of both versions in each of several rounds, and not one version after the other.

    Within a round the versions alternate, first one and then the other first, so that a machine that becomes slower
    does so for both. Short commands, and figures that vary, are taken several times a round, and the median is the
    value of the round.
    """
    say("warming up")
    counts = []
    for figure in taken:
        first = max(figure.sample(version) for version in (base, head))
        counts.append(_samples(first) if figure.unit == "ms" else figure.least)
    values: list[dict[Version, list[float]]] = [{base: [], head: []} for _ in taken]
    for number in range(ROUNDS):
        say(f"round {number + 1} of {ROUNDS}")
        for figure, count, found in zip(taken, counts, values, strict=True):
            samples: dict[Version, list[float]] = {base: [], head: []}
            for turn in range(count):
                for version in (base, head) if (number + turn) % 2 == 0 else (head, base):
                    samples[version].append(figure.sample(version))
            for version in (base, head):
                found[version].append(median(samples[version]))
    return [
        Comparison(figure.name, figure.group, figure.unit, tuple(found[base]), tuple(found[head]))
        for figure, found in zip(taken, values, strict=True)
    ]


def table(found: Sequence[Comparison], base: str, head: str) -> list[str]:
    """As lines of Markdown. base, head: names of the versions."""
    return [
        f"| figure | unit | {base} | {head} | ratio | lowest to highest of {ROUNDS} rounds |",
        "|---|---|---|---|---|---|",
        *(
            f"| {each.name} | {each.unit} | {_number(median(each.base))} | {_number(median(each.head))} "
            f"| {each.ratio:.2f} | {min(each.ratios):.2f} to {max(each.ratios):.2f} |"
            for each in found
        ),
    ]


def verdict(found: Sequence[Comparison]) -> list[str]:
    """One line for each figure that is below its limit, or one that says that none is."""
    slow = [
        f"SLOWER: {each.group}: {each.name}: {each.ratio:.3f}, below {LIMIT:.2f}" for each in found if each.too_slow
    ]
    return slow or [f"No figure is below {LIMIT:.2f} of the base."]


def _samples(milliseconds: float) -> int:
    """An odd number, so that their median is one of them."""
    return min(MOST_SAMPLES, max(1, int(SAMPLE_MILLISECONDS / milliseconds) | 1))


def _number(value: float) -> str:
    return f"{value:,.1f}" if value < 1000 else f"{value:,.0f}"


def _installed(folder: Path, commit: str) -> Version:
    """Install a commit without network, as a user would: not in place, and compiled to bytecode by pip."""
    name = _git("rev-parse", "--short", f"{commit}^{{commit}}")
    _say(f"installing {name}")
    folder.mkdir()
    _git("archive", "--output", str(folder / "source.tar"), name)
    with tarfile.open(folder / "source.tar") as archive:
        archive.extractall(folder / "source", filter="data")
    venv.create(folder / "venv", symlinks=True)
    python = folder / "venv" / "bin" / "python"
    packages = next((folder / "venv" / "lib").glob("python*/site-packages"))
    (packages / "shared.pth").write_text(sysconfig.get_path("purelib") + "\n")  # its own .pth files are not read
    options = ["--quiet", "--disable-pip-version-check", "--no-index", "--no-deps", "--no-build-isolation"]
    finished([sys.executable, "-m", "pip", "--python", str(python), "install", *options, str(folder / "source")])
    return Version(name, python, folder / "made")


def _git(*arguments: str) -> str:
    command = ["git", "-C", str(Path(__file__).parent.parent.parent), *arguments]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode:
        raise SystemExit(f"bench: git {' '.join(arguments)}: {done.stderr.strip()}")
    return done.stdout.strip()


def _say(text: str) -> None:
    sys.stderr.write(f"bench: {text}\n")


if __name__ == "__main__":
    main()
