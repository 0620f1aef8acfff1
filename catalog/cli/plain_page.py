"""A help page as plain texts, and as lines of the file pages.txt: `--help` is printed from it at once.

To make the page of a command its options are listed, for which most of the program is imported. Pages change with the
program alone, so `make help-pages` writes them all to pages.txt (tools/help_pages.py), and a test compares them.
"""

from __future__ import annotations

from catalog.values import Value

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator

_PAGE, _USAGE, _PARAGRAPH, _EXAMPLE, _SECTION, _PAIR = "page", "usage", "paragraph", "example", "section", "pair"
"""The first field of each line; fields are separated by tabs, which no text has."""


class PlainPage(Value):
    """What help shows of a command.

    name: such as `ldcat trust show`.
    examples: each with its command line and what it does.
    sections: title, and pairs of names and texts, in order.
    """

    name: str
    usage: str
    paragraphs: tuple[str, ...]
    examples: tuple[tuple[str, str], ...]
    sections: tuple[tuple[str, tuple[tuple[str, str], ...]], ...]

    def lines(self) -> Iterator[str]:
        """The page in pages.txt, without line ends."""
        yield f"{_PAGE}\t{self.name}"
        yield f"{_USAGE}\t{self.usage}"
        yield from (f"{_PARAGRAPH}\t{text}" for text in self.paragraphs)
        yield from (f"{_EXAMPLE}\t{line}\t{what}" for line, what in self.examples)
        for title, pairs in self.sections:
            yield f"{_SECTION}\t{title}"
            yield from (f"{_PAIR}\t{name}\t{text}" for name, text in pairs)


def page_in(text: str, name: str) -> PlainPage | None:
    """The page of a command in the text of pages.txt; None if it is not there."""
    begin = f"{_PAGE}\t{name}\n"
    start = 0 if text.startswith(begin) else text.find(f"\n{begin}") + 1
    if not text.startswith(begin, start):
        return None
    usage, paragraphs, examples = "", [], []
    sections: list[tuple[str, list[tuple[str, str]]]] = []
    for line in text[start + len(begin) :].split("\n"):
        kind, _, rest = line.partition("\t")
        first, _, second = rest.partition("\t")
        if kind == _USAGE:
            usage = rest
        elif kind == _PARAGRAPH:
            paragraphs.append(rest)
        elif kind == _EXAMPLE:
            examples.append((first, second))
        elif kind == _SECTION:
            sections.append((rest, []))
        elif kind == _PAIR:
            sections[-1][1].append((first, second))
        else:  # the next page, or the end
            break
    return PlainPage(
        name, usage, tuple(paragraphs), tuple(examples), tuple((title, tuple(pairs)) for title, pairs in sections)
    )
