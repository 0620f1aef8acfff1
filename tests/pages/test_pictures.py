"""Pictures: well-formed, described, with colours of sufficient contrast; and the same in a terminal."""

from __future__ import annotations

import re
from pathlib import Path
from xml.etree import ElementTree

import pytest
from hypothesis import given
from hypothesis import strategies as st

from catalog.ask.coverage import NOT_ASKED_FOR, Cell, Coverage, Kind
from catalog.ask.memory_map import Range, memory_map
from catalog.diff.heat import Column, Heat
from catalog.explain.divergence import Divergence, UpdateLine
from catalog.pages.pictures.coverage_picture import coverage_matrix
from catalog.pages.pictures.divergence_picture import parting_lines, parting_svg
from catalog.pages.pictures.heat_picture import MOST_IMAGES, heat_matrix
from catalog.pages.pictures.matrix import Matrix, matrix_svg
from catalog.pages.pictures.memory_map_picture import memory_map_lines, memory_map_svg
from catalog.pages.pictures.svg import ADVANCE
from catalog.spec import embedded
from catalog.store.images import Image
from catalog.terminal.matrix_text import matrix_lines

SVG = "{http://www.w3.org/2000/svg}"
CSS = (Path(__file__).parents[2] / "catalog/pages/templates/page.css").read_text()
AMDSEV = "sid/ovmf-amdsev/OVMF.amdsev.fd"

HEAT = Heat(
    [Column("sev", None, None, None), *(Column("sev-es", "a", n, n) for n in (1, 2)), Column("sev-snp", "b", 1, 1)],
    [
        (Image("00", ("one",)), [{"unchanged": 1}, {"added": 2}, {"unchanged": 1, "added": 3}, {}]),
        (Image("01", ("two", "<&>")), [{"unchanged": 1}, {"withdrawn": 1}, {"rule-changed": 1, "added": 1}, {}]),
        (Image("02", ()), [{"unchanged": 1}, {}, {"revoked": 1, "unchanged": 3}, {"unchanged": 1}]),
        (Image("03", ("same",)), [{"unchanged": 1}, {}, {}, {}]),
    ],
)


def parsed(svg: str) -> ElementTree.Element:
    """Parses a picture and checks what holds for every picture."""
    root = ElementTree.fromstring(svg)
    title, desc = root[0], root[1]
    assert (root.tag, title.tag, desc.tag, root.get("role")) == (f"{SVG}svg", f"{SVG}title", f"{SVG}desc", "img")
    assert title.text
    assert desc.text
    assert root.get("aria-labelledby") == f"{title.get('id')} {desc.get('id')}"
    width, height = float(root.attrib["width"]), float(root.attrib["height"])
    assert root.get("viewBox") == f"0 0 {root.attrib['width']} {root.attrib['height']}"
    for rect in root.iter(f"{SVG}rect"):
        x, y, wide, high = (float(rect.attrib[name]) for name in ("x", "y", "width", "height"))
        assert x >= 0
        assert y >= 0
        assert x + wide <= width + 0.1
        assert y + high <= height + 0.1
    for text in root.iter(f"{SVG}text"):
        if not text.get("transform"):
            assert float(text.attrib["x"]) + ADVANCE * len(text.text or "") <= width + 0.1, text.text
    for element in root.iter():
        for kind in element.get("class", "").split():
            assert f".{kind}" in CSS or kind == "label", kind
    return root


def texts(root: ElementTree.Element) -> list[str]:
    return [str(element.text) for element in root.iter(f"{SVG}text")]


def tips(root: ElementTree.Element) -> list[str]:
    return [str(element.text) for element in root.iter(f"{SVG}title")][1:]


def test_a_heat_map() -> None:
    root = parsed(matrix_svg(heat_matrix(HEAT), "heat"))
    assert "two, <&>, sev-es a, 2 vCPUs: 1 added, 1 rule-changed" in tips(root)
    assert "one, sev-snp b, 1 vCPUs: no digests" in tips(root)
    shown = texts(root)
    assert {"sev", "sev-es", "sev-snp", "a", "b", "one", "two, <&>", "02", "same", "1", "2"} <= set(shown)
    assert [shown.count(mark) for mark in "!-+x"] == [2, 2, 3, 2]  # one of each is in the legend
    assert "4 images, of which 3 changed. Launch digests: 1 rule-changed, 1 withdrawn, 6 added" in str(root[1].text)
    (part,) = [
        group for group in root.iter(f"{SVG}g") if group[0].text == "one, sev-es a, 2 vCPUs: 1 unchanged, 3 added"
    ]
    widths = {rect.get("class"): float(rect.attrib["width"]) for rect in part.iter(f"{SVG}rect")}
    assert widths == {"cell unchanged": 4, "cell added": 12}


def test_the_smallest_share_is_visible() -> None:
    heat = Heat([Column("sev", None, None, None)], [(Image("00", ("one",)), [{"unchanged": 1_000_000, "added": 1}])])
    root = parsed(matrix_svg(heat_matrix(heat), "heat"))
    assert min(float(rect.attrib["width"]) for rect in root.iter(f"{SVG}rect")) >= 2


def test_of_many_images_only_changed_ones_are_drawn() -> None:
    same = [(Image(f"{n:04x}", ()), [{"unchanged": 1}]) for n in range(MOST_IMAGES)]
    heat = Heat([Column("sev", None, None, None)], [*same, (Image("ffff", ("new",)), [{"added": 1}])])
    shown = heat_matrix(heat)
    assert [label for label, _ in shown.rows] == ["new"]
    assert "200 images are not drawn" in shown.desc
    assert not heat_matrix(Heat(heat.columns, same), whole=False).rows


def lines(shown: Matrix, *, colours: bool) -> list[str]:
    return [text.plain for text in matrix_lines(shown, colours=colours)]


def test_a_heat_map_in_a_terminal() -> None:
    shown = heat_matrix(HEAT, whole=False)
    assert lines(shown, colours=False) == [
        "          A B  C",
        "one       . ++  ",
        "two, <&>  . -!  ",
        "02        .  x .",
        "A  sev",
        "B  sev-es  a  1 2",
        "C  sev-snp  b  1",
        "!  rule changed: the same inputs have another digest",
        "-  withdrawn",
        "+  added",
        "x  revoked",
        ".  unchanged",
    ]
    halves = lines(shown, colours=True)
    assert halves[:4] == ["          A B C", "one       ▌ ▌  ", "two, <&>  ▌ ▌  ", "02        ▌ ▐ ▌"]
    styles = [str(span.style) for text in list(matrix_lines(shown, colours=True))[1:4] for span in text.spans]
    assert styles == [
        *("bright_black", "green on green", "bright_black", "red on yellow"),
        *("bright_black", "magenta", "bright_black"),
    ]


def test_a_coverage_matrix() -> None:
    kinds = [Kind("sev", None, False), Kind("sev-snp", "p", True)]
    no = Cell(0, (), NOT_ASKED_FOR, "yes")
    found = Coverage(
        kinds,
        [
            (Image("00", ("one",)), [Cell(1, (), "", "unknown"), Cell(4, (1, 2, 3, 5), "", "no")]),
            (Image("01", ("two",)), [no, Cell(0, (), "it has no metadata", "yes")]),
        ],
    )
    shown = coverage_matrix(found)
    assert [mark for _, mark, _ in shown.legend] == ["#", "n", "a", "b"]
    root = parsed(matrix_svg(shown, "coverage"))
    assert "two, sev-snp p, with kernel hashes: none, because it has no metadata" in tips(root)
    tip = "one, sev-snp p, with kernel hashes: 4 digests of 1-3, 5 vCPUs; it is not expected to launch this way"
    assert tip in tips(root)
    assert "5 launch digests in 2 of 4 cells" in str(root[1].text)
    assert lines(shown, colours=False)[1:3] == ["one  # n", "two  a b"]


def test_a_memory_map() -> None:
    ranges = memory_map(embedded.builds()[AMDSEV].image)
    root = parsed(memory_map_svg(ranges, "map", "a map"))
    assert "firmware, 4 MiB, launched 1st" in texts(root)
    assert texts(root).count("gap of 4 KiB") == 1
    assert not [rect for rect in root.iter(f"{SVG}rect") if "overlap" in rect.attrib["class"]]
    shown = list(memory_map_lines(ranges))
    assert shown[0].startswith("0x00ffc00000 █  firmware, 4 MiB")
    assert "0x0000810c00 ██ kernel hashes area, 1 KiB" in shown


def test_overlaps_and_empty_ranges_are_highlighted() -> None:
    ranges = [
        Range(0, 0, "SVSM_CAA", 3),
        Range(0x1000, 0x3000, "one", 1),
        Range(0x3000, 0x2000, "other", 2),
        Range(0x10000, 0x1000, "firmware", 0),
    ]
    root = parsed(memory_map_svg(ranges, "map", "a map"))
    kinds = [rect.attrib["class"] for rect in root.iter(f"{SVG}rect")]
    assert kinds == ["gap", "gap", "range section", "range overlap", "range overlap", "range firmware"]
    assert {"SVSM_CAA, NO SIZE, launched 4th", "other, 8 KiB, launched 3rd, OVERLAPS"} <= set(texts(root))
    assert list(memory_map_lines(ranges)) == [
        "0x0000010000 █  firmware, 4 KiB, launched 1st",
        "0x0000005000 ┊  gap of 44 KiB",
        "0x0000004000  ▒",
        "0x0000003000 ▒▒ other, 8 KiB, launched 3rd, OVERLAPS",
        "0x0000001000 ▒  one, 12 KiB, launched 2nd, OVERLAPS",
        "0x0000000000 ┊  gap of 4 KiB",
    ]


@given(
    st.lists(
        st.builds(
            Range,
            st.integers(0, 2**32 - 1),
            st.integers(0, 2**32 - 1),
            st.text(max_size=8),
            st.none() | st.integers(0, 999),
        ),
        max_size=16,
    )
)
def test_any_memory_map_is_drawn(ranges: list[Range]) -> None:
    ranges.append(Range(0xFFC00000, 0x400000, "firmware", 0))
    ranges.sort(key=lambda one: (one.gpa, -one.size))
    parsed(memory_map_svg(ranges, "map", "a map"))
    assert len(list(memory_map_lines(ranges))) < 2 * len(ranges)


def test_the_divergence_of_two_launches() -> None:
    stop = UpdateLine("VMSA of an AP", None, 3)
    shown = Divergence(
        "sev-snp", [UpdateLine("firmware f", 0xFFC00000, 1)], [], [stop], [], ["vCPUs: 4 were expected, not 7"]
    )
    assert list(parting_lines(shown)) == [
        "* firmware f at 0xffc00000",
        "|\\  vCPUs: 4 were expected, not 7",
        "x | expected: nothing more",
        "  o found: 3 times VMSA of an AP",
    ]
    root = parsed(parting_svg(shown, "parting"))
    assert texts(root) == [
        "firmware f at 0xffc00000",
        "vCPUs: 4 were expected, not 7",
        "expected: nothing more",
        "found: 3 times VMSA of an AP",
    ]
    both = Divergence(
        "sev", [], [UpdateLine("firmware f", None, 1)], [UpdateLine("firmware g", None, 1)], [stop], ["r"]
    )
    assert list(parting_lines(both))[-1] == "o o both: 3 times VMSA of an AP"
    assert texts(parsed(parting_svg(both, "parting")))[-1] == "both: 3 times VMSA of an AP"


def themes() -> list[dict[str, str]]:
    """Colours by name, for light, dark and print."""
    return [
        dict(re.findall(r"--([a-z-]+): (#[0-9a-f]{6});", block))
        for block in re.findall(r":root \{(.*?)\}", CSS, re.DOTALL)
    ]


def contrast(one: str, other: str) -> float:
    """WCAG 2.2, definitions of relative luminance and contrast ratio."""

    def luminance(colour: str) -> float:
        parts = [int(colour[at : at + 2], 16) / 255 for at in (1, 3, 5)]
        red, green, blue = (part / 12.92 if part <= 0.04045 else ((part + 0.055) / 1.055) ** 2.4 for part in parts)
        return 0.2126 * red + 0.7152 * green + 0.0722 * blue

    low, high = sorted((luminance(one), luminance(other)))
    return (high + 0.05) / (low + 0.05)


KINDS = ("added", "withdrawn", "rule-changed", "revoked", "covered", "not-expected")


@pytest.mark.parametrize("theme", themes())
def test_colours_have_the_contrast_of_wcag_aa(theme: dict[str, str]) -> None:
    for text in ("text", "muted"):
        for ground in ("ground", "raised"):
            assert contrast(theme[text], theme[ground]) >= 4.5, (text, ground)
    for kind in KINDS:
        assert contrast(theme["mark"], theme[kind]) >= 4.5, kind
        assert contrast(theme[kind], theme["ground"]) >= 4.5, kind  # kinds of changes are written on it
    for shape in ("firmware", "section", "area"):
        assert contrast(theme[shape], theme["ground"]) >= 3, shape
    assert len({theme[kind] for kind in KINDS}) == len(KINDS)
