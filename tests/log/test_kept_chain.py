"""The text of a kept chain: each text has one meaning, and no other text has any."""

from __future__ import annotations

import re

from hypothesis import given
from hypothesis import strategies as st

from catalog.log.kept_chain import KeptChain
from catalog.log.revocation_chain import RevocationChain

_FORMAT = re.compile(
    rb"ldcat-revocations/(?:1\n|2\n(?P<size>0|[1-9][0-9]{0,18})\n)"
    rb"(?P<count>0|[1-9][0-9]{0,9})\n(?P<chain>[0-9a-f]{64})\n(?P<how>leaves|word)\n(?P<what>committed|not)\n"
)

LINES = st.sampled_from(
    [
        "ldcat-revocations/1",
        "ldcat-revocations/2",
        "ldcat-revocations/3",
        "0",
        "01",
        "7",
        "9999999999",
        "10000000000",
        "9" * 19,
        "9" * 20,
        "\u0663",
        "ab" * 32,
        "AB" * 32,
        "ab" * 31,
        "leaves",
        "word",
        "committed",
        "not",
        "",
    ]
)


@given(
    st.one_of(
        st.lists(LINES, max_size=8),
        st.tuples(
            st.just("ldcat-revocations/2"),
            LINES,
            LINES,
            st.just("ab" * 32),
            st.sampled_from(["leaves", "word", "x"]),
            st.sampled_from(["committed", "not", ""]),
            st.just(""),
        ).map(list),
        st.tuples(
            st.just("ldcat-revocations/1"), LINES, st.just("cd" * 32), st.just("word"), st.just("not"), st.just("")
        ).map(list),
    )
)
def test_it_reads_the_format_and_nothing_else(lines: list[str]) -> None:
    data = "\n".join(lines).encode()
    found, expected = KeptChain.parse(data), _FORMAT.fullmatch(data)
    assert (found is None) == (expected is None)
    if found and expected:
        assert found.size == (None if expected["size"] is None else int(expected["size"]))
        assert found.chain == RevocationChain(int(expected["count"]), expected["chain"].decode())
        assert (found.from_leaves, found.commits) == (expected["how"] == b"leaves", expected["what"] == b"committed")


@given(st.integers(0, 10**19 - 1), st.integers(0, 10**10 - 1), st.booleans(), st.booleans())
def test_it_reads_what_it_writes(size: int, count: int, from_leaves: bool, commits: bool) -> None:
    kept = KeptChain(size, RevocationChain(count, "0a" * 32), from_leaves, commits)
    assert KeptChain.parse(bytes(kept)) == kept
