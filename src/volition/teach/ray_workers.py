"""The same workers on a Ray cluster: an actor each, staging into a folder on a disk that all of them share."""

from __future__ import annotations

import logging
from pathlib import Path
from typing import Any

from volition.processes import ONE_THREAD
from volition.teach.errors import TeachError
from volition.teach.recipe import Job, Made, Maker, Plan
from volition.teach.workers import explain, folder_of


class Actor:
    """What runs on the cluster; faults come back as sentences, as from a local worker."""

    def __init__(self, recipe: Plan, folder: Path) -> None:
        self._recipe, self._folder = recipe, folder
        self._maker: Maker | None = None

    def make(self, job: Job) -> Made | str:
        try:
            self._maker = self._maker or self._recipe.maker()
            return self._maker.episode(job, folder_of(self._folder, job))
        except Exception as error:
            return explain(error, job)


class RayWorkers:
    """Implements Workers. `address` None starts Ray on this machine and ends it with `close`."""

    def __init__(self, recipe: Plan, folder: Path, count: int, address: str | None) -> None:
        try:
            import ray  # pyright: ignore[reportMissingImports] -- an optional extra
        except ModuleNotFoundError as error:
            raise TeachError("The backend ray needs the package ray: pip install 'volition[ray]'.") from error
        self._ray: Any = ray
        local: dict[str, Any] = {"num_cpus": count, "include_dashboard": False} if address is None else {}
        try:
            ray.init(address=address, log_to_driver=True, logging_level=logging.WARNING, **local)
        except (ConnectionError, ValueError, RuntimeError) as error:
            raise TeachError(f"Ray at {address or 'this machine'} cannot be used: {error}.") from error
        actor: Any = ray.remote(num_cpus=1, runtime_env={"env_vars": ONE_THREAD})(Actor)
        self._actors = [actor.remote(recipe, folder) for _ in range(count)]
        self._idle = list(self._actors)
        self._running: dict[Any, tuple[Any, Job]] = {}

    @property
    def idle(self) -> int:
        return len(self._idle)

    def give(self, job: Job) -> None:
        actor = self._idle.pop()
        self._running[actor.make.remote(job)] = (actor, job)

    def take(self, timeout_s: float) -> list[Made]:
        if not self._running:
            return []
        made: list[Made] = []
        ready, _ = self._ray.wait(list(self._running), num_returns=1, timeout=timeout_s)
        for reference in ready:
            actor, job = self._running.pop(reference)
            try:
                answer: Made | str = self._ray.get(reference)
            except self._ray.exceptions.RayError as error:
                raise TeachError(
                    f"A Ray worker died while making episode {job.number} ({job.skill}): "
                    f"{type(error).__name__}. The same command goes on."
                ) from error
            if isinstance(answer, str):
                raise TeachError(answer)
            self._idle.append(actor)
            made.append(answer)
        return made

    def close(self) -> None:
        for actor in self._actors:
            self._ray.kill(actor)
        self._ray.shutdown()
