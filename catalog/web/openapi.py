"""The OpenAPI 3.1 document of the service; its schemas are made from the types in answers.py."""

from __future__ import annotations

from functools import cache
from typing import Any

import msgspec

from catalog.export.setting_table import served_formats
from catalog.export.sidecar import Sidecar
from catalog.version import __version__
from catalog.web.answers import (
    Batch,
    BatchAnswer,
    HealthAnswer,
    LookupAnswer,
    ProblemAnswer,
    ReadyAnswer,
)
from catalog.web.exports.export_answers import ExportFormatsAnswer
from catalog.web.exports.export_query import FLAGS, NUMBERS, PREFIX, parameters

MAX_BATCH = 1000
"""Digests in one batch."""

_DIGEST = {"type": "string", "pattern": "^(?:0x)?(?:[0-9a-fA-F]{64}|[0-9a-fA-F]{96})$"}
_DIGEST_TEXT = {
    "type": "string",
    "pattern": "^(?:(?:0x)?(?:[0-9a-fA-F]{64}|[0-9a-fA-F]{96})|"
    "[A-Za-z0-9+/]{42}[AEIMQUYcgkosw048]=|[A-Za-z1-9+/][A-Za-z0-9+/]{63})$",
}
"""Hex, or canonical base64 that does not begin as hex does."""


_RECORDS = (
    *(Batch, LookupAnswer, BatchAnswer, ReadyAnswer, HealthAnswer, ProblemAnswer),
    *(ExportFormatsAnswer, Sidecar),
)


@cache
def openapi() -> dict[str, Any]:
    """The OpenAPI document."""
    _, schemas = msgspec.json.schema_components(_RECORDS, ref_template="#/components/schemas/{name}")
    schemas["Batch"]["properties"]["digests"] |= {"items": _DIGEST_TEXT, "maxItems": MAX_BATCH}
    return {
        "openapi": "3.1.0",
        "info": {
            "title": "ldcat",
            "version": __version__,
            "description": "Finds the configurations with a launch digest. A match says what was launched, not that it "
            "can be trusted. The log itself is below /tile/ and /releases/, in the layout of C2SP tlog-tiles.",
            "license": {"name": "Apache-2.0", "identifier": "Apache-2.0"},
        },
        "paths": {**_pages(), **_questions(), **_exports(), **_operations()},
        "components": {"schemas": schemas},
    }


def _pages() -> dict[str, Any]:
    """GET routes of lookups, ranges and pages."""
    digest = {"name": "digest", "in": "path", "required": True, "schema": _DIGEST}
    return {
        "/d/{digest}.json": {"get": _get("Look up a digest", [digest], _json("LookupAnswer"), 400, 503)},
        "/d/{digest}": {"get": _get("The same as a page", [digest], _content("text/html"), 400, 503)},
        "/d/{digest}.proof": {
            "get": _get(
                "A proof bundle of a row that has the digest",
                [
                    digest,
                    _query("row", "which of them, from 1", {"type": "integer", "minimum": 1, "maximum": 1_000_000}),
                ],
                _content("application/json"),
                *(400, 404, 503),
            )
        },
        "/range/{prefix}": {
            "get": _get(
                "Rows whose digests begin with some bits (docs/ranges.md); index.json says how many bits",
                [_path("prefix", {"type": "string", "pattern": "^[0-9a-f]{1,8}$"})],
                _content("application/octet-stream", "application/json"),
                *(404, 503),
            )
        },
        "/builds": {"get": _get("Builds, coverage and memory maps, as a page", [], _content("text/html"))},
        "/fleets": {"get": _get("Who published firmware and launch digests, as a page", [], _content("text/html"))},
        "/builds/{name}": {
            "get": _get(
                "An image, by the name of a build or by its SHA-256 in hex, as a page",
                [_path("name", {"type": "string", "minLength": 1})],
                _content("text/html"),
                404,
            )
        },
        "/releases": {"get": _get("Releases of the log, as a page", [], _content("text/html"))},
        "/diff/{pair}": {
            "get": _get(
                "What changed from one release to another, as a page",
                [_path("pair", {"type": "string", "pattern": r"^[1-9][0-9]{0,17}\.\.\.[1-9][0-9]{0,17}$"})],
                _content("text/html"),
                *(404, 503),
            )
        },
    }


def _questions() -> dict[str, Any]:
    """POST routes."""
    return {
        "/v1/lookup": {
            "post": {
                **_get(f"Look up at most {MAX_BATCH:,} digests", [], _json("BatchAnswer"), 400, 408, 413, 503),
                "requestBody": {
                    "required": True,
                    "description": "JSON, or text with one digest a line.",
                    "content": {
                        "application/json": {"schema": {"$ref": "#/components/schemas/Batch"}},
                        "text/plain": {"schema": {"type": "string", "pattern": "^[0-9a-f]{96}(\\n[0-9a-f]{96}){1,9}$"}},
                    },
                },
            }
        },
        "/v1/report": {
            "post": {
                **_get(
                    "Look up evidence; a report is verified by what came with it; nothing is kept",
                    [],
                    _json("LookupAnswer"),
                    *(400, 408, 413, 422, 503),
                ),
                "requestBody": {
                    "required": True,
                    "description": "What `ldcat lookup` takes: JSON of the virtee crates, a report or a digest "
                    "as text in hex or base64, or the 1,184 bytes of a report as application/octet-stream, which "
                    "no schema describes.",
                    "content": {
                        "application/json": {"schema": _report()},
                        "text/plain": {"schema": _DIGEST_TEXT},
                    },
                },
            }
        },
    }


def _exports() -> dict[str, Any]:
    """GET routes of exports."""
    file = _get(
        "Launch digests in the form that another system checks them in, as `ldcat export` writes them: "
        "named ones, or those of vmm and one of vcpus, vcpu_type and vcpu_signature",
        _export_parameters(),
        _content("*/*"),
        *_EXPORT_PROBLEMS,
    )
    file["responses"]["200"]["headers"] = {
        "Ldcat-Notes": {"description": "Codes of notes; the sidecar has their texts.", "schema": {"type": "string"}}
    }
    sidecar = _get("Where such a file is from", _export_parameters(), _json("Sidecar"), *_EXPORT_PROBLEMS)
    return {
        PREFIX: {"get": _get("The formats of exports", [], _json("ExportFormatsAnswer"))},
        f"{PREFIX}/{{format}}": {"get": file},
        f"{PREFIX}/{{format}}/sidecar": {"get": sidecar},
    }


_EXPORT_PROBLEMS = (400, 404, 409, 414, 503)
_NUMBER = {"type": "string", "pattern": "^(?:0|[1-9][0-9]{0,19}|0x[0-9a-fA-F]{1,16})$"}
"""At most 64 bits."""
_TRUTH = {"type": "boolean"}
_COUNTS = "[1-9][0-9]{0,3}(?:-[1-9][0-9]{0,3})?"
_TEXT = {"type": "string", "minLength": 1, "maxLength": 512}


def _export_parameters() -> list[dict[str, Any]]:
    digests = {"type": "array", "items": _DIGEST_TEXT, "maxItems": 75}
    counts = {"type": "string", "pattern": f"^{_COUNTS}(?:,{_COUNTS}){{0,99}}$"}
    schemas: dict[str, dict[str, Any]] = {
        "digest": digests,
        "vcpus": counts,
        **dict.fromkeys(NUMBERS, _NUMBER),
        **dict.fromkeys(FLAGS, _TRUTH),
    }
    return [
        _path("format", {"type": "string", "enum": list(served_formats())}),
        *(_query(name, meaning, schemas.get(name, _TEXT)) for name, meaning in parameters().items()),
    ]


def _operations() -> dict[str, Any]:
    """Routes of the service itself, and the checkpoint of the log."""
    return {
        "/checkpoint": {"get": _get("The checkpoint of the log", [], _content("text/plain"), 404)},
        "/openapi.json": {"get": _get("This document", [], _content("application/json"))},
        "/healthz": {"get": _get("Whether the process answers", [], _json("HealthAnswer"))},
        "/readyz": {"get": _get("Whether the release that is served is fresh", [], _json("ReadyAnswer"), 503)},
        "/metrics": {"get": _get("Counts, for Prometheus", [], _content("text/plain"))},
    }


def _get(summary: str, parameters: list[dict[str, Any]], content: dict[str, Any], *problems: int) -> dict[str, Any]:
    problem = {"schema": {"$ref": "#/components/schemas/ProblemAnswer"}}
    failed = {"description": "RFC 9457", "content": {"application/problem+json": problem}}
    return {
        "summary": summary,
        "parameters": parameters,
        "responses": {"200": {"description": "The answer", "content": content}, **{f"{n}": failed for n in problems}},
    }


def _json(name: str) -> dict[str, Any]:
    return {"application/json": {"schema": {"$ref": f"#/components/schemas/{name}"}}}


def _content(*types: str) -> dict[str, Any]:
    return {name: {} for name in types}


def _path(name: str, schema: dict[str, Any]) -> dict[str, Any]:
    return {"name": name, "in": "path", "required": True, "schema": schema}


def _query(name: str, what: str, schema: dict[str, Any]) -> dict[str, Any]:
    return {"name": name, "in": "query", "required": False, "description": what, "schema": schema}


def _report() -> dict[str, Any]:
    """The JSON of snpguest and the virtee crates. Fields of other versions, beside these, are noted."""
    byte = {"type": "integer", "minimum": 0, "maximum": 255}
    tcb = _open(_object(dict.fromkeys(("bootloader", "tee", "snp", "microcode"), byte)))
    sizes = {"family_id": 16, "image_id": 16, "report_data": 64, "host_data": 32, "id_key_digest": 48}
    sizes |= {"author_key_digest": 48, "report_id": 32, "report_id_ma": 32, "chip_id": 64}
    optional = {name: _bytes(size) for name, size in sizes.items()}
    optional |= {f"{name}_tcb": tcb for name in ("current", "reported", "committed", "launch")}
    report = _object(
        {
            "version": {"type": "integer", "minimum": 2, "maximum": (1 << 32) - 1},
            "policy": {"type": "integer", "minimum": 0, "maximum": (1 << 64) - 1},
            "measurement": _bytes(48),
            "signature": _open(_object({"r": _bytes(72), "s": _bytes(72)})),
            **{name: {"anyOf": [schema, {"type": "null"}]} for name, schema in optional.items()},
        }
    )
    return _open(report)


def _object(properties: dict[str, Any]) -> dict[str, Any]:
    return {"type": "object", "properties": properties, "required": list(properties), "additionalProperties": True}


def _open(schema: dict[str, Any]) -> dict[str, Any]:
    """The schema of an object that may have more properties."""
    return {**schema, "additionalProperties": True}


def _bytes(size: int) -> dict[str, Any]:
    return {"type": "string", "pattern": f"^[0-9a-f]{{{2 * size}}}$"}
