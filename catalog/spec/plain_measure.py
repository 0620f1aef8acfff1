"""The SEV-SNP launch digest of an image in a file, under an embedded VMM profile: what most people measure.

Without the classes of a build, msgspec or dataclasses, which take longer to import than the image takes to hash. What
is not plain is measured by ask/measure.py, which has the same answers (tests/cli/test_light_measure.py).
"""

from __future__ import annotations

import hashlib
import os

from catalog.abi.kernel_table import table_bytes
from catalog.abi.page_info import INITIAL_DIGEST, PageType, fold_pages
from catalog.abi.vcpu_start import signature_value
from catalog.fast.beneath import open_regular
from catalog.fast.match import kernel_note
from catalog.files.plain_toml import read_plain_toml
from catalog.firmware.image_notes import FLASH_LIMIT, image_notes
from catalog.firmware.not_recorded import NOT_RECORDED_REASON
from catalog.firmware.ovmf import OvmfImage
from catalog.firmware.volumes import begins_with_volume
from catalog.launch.launch_notes import kernel_warnings, not_known
from catalog.launch.plain_snp import is_plain_launch, plain_snp_digest
from catalog.spec.data_files import data_names, data_text
from catalog.values import Value

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Any

    from catalog.firmware.blob_verifier import Enforced
    from catalog.notes import Note

_VOLUME_START = bytes(16)
"""The bytes that a firmware volume begins with, and no format that is unwrapped."""


class PlainRequest(Value):
    """A launch. firmware, kernel, initrd: paths of files. vmm: of an embedded profile. vcpu_type: as QEMU names it."""

    firmware: str
    vmm: str
    vcpu_type: str
    vcpus: int
    kernel: str | None = None
    initrd: str | None = None
    append: str | None = None


class PlainMeasured(Value):
    """digest: 48 bytes. warnings, notes: as those of `Measured`."""

    digest: bytes
    warnings: tuple[Note, ...]
    notes: tuple[Note, ...]


def plain_measured(request: PlainRequest, enforced_by: Callable[[bytes], Enforced]) -> PlainMeasured | None:
    """The launch digest of a request; None if it is not plain.

    enforced_by: whether the firmware in an image enforces kernel hashes; called for a launch with a kernel.

    Raises OSError for a file that cannot be read, ValueError and MalformedFirmware: then measure.py says what is wrong.
    """
    profile, signature = _profile(request.vmm), _signature(request.vcpu_type)
    image = _image(request.firmware)
    if image is None or profile is None or signature is None:
        return None
    if not is_plain_launch(image, profile, has_table=request.kernel is not None):
        return None
    enforced = _begun(lambda: enforced_by(image.data).value) if request.kernel is not None else None
    baseline = fold_pages(INITIAL_DIGEST, PageType.NORMAL, image.gpa, image.data)
    if _is_recorded(baseline.hex(), request.firmware):
        return None
    table = _table(request)
    digest = plain_snp_digest(image, baseline, profile, signature=signature, vcpus=request.vcpus, table=table)
    warnings, notes = [], [not_known(request.firmware, "sev-snp", NOT_RECORDED_REASON, "")]
    if enforced:
        verdict = enforced()
        warnings += kernel_warnings(request.firmware, verdict)
        notes += [kernel_note(verdict, None)] if verdict == "yes" else []
    return PlainMeasured(digest, tuple(warnings), tuple(notes))


def _image(path: str) -> OvmfImage | None:
    """The image in a file; None if there is something to say about it, or something around it."""
    path.encode("utf-8")  # raises ValueError for a name that is not UTF-8
    if {"", "."} & {*path.removeprefix("/").split("/")}:  # pathlib leaves these out of the name
        return None
    with os.fdopen(open_regular(path), "rb") as file:
        data = file.read(FLASH_LIMIT + 1)
    if len(data) > FLASH_LIMIT or not data.startswith(_VOLUME_START) or not begins_with_volume(data):
        return None
    image = OvmfImage.parse(data)
    return image if image.table and not image_notes(image, path) else None


def _profile(name: str) -> dict[str, Any] | None:
    """The embedded VMM profile of a name; None if there is none that launches any image."""
    if f"{name}.toml" not in data_names("vmm"):
        return None
    profile = read_plain_toml(data_text(f"vmm/{name}.toml"))
    return profile if profile["name"] == name and not {"hosted", "igvm", "tdx"} & profile.keys() else None


def _signature(vcpu_type: str) -> int | None:
    for known in read_plain_toml(data_text("vcpu_types.toml"))["vcpu"]:
        if vcpu_type in known["names"]:
            return signature_value(known["family"], known["model"], known["stepping"])
    return None


def _is_recorded(baseline: str, name: str) -> bool:
    """Whether an embedded record is of this image, by its SNP baseline in hex, or has this name or hash."""
    words = [f'"{baseline}"', f'"{name}"', f'"{name.lower()}"']
    texts = (data_text(f"firmware/{file}") for file in data_names("firmware"))
    return any(word in text for text in texts for word in words)


def _table(request: PlainRequest) -> bytes | None:
    """The kernel hashes table of the files and the command line of a request."""
    if request.kernel is None:
        return None
    initrd = hashlib.sha256(b"").digest() if request.initrd is None else _file_sha256(request.initrd)
    cmdline = hashlib.sha256((request.append or "").encode("utf-8", "surrogateescape") + b"\0").digest()
    return table_bytes(_file_sha256(request.kernel), initrd, cmdline)


def _file_sha256(path: str) -> bytes:
    with os.fdopen(open_regular(path), "rb") as file:
        return hashlib.file_digest(file, "sha256").digest()


def _begun(work: Callable[[], str]) -> Callable[[], str]:
    """Do some work beside other work: hashes and LZMA are computed without the GIL. Returns how to wait for it."""
    from threading import Thread

    done: list[str] = []
    thread = Thread(target=lambda: done.append(work()), daemon=True)
    thread.start()

    def result() -> str:
        thread.join()
        return done[0] if done else work()  # it failed: fail again, and here

    return result
