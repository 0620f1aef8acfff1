"""Lists of logs for witnesses: what is read is printed alike, and what the format does not allow is refused."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from catalog.errors import MalformedInput
from catalog.transparency.keys import SignatureType
from catalog.transparency.log_list import MAX_PER_DAY, ListedLog, LogList, logs_to_witness
from tests.support.logs import LOG, PQ_LOG, signer

OTHER = signer("other.example").key
ENTRY = f"vkey {LOG.key}\nqpd 24\ncontact ops (at) example.com\n"
LISTED = f"logs/v0\n\n{ENTRY}"


def test_the_form_of_a_list() -> None:
    listed = LogList((ListedLog.of(LOG.key, 24, "ops (at) example.com"), ListedLog.of(OTHER, 1, "x", "example.org/o")))
    text = f"{LISTED}\nvkey {OTHER}\norigin example.org/o\nqpd 1\ncontact x\n"
    assert bytes(listed).decode() == text
    assert LogList.parse(text.encode()) == listed
    loose = "# a comment\r\n  " + text.replace("\n", "  \r\n# more\n\t").rstrip()
    assert LogList.parse(loose.encode()) == listed
    assert LogList.parse(b"logs/v0").logs == ()


def test_logs_to_witness_are_of_a_list_or_of_a_policy() -> None:
    assert logs_to_witness(f"# a list\n{LISTED}".encode()) == {LOG.key.name: (LOG.key,)}
    policy = f"log {LOG.key}\nlog {OTHER}\nlog {PQ_LOG.key}\nquorum none"
    assert logs_to_witness(policy.encode()) == {LOG.key.name: (LOG.key, PQ_LOG.key), OTHER.name: (OTHER,)}
    for text in ("", "logs/v1\n", "log x\n"):
        with pytest.raises(MalformedInput):
            logs_to_witness(text.encode())


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "does not begin with the line logs/v0"),
        (f"logs/v1\n{ENTRY}", "does not begin with the line logs/v0"),
        (ENTRY, "does not begin with the line logs/v0"),
        (f"logs/v0\nvkey {LOG.key}\nqpd 24\n", "the last log of the list is not complete"),
        (f"logs/v0\nvkey {LOG.key}\ncontact x\n", "line 3 of the list of logs: 'contact' is not expected here"),
        (f"logs/v0\nvkey {LOG.key}\nvkey {OTHER}\n", "line 3 .*'vkey' is not expected here"),
        (f"logs/v0\nvkey {LOG.key}\nqpd 1\norigin x\n", "line 4 .*'origin' is not expected here"),
        (f"logs/v0\nvkey {LOG.key}\nbastion none\n", "line 3 .*'bastion' is not expected here"),
        ("logs/v0\nqpd 1\n", "line 2 .*'qpd' is not expected here"),
        (LISTED.replace("qpd 24", "qpd 0"), "line 5 .*requests a day: 0 is not"),
        (LISTED.replace("qpd 24", f"qpd {MAX_PER_DAY + 1}"), "line 5 .*requests a day"),
        (LISTED.replace("qpd 24", "qpd 024"), "line 5 .*qpd is not a number"),
        (LISTED.replace("ops (at) example.com", ""), "line 5 .*a contact is one line"),
        (LISTED.replace("ops", "o\x1bps"), "line 5 .*a contact is one line"),
        (LISTED.replace("ops", "o" * 1001), "line 5 .*a contact is one line"),
        (LISTED.replace("qpd", "origin a b\nqpd"), "line 6 .*'a b' is not an origin"),
        (LISTED.replace(str(LOG.key), str(PQ_LOG.key)), "ML-DSA-44 cosignature key of .* Ed25519 only"),
        (LISTED.replace(str(LOG.key), "x"), "not a verifier key"),
        (f"{LISTED}{ENTRY}", "line 8 .*example.com/log is listed twice"),
    ],
)
def test_what_the_format_does_not_allow_is_refused(text: str, message: str) -> None:
    with pytest.raises(MalformedInput, match=message):
        LogList.parse(text.encode())


def test_bytes_that_are_no_text_are_refused() -> None:
    with pytest.raises(MalformedInput, match="is not UTF-8"):
        LogList.parse(b"logs/v0\n# \xff\n")
    with pytest.raises(MalformedInput, match="more than 16777216 bytes"):
        LogList.parse(b"#" * (1 << 24) + b"\n")
    with pytest.raises(MalformedInput, match="Ed25519 cosignature key"):
        ListedLog.of(signer("w", SignatureType.COSIGNATURE_ED25519).key, 1, "x")


@given(st.binary(max_size=60), st.integers(0, len(LISTED)))
def test_a_changed_list_is_refused_or_printed_as_read(noise: bytes, at: int) -> None:
    data = LISTED.encode()
    try:
        found = LogList.parse(data[:at] + noise + data[at:])
    except MalformedInput:
        return
    assert LogList.parse(bytes(found)) == found
