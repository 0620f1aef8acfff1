"""Fetches the Debian packages that data/ names and checks that its records and the published files agree.

Packages and images that no record names are reported. Run as `python -m tools.debian_firmware [--write]`. Exit code 0:
everything a mirror still has agrees; 1: something differs; 5: something could not be fetched. Firmware stays in a
temporary folder.
"""

from __future__ import annotations

import argparse
import sys
import tempfile
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from catalog.errors import LdcatError, Unreadable
from tools.debian_packages import Fetched, Mirror, Package, configured_sites
from tools.debian_records import DATA, Published, new_record, read_records

RELEASES = ("bullseye", "bookworm", "trixie")
SUITES = (*RELEASES, *(f"{release}-security" for release in RELEASES), "sid", "forky")
"""Suites in which packages of firmware are looked for; forky has most of its packages from sid."""

PREFIX, OTHER_ARCHITECTURE = "ovmf", "ovmf-ia32"
"""How names of firmware packages begin, and the one whose images are 32-bit: no SEV guest runs them."""

Fetch = Callable[[Package], Fetched | None]


@dataclass(slots=True)
class Outcome:
    """What a check found: titles that agree, and a line for each thing to report."""

    agree: list[str] = field(default_factory=list)
    mismatches: list[str] = field(default_factory=list)
    gone: list[str] = field(default_factory=list)
    failures: list[str] = field(default_factory=list)
    unrecorded: list[str] = field(default_factory=list)
    added: list[str] = field(default_factory=list)
    written: list[str] = field(default_factory=list)

    def lines(self) -> Iterator[str]:
        """The report, a summary last."""
        kinds = {
            "written": self.written,
            "added": self.added,
            "gone": self.gone,
            "unrecorded": self.unrecorded,
            "failed": self.failures,
            "mismatch": self.mismatches,
        }
        for kind, found in kinds.items():
            yield from (f"{kind}: {line}" for line in found)
        counts = [f"{len(found)} {kind}" for kind, found in kinds.items() if found]
        yield f"total: {', '.join([f'{len(self.agree)} agree', *counts])}"

    @property
    def exit_code(self) -> int:
        """1 for a mismatch, else 5 for a failure or where nothing was left to check, else 0.

        A package that is gone is no failure: mirrors keep the newest version of each alone.
        """
        if self.mismatches:
            return 1
        return 0 if (self.agree or self.written or self.added) and not self.failures else Unreadable.exit_code


def check(
    published: Iterable[Published], fetch: Fetch, *, others: Iterable[Package] = (), write_to: Path | None = None
) -> Outcome:
    """Compare every record with what `fetch` gives for its package, a package at a time.

    others: packages that may have images without a record; a version that is named before, in any suite, is left out.
    write_to: the folder of firmware records, to make them agree with their images unless the package is another, and to
        add those of images that have none.
    """
    outcome = Outcome()
    by_package: dict[Package, list[Published]] = {}
    for one in published:
        by_package.setdefault(one.package, []).append(one)
    named = {(package.name, package.version) for package in by_package}
    for package in others:
        if (package.name, package.version) not in named:
            named.add((package.name, package.version))
            by_package[package] = []
    for package, group in sorted(by_package.items()):
        try:
            fetched = fetch(package)
        except Unreadable as error:
            outcome.failures.append(f"{package}: {error}" + (f" ({error.hint})" if error.hint else ""))
            continue
        if fetched is None:
            outcome.gone.append(f"{package} ({len(group)} records not checked)")
            continue
        for one in group:
            _check_one(one, fetched, outcome, write=write_to is not None)
        for path in firmware_images(fetched.root) - {one.path for one in group}:
            _note_unrecorded(package, fetched, path, outcome, write_to)
    outcome.unrecorded.sort()
    outcome.added.sort()
    return outcome


def firmware_images(root: Path) -> set[str]:
    """Paths of the regular .fd files of an unpacked package that are no variable stores."""
    return {
        f"/{file.relative_to(root)}"
        for file in root.rglob("*.fd")
        if file.is_file() and not file.is_symlink() and "VARS" not in file.name
    }


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command; returns its exit code."""
    parser = argparse.ArgumentParser(prog="python -m tools.debian_firmware", description=__doc__)
    parser.add_argument(
        "--write",
        action="store_true",
        help="make firmware records agree with their images, and add those of images without one",
    )
    parser.add_argument("--site", help="URL of a Debian mirror, in place of those of apt's configuration")
    options = parser.parse_args(arguments)
    try:
        sites = [options.site] if options.site else configured_sites()
        with tempfile.TemporaryDirectory(prefix="debian-firmware-") as work:
            mirror = Mirror(sites, Path(work))
            others, failures = _other_packages(mirror)
            write_to = DATA / "firmware" if options.write else None
            outcome = check(read_records(), mirror.fetch, others=others, write_to=write_to)
            outcome.failures += failures
    except LdcatError as error:
        sys.stderr.write(f"error: {error}\n" + (f"hint: {error.hint}\n" if error.hint else ""))
        return error.exit_code
    except KeyboardInterrupt:
        return 130
    for suite in sorted(mirror.absent):
        sys.stdout.write(f"no suite: {suite} is on none of the sites\n")
    for line in outcome.lines():
        sys.stdout.write(f"{line}\n")
    return outcome.exit_code


def _check_one(one: Published, fetched: Fetched, outcome: Outcome, *, write: bool) -> None:
    if fetched.sha256 != one.package_sha256:
        outcome.mismatches.append(
            f"{one.title}: package_sha256 is {one.package_sha256}, that of {one.package} {fetched.sha256}"
        )
        return
    file = fetched.root / one.path.lstrip("/")
    if file.is_symlink() or not file.is_file():
        outcome.mismatches.append(f"{one.title}: {one.path} is no regular file of {one.package}")
        return
    try:
        data = file.read_bytes()
        if write and one.rewrite(data):
            outcome.written.append(one.title)
            return
        differences = one.differences(data)
    except LdcatError as error:
        differences = [str(error)]
    outcome.mismatches += [f"{one.title}: {difference}" for difference in differences]
    if not differences:
        outcome.agree.append(one.title)


def _other_packages(mirror: Mirror) -> tuple[list[Package], list[str]]:
    """The packages of 64-bit firmware in SUITES, and a line for each suite that cannot be read."""
    packages, failures = [], []
    for suite in SUITES:
        try:
            packages += [found for found in mirror.packages(suite, PREFIX) if found.name != OTHER_ARCHITECTURE]
        except Unreadable as error:
            failures.append(f"{suite}: {error}" + (f" ({error.hint})" if error.hint else ""))
    return packages, failures


def _note_unrecorded(package: Package, fetched: Fetched, path: str, outcome: Outcome, write_to: Path | None) -> None:
    """Report an image without a record, or add its record to the folder `write_to`."""
    try:
        if write_to is not None:
            build = new_record(package, fetched, path)
            (write_to / f"{build.name.replace('/', '_')}.toml").write_text(build.to_toml(), encoding="utf-8")
            outcome.added.append(f"{build.name}: say whether it launches")
            return
        outcome.unrecorded.append(f"{package}: {path}")
    except LdcatError as error:
        outcome.unrecorded.append(f"{package}: {path} ({error})")


if __name__ == "__main__":
    sys.exit(main())
