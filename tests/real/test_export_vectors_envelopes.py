"""The vectors of GCE launch endorsements and in-toto statements: theirs verified, and what is signed reproduced."""

from __future__ import annotations

import json
from dataclasses import replace

import pytest
from cryptography.hazmat.primitives.serialization import Encoding, load_pem_public_key
from securesystemslib.dsse import Envelope
from securesystemslib.exceptions import VerificationError
from securesystemslib.signer import SSlibKey

from catalog.export.formats.gce_launch_endorsement import golden_measurement
from catalog.export.formats.in_toto import PAYLOAD_TYPE, statement
from catalog.export.settings import Settings
from catalog.imports.certificate_files import load_certificates
from catalog.imports.documents import Given, read_document
from catalog.imports.protobuf import Message
from tests.real.export_vectors import ALL, TIME, vector_export
from tests.real.shared import EXCHANGE
from tests.support.exported_files import given_file

MANY = EXCHANGE / "many"
COMMIT = b"\xaa" * 20


def test_the_golden_measurement_is_reproduced() -> None:
    signed = (MANY / "gce-endorsement.golden.pb").read_bytes()
    certificate = Message(signed, {4: "bytes"}, "golden").data(4)
    [root] = load_certificates((MANY / "gce-root.pem").read_bytes())
    export = vector_export("many", Settings(commit=COMMIT, guest_svn=1))
    assert golden_measurement(export, certificate, root.public_bytes(Encoding.PEM)) == signed


def test_the_endorsement_of_the_vectors_is_verified() -> None:
    roots = [one for name in ("gce-root.pem", "gce-root.crt") for one in load_certificates((MANY / name).read_bytes())]
    assert roots[0] == roots[1]
    read = read_document((MANY / "gce-endorsement.binarypb").read_bytes(), Given(TIME, roots=(roots[0],)))
    digests = {(row.vcpus, row.digest) for row in vector_export("many").rows}
    assert {(one.claims.vcpus, one.digest) for one in read.endorsed} == digests
    assert read.checked == "signature"


def test_the_statement_is_reproduced() -> None:
    source = replace(vector_export("many").source, origin="catalog.example/sev/1")
    export = replace(vector_export("many"), source=source)
    data = (MANY / "rvps-message.json").read_bytes()
    file = given_file("out/rvps-message.json", data, digests=export.digests, source=source)
    said = statement(replace(export, settings=Settings(files=(file,))))
    assert said == (MANY / "in-toto-statement.json").read_bytes()


@pytest.mark.parametrize("folder", ALL)
def test_the_envelope_of_the_vectors_is_verified_and_a_changed_one_refused(folder: str) -> None:
    """It has no keyid, which securesystemslib needs."""
    said = json.loads((EXCHANGE / folder / "in-toto.dsse.json").read_bytes())
    public = SSlibKey.from_crypto(load_pem_public_key((EXCHANGE / "test-keys" / "in-toto.pub").read_bytes()))
    said["signatures"] = [{"keyid": public.keyid, **one} for one in said["signatures"]]
    envelope = Envelope.from_dict(said)
    assert envelope.payload == (EXCHANGE / folder / "in-toto-statement.json").read_bytes()
    assert envelope.payload_type == PAYLOAD_TYPE
    assert envelope.verify([public], 1)
    envelope.payload += b" "
    with pytest.raises(VerificationError):
        envelope.verify([public], 1)
