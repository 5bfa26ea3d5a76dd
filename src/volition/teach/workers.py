"""Processes on this machine that stage episodes: one thread each, gone when their parent is, however it ends.

Workers: give(job) to an idle one, take() what has been made. `LocalWorkers` here, `RayWorkers` in ray_workers.py
"""

from __future__ import annotations

import contextlib
import multiprocessing
import os
import traceback
from multiprocessing.connection import Connection, wait
from multiprocessing.process import BaseProcess
from pathlib import Path
from typing import Protocol

from volition.errors import VolitionError
from volition.processes import ONE_THREAD, end_with, environment
from volition.teach.errors import TeachError
from volition.teach.recipe import Job, Made, Plan


class Workers(Protocol):
    @property
    def idle(self) -> int: ...

    def give(self, job: Job) -> None: ...

    def take(self, timeout_s: float) -> list[Made]:
        """What has been made meanwhile; waits for something, but not longer than this. Raises what a worker raised."""
        ...

    def close(self) -> None:
        """End at once: what is in progress is lost."""
        ...


class LocalWorkers:
    def __init__(self, recipe: Plan, folder: Path, count: int) -> None:
        context = multiprocessing.get_context("spawn")
        self._busy: dict[Connection, Job | None] = {}
        self._processes: list[BaseProcess] = []
        with environment(ONE_THREAD):
            for _ in range(count):
                ours, theirs = context.Pipe()
                process = context.Process(target=_work, args=(theirs, recipe, folder), daemon=True)
                process.start()
                theirs.close()
                self._busy[ours] = None
                self._processes.append(process)

    @property
    def idle(self) -> int:
        return sum(job is None for job in self._busy.values())

    def give(self, job: Job) -> None:
        connection = next(connection for connection, busy in self._busy.items() if busy is None)
        with contextlib.suppress(OSError):  # it has died: take() says so
            connection.send(job)
        self._busy[connection] = job

    def take(self, timeout_s: float) -> list[Made]:
        made: list[Made] = []
        for connection in wait(list(self._busy), timeout_s):
            assert isinstance(connection, Connection)
            job = self._busy[connection]
            try:
                answer: Made | str = connection.recv()
            except (EOFError, OSError) as error:
                doing = "starting" if job is None else f"making episode {job.number} ({job.skill})"
                raise TeachError(
                    f"A worker died while {doing}; if memory ran out, use fewer workers. The same command goes on."
                ) from error
            if isinstance(answer, str):
                raise TeachError(answer)
            self._busy[connection] = None
            made.append(answer)
        return made

    def close(self) -> None:
        for process in self._processes:
            process.kill()
        for process in self._processes:
            process.join()
        for connection in self._busy:
            connection.close()


def folder_of(folder: Path, job: Job) -> Path:
    return folder / f"episode-{job.number:06d}"


def explain(error: Exception, job: Job | None) -> str:
    """One sentence for the user; a programming error is shown whole on the worker's stderr too."""
    where = "A worker" if job is None else f"Episode {job.number} ({job.skill})"
    if isinstance(error, VolitionError):
        return f"{where}: {error}"
    traceback.print_exception(error)
    return f"{where} met a fault in the program, {type(error).__name__}: {error}."


def _work(connection: Connection, recipe: Plan, folder: Path) -> None:
    """A worker's life: build what makes episodes, make what it is given."""
    parent = os.getppid()
    os.setsid()  # Ctrl-C in the terminal is for the parent, which ends the workers
    end_with(parent)
    doing: Job | None = None
    try:
        maker = recipe.maker()
        while True:
            job: Job = connection.recv()
            doing = job
            connection.send(maker.episode(job, folder_of(folder, job)))
    except (EOFError, BrokenPipeError):
        return
    except Exception as error:
        connection.send(explain(error, doing))
