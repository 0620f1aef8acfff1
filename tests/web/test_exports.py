"""Exports over HTTP: the bytes, notes and refusals of `ldcat export`."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any
from urllib.parse import urlencode

import pytest
from hypothesis import given
from hypothesis import strategies as st

from catalog.build.builder import BuildResult
from catalog.errors import NotExported, UsageError
from catalog.export.export_format import ExportFormat
from catalog.export.setting_table import served_formats
from catalog.store.catalog import Catalog
from catalog.web.exports import export_routes
from catalog.web.exports.export_query import MAX_QUERY, not_offered, parameters, parse_query
from catalog.web.problems import Problem
from tests.support.cli import NOWHERE, Run
from tests.support.exportable import ENDORSED, amdsev_digest, inteltdx_digest
from tests.support.published_logs import Place
from tests.support.services import Service, service
from tests.support.waiting import finished

Made = tuple[BuildResult, Place]

NEEDED = {"corim": {"issuer": "example.com"}, "contrast": {"product": "Milan"}}
"""Settings without which a format is not written."""
SETTINGS = {
    "rvps": {"name": "n"},
    "rvps-file": {"valid_from": "2026-01-02", "days": "7"},
    "configmap": {"namespace": "trustee"},
    "check": {"policy": "0xb0000", "guest_svn": "3", "family_id": "0f" * 16},
    "corim": {"issuer_url": "https://example.com", "days": "7"},
}
FAMILY = {"firmware": "sid/ovmf-amdsev/OVMF.amdsev.fd", "kernel_hashes": "debian-13-cloud-6.12.107"}
ROWS = {**FAMILY, "vmm": "qemu-kvm-init2", "vcpus": "1-4", "vcpu_type": "EPYC-v4", "sev_features": "0x1"}

TDX_ROWS = {"firmware": "sid/ovmf-inteltdx/OVMF.inteltdx.ms.fd", "vmm": "qemu-tdx"}


@pytest.fixture(scope="module")
def served(made: Made, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Service]:
    with service(tmp_path_factory.mktemp("home"), made[1].log, "--trust", made[1].trust) as found:
        yield found


def address(name: str, query: dict[str, str], *digests: str, sidecar: bool = False) -> str:
    pairs = [*(("digest", one) for one in digests), *query.items()]
    return f"/v1/exports/{name}{'/sidecar' if sidecar else ''}?{urlencode(pairs)}"


def options(query: dict[str, str]) -> list[str]:
    """The options of a command that says the same as a query."""
    found = [(f"--{name.replace('_', '-')}", value) for name, value in query.items()]
    return [part for name, value in found for part in ((name,) if value == "true" else (name, value))]


_NEED_A_KEY = ("gce-endorsement", "id-block", "igvm-id-block", "kata", "libvirt", "qemu")


def test_every_format_has_the_bytes_and_the_sidecar_of_the_command(
    served: Service, made: Made, run: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "state"))
    built, place = made
    offered = served.json("/v1/exports")
    formats = offered["formats"]
    assert [one["name"] for one in formats] == list(served_formats())
    assert {"rvps", "rvps-file", "configmap", "check", "corim", "c8s", "contrast", "dstack"} < set(served_formats())
    assert not {"id-block", "qemu", "libvirt", "kata", "in-toto", "oci-layout", "gce-endorsement"} & set(
        served_formats()
    )
    assert {one["name"]: one["why"] for one in offered["not_offered"]} == {
        **{name: f"{name} needs a key" for name in _NEED_A_KEY},
        "in-toto": "in-toto needs a key and other files",
        "oci-layout": "oci-layout needs other files",
    }
    for one in formats:
        name, several = one["name"], one["name"] not in ("check", "dstack")
        assert set(one["required"]) == set(NEEDED.get(name, {}))
        needed = NEEDED.get(name, {})
        is_tdx = name == "tdx-check"
        digest, rows = (inteltdx_digest(built), TDX_ROWS) if is_tdx else (amdsev_digest(built), ROWS)
        asked: list[tuple[dict[str, str], list[str]]] = [({**needed, **SETTINGS.get(name, {})}, [digest])]
        if several:
            asked.append(({**rows, **needed}, []))
        if name == "rvps":
            asked.append((TDX_ROWS, []))
        for query, digests in asked:
            status, data, headers = served.ask(address(name, query, *digests))
            assert status == 200, data
            file_name = headers["Content-Disposition"].partition('filename="')[2].rstrip('"')
            out = tmp_path / f"{name}{len(digests)}{query.get('vmm')}" / file_name
            out.parent.mkdir()
            code, _, err = run("export", "--to", name, *digests, *options(query), *place.options(), "-o", str(out))
            assert code == 0, err
            assert out.read_bytes() == data
            _, sidecar, described = served.ask(address(name, query, *digests, sidecar=True))
            assert described["Content-Disposition"] == f'attachment; filename="{file_name}.ldcat.json"'
            assert sidecar == out.with_name(f"{file_name}.ldcat.json").read_bytes()
            codes = list(dict.fromkeys(note["code"] for note in json.loads(sidecar)["notes"]))
            assert [code for code in headers["Ldcat-Notes"].split(", ") if code] == codes


def test_all_that_a_query_takes_is_told(served: Service) -> None:
    told = {one["name"] for one in served.json("/v1/exports")["parameters"]}
    assert {"digest", "vcpus", "vmm", "kernel_hashes", "unenforced", "unpublished", "days"} < told
    folder: Any = SimpleNamespace(name="folder", required=frozenset())
    assert not_offered(folder) == "folder is several files"
    for name in told:
        with pytest.raises(Problem) as problem:
            parse_query(urlencode({name: "", "zzzzzz": ""}).encode(), served_formats()["rvps"])
        assert str(problem.value) != f"unknown parameter {name!r}"


def test_an_export_changes_with_the_release_only(served: Service, made: Made) -> None:
    path = address("rvps", {}, amdsev_digest(made[0]))
    status, data, headers = served.ask(path)
    assert (status, headers["Cache-Control"]) == (200, "no-cache")
    assert headers["Content-Type"] == "application/json"
    assert headers["Access-Control-Expose-Headers"] == "Content-Disposition, Ldcat-Notes"
    assert headers["ETag"] == served.ask(f"/d/{NOWHERE}.json")[2]["ETag"]
    assert served.ask(path, headers={"If-None-Match": headers["ETag"]})[:2] == (304, b"")
    assert (served.ask(path, method="HEAD")[2]["Content-Length"], data[-1:]) == (str(len(data)), b"\n")
    assert any(
        line.startswith("ldcat_requests_total") and 'route="/v1/exports/{format}"' in line
        for line in served.ask("/metrics")[1].decode().splitlines()
    )


@pytest.mark.parametrize(
    ("name", "query", "digests", "status", "detail", "hint"),
    [
        ("rvps", {}, [], 400, "nothing is selected", "name launch digests, or vmm with one of vcpus, vcpu_type"),
        ("rvps", {"vmm": "qemu-kvm-init2"}, [], 400, "the selection is too wide", "vcpu_signature"),
        ("rvps", {"vmm": "qemu"}, [NOWHERE], 400, "launch digests and options that select rows are given", ""),
        ("rvps", {"more": "1"}, [NOWHERE], 400, "unknown parameter 'more'", "/v1/exports lists all"),
        (
            "rvps",
            {"kernel-hashes": "none"},
            [],
            400,
            "unknown parameter 'kernel-hashes'",
            "did you mean kernel_hashes?",
        ),
        ("rvps", {"id_key": "/etc/passwd"}, [NOWHERE], 400, "unknown parameter 'id_key'", "use ldcat export"),
        ("corim", {"issuer": "i", "key": "/etc/passwd"}, [NOWHERE], 400, "unknown parameter 'key'", ""),
        ("corim", {}, [NOWHERE], 400, "corim needs issuer NAME", "who issues the reference values"),
        ("rvps", {"policy": "1"}, [NOWHERE], 400, "rvps takes no policy", "formats that do: check"),
        ("rvps", {"unenforced": "1"}, [NOWHERE], 400, "unenforced is true or false, not '1'", ""),
        ("rvps-file", {"days": "x"}, [NOWHERE], 400, "'x' is not a number", "decimal"),
        ("rvps-file", {"valid_from": "now"}, [NOWHERE], 400, "'now' is not a day such as", ""),
        ("rvps", {}, ["00"], 400, "'00' is not a launch digest", ""),
        ("rvps", {}, ["0" * 64], 400, "0000000000000000... has 32 bytes", "SEV-SNP"),
        ("rvps", {}, [NOWHERE], 404, "launch digest 0000000000000000... is not in this catalog", "ldcat explain"),
        ("rvps", {"vmm": "nowhere", "vcpus": "1"}, [], 404, "unknown VMM profile 'nowhere'", "known: ec2-2026"),
        ("rvps", {**ROWS, "vcpus": "200"}, [], 409, "no SEV-SNP row of this catalog is selected", ""),
        ("rvps", {}, [ENDORSED], 409, "is not exported: endorsed, and the firmware is not known", "endorsed=true"),
        ("id-block", {}, [NOWHERE], 404, "id-block needs a key: use ldcat export", "/v1/exports"),
        ("rvsp", {}, [NOWHERE], 404, "unknown format of exports over HTTP 'rvsp'", "nearest: rvps"),
        ("rvps", {"name": "n" * MAX_QUERY}, [], 414, "the query has more than 8,192 bytes", "ldcat export"),
    ],
)
def test_refusals(
    served: Service, name: str, query: dict[str, str], digests: list[str], status: int, detail: str, hint: str
) -> None:
    found, data, headers = served.ask(address(name, query, *digests))
    problem = json.loads(data)
    assert (found, headers["Content-Type"]) == (status, "application/problem+json"), problem
    assert detail in problem["detail"]
    assert hint in problem.get("hint", "")
    assert "/published" not in data.decode()


def test_rows_that_may_not_be_exported_are_refused_by_name_and_left_out_otherwise(served: Service, made: Made) -> None:
    revoked = amdsev_digest(made[0], vcpus=2)
    status, data, _ = served.ask(address("rvps", {"unenforced": "true"}, amdsev_digest(made[0]), revoked))
    assert status == 409
    assert json.loads(data)["detail"] == (
        f"launch digest {revoked[:16]}... is not exported: revoked by the publisher of the log: a reason"
    )
    found = served.json(address("rvps", ROWS, sidecar=True))
    assert found["digests"]["count"] == 2
    assert [note["code"] for note in found["notes"]][:2] == ["rows-left-out", "deprecated"]


def test_a_query_is_read_strictly(served: Service) -> None:
    for query, detail in (
        ("vmm=a&vmm=b", "vmm is given twice"),
        ("vmm=%ff", "the query is not text in UTF-8"),
        ("digest", "'' is not a launch digest"),
    ):
        status, data, _ = served.ask(f"/v1/exports/rvps?{query}")
        assert (status, json.loads(data)["detail"][: len(detail)]) == (400, detail)


def test_check_is_one_file_for_one_digest(served: Service, made: Made) -> None:
    status, data, _ = served.ask(address("check", {}, amdsev_digest(made[0]), amdsev_digest(made[0], vcpus=3)))
    problem = json.loads(data)
    assert (status, problem["detail"]) == (400, "this export is 2 files")
    assert problem["hint"] == "ask for one launch digest of check at a time"


def test_a_catalog_that_is_not_published_is_exported_on_demand(made: Made, tmp_path: Path) -> None:
    digest = amdsev_digest(made[0])
    with service(tmp_path, made[0].folder) as served:
        status, data, _ = served.ask(address("rvps", {}, digest))
        problem = json.loads(data)
        assert (status, problem["hint"]) == (409, "unpublished=true exports it nevertheless")
        assert problem["detail"].startswith("this catalog is not published in a log: nobody signed it")
        status, _, headers = served.ask(address("rvps", {"unpublished": "true"}, digest))
        assert (status, headers["Cache-Control"], headers["ETag"]) == (200, "no-store", None)
        assert headers["Ldcat-Notes"].startswith("catalog-not-published")


def test_a_release_that_was_not_verified_is_not_exported(made: Made, tmp_path: Path) -> None:
    with service(tmp_path, made[1].log, "--insecure-skip-verify") as served:
        status, data, _ = served.ask(address("rvps", {}, amdsev_digest(made[0])))
    assert (status, json.loads(data)["detail"]) == (
        409,
        "nothing is exported: this service did not verify the release that it serves",
    )


def test_an_answer_is_bounded(made: Made, monkeypatch: pytest.MonkeyPatch) -> None:
    """By the search itself, so that no large answer is made first."""
    query = parse_query(urlencode(ROWS | {"unpublished": "true"}).encode(), served_formats()["rvps"])
    opened: Any = SimpleNamespace(catalog=Catalog.open(made[0].folder))
    assert export_routes.MOST_DIGESTS == 7_500
    for most, is_enough in ((3, False), (4, True)):
        monkeypatch.setattr(export_routes, "MOST_DIGESTS", most)
        if is_enough:
            assert export_routes._make(opened, served_formats()["rvps"], query).name == "rvps-message.json"
        else:
            with pytest.raises(UsageError, match="more than 3 launch digests are selected"):
                export_routes._make(opened, served_formats()["rvps"], query)


NAMES = ("more", *parameters())
VALUES = st.one_of(
    st.text(max_size=20),
    st.integers(-(1 << 70), 1 << 130).map(str),
    st.sampled_from(
        ("true", "1-8", "64-1", "1-,", "none", "qemu-kvm-init2", "EPYC-v4", "0f" * 16, NOWHERE, "9999-12-31")
    ),
)


def status_of(opened: Any, query: bytes, chosen: ExportFormat) -> int:
    try:
        return len(export_routes._make(opened, chosen, parse_query(query, chosen)).data) and 200
    except Problem as problem:
        return problem.status
    except (UsageError, NotExported):
        return 409


@given(pairs=st.lists(st.tuples(st.sampled_from(NAMES), VALUES), max_size=6), raw=st.binary(max_size=40))
def test_any_query_is_an_export_or_a_problem(made: Made, pairs: list[tuple[str, str]], raw: bytes) -> None:
    opened: Any = SimpleNamespace(catalog=Catalog.open(made[0].folder))
    for query in (urlencode(pairs, errors="surrogatepass").encode(), raw):
        assert {status_of(opened, query, chosen) for chosen in served_formats().values()} <= {200, 400, 409}


@pytest.mark.parametrize(
    "query",
    [
        {"vcpu_signature": 1 << 32}, {"vcpu_signature": -1}, {"sev_features": 1 << 64}, {"sev_features": -1},
        {"vcpus": "0"}, {"vcpus": "99999999999"}, {"vcpu_type": "EPYC", "vcpu_signature": 1},
        {"firmware": "0" * 96}, {"kernel_hashes": "none"}, {"firmware": "\0"}, {"kernel_hashes": "x" * 4000},
    ],
)  # fmt: skip
def test_a_selection_out_of_range_is_the_mistake_of_the_request(served: Service, query: dict[str, object]) -> None:
    rows = {"vmm": "qemu-kvm-init2", "vcpus": "1", **{name: str(value) for name, value in query.items()}}
    assert served.ask(address("rvps", rows))[0] in (400, 404, 409)


@pytest.mark.parametrize(
    ("name", "query"),
    [
        ("check", {"policy": 1 << 64}), ("check", {"policy": -1}), ("check", {"guest_svn": 1 << 32}),
        ("check", {"family_id": "00"}), ("rvps-file", {"days": 10**30}), ("rvps-file", {"days": -1}),
        ("rvps-file", {"valid_from": "9999-12-31"}), ("configmap", {"namespace": "A b"}), ("rvps", {"name": "\n"}),
        ("contrast", {"product": "\0"}), ("corim", {"issuer": "\0"}), ("corim", {"issuer": "i", "issuer_url": "\n"}),
    ],
)  # fmt: skip
def test_a_setting_out_of_range_is_the_mistake_of_the_request(
    served: Service, made: Made, name: str, query: dict[str, object]
) -> None:
    given = {setting: str(value) for setting, value in query.items()}
    status, data, _ = served.ask(address(name, given, amdsev_digest(made[0])))
    assert status == 400, data


@pytest.mark.parametrize("query", [{"name": ""}, {"days": "9" * 4000}, {"vcpu_signature": "9" * 4000}])
def test_a_value_is_told_by_its_parameter_and_in_short(served: Service, query: dict[str, str]) -> None:
    status, data, _ = served.ask(address("rvps-file", query))
    [(name, _)] = query.items()
    assert (status, len(data) < 400) == (400, True)
    assert json.loads(data)["detail"].startswith(f"{name}: ")


def test_requests_wait_for_the_one_export_that_is_made(made: Made, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(export_routes, "WAIT_SECONDS", 0)
    query = urlencode({"digest": amdsev_digest(made[0]), "unpublished": "true"}).encode()
    request: Any = SimpleNamespace(path_params={"format": "rvps"}, scope={"query_string": query})
    opened: Any = SimpleNamespace(catalog=Catalog.open(made[0].folder), check_fresh=lambda: None)

    async def ask() -> None:
        exports = export_routes.Exports()
        assert (await exports._made(request, opened)).name == "rvps-message.json"
        await exports._one.acquire()
        with pytest.raises(Problem, match="other exports are being made") as late:
            await exports._made(request, opened)
        exports._waiting = export_routes.MOST_WAITING
        with pytest.raises(Problem, match="too many exports are queued") as queued:
            await exports._made(request, opened)
        assert (late.value.status, queued.value.status) == (503, 503)

    finished(ask())
