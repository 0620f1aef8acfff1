"""The program `ldcat`, each call a fork of one process that has loaded it: else most of its time is spent on loading.

Arguments, folder, environment, standard streams, the largest file size and the exit code are those of a process of its
own. For tests of what commands do: not of how they are loaded, of signals, memory or how Python is started.
"""

from __future__ import annotations

import gc
import importlib
import marshal
import os
import pkgutil
import resource
import select
import signal
import socket
import subprocess
import sys
import traceback
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

LOADED = ("catalog.__main__", "catalog.cli.main", "catalog.fast.plain_lookup", "duckdb", "pyarrow.parquet")
WHOLE = ("catalog.cli.commands", "catalog.cli.light", "catalog.cli.program")
"""Packages of which every module is loaded."""

CLIENT = """#!{python} -IS
import _socket, marshal, posix, resource, sys
server = _socket.socket(_socket.AF_UNIX)
server.connect("{address}")
said = marshal.dumps((sys.argv[1:], posix.getcwd(), posix.environ, resource.getrlimit(resource.RLIMIT_FSIZE)))
streams = b"".join(number.to_bytes(4, sys.byteorder) for number in (0, 1, 2))
server.sendmsg([len(said).to_bytes(4, "big")], [(_socket.SOL_SOCKET, _socket.SCM_RIGHTS, streams)])
server.sendall(said)
posix._exit(server.recv(1)[0])
"""


@contextmanager
def forked_ldcat(folder: Path, code: Path) -> Iterator[Path]:
    """The path of the program. folder: an empty one, for it. code: where the packages are."""
    program, address = folder / "ldcat", folder / "socket"
    server = subprocess.Popen(
        [sys.executable, "-P", __file__, str(address)],
        env={**os.environ, "PYTHONPATH": str(code), "JE_ARROW_MALLOC_CONF": "background_thread:false"},
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
    )
    with server:
        assert server.stdout is not None
        assert (said := server.stdout.readline()) == b"ready\n", said + server.stdout.read()
        program.write_text(CLIENT.format(python=sys.executable, address=address))
        program.chmod(0o755)
        yield program
        server.kill()


def _serve(address: str) -> None:
    for name in LOADED:
        importlib.import_module(name)
    for package in map(importlib.import_module, WHOLE):
        for module in pkgutil.iter_modules(package.__path__, f"{package.__name__}."):
            importlib.import_module(module.name)
    assert [int(task.name) for task in Path("/proc/self/task").iterdir()] == [os.getpid()]  # a fork has no other thread
    gc.freeze()
    signal.signal(signal.SIGCHLD, _wait_for_calls)
    with socket.socket(socket.AF_UNIX) as listening:
        listening.bind(address)
        listening.listen()
        os.write(1, b"ready\n")
        while True:
            client, _ = listening.accept()
            with client:
                if not os.fork():
                    listening.close()
                    _call(client)


def _wait_for_calls(*_: object) -> None:
    """Leave none that has ended, and count its time."""
    with suppress(ChildProcessError):
        while os.waitpid(-1, os.WNOHANG)[0]:
            pass


def _call(client: socket.socket) -> None:
    """Run the command that a client says in a fork of this one; ends this process."""
    signal.signal(signal.SIGCHLD, signal.SIG_DFL)
    header, streams, _, _ = socket.recv_fds(client, 4, 3)
    with client.makefile("rb") as rest:
        said = marshal.loads(rest.read(int.from_bytes(header)))
    child = os.fork()
    if not child:
        client.close()
        try:
            _run(streams, *said)
        except BaseException:  # as Python ends
            traceback.print_exc()
        os._exit(1)
    ended = os.pidfd_open(child)
    if ended not in select.select([client.fileno(), ended], [], [])[0]:
        os.kill(child, signal.SIGTERM)  # the client was
    client.send(bytes([os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) % 256]))
    os._exit(0)


def _run(
    streams: list[int], arguments: list[str], folder: str, environment: dict[bytes, bytes], size: tuple[int, int]
) -> None:
    for number, stream in enumerate(streams):
        os.dup2(stream, number)
        os.close(stream)
    os.chdir(folder)
    os.environ.clear()
    os.environb.update(environment)
    resource.setrlimit(resource.RLIMIT_FSIZE, size)
    sys.argv[1:] = arguments
    sys.modules["catalog.__main__"].main()


if __name__ == "__main__":
    _serve(sys.argv[1])
