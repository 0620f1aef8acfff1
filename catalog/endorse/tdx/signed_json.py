"""SignedJson: a document of Intel's Provisioning Certification Service (PCS), with the bytes that it signed.

The two forms: the PCS's own, `{"tcbInfo": {...}, "signature": "..."}`, and members of the JSON of dcap-qvl, `tcb_info`
(a text) and `tcb_info_signature`.
Source: Intel PCS API version 4; Phala-Network/dcap-qvl, sample/tdx_quote_collateral.json.
"""

from __future__ import annotations

import json
import re
from typing import Any

from catalog.errors import MalformedInput
from catalog.values import Value

_FIRST = re.compile(r'\s*\{\s*"(tcbInfo|enclaveIdentity)"\s*:\s*')
_THEN = re.compile(r'\s*,\s*"signature"\s*:\s*"([0-9a-fA-F]{128})"\s*\}\s*')
_SIGNATURE_DIGITS = 128


class SignedJson(Value):
    """A TCB info or QE identity; nothing is verified.

    fields: what it says.
    body: the text that is signed, byte for byte.
    signature: r and s, 32 bytes each, big-endian.
    """

    fields: dict[str, Any]
    body: bytes
    signature: bytes

    @classmethod
    def of_answer(cls, text: str) -> SignedJson:
        """Of an answer of the PCS, whose bytes have to be as it sent them; raises MalformedInput for anything else."""
        first = _FIRST.match(text)
        if first is None:
            raise MalformedInput("this JSON does not begin with tcbInfo or enclaveIdentity, as the PCS answers")
        _, end = _decoded(text, first.end())
        then = _THEN.fullmatch(text, end)
        if then is None:
            raise MalformedInput("this answer of the PCS has no signature of 128 hex digits behind its document")
        return cls.of_parts(text[first.end() : end], then[1])

    @classmethod
    def of_parts(cls, body: str, signature: str) -> SignedJson:
        """Of the text of a document, and its signature in hex; raises MalformedInput."""
        fields, end = _decoded(body, 0)
        if not isinstance(fields, dict) or end != len(body):
            raise MalformedInput("a document of the PCS is not one object of JSON")
        try:
            signed = bytes.fromhex(signature)
        except ValueError:
            signed = b""
        if 2 * len(signed) != _SIGNATURE_DIGITS:
            raise MalformedInput(f"the signature of a document of the PCS has not {_SIGNATURE_DIGITS} hex digits")
        return cls(fields, body.encode("utf-8"), signed)


def _decoded(text: str, at: int) -> tuple[Any, int]:
    try:
        return json.JSONDecoder().raw_decode(text, at)
    except (ValueError, RecursionError) as error:
        raise MalformedInput("a document of the PCS is not JSON") from error
