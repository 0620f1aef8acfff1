"""What is odd about an IGVM file, as notes."""

from __future__ import annotations

from catalog.firmware.igvm.igvm_component import IgvmComponent
from catalog.firmware.igvm.igvm_file import IgvmFile
from catalog.notes import Note


def file_notes(file: IgvmFile | None, component: IgvmComponent) -> tuple[Note, ...]:
    """What implementations let pass although the format forbids it, or the file's author may not know.

    file: None if only the component is known.
    """
    found = []
    if file and file.padded:
        text = f"headers whose padding is not zero, as the format demands: {file.padded:,}"
        found.append(Note("igvm-padding-not-zero", text))
    if file and file.undeclared:
        text = f"masks of headers have bits of platforms that the file does not declare: {file.undeclared:#x}"
        found.append(Note("igvm-mask-undeclared", text))
    if component.ignored:
        kinds = ", ".join(f"{kind:#x}" for kind in component.ignored[:8]) + (
            ", ..." if len(component.ignored) > 8 else ""
        )
        text = f"headers of unknown types were passed over, which say that they may be ignored: {kinds}"
        found.append(Note("igvm-header-ignored", text))
    for technology, platform in component.platforms.items():
        if platform.overlaps:
            what = f"pages for {technology} at an address that has another page or a VMSA"
            found.append(Note("igvm-pages-overlap", f"{what}: {platform.overlaps:,}"))
    return tuple(found)
