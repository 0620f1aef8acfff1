"""A contract of import-linter of our own: a room imports nothing but what is listed, itself included."""

from __future__ import annotations

from typing import Any

from grimp import ImportGraph
from importlinter import Contract, ContractCheck, fields, output


class OnlyContract(Contract):
    """Modules of `source_modules`, and all below them, import only each other and `allowed_modules`.

    Imports under `typing.TYPE_CHECKING` count, too, unless import-linter leaves them out of its graph.
    """

    source_modules = fields.SetField(subfield=fields.ModuleField())
    allowed_modules = fields.SetField(subfield=fields.StringField())

    def check(self, graph: ImportGraph, verbose: bool) -> ContractCheck:
        """Every direct import of each module; raises what a missing module raises in the graph."""
        del verbose
        rooms: Any = self.source_modules
        sources = {name for room in rooms for name in (room.name, *graph.find_descendants(room.name))}
        allowed: Any = self.allowed_modules
        known = sources | set(allowed)
        imports = [(one, other) for one in sources for other in graph.find_modules_directly_imported_by(one)]
        broken = sorted(each for each in imports if each[1] not in known)
        return ContractCheck(kept=not broken, metadata={"broken": broken})

    def render_broken_contract(self, check: Any) -> None:
        """One line an import."""
        for importer, imported in check.metadata["broken"]:
            output.print_error(f"{importer} imports {imported}")
