"""The vectors of GCE launch endorsements and in-toto statements: theirs verified, and what is signed reproduced."""

from __future__ import annotations

from catalog.export.formats.gce_launch_endorsement import golden_measurement
from catalog.export.settings import Settings
from catalog.imports.certificate_files import load_certificates
from catalog.imports.documents import Given, read_document
from catalog.imports.protobuf import Message
from tests.real.export_vectors import TIME, vector_export
from tests.real.shared import EXCHANGE

MANY = EXCHANGE / "many"
COMMIT = b"\xaa" * 20


def test_the_golden_measurement_is_reproduced() -> None:
    signed = (MANY / "gce-endorsement.golden.pb").read_bytes()
    [signer] = load_certificates(Message(signed, {4: "bytes"}, "golden").data(4))
    [root] = load_certificates((MANY / "gce-root.pem").read_bytes())
    export = vector_export("many", Settings(commit=COMMIT, guest_svn=1))
    assert golden_measurement(export, signer, root) == signed


def test_the_endorsement_of_the_vectors_is_verified() -> None:
    roots = [one for name in ("gce-root.pem", "gce-root.crt") for one in load_certificates((MANY / name).read_bytes())]
    assert roots[0] == roots[1]
    read = read_document((MANY / "gce-endorsement.binarypb").read_bytes(), Given(TIME, roots=(roots[0],)))
    digests = {(row.vcpus, row.digest) for row in vector_export("many").rows}
    assert {(one.claims.vcpus, one.digest) for one in read.endorsed} == digests
    assert read.checked == "signature"
