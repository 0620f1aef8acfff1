"""IGVM files with what two independent implementations, and the rules of other loaders, say of them."""

from __future__ import annotations

import json
import lzma
from functools import cache
from typing import Any

import pytest

from catalog.firmware.igvm.igvm_component import PLATFORMS, IgvmComponent
from catalog.firmware.igvm.igvm_file import IgvmFile
from catalog.launch.igvm.igvm_launch import IgvmLaunch
from catalog.launch.igvm.reduce_igvm import reduce_igvm
from catalog.launch.technology import technologies
from catalog.spec import embedded
from tests.real.shared import SHARED

FOLDER = SHARED / "vectors" / "igvm"
VECTORS: list[dict[str, Any]] = json.loads((FOLDER / "vectors.json").read_text())["vectors"]
TECHNOLOGIES = {kind.name: technology for technology, kind in PLATFORMS.items()}

LOADERS = {
    "spec": "igvm-spec",
    "qemu": "qemu-igvm",
    "clh-mshv": "clh-mshv-igvm",
    "igvmmeasure-native-zero": "vanadium-igvm",
}
"""By column of `derived`."""

ORACLES = {"microsoft/igvm e6c3ff1": "igvm-spec", "igvmmeasure -n": "vanadium-igvm"}

COCONUT = "does not know headers of type MADT, DEVICE_TREE, ENVIRONMENT_INFO_PARAMETER"
REFUSED = {
    ("snp-params-first.igvm", "clh-mshv"): "does not know headers of type ENVIRONMENT_INFO_PARAMETER",
    ("snp-secrets-cpuid-xf.igvm", "clh-mshv"): "does not know pages of type CPUID_XF",
    ("snp-two-vmsas.igvm", "clh-mshv"): "loads the VMSA of vCPU 0 alone",
    (
        "coconut-nofw-sort.igvm.xz",
        "clh-mshv",
    ): COCONUT,
    (
        "coconut-nofw-tdp.igvm.xz",
        "clh-mshv",
    ): COCONUT,
    ("coconut-nofw.igvm.xz", "clh-mshv"): COCONUT,
}
"""What the code of a loader refuses, and the vectors, which have rules for the order of pages alone, do not."""


@cache
def component(name: str) -> IgvmComponent:
    data = (FOLDER / "files" / name).read_bytes()
    file = IgvmFile.parse(lzma.decompress(data) if name.endswith(".xz") else data)
    return reduce_igvm(file, [(one.igvm, one.technologies) for one in embedded.loaders().values() if one.igvm])


def launched(name: str, technology: str, loader: str) -> tuple[str, str | None]:
    """The digest with as many vCPUs as there are contexts, and why it cannot be launched."""
    launch = IgvmLaunch(component(name), technology, embedded.loaders()[loader])
    fold, state = technologies()[technology], launch.baseline
    for update in launch.vmsa_updates(len(launch.platform.contexts), None):
        state = fold.extend(state, update)
    return fold.finish(state).hex(), launch.blocker


CASES = [
    (vector["file"], TECHNOLOGIES[platform], facts)
    for vector in VECTORS
    for platform, facts in vector["platforms"].items()
    if platform in TECHNOLOGIES
]


@pytest.mark.parametrize(("name", "technology", "facts"), CASES, ids=[f"{name}-{kind}" for name, kind, _ in CASES])
def test_each_loader_gives_what_its_rules_say(name: str, technology: str, facts: dict[str, Any]) -> None:
    checked = 0
    for column, expected in facts["derived"].items():
        if column not in LOADERS:
            continue
        digest, blocker = launched(name, technology, LOADERS[column])
        if expected.startswith("refuses: "):
            assert blocker == "qemu-igvm does not know headers of type MADT, DEVICE_TREE"
        else:
            assert digest == expected, column
            assert (REFUSED.get((name, column)) or "") in (blocker or "")
            assert bool(blocker) == ((name, column) in REFUSED)
        checked += 1
    assert checked == len(facts["derived"]) - ("igvmmeasure" in facts["derived"])


def test_the_oracles_agree_or_are_known_to_be_wrong() -> None:
    compared = dict.fromkeys(ORACLES, 0)
    for name, technology, facts in CASES:
        for oracle, loader in ORACLES.items() if technology == "sev-snp" else ():
            said = facts["oracles"][oracle]
            if not said.startswith("error no SNP guest policy"):
                assert launched(name, technology, loader)[0] == said, f"{name}: {oracle}"
                compared[oracle] += 1
    assert compared == {"microsoft/igvm e6c3ff1": 17, "igvmmeasure -n": 18}


def test_igvmmeasure_counts_shared_pages_and_one_page_of_an_area() -> None:
    """F-I1 and F-I2: so it refuses ID blocks that are right, and accepts others."""
    wrong = {
        (vector["file"], platform)
        for vector in VECTORS
        for platform, facts in vector["platforms"].items()
        if platform == "SEV_SNP" and facts["oracles"]["igvmmeasure f4bc4bcd"] != facts["derived"]["spec"]
    }
    assert wrong == {("multi-snp-tdx.igvm", "SEV_SNP"), ("snp-shared.igvm", "SEV_SNP")}
    for name, platform in wrong:
        (facts,) = (vector["platforms"][platform] for vector in VECTORS if vector["file"] == name)
        assert launched(name, "sev-snp", "igvm-spec")[0] == facts["oracles"]["microsoft/igvm e6c3ff1"]


def test_igvmmeasure_hashes_no_page_without_data_under_sev_es() -> None:
    """F-I6: QEMU encrypts, and so measures, zeros there; and no page that is not to be measured."""
    (facts,) = (vector["platforms"]["SEV_ES"] for vector in VECTORS if vector["file"] == "sev-es-zero-and-order.igvm")
    digest, _ = launched("sev-es-zero-and-order.igvm", "sev-es", "qemu-igvm")
    assert digest == facts["derived"]["qemu"] != facts["oracles"]["igvmmeasure f4bc4bcd"]


def test_id_blocks() -> None:
    image = component("snp-id-block-right.igvm")
    expected = image.platforms["sev-snp"].expected
    assert expected is not None
    assert launched("snp-id-block-right.igvm", "sev-snp", "igvm-spec")[0] == expected.hex()
    assert launched("snp-id-block-right.igvm", "sev-snp", "vanadium-igvm")[0] != expected.hex()
