"""Files and pages that name witnesses: keys and addresses, or an error that says how to write them."""

from __future__ import annotations

import pytest

from catalog.errors import LdcatError, MalformedInput
from catalog.publish.witness_file import MAX_WITNESS_FILE, parse_witnesses
from catalog.transparency.keys import SignatureType
from tests.support.logs import signer

URL = "https://witness.example/w"
ED25519 = signer("w.example", SignatureType.COSIGNATURE_ED25519).key
ML_DSA = signer("w.example", SignatureType.COSIGNATURE_ML_DSA_44).key
OTHER = signer("x.example", SignatureType.COSIGNATURE_ED25519).key
LOG = signer("log.example", SignatureType.ED25519).key


@pytest.mark.parametrize(
    "text",
    [
        f"{ED25519} {URL}\n{ML_DSA} {URL}\n",
        f"# of the operator\n\n{ED25519}\n{ML_DSA}\n{URL}",
        f"witness w {ED25519} {URL}\nwitness w-pq {ML_DSA} {URL}\n",
        f"{ED25519} {URL}\n{ML_DSA}\n",
    ],
)
def test_the_keys_of_a_witness_and_its_address(text: str) -> None:
    (found,) = parse_witnesses(text.encode(), "file")
    assert (found.name, found.keys, found.url) == ("w.example", (ED25519, ML_DSA), URL)


def test_several_witnesses_in_a_file() -> None:
    found = parse_witnesses(f"{ED25519} {URL}\n{OTHER} https://x.example/\n".encode(), "file")
    assert [(one.name, one.url) for one in found] == [("w.example", URL), ("x.example", "https://x.example/")]


@pytest.mark.parametrize(
    "text",
    [
        f"{ED25519}\n{ML_DSA}\n",
        f"<!DOCTYPE html>\n<pre>\n# litewitness w.example\n\n{ED25519}\n{ML_DSA}\n\n- log {LOG}\na+00000000+AAAA\n",
        f"<p>key: <code>{str(ED25519).replace('+', '&#43;')}</code>, <code>{ML_DSA}</code>",
    ],
)
def test_a_page_at_the_address_of_the_witness(text: str) -> None:
    (found,) = parse_witnesses(text.encode(), URL, fetched=URL)
    assert (found.name, found.keys, found.url) == ("w.example", (ED25519, ML_DSA), URL)


def test_one_witness_is_asked_at_a_url() -> None:
    """Otherwise whoever answers there has as many votes as they like."""
    for page in (f"{ED25519}\n{OTHER}\n", f"<pre>{ED25519}\n{OTHER}\n"):
        with pytest.raises(MalformedInput, match="names 2 witnesses, and only one is asked there"):
            parse_witnesses(page.encode(), URL, fetched=URL)
    lines = f"{ED25519} {URL}\n{OTHER} https://x.example/\n"
    assert len(parse_witnesses(lines.encode(), "https://list.example/", fetched="https://list.example/")) == 2


@pytest.mark.parametrize("text", ["a", "+", "a+", "a+00000000+"])
def test_a_page_without_end_of_a_word(text: str) -> None:
    with pytest.raises(MalformedInput, match="names no verifier key"):
        parse_witnesses(f"<{text * (MAX_WITNESS_FILE // len(text))}".encode(), URL, fetched=URL)


@pytest.mark.parametrize(
    ("text", "part"),
    [
        ("", "names no verifier key"),
        (f"{ED25519}\n", "has no address for the witness w.example"),
        (f"{ED25519} {URL}\n{ML_DSA} {URL}2\n", "several addresses for the witness w.example"),
        (f"{ED25519}\n{URL}\n{URL}2\n", "several addresses on lines of their own"),
        (f"{LOG} {URL}\n", "that of a log, not of a witness"),
        (f"log {LOG}\n", "is not a verifier key"),
        (f"{ED25519} {URL} x\n", "line 1 of file is not about a witness"),
        ("<p>no key</p>", "is not a verifier key"),
        (f"{ED25519} ftp://witness.example/\n", "is not allowed"),
        (f"{ED25519} https://user:secret@witness.example/\n", "contains a user name or a password"),
        ("\udc80", "is not UTF-8"),
        (str(ED25519).replace("+B", "+C") + f" {URL}", "line 1 of file"),
    ],
)
def test_anything_else_is_refused(text: str, part: str) -> None:
    with pytest.raises(LdcatError) as error:
        parse_witnesses(text.encode("utf-8", "surrogateescape"), "file")
    assert part in str(error.value)
    assert "secret" not in f"{error.value} {error.value.hint}"
    assert len(error.value.hint or "") < 200
