"""LaunchImage: what a launch begins with, a firmware image or an IGVM file, as the facts from which digests follow."""

from __future__ import annotations

from catalog.firmware.component import FirmwareComponent
from catalog.firmware.igvm.igvm_component import IgvmComponent

LaunchImage = FirmwareComponent | IgvmComponent
"""Both have key, hashes of the file, size, snp_baseline, reset_vector and kernel_hashes_enforced."""
