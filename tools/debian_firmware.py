"""Fetches the Debian packages that data/ names and checks that its records and the published files agree.

Run as `python -m tools.debian_firmware [--write]`. Exit code 0: everything a mirror still has agrees;
1: something differs; 5: something could not be fetched. Firmware stays in a temporary folder.
"""

from __future__ import annotations

import argparse
import hashlib
import sys
import tempfile
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field, fields, replace
from pathlib import Path
from typing import Protocol

from catalog.errors import LdcatError, MalformedRecord, Unreadable
from catalog.firmware.build import FirmwareBuild, OriginWire
from catalog.firmware.component import FirmwareComponent
from catalog.firmware.kernel_record import BlobWire, KernelRecord
from catalog.firmware.ovmf import OvmfImage
from tools.debian_packages import Fetched, Mirror, Package, configured_sites

DATA = Path(__file__).resolve().parent.parent / "data"
DISTRIBUTION = "debian"

Fetch = Callable[[Package], Fetched | None]


class Published(Protocol):
    """A record, or a part of one, that stands for one file of a package."""

    @property
    def title(self) -> str: ...
    @property
    def package(self) -> Package: ...
    @property
    def package_sha256(self) -> str: ...
    @property
    def path(self) -> str: ...

    def differences(self, data: bytes) -> list[str]:
        """What the record says otherwise than the bytes of the file."""

    def rewrite(self, data: bytes) -> bool:
        """Make the record say what the file's bytes do; False where there is nothing to change."""


@dataclass(frozen=True, slots=True)
class PublishedFirmware:
    """The record of a firmware build, read from `file`."""

    file: Path
    build: FirmwareBuild
    origin: OriginWire

    @property
    def title(self) -> str:
        return self.build.name

    @property
    def package(self) -> Package:
        return Package(self.origin.suite, self.origin.package, self.origin.version)

    @property
    def package_sha256(self) -> str:
        return self.origin.package_sha256

    @property
    def path(self) -> str:
        return self.origin.path

    def differences(self, data: bytes) -> list[str]:
        """Every field of the component that does not follow from the image."""
        image = FirmwareComponent.from_image(OvmfImage.parse(data))
        pairs = [
            (f.name, getattr(self.build.component, f.name), getattr(image, f.name))
            for f in fields(FirmwareComponent)
            if f.init
        ]
        return [f"{name} is {_show(a)}, the image's {_show(b)}" for name, a, b in pairs if a != b]

    def rewrite(self, data: bytes) -> bool:
        """Write the image's component; origin and launchability stay as they are."""
        component = FirmwareComponent.from_image(OvmfImage.parse(data))
        text = replace(self.build, component=component).to_toml()
        if text == self.file.read_text(encoding="utf-8"):
            return False
        self.file.write_text(text, encoding="utf-8")
        return True


@dataclass(frozen=True, slots=True)
class PublishedBlob:
    """The kernel or the initrd of a kernel hashes record."""

    title: str
    package: Package
    package_sha256: str
    path: str
    sha256: str

    def differences(self, data: bytes) -> list[str]:
        sha256 = hashlib.sha256(data).hexdigest()
        return [] if sha256 == self.sha256 else [f"sha256 is {self.sha256}, the file's {sha256}"]

    def rewrite(self, data: bytes) -> bool:  # noqa: ARG002  a record made of hashes is written by its author
        return False


@dataclass(slots=True)
class Outcome:
    """What a check found: titles that agree, and a line for each thing to report."""

    agree: list[str] = field(default_factory=list)
    mismatches: list[str] = field(default_factory=list)
    gone: list[str] = field(default_factory=list)
    failures: list[str] = field(default_factory=list)
    unrecorded: list[str] = field(default_factory=list)
    written: list[str] = field(default_factory=list)

    def lines(self) -> Iterator[str]:
        """The report, a summary last."""
        kinds = {
            "written": self.written,
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
        return 0 if (self.agree or self.written) and not self.failures else Unreadable.exit_code


def read_records(data: Path = DATA) -> list[Published]:
    """Every file that the records of `data` name with a Debian package; raises MalformedRecord."""
    published: list[Published] = []
    for file in sorted((data / "firmware").glob("*.toml")):
        build = FirmwareBuild.parse(_text(file))
        if build.origin and build.origin.distribution == DISTRIBUTION:
            published.append(PublishedFirmware(file, build, build.origin))
    for file in sorted((data / "kernel_hashes").glob("*.toml")):
        wire = KernelRecord.parse(_text(file)).wire
        for part, blob in (("kernel", wire.kernel), ("initrd", wire.initrd)):
            if blob and blob.distribution == DISTRIBUTION:
                published.append(_published_blob(f"{wire.name} {part}", blob))
    return published


def check(published: Iterable[Published], fetch: Fetch, *, write: bool = False) -> Outcome:
    """Compare every record with what `fetch` gives for its package, a package at a time.

    With `write`, firmware records are made to agree with their images, unless the package is another.
    """
    outcome = Outcome()
    by_package: dict[Package, list[Published]] = {}
    for one in published:
        by_package.setdefault(one.package, []).append(one)
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
            _check_one(one, fetched, outcome, write=write)
        recorded = {one.path for one in group}
        outcome.unrecorded += [f"{package}: {path}" for path in firmware_images(fetched.root) - recorded]
    outcome.unrecorded.sort()
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
    parser.add_argument("--write", action="store_true", help="make firmware records agree with their images")
    parser.add_argument("--site", help="URL of a Debian mirror, in place of those of apt's configuration")
    options = parser.parse_args(arguments)
    try:
        sites = [options.site] if options.site else configured_sites()
        with tempfile.TemporaryDirectory(prefix="debian-firmware-") as work:
            mirror = Mirror(sites, Path(work))
            outcome = check(read_records(), mirror.fetch, write=options.write)
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


def _published_blob(title: str, blob: BlobWire) -> PublishedBlob:
    if not (blob.suite and blob.package and blob.version and blob.package_sha256 and blob.path):
        raise MalformedRecord(f"{title}: suite, package, version, package_sha256 and path go together")
    package = Package(blob.suite, blob.package, blob.version)
    return PublishedBlob(title, package, blob.package_sha256, blob.path, blob.sha256)


def _show(value: object) -> str:
    if isinstance(value, bytes):
        return value.hex()
    if isinstance(value, tuple):
        return " ".join(map(str, value)) or "none"
    return f"{value:#x}" if isinstance(value, int) else str(value)


def _text(file: Path) -> str:
    try:
        return file.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise Unreadable(f"{file.name} cannot be read: {error}") from error


if __name__ == "__main__":
    sys.exit(main())
