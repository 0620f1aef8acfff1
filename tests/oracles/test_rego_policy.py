"""What a policy in Rego, as trustee evaluates it, makes of the reference values in our files.

The policy has the parts of trustee's default policy that are about launch digests: `in` over the value that the RVPS
has by the name snp_launch_measurement, or mr_td. 2 and 3 are affirming, 33 and 97 are the defaults, which are
contraindicated.
"""

from __future__ import annotations

import base64
import json
from collections.abc import Callable
from typing import Any

import pytest
import yaml
from regopy import Interpreter

from catalog.export.export_format import export_format_named
from catalog.export.exported import Export
from tests.support.exports import export_of, row_of, tdx_export_of

POLICY = """
package policy

import rego.v1

default executables := 33

query_reference_value(name) := data.reference_values[name]

executables := 3 if input.snp.measurement in query_reference_value("snp_launch_measurement")

default hardware := 97

hardware := 2 if input.tdx.quote.body.mr_td in query_reference_value("mr_td")
"""

NAME = "snp_launch_measurement"
EXPORT = export_of(3)
MEASUREMENT = row_of(2).digest.hex()


def executables(values: Any, measurement: str) -> Any:
    """The trust claim `executables` of a guest with this launch digest."""
    interpreter = Interpreter()
    interpreter.add_module("policy.rego", POLICY)
    interpreter.add_data({"reference_values": values})
    interpreter.set_input({"snp": {"measurement": measurement}})
    (claim,) = json.loads(str(interpreter.query("data.policy.executables")))["expressions"]
    return claim


def hardware(values: Any, mrtd: str) -> Any:
    """The trust claim `hardware` of a TD with this MRTD, if nothing else speaks against it."""
    interpreter = Interpreter()
    interpreter.add_module("policy.rego", POLICY)
    interpreter.add_data({"reference_values": values})
    interpreter.set_input({"tdx": {"quote": {"body": {"mr_td": mrtd}}}})
    (claim,) = json.loads(str(interpreter.query("data.policy.hardware")))["expressions"]
    return claim


def written(to: str, export: Export = EXPORT) -> bytes:
    (file,) = export_format_named(to).files(export)
    return b"".join(file.chunks())


def of_local_json(file: bytes | str) -> Any:
    """The values that the RVPS answers from a file of the store LocalJson."""
    found = {}
    for name, text in json.loads(file).items():
        value = json.loads(base64.urlsafe_b64decode(text))
        assert value.keys() >= {"name", "expiration", "value"}
        found[name] = value["value"]
    return found


READ: dict[str, Callable[[bytes], Any]] = {
    "rvps": lambda data: json.loads(base64.b64decode(json.loads(data)["payload"])),
    "rvps-file": of_local_json,
    "configmap": lambda data: of_local_json(yaml.safe_load(data)["data"]["reference_value"]),
}
"""The reference values in our files, by name, as the RVPS has them."""


@pytest.mark.parametrize("to", READ)
def test_a_guest_with_an_exported_digest_is_affirmed_and_no_other(to: str) -> None:
    values = READ[to](written(to))
    assert [executables(values, row_of(count).digest.hex()) for count in (1, 2, 3, 4)] == [3, 3, 3, 33]


@pytest.mark.parametrize("to", READ)
def test_a_td_with_an_exported_mrtd_has_affirmed_hardware_and_no_other(to: str) -> None:
    export = tdx_export_of(2)
    values = READ[to](written(to, export))
    mrtds = [digest.hex() for digest in (*export.digests, row_of(1).digest)]
    assert [hardware(values, mrtd) for mrtd in mrtds] == [2, 2, 97]


@pytest.mark.parametrize("value", [MEASUREMENT, [MEASUREMENT.upper()], [], [row_of(4).digest.hex()]])
def test_any_other_form_of_a_value_affirms_nobody(value: object) -> None:
    """So the value is a list, of lower-case hex: a bare string is no list, and upper case is another string."""
    assert executables({NAME: [MEASUREMENT]}, MEASUREMENT) == 3
    assert executables({NAME: value}, MEASUREMENT) == 33


def test_a_value_of_another_name_affirms_nobody() -> None:
    assert executables({"measurement": [MEASUREMENT]}, MEASUREMENT) == 33
