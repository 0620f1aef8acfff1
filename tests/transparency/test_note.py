"""Signed notes: notes round-trip, the examples of C2SP verify, and anything that is not exactly a note is refused."""

from __future__ import annotations

import base64
import contextlib
import hashlib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from catalog.errors import LdcatError, MalformedInput, UntrustedSigner, VerificationFailed
from catalog.transparency.keys import SignatureType, VerifierKey
from catalog.transparency.note import MAX_NOTE, MAX_SIGNATURES, Note
from tests.support.logs import NOW, signature, signed, signer

TEXT = "one\n\ntwo\n"
CHECKPOINT = "example.com/log\n1\nbjQLnP+zepicpUTmu3gKLHiQHT+zNzh2hRGjBhevoB0=\n"
TYPES = list(SignatureType)

EXAMPLE_KEY = "example.com/foo+530d903a+AekyeRrm56hApGFkyQR4ZCbV54Id2LKaANYcrnKv3U2k"
EXAMPLE = """This is an example message.

— example.com/foo Uw2QOkn8srV1yJGh2VYRlL1Tnagv1YEq6TfXppzi2ONncAlTgK7Ztg1ERYNZXsYjOBH3mFXmRKuwHjG1Yu72IneyaQM=
"""
"""The example of C2SP signed-note."""


def test_the_example_of_the_specification() -> None:
    key = VerifierKey.parse(EXAMPLE_KEY)
    assert str(key) == EXAMPLE_KEY
    note = Note.parse(EXAMPLE.encode())
    (found,) = note.verify([key])
    assert (found.key, found.timestamp) == (key, None)
    assert bytes(note).decode() == EXAMPLE


@pytest.mark.parametrize("kind", TYPES)
def test_signatures_verify(kind: SignatureType) -> None:
    by = signer("example.com/log", kind)
    note = Note.parse(bytes(signed(CHECKPOINT, by)))
    assert note == signed(CHECKPOINT, by) or kind is SignatureType.COSIGNATURE_ML_DSA_44  # randomised
    (found,) = note.verify([by.key])
    assert (found.key, found.timestamp) == (by.key, NOW if kind.is_timed else None)
    other = Note(CHECKPOINT.replace("\n1\n", "\n2\n"), note.signatures)
    with pytest.raises(VerificationFailed, match="does not match the text"):
        other.verify([by.key])
    again = VerifierKey.parse(str(by.key))
    assert again == by.key


@pytest.mark.parametrize("kind", [kind for kind in TYPES if kind.is_timed])
def test_a_cosignature_covers_the_time_and_the_text(kind: SignatureType) -> None:
    by = signer("example.com/witness", kind)
    made = signature(by, CHECKPOINT)
    later = made.value[:7] + bytes([made.value[7] + 1]) + made.value[8:]
    for value in (later, bytes(8) + made.value[8:], made.value[:7], b"\xff" + made.value[1:], made.value[:-1]):
        note = Note(CHECKPOINT, (type(made)(made.name, made.key_id, value),))
        with pytest.raises(VerificationFailed):
            note.verify([by.key])
    with pytest.raises(MalformedInput):
        by.sign("no checkpoint\n", NOW)


def test_ml_dsa_signatures_cover_the_name_of_the_key() -> None:
    by = signer("example.com/a", SignatureType.COSIGNATURE_ML_DSA_44)
    other = VerifierKey("example.com/b", by.key.type, by.key.public_key)
    with pytest.raises(VerificationFailed):
        other.verify(CHECKPOINT, by.sign(CHECKPOINT, NOW))
    with pytest.raises(MalformedInput, match="invalid key name"):
        signer("x" * 256, SignatureType.COSIGNATURE_ML_DSA_44)


def test_signatures_by_unknown_keys_are_ignored() -> None:
    ours, theirs = signer("example.com/ours"), signer("example.com/theirs")
    note = signed(TEXT, theirs, ours)
    assert [found.key for found in note.verify([ours.key])] == [ours.key]
    same_name = signer("example.com/ours", seed=1)
    assert [found.key for found in signed(TEXT, same_name, ours).verify([ours.key])] == [ours.key]
    with pytest.raises(UntrustedSigner):
        signed(TEXT, theirs, same_name).verify([ours.key])
    with pytest.raises(UntrustedSigner):
        note.verify([])


def test_one_wrong_signature_of_a_known_key_refuses_the_whole_note() -> None:
    first, second = signer("example.com/a"), signer("example.com/b")
    wrong = signature(second, "something else\n")
    with pytest.raises(VerificationFailed, match=r"example\.com/b does not match the text"):
        Note(TEXT, (signature(first, TEXT), wrong)).verify([first.key, second.key])
    with pytest.raises(VerificationFailed, match="twice"):
        signed(TEXT, first, first).verify([first.key])


def test_keys_with_the_same_name_and_id_verify_nothing() -> None:
    """Otherwise, a colliding second key could be taken for the first, or hide its signature."""
    first, second = (
        VerifierKey("example.com/log", SignatureType.ED25519, hashlib.sha256(b"%d" % number).digest())
        for number in (7160, 12277)
    )
    assert (first.key_id, first == second) == (second.key_id, False)
    other = signer("example.com/other")
    with pytest.raises(VerificationFailed, match="one name and one id"):
        signed(TEXT, other).verify([first, second, other.key])
    assert signed(TEXT, other).verify([first, first, other.key])


def test_a_new_signature_replaces_the_old_one_of_the_same_key() -> None:
    by, other = signer("example.com/w", SignatureType.COSIGNATURE_ED25519), signer("example.com/log")
    note = signed(CHECKPOINT, by, other).with_signatures([signature(by, CHECKPOINT, NOW + 60)])
    assert [found.timestamp for found in note.verify([by.key, other.key])] == [NOW + 60, None]


def test_a_note_has_at_most_128_signatures() -> None:
    by = signer("example.com/log")
    fillers = [signer(f"example.com/{number}") for number in range(MAX_SIGNATURES)]
    for count in (17, MAX_SIGNATURES):
        note = Note.parse(bytes(signed(TEXT, by, *fillers[: count - 1])))
        assert len(note.signatures) == count
        assert note.verify([by.key])
    with pytest.raises(MalformedInput, match="more than 128"):
        Note.parse(bytes(signed(TEXT, by, *fillers)))


GOOD = bytes(signed("text\n", signer("example.com/log")))


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"\n",
        b"text\n",
        GOOD[:-1],
        GOOD + b"\n",
        GOOD + b"junk\n",
        GOOD.replace(b"text\n\n", b"text\n"),
        GOOD.replace(b"text\n", b""),
        GOOD.replace(b"text", b"te\rxt"),
        GOOD.replace(b"text", b"te\0xt"),
        GOOD.replace(b"text", b"te\txt"),
        GOOD.replace(b"text", b"te\xffxt"),
        GOOD.replace("— ".encode(), b"- "),
        GOOD.replace("— ".encode(), "—".encode()),
        GOOD.replace(b"example.com/log", b""),
        GOOD.replace(b"example.com/log", b"example+com"),
        GOOD.replace(b"example.com/log", "example\N{NO-BREAK SPACE}com".encode()),
        GOOD.replace(b"=", b""),
        GOOD.replace(b"=\n", b"==\n"),
        GOOD[:-3] + bytes([GOOD[-3] + 1]) + GOOD[-2:],
        GOOD[:-1] + b" \n",
        b"text\n\n" + "— name AAAAAA==\n".encode(),
        b"a" * (MAX_NOTE + 1),
    ],
)
def test_invalid_notes_are_refused(data: bytes) -> None:
    assert Note.parse(GOOD)
    with pytest.raises(MalformedInput):
        Note.parse(data)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "is not a verifier key"),
        (EXAMPLE_KEY.replace("530d903a", "530d903b"), "has the id"),
        (EXAMPLE_KEY.replace("530d903a", "530D903A"), "has the id"),
        (EXAMPLE_KEY.replace("example.com/foo", "example.com/bar"), "has the id"),
        (EXAMPLE_KEY[:-4], "32 bytes|public key"),
        (EXAMPLE_KEY + "=", "base64"),
        (EXAMPLE_KEY.replace("+530", " x+530"), "invalid key name"),
        (f"a+00000000+{base64.b64encode(bytes([2]) + bytes(32)).decode()}", "unknown type 0x02"),
        ("a+00000000+", "base64"),
    ],
)
def test_invalid_verifier_keys_are_refused(text: str, message: str) -> None:
    with pytest.raises(MalformedInput, match=message):
        VerifierKey.parse(text)


@pytest.mark.parametrize(
    "text", ["\0" * 9999, f"{'x' * 9999}+00000000+!", f"{'x' * 9999}+00000000+{'B' * 44}", "a+" * 999]
)
def test_errors_about_long_keys_are_short(text: str) -> None:
    with pytest.raises(MalformedInput) as error:
        VerifierKey.parse(text)
    assert len(str(error.value)) < 160


@given(st.text(min_size=1).filter(lambda text: all(c == "\n" or c >= " " for c in text)))
def test_arbitrary_text_is_signed_and_parsed(text: str) -> None:
    by = signer("example.com/log")
    try:
        (text + "\n").encode()
    except UnicodeEncodeError:
        return
    note = Note.parse(bytes(signed(text + "\n", by)))
    assert note.text == text + "\n"
    assert note.verify([by.key])


@given(st.integers(0, len(EXAMPLE.encode()) - 1), st.integers(1, 255))
def test_every_changed_byte_is_detected(at: int, change: int) -> None:
    data = bytearray(EXAMPLE.encode())
    data[at] ^= change
    with pytest.raises(LdcatError):
        Note.parse(bytes(data)).verify([VerifierKey.parse(EXAMPLE_KEY)])


@given(st.binary(max_size=200))
def test_arbitrary_bytes_raise_only_ldcat_errors(data: bytes) -> None:
    for note in (data, b"text\n\n" + "— ".encode() + data):
        with contextlib.suppress(MalformedInput):
            Note.parse(note)
    with contextlib.suppress(MalformedInput):
        VerifierKey.parse(data.decode("utf-8", "replace"))
