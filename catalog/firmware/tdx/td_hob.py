"""The TD HOB that Google's hypervisor measured until 2025: a list of the memory of a machine type.

Source: google/gce-tcb-verifier at 74582c0, ovmf/tdx_data.go and tdx/mrtd_from_ovmf.go; Intel TDX Virtual Firmware
Design Guide, 7.2; UEFI PI specification volume 3, HOB.
"""

from __future__ import annotations

import struct
from collections.abc import Iterator, Sequence

Range = tuple[int, int]
"""First address, and the address after the last one."""

_GIB = 1 << 30
_LOW_END = 3 * _GIB
_BOOT_ROM = (4 * _GIB - (2 << 20), 4 * _GIB)
_HANDOFF = struct.Struct("<HHIII5Q")
_RESOURCE = struct.Struct("<HHI16sIIQQ")
_END = struct.pack("<HHI", 0xFFFF, 8, 0)
_MEMORY, _UNACCEPTED = 0, 7
_ATTRIBUTES, _EARLY_ACCEPT = 7, 0x10000000


def memory_of(gib: int, nodes: int, node_gib: int) -> list[Range]:
    """The memory of a machine: 3 GiB, the boot ROM, and the rest above 4 GiB, node by node. gib: all of it."""
    found, begin, left, taken = [(0, _LOW_END), _BOOT_ROM], 4 * _GIB, gib * _GIB - _LOW_END, _LOW_END
    for _ in range(nodes):
        size = min(node_gib * _GIB - taken, left)
        found.append((begin, begin + size))
        begin, left, taken = begin + size, left - size, 0
    return found


def td_hob(gpa: int, private: Sequence[Range], memory: Sequence[Range]) -> bytes:
    """The list: private memory in the order given, then the rest of the memory, unaccepted. gpa: where it is loaded."""
    unaccepted = list(_without(sorted(memory), sorted(private)))
    end = gpa + _HANDOFF.size + _RESOURCE.size * (len(private) + len(unaccepted))
    made = [_HANDOFF.pack(1, _HANDOFF.size, 0, 9, 0, 0, 0, 0, 0, end)]
    made += [_resource(_MEMORY, _ATTRIBUTES, one) for one in private]
    for one in unaccepted:
        early = _EARLY_ACCEPT if one[1] <= 4 * _GIB else 0
        made.append(_resource(_UNACCEPTED, _ATTRIBUTES | early, one))
    return b"".join(made) + _END


def _resource(kind: int, attributes: int, memory: Range) -> bytes:
    begin, end = memory
    return _RESOURCE.pack(3, _RESOURCE.size, 0, bytes(16), kind, attributes, begin, end - begin)


def _without(memory: Sequence[Range], private: Sequence[Range]) -> Iterator[Range]:
    """What is left of each range of memory without the private ones; both are sorted."""
    for begin, end in memory:
        at = begin
        for first, after in private:
            if after > at and first < end:
                if first > at:
                    yield at, first
                at = max(at, after)
        if at < end:
            yield at, end
