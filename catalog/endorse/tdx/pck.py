"""PckFacts: what a PCK certificate says of its platform: FMSPC, and the security versions of its parts.

Source: Intel SGX PCK Certificate and CRL Profile Specification, 1.3.5 (SGX extensions); Phala-Network/dcap-qvl,
src/oids.rs.
"""

from __future__ import annotations

from catalog.endorse.certificate import Certificate
from catalog.endorse.der import INTEGER, OBJECT_IDENTIFIER, OCTET_STRING, SEQUENCE, Element, read_value
from catalog.endorse.x509_parts import each
from catalog.errors import MalformedInput
from catalog.values import Value

COMPONENTS = 16
FMSPC_SIZE, PCE_ID_SIZE = 6, 2

_SGX = "1.2.840.113741.1.13.1"
_TCB, _PCE_ID, _FMSPC = f"{_SGX}.2", f"{_SGX}.3", f"{_SGX}.4"
_PCE_SVN = f"{_TCB}.17"


class PckFacts(Value):
    """What a PCK certificate says.

    fmspc: family, model, stepping, platform type and custom SKU, 6 bytes.
    pce_id: of the provisioning certification enclave, 2 bytes.
    components: SVNs of the 16 parts of the SGX TCB.
    """

    fmspc: bytes
    pce_id: bytes
    components: tuple[int, ...]
    pce_svn: int

    @classmethod
    def of(cls, certificate: Certificate) -> PckFacts | None:
        """Of a certificate; None if it has no SGX extensions, or they are malformed."""
        extension = certificate.extensions.get(_SGX)
        if extension is None:
            return None
        try:
            parts = _by_identifier(read_value(extension.value, SEQUENCE))
            tcb = _by_identifier(parts[_TCB])
            components = tuple(_number(tcb[f"{_TCB}.{number + 1}"]) for number in range(COMPONENTS))
            return cls(_octets(parts[_FMSPC], FMSPC_SIZE), _octets(parts[_PCE_ID], PCE_ID_SIZE), components,
                _number(tcb[_PCE_SVN]))  # fmt: skip
        except (MalformedInput, KeyError):
            return None


def _by_identifier(sequence: Element) -> dict[str, Element]:
    """The values of a sequence of pairs; raises MalformedInput for an identifier that is there twice."""
    if sequence.tag != SEQUENCE:
        raise MalformedInput("the SGX extensions are not a sequence")
    found: dict[str, Element] = {}
    for pair in each(sequence.inside(), SEQUENCE):
        inside = pair.inside()
        name = inside.take(OBJECT_IDENTIFIER).object_identifier()
        if name in found:
            raise MalformedInput("an SGX extension is there twice")
        found[name] = inside.last(*range(0x01, 0x1F), SEQUENCE)
    return found


def _number(value: Element) -> int:
    if value.tag != INTEGER:
        raise MalformedInput("a security version is not a number")
    return value.number()


def _octets(value: Element, size: int) -> bytes:
    if value.tag != OCTET_STRING or len(value.contents) != size:
        raise MalformedInput(f"an SGX extension is not {size} bytes")
    return value.contents
