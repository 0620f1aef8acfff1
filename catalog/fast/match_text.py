"""Matches of a lookup as lines of text, and `printable`, which makes text from outside safe to show."""

from __future__ import annotations

from catalog.fast.match import CLAIMS, TAKING_KERNEL_HASHES, endorser_text, shared_digest
from catalog.fast.note_text import (
    coloured,
    dangers,
    first_lines,
    has_colours,
    note_line,
    part_lines,
    shared_notes,
    titled,
)
from catalog.fast.terminal_lines import fitted, terminal_width
from catalog.notes import Note
from catalog.rows.fields import BESIDE_COMPONENTS

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping, Sequence
    from typing import Any

    from catalog.fast.match import Match


NOT_FOUND, REVOKED, ENDORSED = 1, 7, 10
"""Exit codes of a lookup besides 0: nothing found; found and revoked; endorsed or inferred alone."""


def match_lines(matches: Sequence[Match]) -> Iterator[str]:
    """The lines for some matches: for each its title, facts and notes; then the notes on all of them."""
    notes = [match.notes() for match in matches]
    of_all = shared_notes(notes)
    said = of_all if len(matches) > 1 else dangers(of_all)
    for number, (match, own) in enumerate(zip(matches, notes, strict=True), 1):
        title = titled(f"match {number} of {len(matches)}: {match.technology}", own)
        facts = list(fact_lines(match_facts(match), title=title))
        yield from part_lines(facts, [note for note in own if note not in said])
    on_all = [note for note in said if note not in dangers(of_all)] + shared_digest(matches)
    yield from map(note_line, [*on_all, *([CLAIMS] if matches else [])])


def match_dangers(matches: Sequence[Match]) -> Iterator[str]:
    """The lines above matches, which say what is a danger."""
    yield from first_lines([match.notes() for match in matches], "match", "matches")


def shown_lines(lines: Iterable[str]) -> str:
    """Lines of an answer as text for stdout: printable, and on a terminal in colour and broken between words.

    What is continued has no colour: a word from outside may look like a mark.
    """
    width, show = terminal_width(), coloured if has_colours() else str
    made = map(printable, lines)
    if width is None:
        return "".join(f"{show(line)}\n" for line in made)
    broken = (fitted(line, width) for line in made)
    return "".join(f"{part if number else show(part)}\n" for parts in broken for number, part in enumerate(parts))


def exit_code(severities: Sequence[str | None]) -> int:
    """Exit code of a lookup: 0 found, 1 not found, 7 if every match is revoked.

    severities: of the revocation of each match; None: not revoked.
    """
    return NOT_FOUND if not severities else REVOKED if all(one == "revoked" for one in severities) else 0


def not_found(digest: bytes) -> Note:
    """The note if a catalog has no configuration with a digest."""
    text = f"no configuration of this catalog has the {len(digest)}-byte launch digest {digest.hex()}"
    return Note("digest-not-found", text)


SEARCHES_FURTHER = "explain-searches-further"
"""Code of the note if a search may find a configuration."""


def searches_further(digest: bytes | None, options: Sequence[str] = ()) -> Note:
    """The note with the command that searches. digest: None if it is not known. options: quoted for a shell."""
    if digest is None:
        return Note(SEARCHES_FURTHER, "to search further: ldcat explain, with the arguments of this lookup")
    return Note(SEARCHES_FURTHER, f"to search further: {' '.join(('ldcat explain', digest.hex(), *options))}")


def fact_lines(pairs: Sequence[tuple[str, object]], *, title: str) -> Iterator[str]:
    """A title, then names and values, aligned, one pair a line."""
    width = max(len(printable(name)) for name, _ in pairs)
    yield printable(title)
    for name, value in pairs:
        yield f"  {printable(name):<{width}}  {printable(str(value))}"


def printable(text: str) -> str:
    """A text from outside as one line, with an escape for each character that is not visible as itself.

    So it cannot control a terminal, forge a line, reverse the order of the text around it, or look like another text.
    page.js has the same function.
    """
    if text.isascii() and text.isprintable():
        return text
    safe = text.encode("utf-8", "backslashreplace").decode("utf-8")
    return "".join(c if c.isprintable() and not _is_blank(c) else _escape(c) for c in safe)


def _is_blank(character: str) -> bool:
    """Whether a character is invisible although Python calls it printable: fillers and variation selectors.

    Source: Unicode, Default_Ignorable_Code_Point; and the blank Braille pattern.
    """
    return (
        character in "\u034f\u115f\u1160\u17b4\u17b5\u180b\u180c\u180d\u180f\u2800\u3164\uffa0"
        or "\ufe00" <= character <= "\ufe0f"
        or "\U000e0100" <= character <= "\U000e01ef"
    )


def _escape(character: str) -> str:
    return character.encode("unicode_escape").decode("ascii")


NOT_KNOWN = "not known"


def firmware_facts(firmware: Mapping[str, Any]) -> list[tuple[str, object]]:
    """Names and values for a build: name, SHA-256 or what else identifies it, own version, and its package."""
    sha256 = firmware["sha256"]
    shown: list[tuple[str, object]] = [
        ("firmware", firmware["name"]),
        ("firmware SHA-256", sha256.hex() if sha256 else NOT_KNOWN),
    ]
    if sha256 is None:
        shown.append(("firmware SNP baseline", firmware["snp_baseline"].hex()))
    if firmware["firmware_version"]:
        shown.append(("firmware version", firmware["firmware_version"]))
    if firmware["package"]:
        shown.append(("published in", published_in(firmware)))
    return shown


def published_in(origin: Mapping[str, Any]) -> str:
    """The package of a build, or the repository of a platform, with version and suite. origin: with `PROVENANCE`."""
    version, suite = origin["version"], origin["suite"]
    return f"{origin['package']}" + (f" {version}" if version else "") + (f" ({suite})" if suite else "")


def base_facts(base: Mapping[str, Any]) -> list[tuple[str, object]]:
    """Names and values for the base that a row follows from: nothing is known of its firmware and kernel."""
    return [
        ("firmware", NOT_KNOWN),
        ("follows from", base["name"]),
        ("base launch digest", base["launch_digest"].hex()),
        ("base vCPUs", base["vcpus"]),
        ("base endorser", endorser_text(base["endorser"])),
    ]


def no_kernel_text(technology: str) -> str:
    """What stands for the kernel hashes of a launch without any."""
    return "none" if technology in TAKING_KERNEL_HASHES else "not measured"


def kernel_facts(kernel: Mapping[str, Any] | None, technology: str) -> list[tuple[str, object]]:
    """Names and values for a kernel hashes table: name, hashes and command line. technology: of the launch."""
    if kernel is None:
        return [("kernel hashes", no_kernel_text(technology))]
    return [
        ("kernel hashes", kernel["name"]),
        ("kernel SHA-256", kernel["kernel_sha256"].hex()),
        ("initrd SHA-256", kernel["initrd_sha256"].hex()),
        ("command line", command_line(kernel)),
    ]


def command_line(kernel: Mapping[str, Any]) -> str:
    """The command line of a kernel hashes table, quoted; or its hash if that is all that is known."""
    if kernel["append"] is None:
        return f"not known; its SHA-256 is {kernel['cmdline_sha256'].hex()}"
    return repr(kernel["append"])


def match_facts(match: Match) -> list[tuple[str, object]]:
    """Names and values for a match, in the order in which they are shown."""
    kernel = kernel_facts(match.kernel_hashes, match.row["technology"])
    shown = base_facts(match.base) if match.base else firmware_facts(match.firmware) + kernel
    for field in BESIDE_COMPONENTS:
        if (value := match.row[field.name]) is not None:
            details = match.details(field.name)
            shown.append((field.label, field.text(value) if details is None else f"{field.text(value)} ({details})"))
    return shown if match.base else [*shown, ("launchable", match.launchable)]
