"""FirmwareBuild: one firmware image or IGVM file with its origin, as a TOML record that stands for the binary."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from types import MappingProxyType
from typing import Literal

from catalog.errors import MalformedRecord
from catalog.firmware.blob_verifier import Enforced
from catalog.firmware.component import FirmwareComponent
from catalog.firmware.igvm.igvm_component import IgvmComponent
from catalog.firmware.igvm.igvm_record import IgvmComponentWire, igvm_component, igvm_lines
from catalog.firmware.launch_image import LaunchImage
from catalog.firmware.metadata import Area, Section, SectionType
from catalog.firmware.not_recorded import NOT_RECORDED_REASON
from catalog.firmware.tdx.tdx_facts import TdxFacts
from catalog.firmware.tdx.tdx_record import TdxWire, tdx_facts, tdx_lines
from catalog.firmware.variable_store import Code
from catalog.notes import Note
from catalog.wire import U32, Wire, decode_toml, unhex

Verdict = Literal["yes", "no", "unknown"]


class OriginWire(Wire, frozen=True, kw_only=True):
    """Where the image, or what is known of it, was published.

    A file `path` in a package of a distribution's suite; or in a repository `package` of a platform, at a commit
    `version`, without suite and package_sha256; or `package` alone: who published it and where, in one text.
    """

    distribution: str | None = None
    suite: str | None = None
    package: str
    version: str | None = None
    package_sha256: str | None = None
    path: str | None = None


class LaunchableWire(Wire, frozen=True):
    """Whether a guest is expected to launch with a build under a technology, the reason, and its source."""

    verdict: Verdict
    reason: str
    source: str


class AreaWire(Wire, frozen=True):
    """The kernel hashes area. size: None if it is not known."""

    gpa: U32
    size: U32 | None = None


class SectionWire(Wire, frozen=True):
    """A SEV metadata section. type: its name, or its number if ldcat does not know it."""

    gpa: U32
    size: U32
    type: str | U32


class CodeWire(Wire, frozen=True):
    """What follows the variable store of a combined image: bytes, and SHA-256 in lower-case hex."""

    size: U32
    sha256: str


class ComponentWire(Wire, frozen=True):
    """A FirmwareComponent in TOML; hashes in lower-case hex.

    What a record lacks is not known. Only one with sha256_midstate was made from the whole image: if it lacks
    reset_vector, hashes_area or sections, the image has none.
    """

    snp_baseline: str
    kernel_hashes_enforced: Verdict = "unknown"
    sha256: str | None = None
    sha384: str | None = None
    size: U32 | None = None
    sha256_midstate: str | None = None
    firmware_version: str | None = None
    code: CodeWire | None = None
    reset_vector: U32 | None = None
    hashes_area: AreaWire | None = None
    sections: list[SectionWire] | None = None
    tdx: TdxWire | None = None


_BARE_KEY = re.compile(r"[a-z0-9-]+")


class BuildWire(Wire, frozen=True):
    """A file of data/firmware/: component of a firmware image, igvm of an IGVM file."""

    name: str
    component: ComponentWire | None = None
    igvm: IgvmComponentWire | None = None
    origin: OriginWire | None = None
    launchable: dict[str, LaunchableWire] = {}


NOT_RECORDED = LaunchableWire(verdict="unknown", reason=NOT_RECORDED_REASON, source="")

NO_PLATFORM = LaunchableWire(verdict="no", reason="the file has no platform for it", source="the IGVM file")


@dataclass(frozen=True, slots=True)
class FirmwareBuild:
    """A build.

    origin: where it was published; None for a local file.
    launchable: launchability by technology name.
    notes: how its image was read and what is odd about it, for people; empty if it was not read.
    """

    name: str
    component: LaunchImage
    origin: OriginWire | None
    launchable: Mapping[str, LaunchableWire]
    notes: tuple[Note, ...] = field(default=(), compare=False)

    @classmethod
    def parse(cls, text: str, images: Mapping[bytes, FirmwareComponent] = MappingProxyType({})) -> FirmwareBuild:
        """Read a record; raises MalformedRecord naming the path of the wrong key.

        images: components by SNP baseline, from which a record without sha256_midstate gets sections and reset vector.
        """
        wire = decode_toml(text, BuildWire, "firmware record")
        if wire.origin and wire.origin.package_sha256 is not None:
            unhex(wire.origin.package_sha256, 32, f"firmware record {wire.name!r}: package_sha256")
        if wire.origin:
            _check_origin(wire.origin, f"firmware record {wire.name!r}: $.origin")
        for technology in wire.launchable:
            if not _BARE_KEY.fullmatch(technology):
                raise MalformedRecord(f"firmware record {wire.name!r}: launchable: invalid technology {technology!r}")
        return cls(wire.name, _launch_image(wire, images), wire.origin, wire.launchable)

    @property
    def is_igvm(self) -> bool:
        """Whether it is an IGVM file."""
        return isinstance(self.component, IgvmComponent)

    @property
    def image(self) -> FirmwareComponent:
        """The component of a firmware image; raises MalformedRecord for an IGVM file."""
        if isinstance(self.component, IgvmComponent):
            raise MalformedRecord(f"{self.name} is an IGVM file, not a firmware image")
        return self.component

    def launchability(self, technology: str) -> LaunchableWire:
        """The recorded launchability under a technology; NOT_RECORDED if there is none."""
        if isinstance(self.component, IgvmComponent) and technology not in self.component.platforms:
            return NO_PLATFORM
        return self.launchable.get(technology, NOT_RECORDED)

    def to_toml(self) -> str:
        """The canonical text of the record: `parse` of it gives the same build."""
        lines = [f"name = {toml_text(self.name)}"]
        if self.origin:
            lines += ["", "[origin]"]
            origin = ((field, getattr(self.origin, field)) for field in OriginWire.__struct_fields__)
            lines += [f"{field} = {toml_text(text)}" for field, text in origin if text is not None]
        component = self.component
        lines += ["", *(igvm_lines(component) if isinstance(component, IgvmComponent) else _image_lines(component))]
        for technology, launchable in sorted(self.launchable.items()):
            lines += ["", f"[launchable.{technology}]"]
            lines += [f"{f} = {toml_text(getattr(launchable, f))}" for f in LaunchableWire.__struct_fields__]
        lines += ["", *tdx_lines(component.tdx)] if component.tdx else []
        return "\n".join(lines) + "\n"

    def with_tdx(self, facts: TdxFacts | None) -> FirmwareBuild:
        """The same build of an image, with these TDX facts; None: its record is one that any version of ldcat reads."""
        return self if self.is_igvm else replace(self, component=replace(self.image, tdx=facts))


def _image_lines(component: FirmwareComponent) -> list[str]:
    """The lines of the table [component]."""
    lines = ["[component]", *_hash_line("sha256", component.sha256), *_hash_line("sha384", component.sha384)]
    lines += [] if component.size is None else [f"size = {component.size}"]
    if component.reset_vector is not None:
        lines.append(f"reset_vector = {component.reset_vector:#x}")
    if area := component.hashes_area:
        size = "" if area.size is None else f", size = {area.size:#x}"
        lines.append(f"hashes_area = {{ gpa = {area.gpa:#x}{size} }}")
    if not component.sections and component.sha256_midstate is None:
        lines.append("sections = []")
    elif component.sections:
        lines += ["sections = [", *(f"    {section_line(s)}," for s in component.sections), "]"]
    lines += _hash_line("sha256_midstate", component.sha256_midstate)
    lines += _hash_line("snp_baseline", component.snp_baseline)
    lines += [f'kernel_hashes_enforced = "{component.kernel_hashes_enforced.value}"']
    if component.firmware_version is not None:
        lines += [f"firmware_version = {toml_text(component.firmware_version)}"]
    if code := component.code:
        lines += [f'code = {{ size = {code.size}, sha256 = "{code.sha256.hex()}" }}']
    return lines


def _check_origin(origin: OriginWire, what: str) -> None:
    """Raises MalformedRecord for an origin that is neither a file at its place nor one text."""
    given = {name for name in OriginWire.__struct_fields__ if getattr(origin, name) is not None}
    if given != {"package"} and (missing := {"distribution", "version", "path"} - given):
        raise MalformedRecord(f"{what}: missing required field `{min(missing)}`, unless it has `package` alone")


def _launch_image(wire: BuildWire, images: Mapping[bytes, FirmwareComponent]) -> LaunchImage:
    what = f"firmware record {wire.name!r}"
    if wire.igvm and not wire.component:
        return igvm_component(wire.igvm, what)
    if not wire.component or wire.igvm:
        raise MalformedRecord(f"{what}: needs a table [component] or a table [igvm], and not both")
    return _component(wire.component, wire.name, images)


def _component(wire: ComponentWire, name: str, images: Mapping[bytes, FirmwareComponent]) -> FirmwareComponent:
    what = f"firmware record {name!r}"
    baseline = unhex(wire.snp_baseline, 48, f"{what}: snp_baseline")
    sections, reset_vector = _sections(wire, what), wire.reset_vector
    if wire.sha256_midstate is None:
        image = images.get(baseline)
        sections = image.sections if sections is None and image else sections
        reset_vector = image.reset_vector if reset_vector is None and image else reset_vector
        if unknown := [key for key, value in (("sections", sections), ("reset_vector", reset_vector)) if value is None]:
            verb = "is" if unknown == ["reset_vector"] else "are"
            raise MalformedRecord(
                f"{what}: {' and '.join(unknown)} {verb} not known, so no digest follows from the SNP baseline",
                "add them to [component]; ldcat import writes the record of a document that states them",
            )
    return FirmwareComponent(
        sha256=_hash(wire.sha256, 32, f"{what}: sha256"),
        sha384=_hash(wire.sha384, 48, f"{what}: sha384"),
        size=wire.size,
        reset_vector=reset_vector,
        hashes_area=Area(wire.hashes_area.gpa, wire.hashes_area.size) if wire.hashes_area else None,
        sections=sections or (),
        sha256_midstate=_hash(wire.sha256_midstate, 32, f"{what}: sha256_midstate"),
        snp_baseline=baseline,
        kernel_hashes_enforced=Enforced(wire.kernel_hashes_enforced),
        tdx=tdx_facts(wire.tdx, what) if wire.tdx else None,
        firmware_version=wire.firmware_version,
        code=Code(wire.code.size, unhex(wire.code.sha256, 32, f"{what}: code: sha256")) if wire.code else None,
    )


def _sections(wire: ComponentWire, what: str) -> tuple[Section, ...] | None:
    if wire.sections is None:
        return None
    return tuple(Section(s.gpa, s.size, section_type(s.type, what)) for s in wire.sections)


def _hash(text: str | None, size: int, what: str) -> bytes | None:
    return None if text is None else unhex(text, size, what)


def _hash_line(name: str, value: bytes | None) -> list[str]:
    return [] if value is None else [f'{name} = "{value.hex()}"']


def section_type(kind: str | int, what: str) -> int:
    """The type of a metadata section from its name, or its number; raises MalformedRecord for an unknown name."""
    if isinstance(kind, int):
        return kind
    if kind not in SectionType.__members__:
        raise MalformedRecord(f"{what}: unknown section type {kind[:24]!r}")
    return SectionType[kind]


def section_line(section: Section) -> str:
    """A metadata section as an inline table of TOML."""
    known = section.kind in SectionType.__members__.values()
    kind = toml_text(section.name) if known else f"{section.kind:#x}"
    return f"{{ gpa = {section.gpa:#x}, size = {section.size:#x}, type = {kind} }}"


def toml_text(value: str) -> str:
    """A TOML basic string: as in JSON, but with DEL escaped, and characters above it as they are."""
    return json.dumps(value, ensure_ascii=False).replace("\x7f", "\\u007f")
