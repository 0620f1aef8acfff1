"""`ldcat serve`: the same answers as on the command line, with the right HTTP behaviour."""

from __future__ import annotations

import gzip
import json
import re
import signal
import textwrap
from pathlib import Path
from typing import Any

import msgspec
import pytest

from catalog import Release
from catalog.build.builder import BuildResult
from catalog.errors import LdcatError, MalformedInput, Unreadable
from catalog.prove.verdict import Outcome
from catalog.prove.verify_proof import verify_bundle
from catalog.transparency.trust import read_trust
from catalog.web.answers import BatchAnswer, LookupAnswer
from catalog.web.problems import make_problem
from tests.support.attestation_builder import certificate_table, chain, report_bytes, signed
from tests.support.catalogs import rows_of
from tests.support.cli import Run
from tests.support.evidence_forms import samples
from tests.support.published_logs import Place
from tests.support.services import Service, service

NOWHERE = "0" * 96
KEYS = ("63da758de6644564adc5f4b93be8accd", "4ab7b379bbac4fe4a02f05aef327c782", "c0b406a4a803495297433fb6014cd0ae")
"""GUIDs of VCEK, ASK and ARK in a certificate table."""


def digests(small: BuildResult) -> list[str]:
    return sorted({digest.hex() for digest in rows_of(small).values()})


def snp_digest(small: BuildResult) -> str:
    return next(digest.hex() for inputs, digest in rows_of(small).items() if inputs[0] == "sev-snp")


def test_a_digest_is_answered_as_on_the_command_line(
    served: Service, published: Place, small: BuildResult, run: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path))
    for digest in [*digests(small)[:20], NOWHERE, "0" * 64]:
        options = ("--catalog", str(published.log), "--trust", str(published.trust), "-f", "json")
        expected = json.loads(run("lookup", digest, *options)[1])
        for spelled in (digest, digest.upper(), f"0x{digest}"):
            assert served.json(f"/d/{spelled}.json") == expected
        msgspec.convert(expected, LookupAnswer)


def checked_answer(found: dict[str, Any]) -> LookupAnswer:
    """The answer in the type of the OpenAPI document, which has every member of it."""
    answer = msgspec.convert(found, LookupAnswer)
    assert set(found) == set(LookupAnswer.__struct_fields__)
    assert msgspec.to_builtins(answer.verification) == found["verification"]
    return answer


@pytest.mark.parametrize(
    ("form", "claimed_by"),
    [("id-block", "an ID block"), ("text-amd", "a text"), ("sev-report", None), ("report-azure-1", None)],
)
def test_openapi_describes_the_answer_to_every_form(served: Service, form: str, claimed_by: str | None) -> None:
    status, text, _ = served.ask("/v1/report", method="POST", body=samples()[form])
    assert status == 200
    answer = checked_answer(json.loads(text))
    assert answer.claimed_by == claimed_by
    assert (answer.id_block is None) == (form != "id-block")
    assert (answer.sev_report is None) == (form != "sev-report")


def test_a_report_is_verified_by_what_came_with_it_up_to_amds_root_only(served: Service) -> None:
    table = certificate_table({bytes.fromhex(key): one.der for key, one in zip(KEYS, chain().all, strict=True)})
    status, text, _ = served.ask("/v1/report", method="POST", body=signed(report_bytes()) + table)
    answer = checked_answer(json.loads(text))
    assert (status, answer.refused) == (200, "the certificates do not endorse this report")
    assert answer.verification is not None
    failed = {check.code for check in answer.verification.findings if check.passed is False}
    assert "root" in failed
    assert "signature" not in failed


def test_a_batch_is_answered_in_its_order(served: Service, small: BuildResult) -> None:
    wanted = [NOWHERE, *digests(small), NOWHERE]
    found = served.json("/v1/lookup", {"digests": wanted})
    assert [one["launch_digest"] for one in found["answers"]] == wanted
    assert [one["found"] for one in found["answers"]] == [False, *[True] * (len(wanted) - 2), False]
    for one in found["answers"][:10]:
        assert one["matches"] == served.json(f"/d/{one['launch_digest']}.json")["matches"]
    assert found["release"]["release"] == 2
    msgspec.convert(found, BatchAnswer)
    assert len(served.json("/v1/lookup", {"digests": [NOWHERE] * 1000})["answers"]) == 1000


def test_a_batch_may_be_text(served: Service, small: BuildResult) -> None:
    wanted = digests(small)[:3]
    text = f"# launches\n{wanted[0]}  launch.txt\nsha384:{NOWHERE}\n\n0x{wanted[1]},\n"
    status, body, _ = served.ask("/v1/lookup", method="POST", body=text.encode())
    found = json.loads(body)
    assert (status, [one["launch_digest"] for one in found["answers"]]) == (200, [wanted[0], NOWHERE, wanted[1]])
    assert found == served.json("/v1/lookup", {"digests": [wanted[0], NOWHERE, wanted[1]]})


@pytest.mark.parametrize(
    ("body", "status", "detail"),
    [
        (f"{NOWHERE}\n{NOWHERE}\nx\n".encode(), 400, "line 3 is not a launch digest"),
        (b"\n".join([b"1" * 96] * 1001), 400, "the batch has 1,001 digests, more than 1,000"),
        (b"", 400, "invalid batch"),
        (b"[]", 400, "invalid batch"),
        (b'{"digests": []}', 400, "invalid batch"),
        (b'{"digests": [1]}', 400, "invalid batch"),
        (b'{"digests": "00"}', 400, "invalid batch"),
        (b'{"digests": ["00"], "more": 1}', 400, "invalid batch"),
        (b'{"digests": ["' + b"0" * 96 + b'", "00"]}', 400, "digest 1: '00' is not a launch digest"),
        (json.dumps({"digests": [NOWHERE] * 1001}).encode(), 400, "the batch has 1,001 digests, more than 1,000"),
        (b" " * (256 << 10) + b"{}", 413, "the request has more than 262,144 bytes"),
        (b"[" * 100_000, 400, "invalid batch"),
        (b"\xff\xfe", 400, "invalid batch"),
        (
            textwrap.fill((report_bytes() + bytes(20)).hex(), 64).encode(),
            400,
            "the certificate table has no entry of zeros",
        ),
    ],
)
def test_invalid_batches(served: Service, body: bytes, status: int, detail: str) -> None:
    problem(served, "/v1/lookup", status, detail, method="POST", body=body)


def test_a_report_among_batches_is_told_where_to_go(served: Service) -> None:
    status, body, _ = served.ask("/v1/lookup", method="POST", body=report_bytes())
    assert (status, json.loads(body)["hint"]) == (400, "POST /v1/report takes an attestation report")


def test_a_report_is_answered_in_every_encoding(served: Service, small: BuildResult) -> None:
    digest = snp_digest(small)
    raw = report_bytes(measurement=bytes.fromhex(digest), policy=0xB0000)
    for body in (raw, raw.hex().encode()):
        status, text, _ = served.ask("/v1/report", method="POST", body=body)
        found = json.loads(text)
        assert (status, found["found"], found["launch_digest"]) == (200, True, digest)
        assert found["notes"][0]["code"] == "debug-allowed"
        assert found["verification"]["verified"] is False
        checked_answer(found)
    assert all(raw[0x1A0:0x1E0].hex() not in line for line in served.log_lines)


def test_invalid_reports(served: Service) -> None:
    problem(served, "/v1/report", 400, "is not a launch digest", method="POST", body=b"nonsense")
    problem(
        served, "/v1/report", 400, "2 lines of launch digests", method="POST", body=f"{NOWHERE}\n{NOWHERE}".encode()
    )
    problem(served, "/v1/report", 413, "more than 1,048,576 bytes", method="POST", body=bytes((1 << 20) + 1))
    measured = b'{"return": {"data": "' + b"A" * 64 + b'"}}'
    problem(served, "/v1/report", 422, "needs its TIK", method="POST", body=measured)


def test_a_served_proof_verifies(served: Service, published: Place, small: BuildResult) -> None:
    trust = read_trust(published.trust.read_bytes())
    for digest in digests(small)[:10]:
        status, body, headers = served.ask(f"/d/{digest}.proof")
        assert (status, headers["Content-Type"]) == (200, "application/json")
        found = verify_bundle(body, trust, now=published.now, seen={}, digest=digest)
        assert found.outcome in (Outcome.MATCH, Outcome.REVOKED)
    problem(served, f"/d/{digest}.proof?row=9999", 404, "rows with this launch digest")
    problem(served, f"/d/{digest}.proof?row=x", 400, "not a number of a row")
    problem(served, f"/d/{NOWHERE}.proof", 404, "the log has 0 rows")


def test_the_command_line_can_use_the_served_log(
    served: Service, published: Place, small: BuildResult, run: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "state"))
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    options = ("--catalog", served.url, "--trust", str(published.trust), "-f", "json")
    for digest in (snp_digest(small), NOWHERE):
        code, out, _ = run("lookup", digest, *options)
        assert json.loads(out)["matches"] == served.json(f"/d/{digest}.json")["matches"]
        assert code == (1 if digest == NOWHERE else 0)
    with Release.open(served.url, published.trust) as release:
        assert release.number == 2
        assert release.prove(snp_digest(small))
    assert run("audit", served.url, "--trust", str(published.trust))[0] == 0


def test_pages_are_served_without_their_extension(served: Service, small: BuildResult) -> None:
    for path in ("/", "/index.html", "/builds", "/builds.html", "/releases", "/releases.html", "/diff/1...2"):
        status, body, headers = served.ask(path)
        assert (status, headers["Content-Type"]) == (200, "text/html; charset=utf-8"), path
        assert b"<script>" not in body
        assert b"<b>bad</b>" not in body
    digest = digests(small)[0]
    for build in served.json(f"/d/{digest}.json")["matches"]:
        by_name, by_hash = (served.ask(f"/builds/{build['firmware'][key]}")[1] for key in ("name", "sha256"))
        assert re.sub(rb"(\.\./)+", b"", by_name) == re.sub(rb"(\.\./)+", b"", by_hash)
        assert b"Memory map" in by_name
    assert served.ask(f"/d/{digest}")[1].count(b'<section class="match') >= 1


def test_the_form_works_without_scripts(served: Service, small: BuildResult) -> None:
    digest = snp_digest(small)
    status, _, headers = served.ask(f"/d?digest=+0x{digest.upper()}%0A")
    assert (status, headers["Location"]) == (303, f"d/{digest}")
    status, _, headers = served.ask("/diff?old=1&new=2")
    assert (status, headers["Location"]) == (303, "diff/1...2")
    problem(served, "/diff?old=1&new=x", 400, "numbers of releases")
    status, body, headers = served.ask("/d?digest=nonsense", headers={"Accept": "text/html,*/*;q=0.1"})
    assert (status, headers["Content-Type"]) == (400, "text/html; charset=utf-8")
    assert b"is not a launch digest" in body


def test_conditional_requests(served: Service, small: BuildResult) -> None:
    digest = snp_digest(small)
    for path in (f"/d/{digest}.json", f"/d/{digest}", "/", "/builds", "/checkpoint", "/openapi.json", "/page.json"):
        for _ in range(2):  # made, and then sent again
            status, body, headers = served.ask(path)
            assert (status, headers["Cache-Control"]) == (200, "no-cache"), path
            assert headers["Content-Length"] == str(len(body))
            known = {"If-None-Match": headers["ETag"]}
            assert served.ask(path, headers=known)[:2] == (304, b"")
            assert served.ask(path, headers={"If-None-Match": '"x"'})[:2] == (200, body)
            status, nothing, head = served.ask(path, method="HEAD")
            assert (status, nothing, head["Content-Length"]) == (200, b"", headers["Content-Length"])
    size = int(served.ask("/checkpoint")[1].split(b"\n")[1])
    fixed = (f"/tile/0/000.p/{size}", "/range/2/0", "/range/2/index.json", "/releases/1/manifest.json", style(served))
    for path in fixed:
        status, _, headers = served.ask(path)
        assert (status, headers["Cache-Control"]) == (200, "public, max-age=31536000, immutable"), path


def test_compressible_answers_are_compressed_if_accepted(served: Service) -> None:
    takes = {"Accept-Encoding": "br, gzip"}
    size = int(served.ask("/checkpoint")[1].split(b"\n")[1])
    for path in ("/builds", "/openapi.json", f"/tile/entries/000.p/{size}", "/diff/1...2"):
        for _ in range(2):
            plain, packed = served.ask(path), served.ask(path, headers=takes)
            assert (packed[0], packed[2]["Content-Encoding"]) == (200, "gzip"), path
            assert plain[2]["Vary"] == packed[2]["Vary"] == "Accept-Encoding"
            assert gzip.decompress(packed[1]) == plain[1]
            assert len(packed[1]) < len(plain[1]) / 1.5
            assert packed[2]["ETag"] != plain[2]["ETag"]
            assert served.ask(path, headers={**takes, "If-None-Match": packed[2]["ETag"]})[:2] == (304, b"")
    for path in ("/healthz", f"/tile/0/000.p/{size}", "/range/2/0"):
        status, _, headers = served.ask(path, headers=takes)
        assert (status, headers["Content-Encoding"]) == (200, None)


def style(served: Service) -> str:
    """The URL of the style sheet."""
    found = re.search(rb'href="(assets/[0-9a-f]{16}/page\.css)"', served.ask("/")[1])
    assert found
    return f"/{found.group(1).decode()}"


def test_security_headers(served: Service) -> None:
    for path, method in (("/", "GET"), ("/nothing", "GET"), (f"/d/{NOWHERE}.json", "GET"), ("/v1/lookup", "POST")):
        _, _, headers = served.ask(path, method=method)
        assert headers["Access-Control-Allow-Origin"] == "*"
        assert headers["X-Content-Type-Options"] == "nosniff"
    for path in ("/", "/builds", f"/d/{NOWHERE}", "/nothing"):
        _, _, headers = served.ask(path, headers={"Accept": "text/html"})
        assert headers["Content-Type"].startswith("text/html")
        assert headers["Referrer-Policy"] == "no-referrer"
        policy = headers["Content-Security-Policy"]
        assert policy.startswith("default-src 'none'; script-src 'self'; style-src 'self'")
        assert "unsafe" not in policy
    preflight = {"Origin": "https://broker.example", "Access-Control-Request-Method": "POST"}
    status, _, headers = served.ask("/v1/lookup", method="OPTIONS", headers=preflight)
    assert (status, headers["Access-Control-Allow-Methods"]) == (204, "GET, HEAD, POST")


def test_the_request_log_has_no_digests(served: Service, small: BuildResult) -> None:
    digest = digests(small)[3]
    served.ask(f"/d/{digest}.json?why={digest}")
    served.ask(f"/{digest}")
    served.json("/v1/lookup", {"digests": [digest]})
    served.ask("/healthz")
    served.until("GET /healthz 200")
    served.until("GET /d/{digest}.json 200")
    served.until("GET unknown 404")
    assert not [line for line in served.log_lines if digest[:8] in line]


def test_prometheus_metrics(served: Service) -> None:
    served.ask("/healthz")
    status, body, headers = served.ask("/metrics")
    assert (status, headers["Content-Type"].startswith("text/plain; version=0.0.4")) == (200, True)
    text = body.decode()
    assert re.search(r'^ldcat_requests_total{route="/healthz",status="200"} [1-9]', text, re.MULTILINE)
    assert re.search(r"^ldcat_release_number 2.0$", text, re.MULTILINE)
    assert re.search(r'^ldcat_request_seconds_bucket{le="0.001",route="/healthz"} ', text, re.MULTILINE)


def test_health_checks(served: Service) -> None:
    assert served.json("/healthz") == {"status": "ok"}
    assert served.json("/readyz") == {"status": "ready", "verified": True, "release": 2}


def test_not_found(served: Service) -> None:
    for path in ("/nothing", "/d", "/d/", "/builds/nothing", "/diff/1..2", "/diff/01...2", "/range/2/zz", "/range/9/0"):
        status, body, headers = served.ask(path)
        details = json.loads(body)
        assert (status, headers["Content-Type"]) == (400 if path == "/d" else 404, "application/problem+json"), path
        assert (details["status"], details["type"]) == (status, "about:blank")
    problem(served, "/diff/1...9", 404, "has no release 9")
    problem(served, "/range/fff", 404, "no range has this name")
    status, _, headers = served.ask("/v1/lookup")
    assert (status, headers["Allow"]) == (405, "POST")
    assert served.ask("/healthz", method="DELETE")[0] == 405


def problem(
    served: Service, path: str, status: int, detail: str, *, method: str = "GET", body: bytes | None = None
) -> None:
    found, text, headers = served.ask(path, method=method, body=body)
    assert (found, headers["Content-Type"]) == (status, "application/problem+json"), text
    details = json.loads(text)
    assert details["status"] == status
    assert detail in details["detail"]


def test_an_own_catalog(small: BuildResult, tmp_path: Path) -> None:
    with service(tmp_path, small.folder, fresh=True) as own:
        assert own.json("/readyz") == {"status": "ready", "verified": False, "release": None}
        digest = snp_digest(small)
        found = own.json(f"/d/{digest}.json")
        assert (found["found"], found["release"]) == (True, None)
        problem(own, f"/d/{digest}.proof", 404, "not published in a log")
        problem(own, "/checkpoint", 404, "not published in a log")
        problem(own, "/diff/1...2", 404, "not published in a log")
        assert own.ask("/range/0/index.json")[0] == 200
        assert b"not published in a log" in own.ask("/releases")[1]
        assert own.stop(signal.SIGINT) == 0


def test_a_hosted_log(served: Service, published: Place, small: BuildResult, tmp_path: Path) -> None:
    """A service of a hosted log: it serves only what it verified."""
    with service(tmp_path, served.url, "--trust", published.trust) as mirror:
        digest = snp_digest(small)
        assert mirror.json("/readyz")["release"] == 2
        assert mirror.json(f"/d/{digest}.json") == served.json(f"/d/{digest}.json")
        for path in ("/checkpoint", "/range/2/0", "/range/2/index.json", "/releases/2/manifest.json", "/builds"):
            assert mirror.ask(path)[:2] == served.ask(path)[:2]


def test_catalogs_that_cannot_be_served(run: Run, place: Place, small: BuildResult, tmp_path: Path) -> None:
    code, _, err = run("serve", str(tmp_path / "nothing"), "--listen", "127.0.0.1:0")
    assert (code, "no catalog at" in err) == (5, True)
    code, _, err = run("serve", str(place.log), "--listen", "127.0.0.1:0")
    assert (code, "no trust note is given" in err) == (2, True)
    code, _, err = run("serve", str(small.folder), "--listen", "nowhere")
    assert (code, "is not an address to listen at" in err) == (2, True)


@pytest.mark.parametrize("missing", ["starlette", "granian", "prometheus_client"])
def test_the_missing_extra_is_named(run: Run, monkeypatch: pytest.MonkeyPatch, missing: str) -> None:
    monkeypatch.setattr("catalog.web.server.find_spec", lambda name: None if name == missing else name)
    code, _, err = run("serve", "--listen", "127.0.0.1:0")
    assert (code, err) == (
        2,
        f"ldcat: error: serving needs the package {missing}\nldcat: hint: pip install 'ldcat[serve]'\n",
    )


def test_two_services_cannot_share_an_address(served: Service, small: BuildResult, run: Run) -> None:
    code, _, err = run("serve", str(small.folder), "--listen", ":".join(map(str, served.address)))
    assert (code, "address already in use" in err) == (5, True)


def test_internal_problems_are_logged_and_not_sent_to_clients(capsys: pytest.CaptureFixture[str]) -> None:
    for error, status in ((Unreadable("/secret: gone"), 503), (MalformedInput("bad"), 500), (LdcatError("odd"), 500)):
        problem = make_problem(error, from_request=False)
        assert (problem.status, problem.detail) == (status, "the service cannot answer now")
        assert capsys.readouterr().err == f"ldcat: error: {error}\n"
    assert make_problem(MalformedInput("bad"), from_request=True).detail == "bad"
