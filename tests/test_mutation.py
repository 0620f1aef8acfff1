"""Mutants are single small changes with a name; each one listed as equivalent exists and has a reason."""

from __future__ import annotations

import textwrap

from tools.mutants import ROOMS, ROOT, listed
from tools.mutation import mutants

SOURCE = '''
"""A module."""
LIMIT = 3


def checked(values: "list[int]") -> str:
    """What it does."""
    if not values or min(values) < LIMIT:
        raise ValueError(f"{values} are {'few' if values else 'none'}")
    return f"{len(values)} values"
'''


def changes(source: str) -> list[str]:
    return [one.change for one in mutants(textwrap.dedent(source))]


def test_checks_are_mutated_and_messages_are_not() -> None:
    assert changes(SOURCE) == [
        "3 -> 4",
        "3 -> 2",
        "if not values or min(values) < LIMIT: -> if True:",
        "if not values or min(values) < LIMIT: -> if False:",
        "not values or min(values) < LIMIT -> not values and min(values) < LIMIT",
        "not values or min(values) < LIMIT -> min(values) < LIMIT",
        "not values or min(values) < LIMIT -> not values",
        "not values -> values",
        "min(values) < LIMIT -> min(values) <= LIMIT",
        "min(values) < LIMIT -> min(values) >= LIMIT",
        "min -> max",
        "raise ValueError(f\"{values} are {('few' if values else 'none')}\") -> pass",
        "return f'{len(values)} values' -> return None",
    ]


def test_a_mutant_is_the_module_with_one_change() -> None:
    (first, *others) = mutants(SOURCE)
    assert (first.where, first.line) == ("", "LIMIT = 3")
    assert first.source == mutants(SOURCE)[1].source.replace("LIMIT = 2", "LIMIT = 4")
    assert len({one.source for one in (first, *others)}) == len(others) + 1
    for one in others:
        compile(one.source, "mutant", "exec")


def test_equal_changes_in_different_places_have_different_names() -> None:
    assert changes("a = b[0] + c[0]")[-2:] == ["0 -> 1", "0 -> 1 (2)"]


def test_every_listed_equivalent_mutant_exists_and_has_a_reason() -> None:
    rooms = {one.room for one in listed()}
    assert rooms <= set(ROOMS)
    keys = {(room, one.key) for room in rooms for one in mutants((ROOT / room).read_text())}
    found = listed()
    assert len({(one.room, one.key) for one in found}) == len(found)
    for one in found:
        assert (one.room, one.key) in keys, f"{one}: what was changed is another now"
        assert len(one.why) > 20, one


def test_every_mutated_module_has_its_tests() -> None:
    assert set(ROOMS) == {
        "catalog/endorse/certificate.py",
        "catalog/endorse/crl_findings.py",
        "catalog/endorse/endorsement.py",
        "catalog/endorse/platform_findings.py",
        "catalog/endorse/report_checks.py",
        "catalog/imports/chains.py",
        "catalog/imports/cose_sign1.py",
        "catalog/prove/older_proof.py",
        "catalog/prove/verdict.py",
        "catalog/prove/verify_proof.py",
        "catalog/verify/releases_of_log.py",
        "catalog/verify/verify_release.py",
    }
    for room, tests in ROOMS.items():
        assert all((ROOT / name).is_file() for name in (room, *tests))


def test_what_only_a_type_checker_reads_is_not_mutated() -> None:
    assert mutants("TYPE_CHECKING = False\nif TYPE_CHECKING:\n    import a\n    b = 1\n") == []
