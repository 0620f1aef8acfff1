"""TdxFacts: the TDVF sections of an image, and its MRTD in each way in which a VMM builds a TD.

Nothing but the image and the VMM enters an MRTD, so the digests are facts of the image.

Source: Linux, arch/x86/kvm/vmx/tdx.c, tdx_gmem_post_populate; QEMU, target/i386/kvm/tdx.c; Cloud Hypervisor ae44c297,
vmm/src/vm.rs, init_tdx_memory; google/gce-tcb-verifier 74582c0, tdx/measurement.go.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from types import MappingProxyType
from typing import Any

from catalog.errors import MalformedFirmware
from catalog.firmware.ovmf import OvmfImage
from catalog.firmware.tdx.mrtd import PAGE_SIZE, Mrtd
from catalog.firmware.tdx.td_hob import memory_of, td_hob
from catalog.firmware.tdx.tdvf import (
    MR_EXTEND,
    PAGE_AUG,
    TdvfSection,
    TdvfSectionType,
    bytes_before_image,
    read_tdvf,
    section_contents,
)

SINGLE_PASS, TWO_PASS, EXTEND_ALONE = "single-pass", "two-pass", "mr-extend-alone"
"""A page is added and measured before the next one; all pages of a section are added before any of them is measured;
as the first, and a section is measured only if MR_EXTEND is its one attribute.
"""

MACHINES: Mapping[str, tuple[int, int, int]] = MappingProxyType(
    {
        "c3-standard-4": (16, 1, 176),
        "c3-standard-8": (32, 1, 176),
        "c3-standard-22": (88, 1, 176),
        "c3-standard-44": (176, 1, 176),
        "c3-standard-88": (352, 2, 176),
        "c3-standard-176": (704, 4, 176),
    }
)
"""Machine types whose TD HOB was measured: GiB of memory, NUMA nodes, and most GiB of a node."""

WAYS = (SINGLE_PASS, TWO_PASS, EXTEND_ALONE, *MACHINES)
"""The ways in which a VMM builds a TD of an image; those of a machine type measure every section, as single-pass."""


@dataclass(frozen=True, slots=True)
class TdxFacts:
    """sections: in the order of the metadata. mrtd: 48 bytes by way, of WAYS. fault: why there is neither, or None.

    A way is missing if what it measures is not in the file, such as the variable store of a CODE file.
    """

    sections: tuple[TdvfSection, ...]
    mrtd: Mapping[str, bytes]
    fault: str | None = None

    @classmethod
    def of(cls, image: OvmfImage) -> TdxFacts:
        """The facts of an image; with a fault if it has no TDVF metadata that a TD can be built of."""
        try:
            sections = read_tdvf(image)
        except MalformedFirmware as error:
            return cls((), {}, str(error))
        before = bytes_before_image(sections, len(image.data))
        contents = [section_contents(one, image.data, before) for one in sections]
        parts = list(zip(sections, contents, strict=True))
        made = {way: _digest(parts, way) for way in (SINGLE_PASS, TWO_PASS, EXTEND_ALONE)}
        if None not in contents:
            made |= _with_td_hob(parts)
        return cls(sections, {way: digest for way, digest in made.items() if digest})

    def to_dict(self) -> dict[str, Any]:
        """The member `tdx` in the JSON of `ldcat inspect`."""
        return {
            "fault": self.fault,
            "sections": [one.to_dict() for one in self.sections],
            "mrtd": {way: digest.hex() for way, digest in self.mrtd.items()},
        }


_Parts = Sequence[tuple[TdvfSection, memoryview | None]]


def _digest(parts: _Parts, way: str) -> bytes | None:
    """The MRTD in a way without a TD HOB; None if contents that are measured are not known."""
    made = Mrtd()
    for section, contents in parts:
        is_measured = section.attributes == MR_EXTEND if way == EXTEND_ALONE else section.attributes & MR_EXTEND
        if is_measured and contents is None:
            return None
        _build(made, section, contents if is_measured else None, two_pass=way == TWO_PASS)
    return made.digest()


def _with_td_hob(parts: _Parts) -> dict[str, bytes]:
    """The MRTD for each machine type: all sections are measured, and the TD HOB has its memory."""
    private = [(section.gpa, section.end) for section, _ in parts]
    first = next(at for at, (section, _) in enumerate(parts) if section.kind == TdvfSectionType.TD_HOB)
    common = Mrtd()
    for section, contents in parts[:first]:
        _build(common, section, contents)
    found = {}
    for machine, memory in MACHINES.items():
        made, (hob, _) = common.copy(), parts[first]
        listed = td_hob(hob.gpa, private, memory_of(*memory))
        if len(listed) > hob.size:
            continue
        _build(made, hob, memoryview(listed))
        for section, contents in parts[first + 1 :]:
            _build(made, section, contents)
        found[machine] = made.digest()
    return found


def _build(made: Mrtd, section: TdvfSection, contents: memoryview | None, *, two_pass: bool = False) -> None:
    """Add the pages of a section, and measure them. contents: without the zeros behind them; None: not measured."""
    is_added = not section.attributes & PAGE_AUG
    if two_pass and contents is not None:
        for gpa in range(section.gpa, section.end, PAGE_SIZE) if is_added else ():
            made.add(gpa)
        is_added = False
    for gpa, page in _pages(section, contents):
        if is_added:
            made.add(gpa)
        if contents is not None:
            made.extend(gpa, page)


def _pages(section: TdvfSection, contents: memoryview | None) -> Iterator[tuple[int, memoryview]]:
    known, zeros = contents or memoryview(b""), memoryview(bytes(PAGE_SIZE))
    for at in range(0, section.size, PAGE_SIZE):
        page = known[at : at + PAGE_SIZE]
        whole = page if len(page) == PAGE_SIZE else memoryview(bytes(page).ljust(PAGE_SIZE, b"\0")) if page else zeros
        yield section.gpa + at, whole
