"""Reference values of trustee: message, LocalJson file and ConfigMap, read as trustee and Kubernetes read them."""

from __future__ import annotations

import base64
import json
import re
import tracemalloc
from typing import Any

import pytest
import yaml
from hypothesis import given, settings
from hypothesis import strategies as st

from catalog.errors import UsageError
from catalog.export.export_format import export_format_named
from catalog.export.exported import Export
from catalog.export.formats.configmap import MOST_DIGESTS
from catalog.export.reference_values import in_base64
from catalog.export.settings import DAY, Settings
from catalog.imports.documents import Given, read_document
from tests.support.exports import TIME, export_of

TO = ("rvps", "rvps-file", "configmap")
DEFAULT = "snp_launch_measurement"


def written(to: str, export: Export) -> bytes:
    (file,) = export_format_named(to).files(export)
    assert b"".join(file.chunks()) == b"".join(file.chunks())
    return b"".join(file.chunks())


def registered(data: bytes) -> Any:
    """As the extractor `sample` of the RVPS reads it."""
    message = json.loads(data)
    assert (list(message), message["version"], message["type"]) == (["version", "type", "payload"], "0.1.0", "sample")
    return json.loads(base64.b64decode(message["payload"], validate=True))


def stored(data: bytes) -> Any:
    """As LocalJson and the RVPS read it; with the date of expiry."""
    found = {}
    for name, text in json.loads(data).items():
        value = json.loads(base64.b64decode(text, altchars=b"-_", validate=True))
        assert (list(value), value["version"], value["name"]) == (
            ["version", "name", "expiration", "value"],
            "0.1.0",
            name,
        )
        found[name] = (value["expiration"], value["value"])
    return found


def config_map(data: bytes) -> Any:
    return yaml.safe_load(data)


def repeated(count: int) -> Export:
    """One digest, so many times."""
    export = export_of()
    return Export(export.rows, list(export.digests) * count, export.settings, export.source)


def codes(to: str, export: Export) -> list[str]:
    return [note.code for note in export_format_named(to).notes(export)]


@pytest.mark.parametrize("count", [1, 2, 3, 4096, 4097, 7500])
def test_every_form_has_all_digests_in_their_order(count: int) -> None:
    export = export_of(count)
    digests = [digest.hex() for digest in export.digests]
    assert registered(written("rvps", export)) == {DEFAULT: digests}
    file = written("rvps-file", export)
    assert stored(file) == {DEFAULT: ("2027-11-28T00:00:00Z", digests)}
    assert config_map(written("configmap", export))["data"] == {"reference_value": file.decode()}


def test_settings_name_the_value_and_its_expiry() -> None:
    export = export_of(settings=Settings(name="a/b.c-d_1", valid_from=TIME + DAY, days=1))
    digests = [digest.hex() for digest in export.digests]
    assert registered(written("rvps", export)) == {"a/b.c-d_1": digests}
    assert stored(written("rvps-file", export)) == {"a/b.c-d_1": ("2026-11-30T00:00:00Z", digests)}


@pytest.mark.parametrize("to", TO)
@pytest.mark.parametrize("name", ["", "a b", 'a"', "a\n", "ä", "a\\", "a'", "{}", "a,b", "..", "/", "a" * 256])
def test_names_with_other_characters_are_refused(to: str, name: str) -> None:
    with pytest.raises(UsageError, match="cannot name a reference value") as error:
        export_format_named(to).files(export_of(settings=Settings(name=name)))
    assert len(str(error.value)) <= 200


@settings(max_examples=60)
@given(st.text("aZ0._/:-\"\\\n {}'é", min_size=1, max_size=8))
def test_a_name_is_refused_or_read_back_as_it_is(name: str) -> None:
    export = export_of(settings=Settings(name=name))
    try:
        (file,) = export_format_named("rvps-file").files(export)
    except UsageError:
        assert not re.fullmatch("[A-Za-z0-9._/:-]*[A-Za-z0-9][A-Za-z0-9._/:-]*", name)
        return
    assert list(stored(b"".join(file.chunks()))) == [name]
    assert list(stored(config_map(written("configmap", export))["data"]["reference_value"].encode())) == [name]


def test_upper_case_is_refused_where_the_store_may_be_localfs() -> None:
    upper = export_of(settings=Settings(name="SNP_Launch"))
    with pytest.raises(UsageError, match="LocalFs") as error:
        export_format_named("rvps").files(upper)
    assert error.value.hint is not None
    assert error.value.hint.startswith("use --name snp_launch;")
    assert list(stored(written("rvps-file", upper))) == ["SNP_Launch"]


@pytest.mark.parametrize("to", TO)
def test_a_colon_in_a_name_gets_a_note(to: str) -> None:
    tagged = export_of(settings=Settings(name="rvps:///example.com/snp/measurement:v1"))
    assert "rvps-name-refused-by-stores" in codes(to, tagged)
    assert "rvps-name-refused-by-stores" not in codes(to, export_of())


def test_notes_say_what_trustee_does_with_the_values() -> None:
    common = ["rvps-verifies-nothing", "rvps-resource-policy-decides", "rvps-other-names"]
    assert codes("rvps", export_of()) == [*common, "rvps-overwrites"]
    for to in ("rvps-file", "configmap"):
        assert codes(to, export_of()) == [*common, "rvps-file-replaces-all", "rvps-expiration-ignored"]
    assert codes("rvps", export_of(settings=Settings(name="measurement")))[2] == "rvps-name-not-default"


def test_notes_say_when_a_file_is_too_large_for_the_usual_way() -> None:
    assert len(written("rvps", repeated(15_800))) <= 2 << 20
    assert "rvps-list-large" not in codes("rvps", repeated(15_800))
    assert "rvps-list-large" in codes("rvps", repeated(15_900))
    assert "rvps-list-large" not in codes("rvps-file", repeated(42_300))
    assert "rvps-list-large" in codes("rvps-file", repeated(42_400))
    assert len(written("configmap", repeated(1_900))) < 256 << 10
    assert "configmap-needs-server-side" not in codes("configmap", repeated(1_900))
    assert "configmap-needs-server-side" in codes("configmap", repeated(2_000))


def test_more_digests_than_a_config_map_holds_are_refused_for_it_alone() -> None:
    export = export_of(MOST_DIGESTS + 1)
    with pytest.raises(UsageError, match="at most 7,500 digests, because of its limit of 1 MiB; 7,501 are selected"):
        export_format_named("configmap").files(export)
    assert len(registered(written("rvps", export))[DEFAULT]) == MOST_DIGESTS + 1
    most = export_of(MOST_DIGESTS, settings=Settings(name="a" * 255))
    assert len(written("configmap", most)) < 1 << 20


@settings(max_examples=30)
@given(st.from_regex(r"[a-z0-9]([a-z0-9-]{0,8}[a-z0-9])?", fullmatch=True))
def test_a_namespace_is_read_back_as_this_text(namespace: str) -> None:
    found = config_map(written("configmap", export_of(settings=Settings(namespace=namespace))))
    assert found["metadata"] == {"name": "rvps-reference-values", "namespace": namespace}
    assert (found["apiVersion"], found["kind"], list(found["data"])) == ("v1", "ConfigMap", ["reference_value"])


@pytest.mark.parametrize("namespace", ["on", "null", "y", "123", "1e3", "0x1f", "2026-11-28", "a" * 63])
def test_a_namespace_that_yaml_may_read_otherwise_is_quoted(namespace: str) -> None:
    found = config_map(written("configmap", export_of(settings=Settings(namespace=namespace))))
    assert found["metadata"]["namespace"] == namespace


@pytest.mark.parametrize("namespace", ["", "A", "a_b", "-a", "a-", "a.b", "a\nb: c", "a" * 64, "a: b", "ä", '"a"'])
def test_other_namespaces_are_refused(namespace: str) -> None:
    with pytest.raises(UsageError, match="no Kubernetes namespace") as error:
        export_format_named("configmap").files(export_of(settings=Settings(namespace=namespace)))
    assert len(str(error.value)) <= 200


@pytest.mark.parametrize("to", ["rvps-file", "configmap"])
def test_a_period_out_of_bounds_is_refused_before_anything_is_written(to: str) -> None:
    with pytest.raises(UsageError, match="1 to 3650 days"):
        export_format_named(to).files(export_of(settings=Settings(days=0)))


@pytest.mark.parametrize("to", ["rvps", "rvps-file"])
def test_import_reads_the_same_digests(to: str) -> None:
    export = export_of(5)
    found = read_document(written(to, export), Given(now=TIME))
    assert [one.digest for one in found.endorsed] == list(export.digests)


@given(st.lists(st.binary(max_size=7)))
def test_base64_of_pieces_is_that_of_the_whole(pieces: list[bytes]) -> None:
    assert b"".join(in_base64(pieces, base64.b64encode)) == base64.b64encode(b"".join(pieces))


def test_a_file_of_many_digests_is_written_in_pieces() -> None:
    """One digest that is there 300,000 times: the file has 40 MB, and nobody holds more than a few pieces of it."""
    (file,) = export_format_named("rvps-file").files(repeated(300_000))
    tracemalloc.start()
    try:
        size = sum(len(piece) for piece in file.chunks())
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert size > 300_000 * 132
    assert peak < 8 << 20
