"""Lines that are at most so long: what is kept of lists, long words and prose."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from catalog.terminal.short_lines import shortened


def test_a_short_line_stays_as_it_is() -> None:
    text = "unknown build 'x'; known: a, b, c, d, e and 7 more"
    assert shortened(text, len(text)) == text


def test_a_list_says_how_many_more_there_are() -> None:
    text = "known: " + ", ".join(f"name-{number}" for number in range(100)) + "; ldcat list builds lists all"
    found = shortened(text, 90)
    assert found == "known: name-0, name-1, name-2, name-3, name-4 and 95 more; ldcat list builds lists all"


def test_names_that_were_left_out_before_are_counted() -> None:
    text = "known: " + ", ".join(f"name-{number}" for number in range(12)) + " and 30 more"
    assert shortened(text, 80) == "known: name-0, name-1, name-2, name-3, name-4, name-5, name-6 and 35 more"


def test_a_long_word_loses_its_middle() -> None:
    path = "/home/somebody/" + "folder/" * 40 + "catalog/manifest.json"
    found = shortened(f"{path}: no such file or directory", 120)
    assert len(found) == 120
    assert found.startswith("/home/somebody/folder/")
    assert found.endswith("catalog/manifest.json: no such file or directory")


def test_prose_is_cut_at_its_end_between_words_of_a_list_if_it_is_one() -> None:
    assert shortened("a long " * 40, 80) == "a long " * 10 + "a lon..."
    forms = ", ".join(f"format number {number}" for number in range(20))
    assert shortened(f"known: {forms}", 100) == (
        "known: format number 0, format number 1, format number 2, format number 3, format number 4, ..."
    )


@given(st.text(st.sampled_from("ab ,;/\u00e9\U0001f600"), max_size=900), st.integers(80, 200))
def test_no_line_is_longer(text: str, most: int) -> None:
    found = shortened(text, most)
    assert len(found) <= most
    assert shortened(found, most) == found
