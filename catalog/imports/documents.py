"""Which format a document has, and what the reader trusts: `read_document` is the one way from bytes to facts.

Source of the list of formats: the modules in formats/, each with a constant FORM.
"""

from __future__ import annotations

import hashlib
import pkgutil
import warnings
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from functools import cache, cached_property
from importlib import import_module
from typing import Any

from cryptography.hazmat.primitives.asymmetric.types import PublicKeyTypes
from cryptography.x509 import Certificate

from catalog.errors import MalformedRecord, VerificationFailed
from catalog.imports import strict_json
from catalog.imports.imported import MAX_DOCUMENT, Imported


@dataclass(frozen=True, slots=True)
class Given:
    """What the reader gives beside a document.

    now: seconds since 1970; says whether a certificate has expired, and decides nothing.
    roots: certificates that a chain may end in.
    keys: public keys, for signatures without a chain.
    feed: the only feed that is accepted of endorsers that have feeds, or None for any.
    checksums: a file of sha256sum that names the document, or None.
    untrusted: read also what nobody that the reader trusts vouches for, only to see what it says. A root, or a key,
        that is not there is not looked for; its endorser may have no id then.
    """

    now: int
    roots: tuple[Certificate, ...] = ()
    keys: tuple[PublicKeyTypes, ...] = ()
    feed: str | None = None
    checksums: bytes | None = None
    untrusted: bool = False


@dataclass(frozen=True)
class Document:
    """The bytes of a file, and what they are as text."""

    data: bytes

    @cached_property
    def text(self) -> str | None:
        """The text, or None if the bytes are not UTF-8."""
        try:
            return self.data.decode("utf-8")
        except UnicodeDecodeError:
            return None

    @cached_property
    def json(self) -> Any:
        """The decoded JSON value, or None if the bytes are not JSON.

        Raises MalformedRecord for text that can only be JSON: it begins with a brace, or a key is there twice.
        """
        text = (self.text or "").lstrip()
        if not text.startswith(("{", "[")):
            return None
        try:
            return strict_json.load_json(self.data, "JSON document")
        except MalformedRecord as error:
            if text.startswith("{") or strict_json.TWICE in str(error):
                raise
            return None  # TOML also begins with a bracket

    @property
    def sha256(self) -> bytes:
        return hashlib.sha256(self.data).digest()


@dataclass(frozen=True, slots=True)
class Form:
    """A format of documents.

    title: whose format it is, for people.
    recognizes: whether a document is of this format, by what is in it; it must not raise.
    parse: the facts; raises MalformedRecord, and VerificationFailed or UntrustedSigner for a signature.
    has_checksums: whether a checksum file names such documents.
    """

    name: str
    title: str
    recognizes: Callable[[Document], bool]
    parse: Callable[[Document, Given], Imported]
    has_checksums: bool = False


@cache
def forms() -> Mapping[str, Form]:
    """Every format by name: the FORM of each module in the folder formats/."""
    from catalog.imports import formats as folder

    modules = (import_module(f"{folder.__name__}.{info.name}") for info in pkgutil.iter_modules(folder.__path__))
    found: list[Form] = [module.FORM for module in modules]
    return {form.name: form for form in sorted(found, key=lambda form: form.name)}


def read_document(data: bytes, given: Given) -> Imported:
    """The facts of a document of any known format.

    Raises MalformedRecord if it has no known format or breaks its format; VerificationFailed and UntrustedSigner if its
    signature, checksum or feed is not what is expected.
    """
    if len(data) > MAX_DOCUMENT:
        raise MalformedRecord(f"{len(data)} bytes are more than a document of {MAX_DOCUMENT} bytes")
    document = Document(data)
    for form in forms().values():
        if form.recognizes(document):
            with warnings.catch_warnings():
                warnings.simplefilter("ignore")  # of oddities in certificates, which decide nothing
                imported = form.parse(document, given)
            _check_feed(imported, given.feed)
            if given.checksums is None or form.has_checksums:
                return imported
            return replace(imported, notes=(*imported.notes, "the checksum file is not used: it is dstack's"))
    titles = ", ".join(form.title for form in forms().values())
    raise MalformedRecord("a document of no known format", f"known: {titles}")


def _check_feed(imported: Imported, feed: str | None) -> None:
    for one in imported.endorsed:
        if feed is not None and one.endorser.feed not in (None, feed):
            raise VerificationFailed(f"{imported.form}: the feed is {one.endorser.feed!r}, not {feed!r}")
