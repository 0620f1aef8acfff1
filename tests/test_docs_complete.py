"""Pages with lists are complete: commands, options, exit codes, variables, folders, decisions, pages."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from catalog import errors
from catalog.cli.help_page import EXIT_CODES
from tests.support.commands import COMMANDS, options_of

ROOT = Path(__file__).parent.parent
DOCS = ROOT / "docs"
ARCHITECTURE = (DOCS / "architecture.md").read_text(encoding="utf-8")
COMMAND_LINE = (DOCS / "command-line.md").read_text(encoding="utf-8")


def sections(page: str) -> dict[str, str]:
    """The text below each heading, up to the next heading of a command or of the same level or above."""
    parts = re.split(r"^(#{2,3}) (.+)$", page, flags=re.MULTILINE)[1:]
    found, current, depth = dict[str, str](), "", 0
    for level, title, body in zip(parts[::3], parts[1::3], parts[2::3], strict=True):
        if title in COMMANDS or len(level) <= depth:
            current, depth = title, len(level)
        found[current or title] = found.get(current or title, "") + body
    return found


SECTIONS = sections(COMMAND_LINE)


@pytest.mark.parametrize("name", COMMANDS)
def test_every_command_has_a_section_with_every_option(name: str) -> None:
    assert name in SECTIONS, f"docs/command-line.md has no section {name!r}"
    words = set(re.findall(r"--[a-z0-9-]+", SECTIONS[name]))
    missing = [text for one in options_of(name) for text in one.opts[:1] if text not in words]
    assert missing == [], f"docs/command-line.md, {name}: {', '.join(missing)}"


@pytest.mark.parametrize("name", COMMANDS)
def test_a_section_has_no_option_that_the_command_lacks(name: str) -> None:
    """Only in tables and lists of options: a sentence may mention another command's option."""
    listed = re.findall(r"^\| (.*?) \|", SECTIONS[name], re.MULTILINE)
    listed += re.findall(r"^(?:Also|Options?): (.*)$", SECTIONS[name], re.MULTILINE)
    words = {word for line in listed for word in re.findall(r"`(?:-\w`, `)?(--[a-z0-9-]+)", line)}
    known = {text for one in options_of(name) for text in (*one.opts, *one.secondary_opts)}
    assert words <= known


def test_every_command_is_in_the_table_at_the_top() -> None:
    table = COMMAND_LINE.partition("\n## ")[0]
    anchors = set(re.findall(r"\]\(#([a-z-]+)\)", table))
    assert {name.replace(" ", "-") for name in COMMANDS} <= anchors


def test_every_short_option_is_documented() -> None:
    short = {text for name in COMMANDS for option in options_of(name) for text in option.opts if text[1] != "-"}
    assert {text for text in short if f"`{text}`" not in COMMAND_LINE} == set()


def test_every_environment_variable_is_documented() -> None:
    table = SECTIONS["Environment variables"]
    known = {option.envvar for name in COMMANDS for option in options_of(name) if option.envvar}
    assert known
    assert {name for name in known if f"`{name}`" not in table} == set()


def exit_codes() -> set[int]:
    """Exit codes of errors, and those without one: yes, no, revoked, endorsed, candidates, a bare proof, signals."""
    found, classes = {0, 1, 7, 10, 14, 15, 130, 141}, [errors.LdcatError]
    while classes:
        one = classes.pop()
        found.add(one.exit_code)
        classes += one.__subclasses__()
    return found


def test_every_exit_code_is_documented() -> None:
    listed = re.findall(r"^\| (\d+) \|", SECTIONS["Exit codes"], re.MULTILINE)
    assert len(listed) == len(set(listed))
    assert set(map(int, listed)) == exit_codes()


def test_every_exit_code_of_an_answer_is_in_the_help() -> None:
    """That of a closed pipe is on the page alone."""
    assert set(EXIT_CODES) == exit_codes() - {141}


def test_every_folder_is_on_the_map() -> None:
    """Folders are in the first column of the table, subfolders anywhere on the page."""
    rooms = {path.parent.relative_to(ROOT / "catalog") for path in (ROOT / "catalog").rglob("__init__.py")} - {Path()}
    table = set(re.findall(r"^\| `([a-z_]+)/` \|", ARCHITECTURE, re.MULTILINE))
    assert {str(room) for room in rooms if len(room.parts) == 1} <= table
    assert {str(room) for room in rooms if f"`{room}/`" not in ARCHITECTURE} == set()


def test_every_path_on_the_map_exists() -> None:
    paths = set(re.findall(r"(?<![\w./(-])(?:[a-z_]+/)+(?:[a-z_]+\.[a-z]+)?|(?<![\w./(-])[a-z_]+\.py\b", ARCHITECTURE))
    assert len(paths) > 60
    assert {path for path in paths if not any((base / path).exists() for base in (ROOT, ROOT / "catalog"))} == set()


def test_folders_are_listed_in_the_order_of_their_layers() -> None:
    contract = (ROOT / "pyproject.toml").read_text(encoding="utf-8").partition("\nlayers = [\n")[2].partition("\n]")[0]
    layer = {room: number for number, line in enumerate(contract.splitlines()) for room in re.findall(r"[a-z_]+", line)}
    listed = re.findall(r"^\| `([a-z_]+)(?:/|\.py)` \|", ARCHITECTURE.partition("Outside the package")[0], re.MULTILINE)
    assert set(listed) == set(layer)
    assert listed == sorted(listed, key=layer.__getitem__)


def test_every_decision_has_status_and_date_and_is_listed() -> None:
    listed = (DOCS / "adr/README.md").read_text(encoding="utf-8")
    for page in sorted((DOCS / "adr").glob("[0-9]*.md")):
        title, _, text = page.read_text(encoding="utf-8").partition("\n")
        found = re.match(r"\n\* Status: (.+)\n\* Date: (\d{4}-\d\d-\d\d)\n\n", text)
        assert found, f"{page.name}: after the title come `* Status: ` and `* Date: `"
        number, _, decision = title.removeprefix("# ").partition(". ")
        assert int(number) == int(page.name[:4])
        line = f"| {number} | [{decision}]({page.name}) | {found[1]} | {found[2]} |\n"
        assert line in listed, f"docs/adr/README.md lacks: {line}"


def test_the_index_lists_every_page() -> None:
    index = (DOCS / "README.md").read_text(encoding="utf-8")
    pages = {path.name for path in DOCS.glob("*.md")} - {"README.md"}
    assert {name for name in pages if f"({name})" not in index} == set()
