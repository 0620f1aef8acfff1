"""The page of an explanation: why a launch digest is not the expected one."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from catalog.explain.divergence import Divergence
from catalog.files.outputs import write_whole
from catalog.pages.html import markup, page
from catalog.pages.pictures.divergence_picture import parting_svg


def write_explanation(
    path: Path,
    compared_with: str,
    *,
    evidence: Sequence[str],
    shown: Sequence[tuple[Mapping[str, Any], Divergence | None]],
    searched: Sequence[str],
) -> None:
    """Write the page of an explanation; raises the errors of `write_whole`.

    compared_with: name of the baseline.
    evidence: lines about the evidence, and whether it is verified.
    shown: each explanation as in JSON, with `facts` for people, and where it diverges from the expected launch.
    searched: lines about the configurations that were tried.
    """
    explained = page(
        "explain.html",
        None,
        title="Why this launch digest",
        evidence=evidence,
        hits=[
            {**hit, "svg": parted and markup(parting_svg(parted, f"parting-{number}"))}
            for number, (hit, parted) in enumerate(shown, 1)
        ],
        compared_with=compared_with,
        searched=searched,
    )
    write_whole(path, explained)
