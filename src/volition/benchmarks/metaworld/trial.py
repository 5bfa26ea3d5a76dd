"""One trial: a seed, a sentence, a policy, and what came of it; success at any step ends it.

Job -> Tester.trial -> World, Learned -> row: success, after how many steps, and if not, what went wrong
"""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np

from volition.benchmarks.metaworld.learned import Learned
from volition.benchmarks.metaworld.robot import sawyer
from volition.benchmarks.metaworld.tasks import TIER, TWINS
from volition.benchmarks.metaworld.words import words_of
from volition.benchmarks.metaworld.world import HORIZON, World
from volition.model.checkpoint import load

Row = dict[str, Any]
Onlooker = Callable[[dict[str, np.ndarray]], None]
NEAR, MOVED, LIFTED, FELL = 0.08, 0.015, 0.04, 0.03  # m


@dataclass(frozen=True, kw_only=True)
class Job:
    """`suite`: plain, paraphrases or swap."""

    suite: str
    task: str
    seed: int

    @property
    def key(self) -> str:
        return f"{self.suite}/{self.task}/{self.seed}"

    @property
    def sentence(self) -> str:
        """Decided by the suite, the task and the seed alone."""
        if self.suite == "swap":
            return words_of(TWINS[self.task]).sentence
        words = words_of(self.task)
        return words.held_out[self.seed % len(words.held_out)] if self.suite == "paraphrases" else words.sentence


class Watch:
    """What went wrong, by where the thing was: for reports, and for nobody who acts."""

    def __init__(self, world: World) -> None:
        self._task = world.task
        placed = world.truth
        self._begin, self._thing, self._place = placed.thing, placed.thing, placed.place
        self._nearest, self._moved, self._top = np.inf, 0.0, placed.thing[2]

    def see(self, world: World) -> None:
        placed = world.truth
        self._thing, self._place = placed.thing, placed.place
        aim = placed.place if self._task.startswith("reach") else placed.thing
        self._nearest = min(self._nearest, float(np.linalg.norm(world.raw[:3] - aim)))
        self._moved = max(self._moved, float(np.linalg.norm(placed.thing - self._begin)))
        self._top = max(self._top, placed.thing[2])

    @property
    def why(self) -> str:
        """unreached: the hand never came near; unmoved: it did, and nothing moved; dropped: lifted, and down again;
        wrong_place: moved, and not nearer to its goal in the end; time: nearer, and not there."""
        if self._nearest > NEAR:
            return "unreached"
        if self._task.startswith("reach"):
            return "time"
        if self._moved < MOVED:
            return "unmoved"
        if self._top - self._begin[2] > LIFTED and self._top - self._thing[2] > FELL:
            return "dropped"
        before, after = (float(np.linalg.norm(one - self._place)) for one in (self._begin, self._thing))
        return "time" if after < before else "wrong_place"


class Tester:
    """One policy, and the world of the task it was asked for last."""

    def __init__(self, checkpoint: Path, execute: int, *, device: str = "cpu") -> None:
        self._shapes = load(checkpoint).design.shapes
        self._robot = sawyer(self._shapes.cameras, self._shapes.picture[0])
        self._learned = Learned.load(checkpoint, self._robot, execute, device=device)
        self._world: World | None = None

    def trial(self, job: Job, onlooker: Onlooker | None = None) -> Row:
        """`onlooker` is shown what the policy sees, at every step, and changes nothing."""
        world, learned, sentence = self._world_of(job.task), self._learned, job.sentence
        spent = time.process_time()
        world.reset(job.seed)
        learned.reset(sentence)
        watch, pictures = Watch(world), {}
        while world.steps < HORIZON and not world.success:
            if learned.decides or onlooker is not None:
                pictures = world.look()
            if onlooker is not None:
                onlooker(pictures)
            world.step(learned.action(world, pictures, sentence))
            watch.see(world)
        return {
            **asdict(job),
            "key": job.key,
            "tier": TIER[job.task],
            "sentence": sentence,
            "success": world.success,
            "steps": world.steps,
            "why": "" if world.success else watch.why,
            "decision_ms": round(1000 * float(np.median(learned.took)), 2),
            "core_s": round(time.process_time() - spent, 3),
        }

    def _world_of(self, task: str) -> World:
        if self._world is None or self._world.task != task:
            self.close()
            self._world = World(task, cameras=self._shapes.cameras, pixels=self._shapes.picture[0])
        return self._world

    def close(self) -> None:
        if self._world is not None:
            self._world.close()
            self._world = None
