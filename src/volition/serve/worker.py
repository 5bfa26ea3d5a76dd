"""The one thread in which policies decide: first come, first served, one at a time, whoever asks.

    connection --submit(job)--> queue --> thread --> Future of the event loop

A job that hangs cannot be ended; it is seen (`stuck_s`), and everybody else gets an answer that says so.
"""

from __future__ import annotations

import asyncio
import contextlib
import queue
import threading
import time
from collections.abc import Callable
from typing import Any


class Job:
    """`cancel` keeps one that has not begun from running; `wait_s` and `took_s` are known when it is done."""

    def __init__(self, work: Callable[[], Any], done: asyncio.Future[Any]) -> None:
        self.work, self.done = work, done
        self.asked = time.monotonic()
        self.wait_s = self.took_s = 0.0
        self._lock = threading.Lock()
        self._begun = self._cancelled = False

    def begin(self) -> bool:
        with self._lock:
            self._begun = not self._cancelled
        self.wait_s = time.monotonic() - self.asked
        return self._begun

    def cancel(self) -> bool:
        """Whether it will never run."""
        with self._lock:
            self._cancelled = not self._begun
            return self._cancelled


class Worker:
    """Made inside a running event loop. The thread is a daemon: one that hangs does not keep the process."""

    def __init__(self) -> None:
        self._loop = asyncio.get_running_loop()
        self._jobs: queue.SimpleQueue[Job | None] = queue.SimpleQueue()
        self._since: float | None = None
        self._thread = threading.Thread(target=self._work, name="volition-policies", daemon=True)
        self._thread.start()

    def submit(self, work: Callable[[], Any]) -> Job:
        job = Job(work, self._loop.create_future())
        job.done.add_done_callback(lambda done: done.cancelled() or done.exception())  # nobody may wait for it any more
        self._jobs.put(job)
        return job

    @property
    def stuck_s(self) -> float:
        """For how long the job under way has been running; 0 when there is none."""
        since = self._since
        return 0.0 if since is None else time.monotonic() - since

    def close(self, deadline_s: float) -> bool:
        """Whether the thread has ended."""
        self._jobs.put(None)
        self._thread.join(deadline_s)
        return not self._thread.is_alive()

    def _work(self) -> None:
        while (job := self._jobs.get()) is not None:
            if not job.begin():
                continue
            begin = self._since = time.monotonic()
            result, error = None, None
            try:
                result = job.work()
            except BaseException as raised:  # it belongs to whoever asked; this thread serves the others
                error = raised
            job.took_s, self._since = time.monotonic() - begin, None
            with contextlib.suppress(RuntimeError):  # the event loop has ended meanwhile
                self._loop.call_soon_threadsafe(_finish, job.done, result, error)
            del job, result, error


def _finish(done: asyncio.Future[Any], result: Any, error: BaseException | None) -> None:
    if done.cancelled():
        return
    if error is None:
        done.set_result(result)
    else:
        done.set_exception(error if isinstance(error, Exception) else RuntimeError(type(error).__name__))
