"""Coverage and heat: the cells add up to all rows, and empty cells have a reason."""

from __future__ import annotations

from collections import Counter
from pathlib import Path

from catalog.ask.coverage import NOT_ASKED_FOR, Kind, coverage
from catalog.build.builder import BuildResult
from catalog.diff.heat import UNCHANGED, Column
from catalog.store.catalog import Catalog
from tests.support.catalogs import compared, made, rows_of
from tests.support.samples import SMALL

SNP = ("sev-snp", "qemu-kvm-init2")


def test_every_row_is_in_a_cell_and_every_empty_cell_has_a_reason(small: BuildResult) -> None:
    found = coverage(Catalog.open(small.folder))
    kinds = list(found.kinds)
    cells = {image.label: dict(zip(kinds, row, strict=True)) for image, row in found.rows}
    assert sum(cell.rows for row in cells.values() for cell in row.values()) == len(rows_of(small))
    assert all(bool(cell.rows) != bool(cell.reason) for row in cells.values() for cell in row.values())
    whole, bare = cells["twin.fd, whole.fd"], cells["bare.fd"]
    assert {kind.technology for kind in kinds} == {"sev", "sev-es", "sev-snp"}
    assert (whole[Kind(*SNP, True)].rows, whole[Kind(*SNP, True)].vcpus) == (12, (1, 2, 3))
    assert bare[Kind("sev-es", "qemu-kvm-legacy", False)].rows == 3
    assert bare[Kind(*SNP, False)].reason == "the image has no SEV metadata"
    assert bare[Kind("sev", None, True)].reason.startswith("this build has no kernel hashes area")
    assert found.reasons() == list(dict.fromkeys(found.reasons()))


def test_cells_that_the_spec_omits_are_marked_as_such(tmp_path: Path) -> None:
    only = '\n[[together]]\nwhen = { vmm = ["ec2-2026"] }\nonly = { kernel_hashes = ["none"] }\n'
    only += '[[together]]\nwhen = { technology = ["sev"] }\nonly = { firmware = ["bare.fd"] }\n'
    found = coverage(Catalog.open(made(tmp_path, SMALL + only).folder))
    ((_, row),) = [pair for pair in found.rows if "whole.fd" in pair[0].names]
    cells = dict(zip(found.kinds, row, strict=True))
    assert cells[Kind("sev", None, False)].reason == NOT_ASKED_FOR


def test_heat_adds_up(small: BuildResult, tmp_path: Path) -> None:
    wider = made(tmp_path, SMALL.replace('vcpus = ["1-3"]', 'vcpus = ["2-9"]').replace('"whole.fd"', '"bare.fd"', 1))
    for pair in ((small, wider), (wider, small), (small, small)):
        found, _ = compared(*pair)
        counts: Counter[str] = Counter()
        for _, cells in found.heat.rows:
            assert len(cells) == len(found.heat.columns)
            for cell in cells:
                assert all(rows > 0 for rows in cell.values())
                counts.update(cell)
        assert counts == {kind: rows for kind, rows in found.counts.items() if rows}


def test_columns_group_vcpu_counts_by_powers_of_two(tmp_path: Path) -> None:
    counts = [1, 2, 3, 4, 5, 8, 9, 16, 17, 255, 256, 257, 4096]
    old, new = (
        made(
            tmp_path / name,
            SMALL.partition("[technologies.sev-es]")[0]
            + '[technologies.sev-snp]\nvmm = ["qemu-kvm-init2"]\nvcpu_signatures = ["EPYC-Milan"]\n'
            f"sev_features = [1]\nvcpus = {vcpus}\n",
        )
        for name, vcpus in (("old", counts[:-1]), ("new", counts))
    )
    found, _ = compared(old, new)
    columns = [column for column in found.heat.columns if column.vmm]
    assert [column.counts for column in columns] == [*("1", "2", "3-4", "5-8", "9-16", "17", "255-256", "257", "4096")]
    assert found.heat.columns[0] == Column("sev", None, None, None)
    ((_, cells),) = [pair for pair in found.heat.rows if pair[0].names == ("twin.fd", "whole.fd")]
    assert [dict(cell) for cell in cells[-3:]] == [{UNCHANGED: 4}, {UNCHANGED: 2}, {"added": 2}]
