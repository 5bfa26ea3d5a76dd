"""Worker processes that compute in one thread each and end when who made them is gone, however that ended.

with pool(2, initializer) as executor: executor.submit(...)
"""

from __future__ import annotations

import contextlib
import multiprocessing
import os
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ProcessPoolExecutor
from typing import Any

# Set before a worker imports anything: numpy, torch and Mesa's software renderer look at them once.
ONE_THREAD: dict[str, str] = dict.fromkeys(
    ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS", "LP_NUM_THREADS"), "1"
)
WATCH = 0.5  # s: how often a worker looks whether its parent lives


@contextlib.contextmanager
def pool(
    workers: int, initializer: Callable[..., None] | None = None, initargs: tuple[Any, ...] = ()
) -> Iterator[ProcessPoolExecutor]:
    """Workers begin at the first task. `initializer` is run in each."""
    context = multiprocessing.get_context("spawn")
    given = (os.getpid(), initializer, initargs)
    with (
        environment(ONE_THREAD),
        ProcessPoolExecutor(workers, mp_context=context, initializer=_begin, initargs=given) as executor,
    ):
        yield executor


@contextlib.contextmanager
def environment(values: dict[str, str]) -> Iterator[None]:
    """For processes that are started meanwhile; what the user has set himself stays."""
    added = {name: value for name, value in values.items() if name not in os.environ}
    os.environ.update(added)
    try:
        yield
    finally:
        for name in added:
            del os.environ[name]


def end_with(parent: int) -> None:
    """This process ends when that one is gone, which was its parent when it began."""
    threading.Thread(target=_watch, args=(parent,), daemon=True).start()


def _begin(parent: int, initializer: Callable[..., None] | None, initargs: tuple[Any, ...]) -> None:
    end_with(parent)
    if initializer is not None:
        initializer(*initargs)


def _watch(parent: int) -> None:
    while os.getppid() == parent:
        time.sleep(WATCH)
    os._exit(1)
