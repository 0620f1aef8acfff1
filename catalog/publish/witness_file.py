"""Files and pages that name a witness: its verifier keys, and the address at which it is asked.

No specification says how a witness publishes its keys. Operators give them as text, and litewitness and
`ldcat witness serve` show theirs at their own address. So this reads lines of text, and any page of HTML for the
verifier keys in it.
"""

from __future__ import annotations

import html
import re
from dataclasses import dataclass

from catalog.errors import MalformedInput
from catalog.net.host_url import Server
from catalog.transparency.encoding import MAX_NAME
from catalog.transparency.keys import SignatureType, VerifierKey

MAX_WITNESS_FILE = 1 << 16
"""Bytes."""

_KEY = re.compile(rf"[^\s<>\"'+]{{1,{MAX_NAME}}}\+[0-9a-f]{{8}}\+[A-Za-z0-9+/]+={{0,2}}")
_FORM = "lines: VKEY URL; or VKEY, and a line with the URL alone"


@dataclass(frozen=True, slots=True)
class WitnessEntry:
    """A witness. keys: all of one name. url: its submission prefix."""

    name: str
    keys: tuple[VerifierKey, ...]
    url: str


def parse_witnesses(data: bytes, where: str, fetched: str | None = None) -> list[WitnessEntry]:
    """The witnesses that a file names, at least one.

    where: the file, for messages. fetched: the URL that it comes from, which is the address of keys without another.

    Raises MalformedInput for a file of another form, for a key that is not a witness's, for a key without an address,
    and for several witnesses at the URL that was fetched: whoever answers there could outvote the others. Raises
    UsageError for an address that is not a URL.
    """
    try:
        text = data.decode("utf-8")
    except UnicodeDecodeError as error:
        raise MalformedInput(f"{where} is not UTF-8 text", _FORM) from error
    if fetched and text.lstrip().startswith("<"):
        named: dict[VerifierKey, str | None] = dict.fromkeys(_keys_of_page(text))
    else:
        named = _keys_of_lines(text, where)
    if not named:
        raise MalformedInput(
            f"{where} names no verifier key of a witness", f"get from its operator a file with {_FORM}"
        )
    names = dict.fromkeys(key.name for key in named)
    here = {key.name for key, url in named.items() if not url}
    if fetched and len(here) > 1:
        raise MalformedInput(f"{where} names {len(here)} witnesses, and only one is asked there", f"write {_FORM}")
    entries = []
    for name in names:
        keys = tuple(key for key in named if key.name == name)
        urls = {url for key in keys if (url := named[key] or fetched)}
        if len(urls) != 1:
            what = "no address" if not urls else "several addresses"
            raise MalformedInput(f"{where} has {what} for the witness {name}", f"write {_FORM}")
        (url,) = urls
        Server.parse(url, anywhere=True)
        entries.append(WitnessEntry(name, keys, url))
    return entries


def _keys_of_page(text: str) -> list[VerifierKey]:
    """The keys of witnesses in a page; others, such as those of logs, are left out."""
    found = []
    for word in _KEY.findall(html.unescape(text)):
        try:
            key = VerifierKey.parse(word)
        except MalformedInput:
            continue
        if key.type is not SignatureType.ED25519:
            found.append(key)
    return found


def _keys_of_lines(text: str, where: str) -> dict[VerifierKey, str | None]:
    """Keys and their addresses, from `VKEY`, `VKEY URL`, `URL`, or witness lines of a tlog-policy."""
    found: dict[VerifierKey, str | None] = {}
    alone: list[str] = []
    for number, line in enumerate(text.splitlines(), 1):
        words = line.split()
        if words[:1] == ["witness"]:
            words = words[2:]
        if not words or words[0].startswith("#"):
            continue
        if len(words) == 1 and words[0].startswith(("https://", "http://")):
            alone += words
            continue
        if len(words) > 2:
            raise MalformedInput(f"line {number} of {where} is not about a witness", _FORM)
        try:
            key = VerifierKey.parse(words[0])
        except MalformedInput as error:
            raise MalformedInput(f"line {number} of {where}: {error}", _FORM) from error
        if key.type is SignatureType.ED25519:
            raise MalformedInput(
                f"line {number} of {where}: the Ed25519 key of {key.name} is that of a log, not of a witness", _FORM
            )
        found[key] = words[1] if len(words) == 2 else None
    if len(set(alone)) > 1:
        raise MalformedInput(f"{where} has several addresses on lines of their own", _FORM)
    return {key: url or (alone[0] if alone else None) for key, url in found.items()}
