"""DigestRecord: a row as it is in a leaf of a log and in JSON, with every field as canonical text."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, Literal

import msgspec
from msgspec import UNSET

from catalog.errors import MalformedRecord
from catalog.rows.fields import AXIS, BY_NAME, COMPONENT, IDENTITY, RECORD, Field, record_texts, value_in
from catalog.wire import Wire

INPUTS = tuple(field.name for field in RECORD if field.role in (COMPONENT, AXIS))
"""Fields of a digest record that determine the digest."""

if TYPE_CHECKING:

    class DigestRecord(Wire, frozen=True):
        """A row: a launch digest and all inputs that determine it, components by hash; null: not measured."""

        type: Literal["digest"]
        launch_digest: str
        technology: str
        vcpus: int | None

        def __init__(self, **fields: Any) -> None: ...

        def __getattr__(self, name: str) -> Any: ...

else:

    def _typed(field: Field) -> Any:
        kind = str if field.kind.is_text else int
        return kind if field.optional or not field.nullable else kind | None

    DigestRecord = msgspec.defstruct(
        "DigestRecord",
        [
            ("type", Literal["digest"]),
            *((field.name, _typed(field)) for field in RECORD if not field.optional),
            *((field.name, _typed(field) | msgspec.UnsetType, UNSET) for field in RECORD if field.optional),
        ],
        bases=(Wire,),
        frozen=True,
        module=__name__,
    )


def check_identity(record: DigestRecord) -> None:
    """Raises MalformedRecord unless exactly one field says what the launch begins with."""
    if sum(value_in(record, name) is not None for name in IDENTITY) != 1:
        raise MalformedRecord(f"digest record: a row has exactly one of {', '.join(IDENTITY)}")


def digest_record(values: Mapping[str, Any]) -> DigestRecord:
    """The record of a row. values: by column, as Python values of the Arrow types."""
    return DigestRecord(**record_texts(values))


def parse_values(texts: Mapping[str, Any]) -> dict[str, Any]:
    """The values of canonical texts, by column; raises MalformedRecord for a text that is not valid for its field."""
    return {name: None if text is None else _value(BY_NAME[name], text) for name, text in texts.items()}


def _value(field: Field, text: Any) -> Any:
    try:
        return field.kind.parse(text)
    except ValueError as error:
        raise MalformedRecord(f"{text!r:.80} is not a valid {field.name}") from error
