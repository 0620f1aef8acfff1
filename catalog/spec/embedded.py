"""The data that ships with ldcat: builds, kernels, VMM profiles, vCPU types and the default spec."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import cache
from pathlib import Path
from typing import TypeVar

from catalog.errors import LdcatError, MalformedRecord, UnknownName, UsageError
from catalog.firmware.build import FirmwareBuild
from catalog.firmware.kernel_record import KernelRecord
from catalog.launch.profile import VmmProfile
from catalog.launch.vcpu_types import VcpuTypes
from catalog.spec.data_files import data_path

_Named = TypeVar("_Named", FirmwareBuild, KernelRecord, VmmProfile)


def data_folder() -> Path:
    """The folder data/: inside the installed package, or beside it in a checkout."""
    return Path(data_path())


@cache
def builds() -> Mapping[str, FirmwareBuild]:
    """Every embedded build by name."""
    return _by_name("firmware", FirmwareBuild.parse)


@cache
def kernels() -> Mapping[str, KernelRecord]:
    """Every embedded kernel hashes record by name."""
    return _by_name("kernel_hashes", KernelRecord.parse)


@cache
def profiles() -> Mapping[str, VmmProfile]:
    """Every VMM profile by name, of VMMs that launch firmware images."""
    return {name: one for name, one in all_profiles().items() if not one.igvm}


@cache
def vmsa_profiles() -> Mapping[str, VmmProfile]:
    """Every VMM profile by name, of VMMs that launch firmware images and make VMSAs."""
    return {name: one for name, one in profiles().items() if one.wire.vmsa}


@cache
def loaders() -> Mapping[str, VmmProfile]:
    """Every VMM profile by name, of VMMs that launch IGVM files."""
    return {name: one for name, one in all_profiles().items() if one.igvm}


@cache
def all_profiles() -> Mapping[str, VmmProfile]:
    """Every VMM profile by name."""
    return _by_name("vmm", VmmProfile.parse)


@cache
def vcpu_types() -> VcpuTypes:
    """The embedded names of vCPU models."""
    return VcpuTypes.parse(vcpu_types_text())


def vcpu_types_text() -> str:
    """The text of data/vcpu_types.toml."""
    return (data_folder() / "vcpu_types.toml").read_text(encoding="utf-8")


def default_spec_text() -> str:
    """The text of the spec that `ldcat build` uses by default."""
    return (data_folder() / "catalog.toml").read_text(encoding="utf-8")


@cache
def fleets() -> Mapping[str, Path]:
    """The import records of every embedded fleet by name: data/fleets/NAME.toml."""
    folder = data_folder() / "fleets"
    return {path.relative_to(folder).with_suffix("").as_posix(): path for path in sorted(folder.rglob("*.toml"))}


def fleet_roots() -> list[Path]:
    """Root certificates and keys, up to which the signatures of documents of fleets are verified."""
    return sorted((data_folder() / "fleets" / "roots").glob("*"))


def data_name(path: Path) -> str | None:
    """The name of an embedded file for messages, such as data/fleets/NAME.toml; None for any other file."""
    folder = data_folder()
    return f"data/{path.relative_to(folder).as_posix()}" if path.is_relative_to(folder) else None


def profile_named(name: str) -> VmmProfile:
    """The profile of that name, of a VMM that launches firmware images; raises UnknownName, UsageError for others."""
    if name in loaders():
        raise UsageError(f"{name} launches IGVM files only", f"for a firmware image, one of: {', '.join(profiles())}")
    if name not in profiles():
        raise UnknownName("VMM profile", name, profiles())
    return profiles()[name]


def _by_name(folder: str, parse: Callable[[str], _Named]) -> Mapping[str, _Named]:
    """The records of a folder of data/. Raises MalformedRecord, with the name of the file."""
    by_name: dict[str, _Named] = {}
    for path in sorted((data_folder() / folder).glob("*.toml")):
        try:
            record = parse(path.read_text(encoding="utf-8"))
        except LdcatError as error:
            raise MalformedRecord(f"data/{folder}/{path.name}: {error}", error.hint) from error
        if record.name in by_name:
            raise MalformedRecord(f"data/{folder}/{path.name}: another record is named {record.name!r}")
        by_name[record.name] = record
    return by_name
