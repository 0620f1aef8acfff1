"""Unwraps a firmware image, layer by layer, in bounded memory and time, until a raw image is left."""

from __future__ import annotations

import pkgutil
import posixpath
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import cache
from importlib import import_module

from catalog.containers.container import CHUNK, Budget, Compressed, Container, DiskImage, Member, Package, collect
from catalog.errors import MalformedFirmware, UnknownName, UsageError
from catalog.firmware.ovmf import MAX_IMAGE_SIZE, ends_as_image

MAX_LAYERS = 4
"""Formats around an image: a disk image in a package, compressed, is three."""

MAX_SEARCHED = 16 << 20
"""Bytes: larger files of a package are not looked at, unless one is named. No published image of OVMF is so large."""

MAX_LINKS = 8
_LISTED, _COMPARED = 40, 1000
_FIRMWARE_NAMES = (".fd", ".bin", ".raw", ".qcow2", ".vmdk", ".igvm", ".efi")


@dataclass(frozen=True, slots=True)
class Unwrapped:
    """A raw image.

    data: its bytes, at most MAX_IMAGE_SIZE.
    layers: names of the formats that were around it, from the outermost one.
    path: of the file in a package that it was; None without a package.
    """

    data: bytes
    layers: tuple[str, ...]
    path: str | None

    def note(self, file: str) -> str | None:
        """The note for people; None if nothing was unwrapped."""
        if not self.layers:
            return None
        within = f", {self.path}" if self.path else ""
        return f"{file}: read as {' of '.join(reversed(self.layers))}{within}, {len(self.data)} bytes"


@cache
def formats() -> Mapping[str, Container]:
    """Every format by name: the FORMAT of each module in the folder formats/."""
    from catalog.containers import formats as folder

    modules = (import_module(f"{folder.__name__}.{info.name}") for info in pkgutil.iter_modules(folder.__path__))
    found: list[Container] = [module.FORMAT for module in modules]
    return {one.name: one for one in sorted(found, key=lambda one: one.name)}


def format_of(data: bytes | memoryview) -> Container | None:
    """The format that `data` is in, by its first bytes; None for a raw image and for everything that is not read."""
    return next((one for one in formats().values() if one.matches(data)), None)


def unwrap(data: bytes, file: str, wanted: str | None = None) -> Unwrapped:
    """The raw image in the bytes of a file, which is taken out of as many formats as are around it.

    file: the name of the file, for messages. wanted: path of a file in a package; None if only one file is an image.
    Raises MalformedFirmware if a format is damaged, too large or not read, with a command that unwraps FILE;
    UsageError if a package has several images, or if a path is given but there is no package; UnknownName for a path
    that the package lacks.
    """
    budget = Budget()
    layers: list[str] = []
    path = None
    while one := format_of(data):
        layers.append(one.name)
        if len(layers) > MAX_LAYERS:
            raise MalformedFirmware(f"more than {MAX_LAYERS} formats are around the image: {', '.join(layers)}")
        try:
            if isinstance(one, Package):
                chosen = wanted if path is None else None
                path, data = _taken_out(one, data, file if path is None else f"{file}:{path}", chosen, budget)
            else:
                data = _inside(one, data, budget)
        except MalformedFirmware as error:
            hint = error.hint or f"if it is sound, unwrap it: {one.command}"
            raise MalformedFirmware(f"{one.name}: {error}", hint) from error
    if wanted is not None and path is None:
        raise UsageError(f"{file} is no package, so there is no file {wanted!r} in it", "give it without :PATH")
    return Unwrapped(data, tuple(layers), path)


def _inside(one: Container, data: bytes, budget: Budget) -> bytes:
    """What a compressed file or a disk image holds."""
    if isinstance(one, Compressed):
        return collect(budget.counted(one.chunks(data)))
    assert isinstance(one, DiskImage)  # noqa: S101 - the third kind
    raw = one.raw(data)
    budget.take(len(raw))
    return raw


def _taken_out(one: Package, data: bytes, file: str, wanted: str | None, budget: Budget) -> tuple[str, bytes]:
    """Path and contents of a file of a package: the one that is wanted, or the only one that is an image."""
    if wanted is None:
        wanted = _only_image(one, data, file, budget)
    path = posixpath.normpath(wanted).lstrip("/")
    for _ in range(MAX_LINKS):
        names: list[str] = []
        found = None
        for member in _members(one, data, budget):
            names.append(member.path)
            if posixpath.normpath(member.path) == path:
                found = member
                if member.link is None:
                    return path, _contents(member, MAX_IMAGE_SIZE)
                break
        if found is None or found.link is None:
            raise UnknownName(f"file in {file}", path, names[:_COMPARED])
        path = posixpath.normpath(posixpath.join("/", posixpath.dirname(path), found.link)).lstrip("/")
    raise MalformedFirmware(f"{wanted} is a link of more than {MAX_LINKS} steps")


def _only_image(one: Package, data: bytes, file: str, budget: Budget) -> str:
    """The path of the only image in a package; raises UsageError if it has several, MalformedFirmware if none."""
    images, others = [], []
    for member in _members(one, data, budget):
        if member.link is not None or not member.size:
            continue
        if member.size <= MAX_SEARCHED and _is_image(_contents(member, MAX_SEARCHED), budget):
            images.append(member.path)
        elif member.path.endswith(_FIRMWARE_NAMES):
            others.append(member.path)
    if not images:
        listed = ", ".join(sorted(others)[:_LISTED])
        raise MalformedFirmware("it holds no OVMF image", f"it holds {listed or 'no file that is named like one'}")
    if len(images) > 1:
        listed = ", ".join(f"{file}:{path}" for path in sorted(images)[:_LISTED])
        raise UsageError(f"{file} holds {len(images)} firmware images", f"name one: {listed}")
    return images[0]


def _is_image(data: bytes, budget: Budget) -> bool:
    """Whether a file in a package is an image, as it lies or inside compressed files and disk images."""
    try:
        for _ in range(MAX_LAYERS):
            one = format_of(data)
            if one is None or isinstance(one, Package):
                break
            data = _inside(one, data, budget)
    except MalformedFirmware:
        budget.take(0)  # it is used up for good
        return False
    return ends_as_image(data)


def _members(one: Package, data: bytes, budget: Budget) -> Iterator[Member]:
    """The files of a package; its archive may be compressed."""

    def unpack(view: memoryview) -> Iterator[bytes]:
        compressed = format_of(view)
        if isinstance(compressed, Compressed):
            return budget.counted(compressed.chunks(view))
        return budget.counted(bytes(view[at : at + CHUNK]) for at in range(0, len(view), CHUNK))

    return one.members(data, unpack)


def _contents(member: Member, limit: int) -> bytes:
    if member.size > limit:
        raise MalformedFirmware(f"{member.path} has more than {limit >> 20} MiB")
    return member.read()
