"""`ldcat trust rotate`: new roots, policy and terms in the next version, signed by enough old and new roots."""

from __future__ import annotations

import time
from collections.abc import Callable
from pathlib import Path

import pytest

from catalog.publish.key_files import new_key, write_keys
from catalog.transparency.keys import SignatureType
from catalog.transparency.note import Note
from catalog.transparency.trust import Trust
from tests.support.cli import Run
from tests.support.logs import DAY
from tests.support.trust_notes import trust_note

ROLES = "abcde"
Signed = Callable[[str, str], Path]


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with the private keys of five roots, a policy, and version 1, which needs two of a, b and c."""
    made = tmp_path_factory.mktemp("roots")
    pairs = {role: new_key(f"root.example/{role}", SignatureType.ED25519) for role in (*ROLES, "log")}
    for role, pair in pairs.items():
        write_keys(made / role, [pair], None)
    policy = f"# ours\nlog {pairs['log'].key}\nquorum none\n"
    (made / "policy").write_text(policy)
    roots, expires = [pairs[role].signer for role in "abc"], int(time.time()) + 30 * DAY
    note = trust_note(policy, roots[:2], expires=expires, max_age=DAY, threshold=2, roots=roots)
    (made / "first").write_bytes(bytes(note))
    return made


@pytest.fixture
def first(folder: Path) -> Path:
    return folder / "first"


@pytest.fixture
def keys(folder: Path) -> dict[str, str]:
    """Verifier keys by role."""
    return {role: (folder / role).read_text().splitlines()[0] for role in ROLES}


@pytest.fixture
def signed(run: Run, folder: Path, tmp_path: Path) -> Signed:
    """Writes a text as a trust note signed by some of the roots."""

    def sign(text: str, roles: str) -> Path:
        path = tmp_path / f"{text.split()[1]}-{roles}.note"
        path.write_text(text)
        for role in roles:
            code, out, err = run("trust", "sign", str(path), "--key", str(folder / role))
            assert (code, err) == (0, "")
            path.write_text(out)
        return path

    return sign


def trust(path: Path) -> Trust:
    return Trust.parse(Note.parse(path.read_bytes()).text)


def test_unnamed_parts_are_kept(run: Run, first: Path) -> None:
    code, out, err = run("trust", "rotate", str(first))
    assert (code, err) == (0, "")
    assert out == Note.parse(first.read_bytes()).text.replace("version 1", "version 2")


def test_one_root_is_replaced(run: Run, first: Path, keys: dict[str, str], signed: Signed) -> None:
    text = run("trust", "rotate", str(first), "--drop", "a", "--root", f"d={keys['d']}", "--days", "365")[1]
    assert [line.split()[1] for line in text.splitlines() if line.startswith("root ")] == ["b", "c", "d"]
    second = signed(text, "abd")
    assert run("trust", "check", str(first), str(second))[:2] == (0, "version 2 follows version 1\n")
    assert trust(second).expires > trust(first).expires
    for roles in ("ad", "ab", "cd", "bd"):  # not two of the old roots, or not two of the new ones
        code, out, err = run("trust", "check", str(first), str(signed(text, roles)))
        assert (code, out) == (6, "")
        assert "root keys signed this trust note, and 2 have to" in err
    assert run("trust", "check", str(first), str(signed(text, "bc")))[0] == 0
    third = signed(run("trust", "rotate", str(second), "--max-age", "3")[1], "cd")
    assert trust(third).max_age == 3 * 86400
    assert run("trust", "check", str(second), str(third))[0] == 0
    code, _, err = run("trust", "check", str(first), str(third))
    assert code == 4
    assert "version 3 of a trust note does not follow version 1" in err


def test_a_key_is_replaced_and_the_threshold_raised(
    run: Run, first: Path, keys: dict[str, str], signed: Signed
) -> None:
    more = [part for role in "de" for part in ("--root", f"{role}={keys[role]}")]
    text = run("trust", "rotate", str(first), "--threshold", "3", *more)[1]
    assert run("trust", "check", str(first), str(signed(text, "ab")))[0] == 6
    second = signed(text, "abe")
    assert run("trust", "check", str(first), str(second))[0] == 0
    swapped = run("trust", "rotate", str(second), "--drop", "e", "--root", f"a={keys['e']}", "--threshold", "2")[1]
    assert f"root a {keys['e']}\n" in swapped
    assert keys["a"] not in swapped
    assert run("trust", "check", str(second), str(signed(swapped, "abc")))[0] == 0


def test_another_policy(run: Run, first: Path, folder: Path, tmp_path: Path, signed: Signed) -> None:
    witness = run("keygen", "w.example", "-o", str(tmp_path / "w"), "--for", "witness", "--algorithm", "ed25519")[1]
    (tmp_path / "next").write_text(
        (folder / "policy").read_text().replace("quorum none", f"witness w {witness.strip()}\nquorum w")
    )
    text = run("trust", "rotate", str(first), "--policy", str(tmp_path / "next"))[1]
    assert text.endswith((tmp_path / "next").read_text())
    assert run("trust", "check", str(first), str(signed(text, "ac")))[0] == 0


@pytest.mark.parametrize(
    ("arguments", "code", "part"),
    [
        (("{first}", "--drop", "z"), 2, "unknown role 'z'"),
        (("{first}", "--drop", "a"), 2, "a threshold of all 2 root keys"),
        (("{first}", "--threshold", "3"), 2, "a threshold of all 3 root keys"),
        (("{first}", "--threshold", "4"), 3, "4 of 3 root keys"),
        (("{first}", "--threshold", "0"), 3, "0 of 3 root keys"),
        (("{first}", "--days", "0"), 2, "expired already"),
        (("{first}", "--days", "-1"), 2, "expired already"),
        (("{first}", "--max-age", "0"), 3, "max-age 0"),
        (("{first}", "--root", "d={a}"), 3, "duplicate root key"),
        (("{first}", "--root", "d={d}", "--root", "d={e}"), 2, "two root keys have the same role"),
        (("{first}", "--root", "d"), 2, "is not a root key"),
        (("{first}", "--policy", "{tmp}/nowhere"), 5, "nowhere"),
        (("{first}", "--policy", "{first}"), 3, "trust policy"),
        (("{unsigned}",), 6, "1 of 3 root keys signed this trust note, and 2 have to; missing: b, c"),
        (("{folder}/policy",), 3, "this is a trust policy"),
    ],
)
def test_invalid_arguments_are_refused(
    run: Run,
    first: Path,
    folder: Path,
    keys: dict[str, str],
    tmp_path: Path,
    arguments: tuple[str, ...],
    code: int,
    part: str,
) -> None:
    (tmp_path / "unsigned").write_text("".join(first.read_text().splitlines(keepends=True)[:-1]))
    places = {
        "first": str(first),
        "tmp": str(tmp_path),
        "folder": str(folder),
        "unsigned": str(tmp_path / "unsigned"),
        **keys,
    }
    got, out, err = run("trust", "rotate", *(argument.format(**places) for argument in arguments))
    assert (got, out) == (code, "")
    assert part in err
    assert "internal error" not in err
