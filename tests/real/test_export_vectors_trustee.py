"""The files of trustee's consumers in the vectors, byte for byte."""

from __future__ import annotations

import pytest

from catalog.export.export_format import export_format_named
from tests.real.export_vectors import ALL, vector_export
from tests.real.shared import EXCHANGE

FILES = {
    "rvps": "rvps-message.json",
    "rvps-file": "rvps-reference_value.json",
    "configmap": "trustee-operator-configmap.yaml",
}


@pytest.mark.parametrize("folder", ALL)
@pytest.mark.parametrize("name", FILES)
def test_a_file_of_the_vectors_is_reproduced(name: str, folder: str) -> None:
    (made,) = export_format_named(name).files(vector_export(folder))
    assert made.name == FILES[name]
    assert b"".join(made.chunks()) == (EXCHANGE / folder / FILES[name]).read_bytes()
