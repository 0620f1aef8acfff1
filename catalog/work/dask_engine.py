"""The engine for several machines: a Dask cluster, whose workers share storage with this process.

If a worker dies, the scheduler gives its tasks to another one. Source: distributed, Client.get_executor, which returns
an executor of concurrent.futures.
"""

from __future__ import annotations

from collections.abc import Iterator
from concurrent.futures import CancelledError
from contextlib import contextmanager

from catalog.errors import LdcatError, Unreadable, UsageError
from catalog.work.engine import Engine, processors
from catalog.work.storage import Storage
from catalog.work.workers import check_workers

_PATIENCE = 30
"""Seconds to wait for the scheduler, and for its first worker."""


@contextmanager
def dask_engine(address: str, storage: Storage) -> Iterator[Engine]:
    """An engine on the cluster of a scheduler. address: tcp://host:port, or tls:// if Dask has TLS configured.

    storage: that the workers share with this process.
    Raises UsageError for an invalid address, if Dask is not installed, or if workers have another version of ldcat or
    pyarrow; Unreadable if no scheduler or no worker answers, or if a worker cannot use the storage; LdcatError if the
    cluster gives up.
    """
    if not address.startswith(("tcp://", "tls://")):
        raise UsageError(f"{address!r} is not the address of a Dask scheduler", "for example tcp://10.0.0.1:8786")
    try:
        from distributed import Client, KilledWorker
        from distributed.comm import CommClosedError
    except ImportError as error:
        raise UsageError("the engine dask is not installed", "pip install 'ldcat[dask]'") from error
    try:
        client = Client(address, timeout=_PATIENCE, set_as_default=False)
    except TypeError as error:
        raise UsageError(
            f"Dask has no TLS configured for {address}", "see distributed.comm.tls in Dask's configuration"
        ) from error
    except (OSError, ValueError) as error:
        raise Unreadable(f"no Dask scheduler answers at {address}", "for example tcp://10.0.0.1:8786") from error
    with client:
        try:
            client.wait_for_workers(1, timeout=_PATIENCE)
        except TimeoutError as error:
            raise Unreadable(f"the Dask scheduler at {address} has no worker") from error
        check_workers(storage, lambda see, *given: list(client.run(see, *given).values()))
        ahead = 4 * sum(client.nthreads().values())
        try:
            yield Engine(client.get_executor(pure=False), ahead, in_process=False, writers=processors())
        except (KilledWorker, CommClosedError, CancelledError) as error:
            raise LdcatError(
                f"the Dask cluster gave up: {error or type(error).__name__}", "were its workers short of memory?"
            ) from error
