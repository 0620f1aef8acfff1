"""Formats of exports are found in their folder, by name."""

import pytest

from catalog.errors import UnknownName
from catalog.export.export_format import export_format_named, export_formats


def test_formats_are_found_by_name_and_take_settings_that_there_are() -> None:
    found = export_formats()
    assert list(found) == sorted(found)
    for name, one in found.items():
        assert export_format_named(name) is one
        assert one.title
        assert one.required <= one.settings


def test_an_unknown_format_names_the_nearest() -> None:
    with pytest.raises(UnknownName, match="rvsp"):
        export_format_named("rvsp")
    with pytest.raises(UnknownName) as upper:
        export_format_named("QEMU")
    assert str(upper.value.hint).startswith("nearest: qemu")
