"""How long an export of many digests takes, beside `ldcat sql` of the same digests, as commands of their own."""

from __future__ import annotations

from pathlib import Path

from tools.bench.builds import MIB, built_of, whole_command
from tools.bench.catalogs import Catalogs

_SELECT = "SELECT launch_digest FROM configurations WHERE vmm = 'qemu-kvm-init2' AND vcpus BETWEEN 1 AND 4096"


def export_lines(catalogs: Catalogs) -> list[str]:
    """Of all rows of two catalogs of one image."""
    with catalogs.scratch() as folder:
        return _exports(folder)


def _exports(folder: Path) -> list[str]:
    lines = ["| whole command | digests | seconds | peak memory |", "|---|---|---|---|"]
    for signatures, features in ((26, 1), (61, 4)):
        rows = signatures * features * 4096
        catalog = folder / str(rows)
        built_of(catalog, _spec(signatures, features))
        selected = ["--vmm", "qemu-kvm-init2", "--vcpus", "1-4096", "--no-kernel", "--unpublished"]
        output = str(folder / f"{rows}.json")
        for what, arguments in (
            ("`ldcat sql`, to CSV", ["sql", _SELECT, "--format", "csv"]),
            ("`ldcat export --to rvps-file`", ["export", "--to", "rvps-file", *selected, "-o", output]),
        ):
            taken = whole_command(*arguments, "--catalog", str(catalog), "--quiet")
            lines.append(f"| {what} | {rows:,} | {taken.seconds:.2f} | {taken.peak / MIB:,.0f} MiB |")
    return lines


def _spec(signatures: int, features: int) -> str:
    return f"""
name = "one image"
firmware = {{ builds = ["sid/ovmf-amdsev/OVMF.amdsev.fd"] }}
[technologies.sev-snp]
vmm = ["qemu-kvm-init2"]
vcpu_signatures = {[0x800F10 + 16 * n for n in range(signatures)]}
sev_features = {[1 + 4 * n for n in range(features)]}
vcpus = ["1-4096"]
"""
