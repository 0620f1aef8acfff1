"""MRTDs in the formats whose readers know them, and why the others take none."""

from __future__ import annotations

import base64
import json
from dataclasses import replace
from typing import Any

import pytest

from catalog.errors import UsageError
from catalog.export.export_format import export_format_named, export_formats
from catalog.export.exported import Export
from catalog.export.settings import Settings
from catalog.export.stated_settings import stated_settings
from catalog.imports.documents import read_document
from catalog.spec import embedded
from tests.support import published_documents as made
from tests.support.exports import export_of, tdx_export_of
from tests.support.gce_keys import certificate, key
from tests.support.gce_messages import message_class

TAKEN = {"configmap", "gce-endorsement", "in-toto", "oci-layout", "rvps", "rvps-file", "tdx-check"}
BUILD = embedded.builds()["sid/ovmf-inteltdx/OVMF.inteltdx.ms.fd"]
WAYS = {"gce-tdx": "single-pass", "gce-tdx-hob-c3-standard-176": "c3-standard-176", "qemu-tdx": "single-pass"}
GCE = export_format_named("gce-endorsement")


def written(to: str, export: Export) -> bytes:
    (file,) = export_format_named(to).files(export)
    return b"".join(file.chunks())


def of_build(**settings: Any) -> Export:
    """The MRTDs of a build under several VMMs, two of which measure the same."""
    given = {"key": key(), "cert": certificate(), "ca": certificate("gce root"), "commit": b"c", **settings}
    (row,) = tdx_export_of().rows
    mrtd = BUILD.image.tdx.mrtd if BUILD.image.tdx else {}
    rows = [replace(row, firmware=BUILD, vmm=vmm, digest=mrtd[way]) for vmm, way in WAYS.items()]
    digests = list(dict.fromkeys(row.digest for row in rows))
    return replace(tdx_export_of(settings=Settings(**given)), rows=rows, digests=digests)


def test_a_format_takes_mrtds_or_says_why_not() -> None:
    assert {name for name, one in export_formats().items() if "tdx" in one.technologies} == TAKEN
    for name, one in export_formats().items():
        if name in TAKEN:
            one.check_technology(tdx_export_of())
            continue
        with pytest.raises(UsageError, match=f"{name} takes no launch digests of TDX: [A-Za-z]") as caught:
            one.check_technology(tdx_export_of())
        assert caught.value.hint == f"formats that do: {', '.join(sorted(TAKEN))}"
        one.check_technology(export_of())
    with pytest.raises(UsageError, match="tdx-check takes no launch digests of SEV-SNP: go-tdx-guest reads TDX quotes"):
        export_format_named("tdx-check").check_technology(export_of())


def test_one_config_of_go_tdx_guest_accepts_every_mrtd_and_no_debugging() -> None:
    export = tdx_export_of(2)
    escaped = ["".join(f"\\x{byte:02x}" for byte in digest) for digest in export.digests]
    lines = [f'    any_mr_td: "{digest}"\n' for digest in escaped]
    assert written("tdx-check", export).decode() == (
        "policy {\n  header_policy {}\n  td_quote_body_policy {\n"
        f"{''.join(lines)}    enable_td_debug_check: true\n  }}\n}}\n"
    )
    assert [note.code for note in export_format_named("tdx-check").notes(export)] == ["export-accepts-more"]


def test_trustee_s_policy_asks_for_mrtds_by_another_name() -> None:
    export = tdx_export_of(2)
    message = json.loads(base64.b64decode(json.loads(written("rvps", export))["payload"]))
    assert message == {"mr_td": [digest.hex() for digest in export.digests]}
    for to in ("rvps", "rvps-file", "configmap"):
        one = export_format_named(to)
        assert stated_settings(one, export).name == "mr_td"
        (other_names,) = [note.text for note in one.notes(export) if note.code == "rvps-other-names"]
        assert "needs rtmr_1 and rtmr_2, and configuration xfam" in other_names
    named = replace(export, settings=Settings(name="snp_launch_measurement"))
    texts = [note.text for note in export_format_named("rvps").notes(named)]
    assert any(text.startswith("trustee's default attestation policy asks for mr_td of TDs") for text in texts)
    read = read_document(written("rvps-file", export), made.GIVEN).endorsed
    assert [(one.digest, one.technology) for one in read] == [(digest, "tdx") for digest in export.digests]


def test_an_endorsement_has_an_mrtd_for_each_memory_that_is_measured() -> None:
    export = of_build(guest_svn=7)
    data = written("gce-endorsement", export)
    golden = message_class("Golden").FromString(message_class("Endorsement").FromString(data).golden)
    assert (golden.digest, golden.HasField("sev_snp"), golden.tdx.svn) == (BUILD.image.sha384, False, 7)
    found = [(one.ram_gib, one.early_accept, one.mrtd) for one in golden.tdx.measurements]
    assert found == [(0, False, export.digests[0]), (704, False, export.digests[1])]
    assert [note.code for note in GCE.notes(export)] == ["consumer-needs-option", "export-accepts-more"]
    GCE.check_rows(export)


def test_an_endorsement_of_tdx_states_no_setting_of_sev_snp() -> None:
    stated = stated_settings(GCE, of_build())
    assert (stated.policy, stated.family_id, stated.image_id, stated.guest_svn) == (None, None, None, 0)
    for option, given in (("--policy", {"policy": 0x30000}), ("--image-id", {"image_id": bytes(16)})):
        with pytest.raises(UsageError, match=f"an endorsement for TDX has no place for {option}"):
            GCE.files(of_build(**given))


def test_an_endorsement_of_tdx_is_of_one_image_that_was_read() -> None:
    export = of_build()
    first, *others = export.rows
    other = replace(first, firmware=embedded.builds()["sid/ovmf-generic/OVMF.fd"])
    with pytest.raises(UsageError, match="of one firmware image, and several are selected"):
        GCE.check_rows(replace(export, rows=[other, *others]))
    with pytest.raises(UsageError, match="its SHA-384, which is not known"):
        GCE.files(replace(export, rows=[replace(first, firmware=None)]))
