"""The page offers the exports that the command allows, and says why it offers none in the words of the command."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import replace
from html import unescape
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import expect

from catalog.build.builder import BuildResult
from catalog.errors import NotExported, UsageError
from catalog.export.export_format import export_formats
from catalog.export.export_made import make_export
from catalog.export.rows.component_kinds import KEYS
from catalog.export.rows.selection import Selection
from catalog.export.settings import Settings
from catalog.log.log_folder import LogFolder
from catalog.notes import DANGER, WARNING
from catalog.pages.offered_formats import formats_for, offered_formats
from catalog.spec import embedded
from catalog.store.catalog import Catalog
from catalog.verify.verify_release import unverified_release
from tests.support.axe import found_by_axe
from tests.support.browsers import Watched, paste
from tests.support.catalogs import PLACES, digest_with, rows_of
from tests.support.cli import Run
from tests.support.exportable import ENDORSED, amdsev_digest, every_digest
from tests.support.exports import TIME
from tests.support.gce_keys import certificate, key
from tests.support.id_block_exports import ID_KEY, key_file
from tests.support.partly_known import BASE_IMAGE
from tests.support.partly_known import digest as of_base
from tests.support.published_logs import Place
from tests.support.services import Service, service

Made = tuple[BuildResult, Place]

_PREVENTED = """async (digests) => {
    const script = document.querySelector("script[type=module]").src;
    const { Catalog } = await import(new URL("rows.js", script));
    const { caseOf, notExported } = await import(new URL("exports.js", script));
    const catalog = await Catalog.open(document.body.dataset.root);
    const found = [];
    for (const digest of digests) {
        const { matches } = await catalog.lookup(digest);
        const why = notExported(catalog.page, matches, catalog.page.endorsed[digest] ?? null);
        const all = why ? [] : catalog.page.exports.formats;
        const formats = all.map((one) => [one.name, caseOf(one, matches[0].record)]);
        found.push([why, Object.fromEntries(formats)]);
    }
    return found;
}"""


_SUMMARY = re.compile("<summary>([^:]+): ")
_REFUSED = re.compile("Not offered as ([^:]+): (.+)[.]</p>")
_GIVEN: dict[str, Any] = {
    "id_key": key_file(ID_KEY),
    "key": key(),
    "cert": certificate(),
    "ca": certificate("gce root"),
    "commit": b"c",
    "issuer": "example.com",
    "product": "Milan",
}


@pytest.fixture(scope="module")
def served(made: Made, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Service]:
    with service(tmp_path_factory.mktemp("home"), made[1].log, "--trust", made[1].trust) as found:
        yield found


def by_rules(catalog: Catalog, digest: str) -> str | None:
    """Why a launch digest is not exported, without the one of its configurations and the reason of its publisher that
    are told; None if it is.
    """
    try:
        make_export(catalog, Selection((bytes.fromhex(digest),)), (), Settings(), now=0)
    except NotExported as error:
        return re.sub(r"( \([^ ]+, [^ ]+\))?(: a reason)?$", "", str(error).partition(" is not exported: ")[2])
    return None


def by_formats(catalog: Catalog, digest: str) -> dict[str, dict[str, object]]:
    """What each format says of a launch digest that is exported, with keys and all that it needs."""
    found: dict[str, dict[str, object]] = {}
    plain = make_export(catalog, Selection((bytes.fromhex(digest),)), (), Settings(), now=0).export
    for one in export_formats().values():
        if "files" in one.settings:
            continue
        settings = Settings(**{name: _GIVEN[name] for name in (*one.required, *one.one_of[:1])})
        settings = replace(settings, valid_from=TIME if "valid_from" in one.settings else None)
        export = replace(plain, settings=settings)
        try:
            one.check_technology(export)
            one.files(export)
        except UsageError as error:
            found[one.name] = {"refused": str(error), "notes": []}
        else:
            notes = [note.to_dict() for note in one.notes(export) if note.severity in (WARNING, DANGER)]
            texts = [{**note, "text": note["text"].replace("Milan", "PRODUCT")} for note in notes]
            found[one.name] = {"refused": None, "notes": texts}
    return found


def test_what_a_format_says_of_a_row_depends_on_what_it_names(made: Made) -> None:
    """Of every image, kernel hashes table and VMM profile together, whether a row has them or not."""
    catalog = Catalog.open(made[0].folder)
    offered = offered_formats(catalog)
    for image in catalog.firmware:
        for table in (None, *catalog.kernel_hashes):
            for vmm, profile in catalog.profiles.items():
                technology = "tdx" if profile.tdx else "sev-snp"
                if technology == "tdx" and table:
                    continue
                named = {"firmware_sha256": image, "kernel_hashes_sha256": table, "vmm": vmm, "technology": technology}
                for one, told in zip(offered, formats_for(catalog, {**dict.fromkeys(KEYS), **named}), strict=True):
                    at = one["of"]
                    for part in (technology, image.hex(), table.hex() if table else "none", vmm):
                        at = at if isinstance(at, int) else at.get(part, at[""])
                    assert {name: told[name] for name in ("refused", "notes")} == one["cases"][at], told["name"]


def test_the_page_offers_what_the_command_exports(
    seen: Watched, served: Service, made: Made, run: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Of every launch digest of a catalog in which each rule speaks against some."""
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "state"))
    digests = every_digest(made[0])
    seen.page.goto(f"{served.url}/")
    read = dict(zip(digests, seen.page.evaluate(_PREVENTED, digests), strict=True))
    on_page = {digest: why for digest, (why, _) in read.items()}
    of_sev = {digest: why for digest, why in on_page.items() if len(digest) == 64}
    assert set(of_sev.values()) == {"only launch digests of SEV-SNP and TDX are exported"}
    of_snp = {digest: why for digest, why in on_page.items() if len(digest) == 96}
    catalog = Catalog.open_release(unverified_release(LogFolder(made[1].log), None))
    assert of_snp == {digest: by_rules(catalog, digest) for digest in of_snp}
    shown: list[object] = []
    for digest, (why, formats) in read.items():
        if why is None:
            assert formats == by_formats(catalog, digest)
            if formats in shown:
                continue
            shown.append(formats)
            page = unescape(served.ask(f"/d/{digest}")[1].decode())
            told = {name: case["refused"] for name, case in formats.items()}
            assert {name for name, refused in told.items() if refused is None} == set(_SUMMARY.findall(page))
            assert {name: why for name, why in told.items() if why} == dict(_REFUSED.findall(page))
            warnings = {note["text"] for case in formats.values() for note in case["notes"]}
            assert [text for text in warnings if f"<b>warning:</b> {text}" not in page] == []
    assert of_snp[of_base(BASE_IMAGE, 4)] == "endorsed, and the firmware is not known"
    twins = {"firmware_sha256": embedded.builds()["bookworm/ovmf/OVMF_CODE.fd"].component.key, "vcpus": 1}
    twin = digest_with(made[0], vmm="qemu-amdese-2022", **twins)
    assert twin in {digest.hex() for row, digest in rows_of(made[0]).items() if row[PLACES["vmm"]] == "qemu-kvm-legacy"}
    assert of_snp[twin] == "revoked by the publisher of the log"
    assert {str(why).partition(":")[0] for why in of_snp.values()} == {
        "None",
        "revoked by the publisher of the log",
        "not expected to launch",
        "seen in public, and endorsed by nobody",
        "kernel hashes are measured but not enforced",
        "kernel hashes are measured, and whether the firmware enforces them is not known",
        "endorsed, and the firmware is not known",
        "the firmware is not known to launch",
    }
    for digest in (amdsev_digest(made[0], vcpus=4), ENDORSED, digest_with(made[0], vcpus=4), amdsev_digest(made[0])):
        code, out, err = run("export", "--to", "rvps", digest, *made[1].options(), "-q")
        assert (code, bool(out)) == ((0, True) if of_snp[digest] is None else (1, False))
        assert str(of_snp[digest] or "") in err.partition("\n")[0]
    for digest in [*[*of_snp][::8], ENDORSED, twin, amdsev_digest(made[0], vcpus=4), amdsev_digest(made[0])]:
        page = served.ask(f"/d/{digest}")[1].decode()
        assert (f"Not offered for export: {of_snp[digest]}." in page) == (of_snp[digest] is not None)
        assert (f'href="../v1/exports/rvps/sidecar?digest={digest}"' in page) == (of_snp[digest] is None)
        assert (f'href="../v1/exports/rvps?digest={digest}"' in page) == (of_snp[digest] is None)


def test_a_host_of_files_gives_no_exports(
    served: Service, made: Made, run: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "state"))
    assert b' data-exports="v1/exports/"' in served.ask("/")[1]
    place = made[1]
    code, _, err = run("site", str(place.log), "-o", str(tmp_path / "site"), "--trust", str(place.trust), "-q")
    assert (code, err) == (0, "")
    assert b"data-exports" not in (tmp_path / "site/index.html").read_bytes()


def test_a_file_and_commands_with_the_keyboard(
    seen: Watched, served: Service, made: Made, run: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    digest = amdsev_digest(made[0])
    seen.page.goto(f"{served.url}/")
    paste(seen, digest)
    part = seen.page.locator(".use")
    expect(part.locator("h3")).to_have_text("Use this digest")
    assert part.locator("select").input_value() == "rvps"
    part.locator("select").focus()
    seen.page.keyboard.type("rvps:")
    command = f"ldcat export --to rvps {digest} -o rvps-message.json --catalog {served.url} --trust trust.note"
    assert part.locator("code").inner_text() == command
    assert [path for path in seen.requests if "/v1/" in path or digest[:12] in path.partition("#")[0]] == []
    seen.page.keyboard.press("Tab")
    expect(part.locator("a").first).to_be_focused()
    warnings = part.locator("li.warning").all_inner_texts()
    sidecar = served.json(f"/v1/exports/rvps/sidecar?digest={digest}")
    assert warnings == [f"warning: {one['text']}" for one in sidecar["notes"] if one["severity"] == "warning"]
    assert len(warnings) == 2
    with seen.page.expect_download() as download:
        seen.page.keyboard.press("Enter")
    assert download.value.suggested_filename == "rvps-message.json"
    assert Path(download.value.path()).read_bytes() == served.ask(f"/v1/exports/rvps?digest={digest}")[1]
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "state"))
    (tmp_path / "trust.note").write_bytes(made[1].trust.read_bytes())
    assert run(*command.split()[1:], "-q")[0] == 0
    assert (tmp_path / "rvps-message.json").read_bytes() == Path(download.value.path()).read_bytes()
    part.locator("select").select_option("contrast")
    expect(part.locator("a")).to_have_count(0)
    expect(part.locator("code")).to_contain_text(f"--to contrast {digest} --product PRODUCT -o contrast-patch.json")
    expect(part).to_contain_text("Replace the words in capitals.")
    for theme in ("light", "dark"):
        seen.page.emulate_media(color_scheme=theme)
        seen.page.set_viewport_size({"width": 320, "height": 800})
        assert found_by_axe(seen.page, only_colours=theme == "dark") == {}
        assert seen.page.evaluate("document.documentElement.scrollWidth <= innerWidth")
    paste(seen, amdsev_digest(made[0], vcpus=2))
    expect(part.locator("p")).to_have_text("Not offered for export: revoked by the publisher of the log.")
    assert found_by_axe(seen.page) == {}
    seen.page.set_viewport_size({"width": 1280, "height": 720})
    assert seen.errors == []
