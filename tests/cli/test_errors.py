"""Errors: one line, a hint and the right exit code; never a traceback."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import typer

from catalog import errors
from catalog.build.builder import BuildResult
from catalog.cli.program.app import make_app
from catalog.errors import LdcatError
from tests.support.cli import AMDSEV, NOWHERE, SNP, Run


@pytest.mark.parametrize(
    ("arguments", "command"),
    [
        (("nothing",), "ldcat"),
        (("sql", "--nothing"), "ldcat sql"),
        (("trust", "sign", "--nothing"), "ldcat trust sign"),
    ],
)
def test_the_hint_names_the_command_that_helps(run: Run, arguments: tuple[str, ...], command: str) -> None:
    assert run(*arguments)[2].endswith(f"ldcat: hint: {command} --help\n")


@pytest.mark.parametrize(
    ("arguments", "code", "part"),
    [
        (("nothing",), 2, "no such command 'nothing'"),
        (("measure", "--nothing"), 2, "no such option"),
        (("lookup",), 2, "missing argument 'DIGEST|FILE|-'"),
        (("measure",), 2, "no firmware is given"),
        (("measure", AMDSEV), 2, "no technology is given"),
        (("measure", AMDSEV, "-t", "cca"), 2, "unknown technology 'cca'"),
        (("measure", "nobody", "-t", "sev"), 2, "unknown build or firmware file 'nobody'"),
        (("measure", AMDSEV, *SNP), 2, "no number of vCPUs is given"),
        (("measure", AMDSEV, *SNP, "--vcpus", "0"), 2, "a guest cannot have 0 vCPUs"),
        (("measure", AMDSEV, *SNP, "--vcpus", "-3"), 2, "a guest cannot have -3 vCPUs"),
        (("measure", AMDSEV, *SNP, "--vcpus", "two"), 2, "'two' is not a number"),
        (("measure", AMDSEV, *SNP, "--vcpus", "1", "--vcpu-family", "25"), 2, "go together"),
        (("measure", "bookworm/ovmf/OVMF_CODE_4M.fd", *SNP, "--vcpus", "1"), 2, "no SEV metadata"),
        (("measure", "trixie/ovmf/OVMF.fd", "-t", "sev", "--kernel-sha256", "0" * 64), 2, "no kernel hashes area"),
        (("measure", AMDSEV, "--batch", "-"), 2, "--batch and another input are given"),
        (("measure", "--batch", "/nowhere"), 5, "/nowhere"),
        (("measure", "/nowhere.fd", "-t", "sev"), 5, "/nowhere.fd: no such file or directory"),
        (("measure", "/etc/hostname", "-t", "sev"), 3, "not whole pages"),
        (("measure", "/", "-t", "sev"), 5, "is a directory"),
        (("measure", AMDSEV, "-t", "sev", "--kernel", "/etc"), 5, "is a directory"),
        (("lookup", "xyz"), 3, "the argument is neither a file nor a launch digest"),
        (("lookup", NOWHERE, "--catalog", "/nowhere"), 5, "no catalog at /nowhere"),
        (("lookup", NOWHERE, "--format", "hex"), 2, "'hex' is not one of"),
        (("lookup", NOWHERE, "--format", "xml"), 2, "xml"),
        (("inspect", "/etc/hostname"), 3, "not whole pages"),
        (("inspect", "nobody"), 2, "unknown build"),
        (("sql",), 2, "give a query"),
        (("sql", "nonsense"), 2, "query: parser error"),
        (("build", "/nowhere.toml"), 5, "/nowhere.toml"),
        (("build", "/nowhere.toml", "-o", "/nowhere"), 5, "/nowhere.toml"),
        (("build", "-o", "/etc/hostname"), 2, "is a file, not a folder"),
        (("build", "-o", "/etc"), 2, "is not part of a catalog"),
        (("build", "-o", "/proc/nowhere"), 5, "/proc/nowhere"),
        (("build", "--processes", "0"), 2, "--processes 0 is not between"),
    ],
)
def test_bad_input_is_one_line_and_the_right_code(
    run: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, arguments: tuple[str, ...], code: int, part: str
) -> None:
    monkeypatch.setenv("XDG_DATA_HOME", str(tmp_path))
    got, out, err = run(*arguments)
    assert (got, out) == (code, "")
    first, *rest = err.splitlines()
    assert first.startswith("ldcat: error: ")
    assert part.lower() in first.lower()
    assert not first.endswith(".")
    assert all(line.startswith("ldcat: hint: ") for line in rest)
    assert len(rest) <= 1
    assert list(tmp_path.iterdir()) == []


def test_a_catalog_that_was_changed(run: Run, small: BuildResult, tmp_path: Path) -> None:
    (tmp_path / "manifest.json").write_bytes((small.folder / "manifest.json").read_bytes())
    (tmp_path / "sev-snp").mkdir()
    (tmp_path / "sev-snp/launch_digests.parquet").write_bytes(b"PAR1")
    code, out, err = run("lookup", NOWHERE, "--catalog", str(tmp_path))
    assert (code, out) == (4, "")
    assert "is not the file its manifest names" in err


def test_an_internal_error_is_reported_as_such(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("catalog.ask.answering.Lookups", lambda *_: 1 / 0)
    code, out, err = run("lookup", NOWHERE)
    assert (code, out) == (70, "")
    assert err.startswith("ldcat: error: internal error: ZeroDivisionError: division by zero (")
    assert "Traceback" not in err


def test_names_from_outside_cannot_control_the_terminal(run: Run) -> None:
    code, _, err = run("measure", "evil\x1b[31m\nldcat: note: all is well\r", "-t", "sev")
    assert code == 2
    assert err.splitlines()[0] == (
        r"ldcat: error: unknown build or firmware file 'evil\x1b[31m\nldcat: note: all is well\r'"
    )


def test_invalid_utf_8_is_handled(run: Run) -> None:
    code, _, err = run("measure", "caf\udce9", "-t", "sev")
    assert code == 2
    assert err.isascii()


def test_the_docstring_shows_the_tree_of_errors(run: Run) -> None:
    drawn = dict(re.findall(r"(\w+) +(\d+)  ", errors.__doc__ or ""))
    found = {LdcatError}
    while more := {sub for cls in found for sub in cls.__subclasses__()} - found:
        found |= more
    declared = {cls.__name__: str(cls.exit_code) for cls in found if cls.__module__ == "catalog.errors"}
    assert drawn == declared


def test_help_names_every_exit_code(run: Run) -> None:
    code, out, _ = run("--help")
    assert code == 0
    text = " ".join(out.split())
    found = {
        str(cls.exit_code) for cls in vars(errors).values() if isinstance(cls, type) and issubclass(cls, LdcatError)
    }
    assert all(re.search(rf"\b{number} [a-z]", text) for number in {"0", "1", *found})


@pytest.mark.parametrize("command", ["build", "measure", "inspect", "lookup", "sql"])
def test_every_command_has_help(run: Run, command: str) -> None:
    code, out, err = run(command, "--help")
    assert (code, err) == (0, "")
    assert f"Usage: ldcat {command}" in out


def test_a_path_without_permission(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(path: Path, *_: str, **__: bool) -> None:
        raise PermissionError(13, "Permission denied", str(path))

    monkeypatch.setattr(Path, "stat", refuse)
    monkeypatch.setattr("catalog.fast.beneath.open_folder", refuse)
    for arguments in (("inspect", "fw/x.fd"), ("measure", "fw/x.fd", "-t", "sev"), ("lookup", NOWHERE)):
        code, out, err = run(*arguments)
        assert (code, out) == (5, "")
        assert "permission denied" in err


def test_no_home_at_all(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("LDCAT_CATALOG")
    monkeypatch.delenv("XDG_DATA_HOME", raising=False)
    monkeypatch.setattr("os.path.expanduser", lambda path: path)
    code, _, err = run("lookup", NOWHERE)
    assert code == 5
    assert "ldcat: hint: set XDG_DATA_HOME" in err


def test_no_option_accepts_an_empty_path(run: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """An empty path would mean the current folder; it comes from unset shell variables."""

    def unguarded(command: Any, name: str) -> Iterator[str]:
        for inner, each in getattr(command, "commands", {}).items():
            yield from unguarded(each, f"{name} {inner}")
        for parameter in command.params:
            descriptor = getattr(parameter, "type_descriptor", None)
            if descriptor and descriptor.annotation is Path and not descriptor.parameter_info.parser:
                yield f"{name} {parameter.name}"

    assert sorted(unguarded(typer.main.get_command(make_app()), "ldcat")) == []
    monkeypatch.chdir(tmp_path)
    for command in (("publish", "--log", "", "--key", "k"), ("keygen", "example.com/log", "-o", "")):
        assert run(*command)[:2] == (2, "")
    assert not list(tmp_path.iterdir())


def test_a_spec_needs_a_folder(run: Run, tmp_path: Path) -> None:
    spec = tmp_path / "spec.toml"
    spec.write_text('name = "x"\nfirmware = { builds = ["*"] }\n[technologies.sev]\n')
    code, _, err = run("build", str(spec))
    assert (code, "a spec needs a folder for its catalog" in err, "--output PATH" in err) == (2, True, True)
