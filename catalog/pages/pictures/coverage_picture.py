"""The coverage matrix of a catalog: the launches that it has digests of, and why it lacks the others."""

from __future__ import annotations

from collections.abc import Mapping
from string import ascii_lowercase, ascii_uppercase

from catalog.ask.coverage import Cell as Covered
from catalog.ask.coverage import Coverage, Kind
from catalog.fast.match import TAKING_KERNEL_HASHES
from catalog.pages.pictures.matrix import Cell, Head, Matrix
from catalog.rows.numbers import as_ranges

_LETTERS = ascii_lowercase + ascii_uppercase


def coverage_matrix(found: Coverage) -> Matrix:
    """The matrix of a coverage: a letter in an empty cell stands for the reason."""
    reasons = found.reasons()
    letters = {reason: _LETTERS[number] if number < len(_LETTERS) else "?" for number, reason in enumerate(reasons)}
    cells = [cell for _, row in found.rows for cell in row]
    rows = sum(cell.rows for cell in cells)
    legend = [("covered", "#", "the catalog has digests")]
    if any(_is_unexpected(cell) for cell in cells):
        legend.append(("not-expected", "n", "the catalog has digests; the image is not expected to launch this way"))
    legend += [("", letter, reason) for reason, letter in letters.items()]
    return Matrix(
        title="What the catalog has digests of",
        desc=f"{len(found.rows):,} images and {len(found.kinds)} kinds of launches: {rows:,} launch digests in "
        f"{sum(1 for cell in cells if cell.rows):,} of {len(cells):,} cells.",
        heads=[Head((kind.technology, kind.vmm or ""), _kernel_words(kind)) for kind in found.kinds],
        rows=[
            (image.label, [_cell(image.label, *pair, letters) for pair in zip(found.kinds, row, strict=True)])
            for image, row in found.rows
        ],
        legend=legend,
    )


def _kernel_words(kind: Kind) -> str:
    """The head of a column: rows of a technology that takes no kernel hashes are about every kernel."""
    if kind.technology not in TAKING_KERNEL_HASHES:
        return "any kernel"
    return "kernel hashes" if kind.kernel_hashes else "no kernel"


def _is_unexpected(cell: Covered) -> bool:
    return bool(cell.rows) and cell.launchable == "no"


def _cell(image: str, kind: Kind, cell: Covered, letters: Mapping[str, str]) -> Cell:
    where = " ".join(part for part in (kind.technology, kind.vmm) if part)
    if kind.technology in TAKING_KERNEL_HASHES:
        where += ", with kernel hashes" if kind.kernel_hashes else ", without kernel hashes"
    if not cell.rows:
        return Cell({}, letters[cell.reason], f"{image}, {where}: none, because {cell.reason}")
    vcpus = f" of {as_ranges(cell.vcpus)} vCPUs" if cell.vcpus else ""
    text = f"{image}, {where}: {cell.rows:,} digests{vcpus}"
    if _is_unexpected(cell):
        return Cell({"not-expected": cell.rows}, "n", f"{text}; it is not expected to launch this way")
    return Cell({"covered": cell.rows}, "#", text)
