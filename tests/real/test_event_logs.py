"""Event logs of real TDs: their registers, and the events that follow from Debian's images alone.

The registers are those that trustee and go-eventlog state for their logs. The digests of the variables in Debian's
OVMF.inteltdx.ms.fd were computed from what virt-firmware 26.10 reads of it.
"""

from __future__ import annotations

import base64
import json
import lzma
from typing import Any

import pytest

from catalog.abi.tdx.event_data import states_digest
from catalog.abi.tdx.event_log import EventLog
from catalog.abi.tdx.rtmr import replay
from catalog.evidence.event_log_forms import read_event_log
from catalog.explain.log_explanation import explain_log
from catalog.explain.log_inputs import KnownFirmware, LogInputs
from catalog.explain.log_kinds import COMMAND_LINE, kind_of
from catalog.firmware.ovmf import OvmfImage
from catalog.firmware.tdx.direct_boot import command_line_sha384
from catalog.firmware.tdx.rtmr_facts import VARIABLES, RtmrFacts
from tests.real.shared import REPOSITORY, SHARED

LOGS: list[dict[str, Any]] = json.loads((REPOSITORY / "tests" / "real" / "event_logs.json").read_text())["logs"]
REGISTERS = (
    (
        "8566f998798db09443b244c62de9a3041fb02e2e6936c4396d784bba2e90177329ec5aba3bb484404f2ab9cc90abe193",
        "775b9f6bfe99f8a31396f0d0218e67ffa796d3b96ccf961cbb0deba48c79c00f082cda1a5567c1c16305f1fc210c13c6",
        "94eaf7a7bf398ed8d888c91057ae0261802e4f3df084213a76ca7f0b5055ac9d2241de43cd58d9e8b49c503bbf25f34a",
    ),
    ("8083cd6898cc52a90231cdf9c0532bf9513c40465c6f71e56cbe32ee2c11a9dfc030297ca3ca0f62477d6d1f610d3fdb",),
)
ENROLLED = {
    "cfv": "327d4a91229b3993a7f6f64740d94ff689d44b45edada6e255596d4c7aa287576a92fb1f5c350c287caf60670a5bad5a",
    "secure_boot": "2cded0c6f453d4c6f59c5e14ec61abc6b018314540a2367cba326a52aa2b315ccc08ce68a816ce09c6ef2ac7e514ae1f",
    "pk": "8fc01eeed0ab76765d297cb72099864146a30304cde946d85c5f35b8ca5b4ea47e010402433fe07b22332c51c8a33bee",
    "kek": "35cb70e091c114646d5fcef33f036694286a345d619e60bc81e8691120a2f73576d7b689d2995b959dcebaba834a0192",
    "db": "a844c6d6a63e5e4e9413c179a3a294e59ae4b3903b7be488ff8373d9c0e17008fb18ae11072d3df13efc70abaa03e3ca",
    "dbx": "83ca6503369149e58aeb67db1f3bc1ed073accae002f2d4a43200115e05cd93418f2a4b378404c1042f6eba13adf914c",
}


def log(number: int) -> EventLog:
    return read_event_log(base64.b64decode(LOGS[number]["base64"]))


def facts(name: str) -> RtmrFacts:
    data = lzma.decompress((SHARED / "firmware" / f"{name}.xz").read_bytes())
    return RtmrFacts.of(OvmfImage.parse(data))


@pytest.mark.parametrize("number", range(len(LOGS)))
def test_the_registers_are_those_that_others_state(number: int) -> None:
    found = log(number)
    assert tuple(value.hex() for value in replay(found))[: len(REGISTERS[number])] == REGISTERS[number]
    assert found.notes == ()
    assert False not in {states_digest(event) for event in found.events}


@pytest.mark.parametrize("name", ["trixie_ovmf_OVMF.fd", "sid_ovmf-generic_OVMF.fd"])
def test_a_real_td_measured_what_follows_from_the_image(name: str) -> None:
    known = KnownFirmware(name, facts(name), {})
    explanation = explain_log(log(0), LogInputs((known,), {}))
    assert explanation.is_explained
    assert list(explanation.firmware[0].known) == ["cfv", *VARIABLES]
    other = explain_log(log(1), LogInputs((known,), {}))  # the same store, in a build with Secure Boot
    assert list(other.firmware[0].differs) == ["secure_boot"]


def test_a_real_td_measured_its_command_line() -> None:
    """The usual one of Intel's own scripts was found by trying a few."""
    digest = command_line_sha384("root=/dev/vda1 rw console=hvc0", has_initrd=False)
    (found,) = [one for one in log(1).events if one.digest == digest]
    assert kind_of(found) == COMMAND_LINE


def test_enrolled_keys_are_measured() -> None:
    found = facts("sid_ovmf-inteltdx_OVMF.inteltdx.ms.fd")
    assert {name: digest.hex() for name, digest in found.digests.items()} == ENROLLED


@pytest.mark.parametrize(
    ("name", "why"),
    [
        ("bookworm_ovmf_OVMF.fd", "no driver that measures into RTMRs"),
        ("sid_ovmf-amdsev_OVMF.amdsev.fd", "no driver that measures into RTMRs"),
        ("trixie_ovmf_OVMF_CODE_4M.fd", "the variable store is in another file"),
        ("bullseye_ovmf_OVMF.fd", "the image has no TDVF metadata"),
    ],
)
def test_what_an_image_does_not_tell(name: str, why: str) -> None:
    found = facts(name)
    assert found.digests == {}
    assert why in (found.why_unknown or "")
