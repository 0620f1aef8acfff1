"""Images with TDVF metadata, and a spec of a catalog that has their launches under TDX and under SEV."""

from __future__ import annotations

from pathlib import Path

from tests.support.firmware_builder import AMDSEV_AREA, AMDSEV_SECTIONS
from tests.support.samples import write_inputs, write_spec
from tests.support.tdvf_builder import CFV_SIZE, build_tdvf

SPEC = """
name = "tds"

[firmware]
files = ["whole.fd", "td.fd", "td-code.fd"]

[kernel_hashes]
tables = ["none", "mine"]

[[kernel_hashes.define]]
name = "mine"
kernel = "vmlinuz"
initrd = "initrd.img"
append = "quiet"

[technologies.sev]

[technologies.sev-snp]
vmm = ["qemu-kvm-init2"]
vcpu_signatures = ["EPYC-Milan"]
sev_features = [1]
vcpus = ["1-2"]

[technologies.tdx]
vmm = ["gce-tdx", "qemu-tdx", "qemu-tdx-two-pass"]
"""
"""whole.fd cannot be launched as a TD; td-code.fd is td.fd without its variable store, and has its MRTDs."""

PROFILE = "tdx/vmm/qemu-tdx.toml"
ROWS = "tdx/launch_digests.parquet"


def write_td_files(folder: Path) -> Path:
    """Write the spec, and the files beside it; returns the path of the spec."""
    write_inputs(folder)
    image = build_tdvf(ovmf={"hashes_area": AMDSEV_AREA, "sections": AMDSEV_SECTIONS})
    (folder / "td.fd").write_bytes(image)
    (folder / "td-code.fd").write_bytes(image[CFV_SIZE:])
    return write_spec(folder, SPEC)
