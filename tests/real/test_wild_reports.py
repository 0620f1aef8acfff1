"""Attestation reports of real hardware, verified with the certificates that their platforms publish."""

from __future__ import annotations

import json

import pytest

from tests.real.shared import SHARED
from tests.support.cli import Run

WILD = SHARED / "vectors" / "wild"
DSTACK = "7f51e17f72a04d5422cb2c00998166536019a217376f3aa45a630e59c805a599847ff250dbffcd07e1ba639771d6f05d"
"""Computed from what dstack publishes in tests/launch/test_published_launches.py."""


def read(run: Run, report: str, certificates: str) -> dict[str, object]:
    code, out, _ = run("lookup", str(WILD / report), "--certs", str(WILD / certificates), "-f", "json")
    found: dict[str, object] = json.loads(out) | {"code": code}
    return found


def test_the_report_of_dstack_is_verified_up_to_the_root_of_amd(run: Run) -> None:
    found = read(run, "dstack_nvidia_0.6.0.a2_report.bin", "dstack_chain_vcek_ask_ark.pem")
    verification = found["verification"]
    assert isinstance(verification, dict)
    assert found["launch_digest"] == DSTACK
    assert (verification["verified"], verification["root"], verification["root_trusted_by"]) == (True, "Milan", "amd")


@pytest.mark.parametrize("name", ["oak_genoa_oc", "oak_milan_oc_release"])
def test_the_vcek_of_oak_signed_its_reports(run: Run, name: str) -> None:
    """The ASK is not published beside them, so the reports count as not verified."""
    verification = read(run, f"{name}.bin", f"{name}_vcek.der")["verification"]
    assert isinstance(verification, dict)
    passed = {finding["code"]: finding["passed"] for finding in verification["findings"]}
    assert (verification["verified"], passed["signature"], passed["chain"]) == (False, True, False)
