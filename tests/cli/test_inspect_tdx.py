"""`ldcat inspect` of images for Intel TDX: the memory of a TD, its digests, or why there are none."""

from __future__ import annotations

import json
from pathlib import Path

from tests.support.cli import Run
from tests.support.event_logs import sha384
from tests.support.tdvf_builder import CFV_SIZE, SECTIONS, build_tdvf
from tests.support.variable_stores import SECURE_BOOT_CONFIG, TD_TCG2, td_image, variable_store


def test_the_memory_and_the_digests_are_shown(run: Run, tmp_path: Path) -> None:
    image = tmp_path / "tdvf.fd"
    image.write_bytes(build_tdvf())
    code, out, _ = run("inspect", str(image), "-q")
    mrtd = json.loads(run("inspect", str(image), "-q", "-f", "json")[1])["tdx"]["mrtd"]
    assert code == 0
    assert out.count(mrtd["single-pass"]) == out.count(mrtd["two-pass"]) == 1
    assert "QEMU on mainline KVM, and Google: each page is added and measured; Cloud Hypervisor" in out
    assert "TEMP_MEM, added later" in out
    assert mrtd["c3-standard-4"] not in out
    alone = tmp_path / "code.fd"
    alone.write_bytes(build_tdvf()[CFV_SIZE:])
    assert mrtd["single-pass"] in run("inspect", str(alone), "-q")[1]


def test_an_image_without_digests_has_none(run: Run, tmp_path: Path) -> None:
    image = tmp_path / "tdvf.fd"
    image.write_bytes(build_tdvf(version=2))
    assert "TDX: TDVF metadata: version 2 is not 1" in run("inspect", str(image), "-q")[1]
    measured = (SECTIONS[0], SECTIONS[1]._replace(attributes=1), *SECTIONS[2:])
    image.write_bytes(build_tdvf(measured)[CFV_SIZE:])
    code, out, _ = run("inspect", str(image), "-q")
    assert (code, "Guest-physical memory of a TD" in out, "Launch digests on TDX" in out) == (0, True, False)


def test_the_events_of_an_image_are_shown_or_why_not(run: Run, tmp_path: Path) -> None:
    image = tmp_path / "OVMF.fd"
    image.write_bytes(td_image())
    out = run("inspect", str(image), "-q")[1]
    assert f"  variable store (CFV)  {sha384(variable_store()).hex()}\n" in out
    assert "events of RTMR0 that are not known" not in out
    image.write_bytes(td_image(variable_store(checksum=1), (TD_TCG2, SECURE_BOOT_CONFIG)))
    out = run("inspect", str(image), "-q")[1]
    assert "  variable store (CFV)  " in out
    assert "events of RTMR0 that are not known: the firmware refuses it: variable store: the checksum" in out
