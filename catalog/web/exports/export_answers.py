"""Types of the JSON of `/v1/exports`; the schemas of OpenAPI are made from them."""

from __future__ import annotations

import msgspec


class ExportFormatAnswer(msgspec.Struct):
    """A format of exports.

    title: what it is, and who reads it.
    settings: names of the parameters that it takes beside those that select launch digests.
    required: those of them that it needs.
    """

    name: str
    title: str
    settings: list[str]
    required: list[str]


class ParameterAnswer(msgspec.Struct):
    """A parameter of exports."""

    name: str
    meaning: str


class NotOfferedAnswer(msgspec.Struct):
    """A format that the service does not offer: `ldcat export` writes it."""

    name: str
    title: str
    why: str


class ExportFormatsAnswer(msgspec.Struct):
    """What exports there are.

    parameters: of all formats. formats: those that the service offers, which need no key and no file.
    """

    parameters: list[ParameterAnswer]
    formats: list[ExportFormatAnswer]
    not_offered: list[NotOfferedAnswer]
