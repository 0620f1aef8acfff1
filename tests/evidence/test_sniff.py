"""Evidence: every form that a guest owner may have is recognised, and any other input raises an LdcatError."""

from __future__ import annotations

import base64
import contextlib
import io
import json
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from catalog.abi.digest import LaunchDigest
from catalog.abi.id_block import IdBlock
from catalog.abi.report import AttestationReport
from catalog.abi.sev_attestation import SevAttestationReport
from catalog.ask.evidence_files import read_digests, read_evidence, read_tik
from catalog.errors import LdcatError, MalformedInput, Unreadable, UsageError
from catalog.evidence.evidence import Evidence, LaunchMeasureData
from catalog.evidence.sniff import MAX_EVIDENCE, sniff
from catalog.files.certificate_inputs import read_certificates
from tests.support.attestation_builder import chain, report_bytes, signed
from tests.support.report_json import as_json

DIGEST = bytes(range(48))
REPORT = signed(report_bytes(measurement=DIGEST))
MEASUREMENT, NONCE = bytes(range(100, 132)), bytes(range(16))
BLOB = base64.b64encode(MEASUREMENT + NONCE).decode()
HCL = b"HCLA" + bytes(28) + REPORT + b"runtime data"
RESPONSE = bytes(4) + (1184).to_bytes(4, "little") + bytes(24) + REPORT + bytes(2784)
LIBVIRT = f"""sev-measurement: {BLOB}
sev-api-major  : 1
sev-api-minor  : 40
sev-build-id   : 55
sev-policy     : 7

"""


@pytest.mark.parametrize(
    "data",
    [
        REPORT,
        REPORT.hex().encode(),
        b"\n".join(REPORT.hex().encode()[at : at + 60] for at in range(0, 2368, 60)) + b"\n",
        b"0x" + REPORT.hex().upper().encode(),
        base64.b64encode(REPORT),
        base64.encodebytes(REPORT),
        HCL,
        HCL.hex().encode(),
        RESPONSE,
        json.dumps(as_json(REPORT, hexadecimal=False, old=False)).encode(),
        json.dumps({"attestation_report": as_json(REPORT, hexadecimal=True, old=False), "cert_chain": None}).encode(),
    ],
)
def test_reports_are_recognised(data: bytes) -> None:
    report = sniff(data).value
    assert isinstance(report, AttestationReport)
    assert report.raw == REPORT
    assert report.measurement == LaunchDigest(DIGEST)


@pytest.mark.parametrize("size", [32, 48])
def test_digests_are_recognised(size: int) -> None:
    value = DIGEST[:size]
    for text in (value.hex(), f"0x{value.hex()}", f" {value.hex().upper()}\n", base64.b64encode(value).decode()):
        assert sniff(text.encode()).value == LaunchDigest(value)


@pytest.mark.parametrize(
    ("data", "numbers"),
    [
        (f'{{"return": {{"data": "{BLOB}"}}}}', None),
        (f'{{"data": "{BLOB}", "api-major": 1, "api-minor": 40, "build-id": 55, "policy": 7}}', (1, 40, 55, 7)),
        (
            f'{{"return": {{"enabled": true, "api-major": 1, "api-minor": 40, "build-id": 55, "policy": 7, "handle": 1,'
            f' "state": "launch-secret", "sev-type": "sev"}}}}\n{{"return": {{"data": "{BLOB}"}}}}\n',
            (1, 40, 55, 7),
        ),
        (LIBVIRT, (1, 40, 55, 7)),
        (LIBVIRT.splitlines()[0], None),
    ],
)
def test_launch_measurements_are_recognised(data: str, numbers: tuple[int, ...] | None) -> None:
    value = sniff(data.encode()).value
    assert value == LaunchMeasureData(MEASUREMENT, NONCE, *(numbers or (None,) * 4))
    assert isinstance(value, LaunchMeasureData)
    assert value.missing == ([] if numbers else ["api_major", "api_minor", "build_id", "policy"])


@pytest.mark.parametrize(
    ("data", "technologies"),
    [
        (DIGEST[:32].hex().encode(), ["sev", "sev-es"]),
        (DIGEST.hex().encode(), ["sev-snp", "tdx"]),
        (REPORT, ["sev-snp"]),
        (f'{{"data": "{BLOB}"}}'.encode(), ["sev", "sev-es"]),
        (f'{{"data": "{BLOB}", "policy": 3}}'.encode(), ["sev"]),
        (f'{{"data": "{BLOB}", "policy": 7}}'.encode(), ["sev-es"]),
    ],
)
def test_evidence_has_its_possible_technologies(data: bytes, technologies: list[str]) -> None:
    assert sniff(data).technologies() == technologies


def test_a_launch_measurement_has_no_digest() -> None:
    assert sniff(REPORT).digest == sniff(DIGEST.hex().encode()).digest == LaunchDigest(DIGEST)
    with pytest.raises(UsageError, match="does not state its launch digest"):
        _ = sniff(f'{{"data": "{BLOB}"}}'.encode()).digest


def test_bare_base64_is_a_measurement_if_a_tik_is_given() -> None:
    assert sniff(BLOB.encode()).value == LaunchDigest(MEASUREMENT + NONCE)
    assert sniff(BLOB.encode(), with_tik=True).value == LaunchMeasureData(MEASUREMENT, NONCE)
    assert sniff(MEASUREMENT.hex().encode(), with_tik=True).value == LaunchMeasureData(MEASUREMENT)


def test_contradicting_values_are_refused() -> None:
    data = LaunchMeasureData(MEASUREMENT, NONCE, policy=7)
    assert data.completed({"policy": 7, "build_id": 3, "api_major": None}).build_id == 3
    with pytest.raises(MalformedInput, match="another policy"):
        data.completed({"policy": 3})


@pytest.mark.parametrize(
    ("data", "message"),
    [
        (b"", "this is not a launch digest"),
        (b"abc", "this is not a launch digest"),
        (b"{}" * 65, "more than 64 objects"),
        (b'{"data": 1, "data": 2}', "a key twice"),
        (b'{"data": NaN}', "but is invalid: NaN is not JSON"),
        (b'{"data": -' + b"9" * 4300 + b"}", "no evidence|48 bytes in base64"),
        (
            b'{"data": ' + b"9" * 4301 + b"}",
            "^this looks like JSON, but is invalid: a number has more than 4,300 digits$",
        ),
        (b'{"data":' * 100_000, "^this looks like JSON, but is nested too deeply$"),
        (b'{"policy": 1}{"policy": 3}', "two different values of policy"),
        (b"sev-measurement: A\nsev-policy: 1\nsev-policy: 3\n", "has a name twice"),
        (b"ab" * 40, "has 80 hex digits; a launch digest has 64 .* or 96"),
        (b"ab" * 40 + b"a", "has 81 hex digits"),
        (REPORT[:-1], "is not a launch digest"),
        (HCL[:700], "1184 bytes, not 668"),
        (b"\5\0\3\0\x81\0\0\0" + bytes(4000), "the body of the quote, of type 0, has 0 bytes"),
        (base64.b64encode(b"\5\0\2\0\x81\0\0\0" + bytes(624)), "the body of the quote, of type 0, has 0 bytes"),
        (b"\4\0\2\0\x81\0\0\0" + bytes(623), "is not a launch digest"),
        (b"\4\0\2\0\0\0\0\0" + bytes(624), "is not a launch digest"),
        (b"HCLA" + bytes(28) + b"\x81" + bytes(1183), "the report in this Azure HCL blob is of Intel TDX"),
        (b"\x01" + REPORT[1:], "invalid attestation report version 1"),
        (b"{}", "no evidence that ldcat knows"),
        (b"[1]", "is not a launch digest"),
        (b'{"return": [1]}', "no evidence that ldcat knows"),
        (b'{"data": "AAAA"}', "48 bytes in base64"),
        (b'{"data": 7}', "48 bytes in base64"),
        (f'{{"data": "{BLOB}", "policy": "7"}}'.encode(), "is not a number"),
        (f'{{"data": "{BLOB}"}} {{"x"'.encode(), "looks like JSON"),
        (f'{{"data": "{BLOB}"}} 7'.encode(), "is not an object"),
        (b'{"a":' * 5000, "looks like JSON"),
        (b'{"a": "\xff"}', "is not a launch digest"),
        (b"sev-measurement: AAAA", "48 bytes in base64"),
        (LIBVIRT.replace("40", "forty").encode(), "is not a number"),
        (LIBVIRT.replace("40", "\uff14\uff10").encode(), "is not a number"),
        (LIBVIRT.replace("40", "4_0").encode(), "is not a number"),
        (f"0x{'ab' * 47} file".encode(), "is not a launch digest"),
    ],
)
def test_other_input_is_refused(data: bytes, message: str) -> None:
    with pytest.raises(MalformedInput, match=message):
        sniff(data)


@given(st.binary(max_size=400), st.booleans())
def test_arbitrary_bytes_raise_only_ldcat_errors(data: bytes, with_tik: bool) -> None:
    for text in (data, b"HCLA" + data, b"{" + data, b"sev-measurement:" + data, data.hex().encode()):
        with contextlib.suppress(MalformedInput):
            sniff(text, with_tik=with_tik)


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=8),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=8), inner, max_size=4),
    max_leaves=8,
)


@given(st.sampled_from(sorted(as_json(REPORT, hexadecimal=True, old=False))), JSON)
def test_arbitrary_json_raises_only_ldcat_errors(name: str, value: object) -> None:
    fields = {**as_json(REPORT, hexadecimal=True, old=False), name: value}
    for text in (fields, {"data": value}, {"return": value}, {"attestation_report": fields}):
        with contextlib.suppress(MalformedInput):
            sniff(json.dumps(text).encode())


def test_evidence_is_read_from_files_and_standard_input(tmp_path: Path) -> None:
    path = tmp_path / "report.bin"
    path.write_bytes(REPORT)
    assert isinstance(read_evidence(str(path), io.BytesIO()).value, AttestationReport)
    assert isinstance(read_evidence("-", io.BytesIO(REPORT)).value, AttestationReport)
    assert read_evidence(DIGEST.hex(), io.BytesIO()).value == LaunchDigest(DIGEST)
    with pytest.raises(Unreadable, match="no such file"):
        read_evidence(str(tmp_path / "nothing.bin"), io.BytesIO())
    with pytest.raises(MalformedInput, match="is neither a file nor a launch digest"):
        read_evidence("nothing", io.BytesIO())
    with pytest.raises(MalformedInput, match="is neither a file nor a launch digest"):
        read_evidence("\udcff", io.BytesIO())
    path.write_bytes(bytes(MAX_EVIDENCE + 1))
    for source in ("-", str(path)):
        with pytest.raises(Unreadable, match="larger than"):
            read_evidence(source, io.BytesIO(bytes(MAX_EVIDENCE + 1)))
    with pytest.raises(LdcatError):
        read_evidence(str(tmp_path), io.BytesIO())


def test_certificates_are_read_from_files_and_folders(tmp_path: Path) -> None:
    made = chain()
    for name, certificate in zip("abc", made.all, strict=True):
        (tmp_path / name).write_bytes(certificate.der)
    assert read_certificates(tmp_path) == made.all
    assert read_certificates(tmp_path / "b") == [made.ask]
    (tmp_path / "d").write_bytes(b"no certificate")
    left_out: list[str] = []
    assert read_certificates(tmp_path) == read_certificates(tmp_path, left_out) == made.all
    assert left_out == [str(tmp_path / "d")]
    with pytest.raises(MalformedInput, match="d: neither certificates"):
        read_certificates(tmp_path / "d")
    with pytest.raises(Unreadable):
        read_certificates(tmp_path / "nothing")
    (tmp_path / "empty").mkdir()
    with pytest.raises(UsageError, match="no certificates"):
        read_certificates(tmp_path / "empty")
    for number in range(1_001):
        (tmp_path / "empty" / str(number)).touch()
    with pytest.raises(UsageError, match="more than 1000 files"):
        read_certificates(tmp_path / "empty")


def test_a_tik_is_read_from_files(tmp_path: Path) -> None:
    path = tmp_path / "tik.bin"
    for size in (16, 32):
        path.write_bytes(bytes(range(size)))
        assert read_tik(path) == bytes(range(size))[-16:]
    for size in (0, 15, 17, 33):
        path.write_bytes(b"secret of mine, none of yours...."[:size])
        with pytest.raises(MalformedInput, match="is not a TIK") as caught:
            read_tik(path)
        assert "secret" not in str(caught.value) + str(caught.value.hint)
    with pytest.raises(Unreadable):
        read_tik(tmp_path / "nothing")


def digests(data: bytes) -> list[LaunchDigest]:
    return read_digests("-", io.BytesIO(data))


def test_a_list_of_digests_is_one_a_line() -> None:
    other = bytes(range(1, 49))
    text = f"\n{DIGEST.hex()}\r\n\n 0x{other.hex().upper()}\t\n{base64.b64encode(DIGEST).decode()}"
    assert digests(text.encode()) == [LaunchDigest(DIGEST), LaunchDigest(other), LaunchDigest(DIGEST)]
    assert digests(DIGEST.hex().encode()) == [LaunchDigest(DIGEST)]
    assert digests(REPORT) == digests(HCL) == [LaunchDigest(DIGEST)]
    wrapped = b"\n".join(REPORT.hex().encode()[at : at + 60] for at in range(0, 2368, 60))
    assert digests(wrapped) == [LaunchDigest(DIGEST)]


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (f"{DIGEST.hex()}\n\n{DIGEST.hex()[1:]}\n", "stdin, line 3, is not a launch digest"),
        (f"{DIGEST.hex()}\nnote\n", "stdin, line 2, is not a launch digest"),
        (f"{DIGEST.hex()}\n{REPORT.hex()}\n", "stdin, line 2, is not a launch digest"),
        (f"x\n{DIGEST.hex()}\n{DIGEST.hex()}\n", "stdin, line 1, is not a launch digest"),
        ("", "stdin is not a launch digest"),
    ],
)
def test_a_line_that_is_no_digest_is_named(text: str, message: str) -> None:
    with pytest.raises(MalformedInput, match=message):
        digests(text.encode())


def test_a_launch_measurement_is_not_in_a_list_of_digests() -> None:
    with pytest.raises(UsageError, match="does not state its launch digest"):
        digests(LIBVIRT.encode())


def test_digests_are_text_before_they_are_files(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    other = bytes(48).hex()
    Path(DIGEST.hex()).write_text(f"{other}\n{other}\n")
    Path("listed").write_text(f"{other}\n{other}\n")
    assert read_digests(DIGEST.hex(), io.BytesIO()) == [LaunchDigest(DIGEST)]
    assert read_digests("listed", io.BytesIO()) == [LaunchDigest(bytes(48))] * 2
    assert read_digests("-", io.BytesIO(other.encode())) == [LaunchDigest(bytes(48))]
    for absent in ("nothing", "\udcff", ""):
        with pytest.raises(MalformedInput):
            read_digests(absent, io.BytesIO())
    Path("large").write_bytes(b"\n" * (MAX_EVIDENCE + 1))
    for asked in ("large", "-"):
        with pytest.raises(Unreadable, match="larger"):
            read_digests(asked, io.BytesIO(bytes(MAX_EVIDENCE + 1)))


@pytest.mark.parametrize(
    ("value", "technologies"),
    [
        (SevAttestationReport(NONCE, LaunchDigest(MEASUREMENT), 1, 0x1002, 2, bytes(144)), ["sev"]),
        (SevAttestationReport(NONCE, LaunchDigest(MEASUREMENT), 5, 0x1002, 2, bytes(144)), ["sev-es"]),
        (IdBlock(LaunchDigest(DIGEST), bytes(16), bytes(16), 0, 0x30000), ["sev-snp"]),
    ],
)
def test_what_states_a_digest_has_its_technologies(
    value: SevAttestationReport | IdBlock, technologies: list[str]
) -> None:
    evidence = Evidence("it", value)
    assert evidence.technologies() == technologies
    assert evidence.digest == value.measurement
    assert (evidence.report, evidence.measure_data) == (None, None)
