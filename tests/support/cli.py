"""Running a command line in this process, and arguments that many tests share."""

from __future__ import annotations

from collections.abc import Callable

AMDSEV = "sid/ovmf-amdsev/OVMF.amdsev.fd"

SNP = ("-t", "sev-snp", "--vmm", "qemu-kvm-init2", "--vcpu-type", "EPYC")

NOWHERE = "0" * 96

Run = Callable[..., tuple[int, str, str]]


def but_freshness(err: str) -> str:
    """stderr without the note of `publish` and `revoke` on how the checkpoint stays fresh."""
    return "".join(line for line in err.splitlines(True) if not line.startswith("ldcat: note: guests refuse "))
