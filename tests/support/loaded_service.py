"""All that services load but Granian, and their templates: a process from which they are forked has it once.

Granian starts threads, and is loaded once its allocator is set up.
"""

from __future__ import annotations

import os

os.environ.setdefault("JE_ARROW_MALLOC_CONF", "background_thread:false")  # a fork has no other thread

import importlib
from pathlib import Path

from catalog.export.export_format import export_formats
from catalog.pages import html

LOADED = (
    *("catalog.cli.main", "catalog.cli.program.direct", "catalog.cli.commands.serve", "catalog.cli.first_build"),
    *("catalog.cli.program.app", "catalog.cli.commands.witness", "catalog.publish.witness_store"),
    *("catalog.publish.key_files", "catalog.transparency.log_list", "catalog.transparency.witness"),
    *("catalog.terminal.render", "catalog.web.memory", "catalog.web.front", "catalog.web.routes"),
    *("catalog.web.release.current", "catalog.store.component_tables", "catalog.store.follows", "pyarrow.compute"),
    *("catalog.verify.hosted_log", "catalog.pages.changes", "catalog.transparency.keys"),
)

for _name in LOADED:
    importlib.import_module(_name)
export_formats()
for _name in html._environment().list_templates(extensions=["html"]):
    html._environment().get_template(_name)
assert [int(task.name) for task in Path("/proc/self/task").iterdir()] == [os.getpid()]
