"""Images with TDVF metadata, broken and whole: its sections, and the MRTDs and events that follow."""

from __future__ import annotations

from catalog.firmware.ovmf import OvmfImage
from catalog.firmware.tdx.rtmr_facts import RtmrFacts
from catalog.firmware.tdx.tdvf import read_tdvf
from catalog.firmware.tdx.tdx_facts import TdxFacts
from tests.fuzz.target import Target
from tests.support.tdvf_builder import CFV_SIZE, build_tdvf
from tests.support.variable_stores import SECURE_BOOT_CONFIG, TD_TCG2, td_image


def _whole(data: bytes) -> None:
    image = OvmfImage.parse(data)
    TdxFacts.of(image)
    RtmrFacts.of(image)
    read_tdvf(image)


def _images() -> list[bytes]:
    return [build_tdvf(), build_tdvf()[CFV_SIZE:], td_image(modules=(TD_TCG2, SECURE_BOOT_CONFIG))]


TDVF_TARGETS = {"tdvf": Target(_whole, _images)}
