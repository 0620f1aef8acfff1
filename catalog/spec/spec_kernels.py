"""The kernel hashes tables of a spec: embedded ones, kernel records in files, and tables that the spec defines."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path

from catalog.errors import MalformedRecord, UsageError
from catalog.files import inputs
from catalog.firmware.kernel_record import BlobWire, KernelRecord, KernelWire
from catalog.spec import embedded
from catalog.spec.selecting import matching_files, selected
from catalog.spec.spec_wire import NO_KERNEL, DefineWire, KernelHashesWire


def read_kernels(wire: KernelHashesWire, folder: Path) -> tuple[KernelRecord | None, ...]:
    """The tables of a spec; None is a launch without one.

    Raises UsageError for a name that is taken, UnknownName, Unreadable, and MalformedRecord for none at all.
    """
    own: dict[str, KernelRecord] = {}
    for record in (*(_defined(defined, folder) for defined in wire.define), *_kernel_files(wire.files, folder)):
        if record.name in embedded.kernels() or record.name in own or record.name == NO_KERNEL:
            raise UsageError(f"the kernel hashes name {record.name!r} is taken")
        own[record.name] = record
    named = [pattern for pattern in wire.tables if pattern != NO_KERNEL and pattern not in own]
    tables: list[KernelRecord | None] = [None] if NO_KERNEL in wire.tables else []
    tables += [own[name] for name in sorted(own)]
    tables += selected("kernel hashes table", named, embedded.kernels())
    if not tables:
        raise MalformedRecord("the spec selects no kernel hashes", 'name tables, or "none", under [kernel_hashes]')
    return tuple(tables)


def _kernel_files(patterns: Sequence[str], folder: Path) -> Iterator[KernelRecord]:
    """The kernel records that any pattern matches, each once."""
    found: set[str] = set()
    for pattern in patterns:
        found |= set(matching_files(pattern, folder, "kernel record"))
    for path in sorted(found):
        yield KernelRecord.parse(inputs.read_text(folder / path))


def _defined(wire: DefineWire, folder: Path) -> KernelRecord:
    kernel = _blob(wire.kernel, wire.kernel_sha256, folder, f"kernel of {wire.name!r}")
    initrd = _blob(wire.initrd, wire.initrd_sha256, folder, f"initrd of {wire.name!r}")
    if kernel is None:
        raise MalformedRecord(f"kernel hashes {wire.name!r}: no kernel", "give kernel (a file) or kernel_sha256")
    command_line = {"append": wire.append, "append_sha256": wire.append_sha256}
    return KernelRecord.of(KernelWire(name=wire.name, kernel=kernel, initrd=initrd, **command_line))


def _blob(path: str | None, sha256: str | None, folder: Path, what: str) -> BlobWire | None:
    if path is not None and sha256 is not None:
        raise MalformedRecord(f"{what}: give a file or its SHA-256, not both")
    if path is not None:
        return BlobWire(sha256=inputs.hash_file(folder / path).hex())
    return None if sha256 is None else BlobWire(sha256=sha256)
