"""The records of data/ that name a file of a Debian package, and how each is compared with the file."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass, fields, replace
from pathlib import Path
from typing import Protocol

from catalog.errors import MalformedRecord, Unreadable
from catalog.firmware.build import FirmwareBuild, OriginWire
from catalog.firmware.component import FirmwareComponent
from catalog.firmware.kernel_record import BlobWire, KernelRecord
from catalog.firmware.ovmf import OvmfImage
from tools.debian_packages import Fetched, Package

DATA = Path(__file__).resolve().parent.parent / "data"
DISTRIBUTION = "debian"


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
        return Package(self.origin.suite or "", self.origin.package, self.origin.version or "")

    @property
    def package_sha256(self) -> str:
        return self.origin.package_sha256 or ""

    @property
    def path(self) -> str:
        return self.origin.path or ""

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


def new_record(package: Package, fetched: Fetched, path: str) -> FirmwareBuild:
    """The record of an image that has none; whether it launches is for its author to say. Raises MalformedFirmware."""
    image = OvmfImage.parse((fetched.root / path.lstrip("/")).read_bytes())
    origin = OriginWire(
        distribution=DISTRIBUTION,
        suite=package.suite,
        package=package.name,
        version=package.version,
        package_sha256=fetched.sha256,
        path=path,
    )
    name = f"{package.suite}/{package.name}/{Path(path).name}"
    return FirmwareBuild(name, FirmwareComponent.from_image(image), origin, {})


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
