"""Clusters of workers: one on this machine, or any that has a scheduler."""

import logging
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from ...errors import SearchError

if TYPE_CHECKING:
    from distributed import Client

GPU = "GPU"
"""What a worker with a GPU has one of: ``dask worker --resources "GPU=1"``."""

SECONDS_TO_CONNECT = 20


@contextmanager
def local_cluster(workers: int, threads: int = 1, gpu: bool = False) -> Iterator["Client"]:
    """Run workers in processes of this machine, and a scheduler that only this machine reaches.

    Args:
        workers: How many processes; each works on one song at a time.
        threads: Of each, for what it computes.
        gpu: Whether each has a :data:`GPU`.
    """
    import dask.config
    from distributed import Client, LocalCluster

    alone = {f"{library}_NUM_THREADS": str(threads) for library in ("OMP", "MKL", "OPENBLAS", "NUMBA")}
    settings = {
        # before a worker imports anything that reads them; threads that spin while waiting take others' cores
        "distributed.nanny.pre-spawn-environ": {**alone, "OMP_WAIT_POLICY": "passive"},
        "distributed.worker.multiprocessing-method": "spawn",  # threads of torch do not survive a fork
        "distributed.scheduler.allowed-failures": 0,  # whoever runs the songs counts deaths
        "distributed.admin.tick.limit": "1h",  # says nothing of what holds the interpreter for long
    }
    with dask.config.set(settings), _quiet():
        cluster = LocalCluster(
            n_workers=workers,
            threads_per_worker=1,
            processes=True,
            dashboard_address="127.0.0.1:0",  # or else it is for all, and one at a time
            memory_limit=0,  # songs hold what they need: a worker that is paused never ends
            silence_logs=logging.CRITICAL,
            resources={GPU: 1} if gpu else None,
            preload=[f"{__package__}.worker"],
        )
        try:
            with cluster, Client(cluster) as client:
                yield client
        finally:
            cluster.close()


@contextmanager
def cluster_at(address: str) -> Iterator["Client"]:
    """Connect to a scheduler.

    Args:
        address: Such as ``"tcp://10.0.0.1:8786"``, or the file that ``--scheduler-file`` of a scheduler names.

    Raises:
        SearchError: There is none.
    """
    from distributed import Client

    with _quiet():
        try:
            if Path(address).is_file():
                client = Client(scheduler_file=address, timeout=SECONDS_TO_CONNECT)
            else:
                client = Client(address, timeout=SECONDS_TO_CONNECT)
        except (OSError, ValueError) as error:
            raise SearchError(
                f"There is no scheduler at {address} ({error}): start one with 'dask scheduler', and workers with"
                " 'dask worker ADDRESS --nthreads 1'."
            ) from None
        with client:
            yield client


@contextmanager
def _quiet() -> Iterator[None]:
    """Have nothing logged: whoever runs songs says what goes wrong."""
    names = ["distributed", *(name for name in logging.root.manager.loggerDict if name.startswith("distributed."))]
    before = {name: logging.getLogger(name).level for name in names}
    for name in names:
        logging.getLogger(name).setLevel(logging.CRITICAL)
    try:
        yield
    finally:
        for name, level in before.items():
            logging.getLogger(name).setLevel(level)
