"""The one loop, in simulation and on robots: observe, infer, execute, body, shield, command.

    robot.read -> [every policy tick: robot.look -> inference.submit] -> inference.poll -> guard.admit
               -> executor.accept ... executor.sample -> body.resolve -> guard.apply -> robot.command

The clock decides where it runs: a RealClock waits, the simulator's clock steps physics. Nothing here blocks but
`clock.sleep_until`. Whatever fails above the shield (policy, chunk, body) becomes "no new command", which the
shield answers with the robot's safe action; whatever fails below it ends the run, with the robot brought to rest.
"""

from __future__ import annotations

import contextlib
import math
from collections.abc import Callable
from dataclasses import replace
from itertools import islice
from typing import TYPE_CHECKING

import numpy as np

from volition.errors import ContractError
from volition.robots.robot import Robot
from volition.runtime.body import Body
from volition.runtime.clock import Clock
from volition.runtime.doubt import Doubt
from volition.runtime.executor import Executor
from volition.runtime.inference import Answer, Inference
from volition.runtime.interrupts import interrupts, never
from volition.runtime.oversight import Oversight
from volition.runtime.recorder import Recorder
from volition.runtime.report import RunSummary, Status, Tick
from volition.runtime.rest import Rest
from volition.runtime.running import Running
from volition.runtime.sight import Sight
from volition.runtime.watch import Watch
from volition.safety import reasons
from volition.types import ActionChunk, ActionPoint, Command, Intervention, Observation, RobotState

if TYPE_CHECKING:  # the guard is passed in; its module needs MuJoCo, which this one does without
    from volition.safety.guard import Guard


class Loop:
    """Build it once for a robot and a policy, `run` it once an instruction. The caller closes `inference`.

    Who has to act between the ticks calls `start`, and then `step` as often as wanted.

    `settle_s`: after the policy says done or failed, its chunk plays out and this passes. `rest_s`: every run ends with the arms still and the base
    brought to a stand within this. `late_s`: a control tick that begins later than this is a miss. `oversight`: a person who may pause, take over
    and approve. `doubt`: what is done when the policy is unsure. `sight`: pictures that cannot be believed are a fault. `anchor` tells where the
    robot is in the executor's action space, if somebody knows: the first chunk then starts there.
    """

    def __init__(
        self,
        *,
        robot: Robot,
        inference: Inference,
        executor: Executor,
        body: Body,
        guard: Guard,
        clock: Clock,
        recorder: Recorder | None = None,
        on_tick: Callable[[Tick], None] | None = None,
        cameras: bool = True,
        anchor: Callable[[RobotState], np.ndarray] | None = None,
        oversight: Oversight | None = None,
        doubt: Doubt | None = None,
        sight: Sight | None = None,
        settle_s: float = 0.5,
        rest_s: float = 0.6,
        late_s: float = 0.005,
    ) -> None:
        self._robot, self._inference, self._executor, self._body = robot, inference, executor, body
        self._guard, self._clock, self._recorder, self._on_tick = guard, clock, recorder, on_tick
        self._cameras, self._anchor, self._watch, self._sight = cameras, anchor, Watch(oversight, doubt), sight
        self._settle, self._rest_s, self._late = settle_s, rest_s, late_s
        self._period = 1.0 / robot.spec.control_rate_hz
        self._policy_period = 1.0 / robot.spec.policy_rate_hz
        self._stepped: Running | None = None

    def run(self, instruction: str, *, limit_s: float, until: Callable[[RobotState], bool] | None = None) -> RunSummary:
        """Follow one instruction until the policy, `until`, the limit or somebody ends it."""
        run = self._begin(instruction, limit_s, until)
        try:
            with interrupts() as interrupted:
                while self._goes_on(run, interrupted):
                    self._attempt(run, interrupted)
                    self._clock.sleep_until(run.deadline)
        except BaseException as error:
            self._end(run, "error", self._clock.now(), f"{type(error).__name__}: {error}")
            with contextlib.suppress(Exception):  # the first error is the one to tell
                self._calm(run)
            with contextlib.suppress(Exception):
                self._save(run)
            raise
        return self._save(run)

    def start(self, instruction: str, *, limit_s: float, until: Callable[[RobotState], bool] | None = None) -> None:
        """Begin what `run` does as a whole, without its care for Ctrl-C, for errors of the robot and for a recorder's end."""
        self._stepped = self._begin(instruction, limit_s, until)

    def step(self) -> bool:
        """Wait for the next control tick and do it; False, and nothing done, once the run is over and the robot at rest."""
        if self._stepped is None:
            raise ContractError("Loop.step was called before Loop.start; start it with an instruction.")
        if not self._goes_on(self._stepped, never):
            return False
        self._clock.sleep_until(self._stepped.deadline)
        self._attempt(self._stepped, never)
        return True

    def _begin(self, instruction: str, limit_s: float, until: Callable[[RobotState], bool] | None) -> Running:
        if not math.isfinite(limit_s) or limit_s <= 0:
            raise ContractError(f"Loop.run: limit_s is {limit_s}; it must be a finite number of seconds above 0.")
        self._inference.start(instruction)  # may refuse the instruction: before the robot is touched
        state = self._robot.read()
        begin = self._clock.now()
        self._guard.start(state, begin)
        self._body.reset(state)
        self._executor.reset(None if self._anchor is None else self._anchor(state))
        self._watch.begin(instruction)
        if self._sight is not None:
            self._sight.reset()
        if self._recorder is not None:
            self._recorder.start(instruction, self._robot.spec, self._executor.spec)
        run = Running(
            instruction=instruction,
            begin=begin,
            limit=begin + limit_s,
            deadline=begin,
            last=begin,
            until=until,
            policy_at=begin,
        )
        run.seen = self._events()
        run.counts, run.stops = self._guard.counts(), self._guard.faults()
        still = state.position[self._robot.spec.commanded_index]
        run.rest = Rest(self._robot.spec, still, np.zeros_like(still), np.zeros(3), begin)
        return run

    def _goes_on(self, run: Running, interrupted: Callable[[], bool]) -> bool:
        resting = run.deadline < run.ended + self._rest_s
        return run.status is None or resting or (interrupted() and run.status != "stopped")

    def _attempt(self, run: Running, interrupted: Callable[[], bool]) -> None:
        """One control tick, and when the next is due."""
        now = self._clock.now()
        if now < run.last - 1e-6:
            self._set_back(run, now)
        run.last = now
        run.worst = max(run.worst, now - run.deadline)
        run.misses += now - run.deadline > self._late
        try:
            if interrupted() and run.status != "stopped":
                raise KeyboardInterrupt
            self._tick(run, now)
        except KeyboardInterrupt:  # also from a viewer, whose window was closed
            if run.status == "stopped":
                raise
            self._guard.estop.press("Ctrl-C")
            self._end(run, "stopped", now, "stopped by Ctrl-C")
        run.deadline += self._period
        behind = int((self._clock.now() - run.deadline) / self._period)
        if behind > 0:  # leave ticks out rather than send old commands in a burst
            run.misses += behind
            run.ticks += behind
            run.deadline += behind * self._period

    def _tick(self, run: Running, now: float) -> None:
        state = self._robot.read()
        action = command = None
        if run.status is None:
            self._oversee(run, state, now)
        if run.status is None and run.who == "person":
            command = self._driven(run, state, now)
        elif run.status is None:
            self._ask_and_hear(run, state, now)
            action = None if run.who != "policy" else self._executor.sample(now)
        if run.blind and run.status is None and run.who == "policy":
            action = None
            self._guard.report(Intervention(stamp=now, reason=reasons.SIGHT, where="cameras", detail=run.blind))
        elif action is not None:
            command = self._resolve(run, action, state, now)
        elif run.rest is not None and run.who != "person":
            command = run.rest.command(now)
        safe = self._guard.apply(command, state, now)
        self._robot.command(safe)
        run.safe = (*run.safe[-1:], safe)
        events = self._events()
        fresh = tuple(islice(reversed(self._guard.events), events - run.seen))[::-1]
        run.seen = events
        tick = run.tick(now, state, (action, command, safe), self._executor.chunk, self._guard.status, fresh)
        if self._recorder is not None:
            self._recorder.add(tick)
        if self._on_tick is not None:
            self._on_tick(tick)
        self._judge(run, state, now)

    def _ask_and_hear(self, run: Running, state: RobotState, now: float) -> None:
        """Usually the policy gets the freshest picture the moment it is free. One that is told what is ahead, or waited
        for, is asked when its last answer is known."""
        patient, free = self._executor.patient, not self._inference.busy
        if run.who == "policy" and not patient:
            self._observe(run, state, now)
        heard = self._hear(run, now)
        if run.who == "policy" and patient and (free or heard):
            self._observe(run, state, now)
            self._hear(run, now)

    def _hear(self, run: Running, now: float) -> bool:
        """Take what has been answered; whether it was anything."""
        heard = False
        while (answer := self._inference.poll(now)) is not None:
            self._take(run, answer, now)
            heard = True
        return heard

    def _observe(self, run: Running, state: RobotState, now: float) -> None:
        if now < run.policy_at - 0.5 * self._period or not self._executor.asks(now):
            return
        if self._watch.asks_for_chunks and not self._played(now):
            return
        run.policy_at = max(run.policy_at + self._policy_period, now)
        if self._cameras:
            run.images = self._robot.look()
        if self._sight is not None:
            run.blind = self._sight.check(run.images, now)
            if run.blind:
                return
        ahead = self._executor.ahead(state.stamp)
        self._inference.submit(
            Observation(stamp=state.stamp, state=state, images=run.images, instruction=run.instruction, ahead=ahead)
        )

    def _take(self, run: Running, answer: Answer, now: float) -> None:
        """Admit, execute and note what the policy answered."""
        run.latencies.append(answer.latency_s)
        if answer.chunk is None:
            run.errors += 1
            self._report(run, now, f"{type(answer.error).__name__}: {answer.error}")
            return
        if run.who != "policy":
            return  # it was made for a robot that somebody else moves now
        chunk = self._guard.admit(answer.chunk, now)
        if chunk is None:
            run.refused += 1
            run.notes.append((now, f"chunk of {answer.stamp:.2f} s refused by the shield"))
            return
        self._watch.hear(chunk, now)
        if self._watch.asks_for_chunks:
            self._watch.put(chunk)
            return
        self._accept(run, chunk, now)

    def _accept(self, run: Running, chunk: ActionChunk, now: float) -> None:
        before = self._executor.chunk
        try:
            accepted = self._executor.accept(chunk, now)
        except ContractError as error:
            run.refused += 1
            self._report(run, now, str(error))
            return
        if not accepted:
            run.refused += 1
            run.late += 1
            run.notes.append((now, f"chunk of {chunk.stamp:.2f} s came too late, {now - chunk.stamp:.2f} s after it"))
            return
        run.accepted += 1
        if chunk.note and (before is None or before.note != chunk.note):
            run.notes.append((now, chunk.note))
        if chunk.status != "running" and run.verdict is None:
            run.verdict = (chunk.status, chunk.end + self._settle)

    def _resolve(self, run: Running, action: ActionPoint | None, state: RobotState, now: float) -> Command | None:
        if action is None:
            return None
        try:
            command = self._body.resolve(action, state)
        except Exception as error:  # a solver that fails must not take the loop down: the shield holds
            text = f"{type(error).__name__}: {error}"
            self._guard.report(Intervention(stamp=now, reason=reasons.SOLVER, where="body", detail=text))
            if not run.notes or run.notes[-1][1] != f"no command: {text}":
                run.notes.append((now, f"no command: {text}"))
            return None
        waited = run.approved or self._executor.waiting(now)  # however old what it does is, that is meant
        return replace(command, chunk_stamp=None) if waited else command

    def _played(self, now: float) -> bool:
        """Whether the chunk that runs is at its end, and none waits for a yes."""
        return self._executor.chunk is None or (now >= self._executor.chunk.end and not self._inference.busy)

    def _oversee(self, run: Running, state: RobotState, now: float) -> None:
        """Do what those who watch say: who is followed from this tick on, and how fast."""
        seen = self._watch.look(now)
        self._guard.caution = seen.caution
        for event in seen.events:
            self._guard.report(event)
            by = f"{event.reason} by a person" if event.where == "person" else event.reason
            run.notes.append((now, f"{by}{': ' * bool(event.detail)}{event.detail}"))
        run.driver = seen.driver
        if seen.who != run.who:
            if seen.who == "policy":
                self._afresh(run, state, now)
            else:
                self._settle_down(run, now)
            if seen.who == "person" and seen.driver is not None and run.safe:
                seen.driver.begin(state, run.safe[-1])
            run.who = seen.who
        if seen.agreed is not None and seen.who == "policy":
            # The robot has stood still since the chunk was made: it begins now.
            run.approved = True
            self._accept(run, replace(seen.agreed, stamp=now), now)
        elif seen.refused:
            self._end(run, "stopped", now, f"the person said no to {seen.refused}")

    def _driven(self, run: Running, state: RobotState, now: float) -> Command | None:
        try:
            return None if run.driver is None else run.driver.command(state, now)
        except Exception as error:  # a remote control that fails is a policy that fails
            self._report(run, now, f"{type(error).__name__}: {error}")
            return None

    def _afresh(self, run: Running, state: RobotState, now: float) -> None:
        """Follow the policy from where the robot is now; until its first chunk the robot rests."""
        self._executor.reset(None if self._anchor is None else self._anchor(state))
        self._body.reset(state)
        self._settle_down(run, now)
        run.policy_at = now

    def _set_back(self, run: Running, now: float) -> None:
        """The clock went back: what was to come is shifted, what was stamped before is forgotten."""
        shift = now - (run.last + self._period)
        why = f"from {run.last:.3f} s to {now:.3f} s"
        self._guard.forget()
        self._guard.report(Intervention(stamp=now, reason=reasons.CLOCK, where="clock", detail=why))
        run.notes.append((now, f"the clock went back {why}"))
        run.begin, run.limit, run.deadline, run.policy_at = run.begin + shift, run.limit + shift, now, now
        run.ended += shift if run.status is not None else 0.0
        run.verdict = None if run.verdict is None else (run.verdict[0], run.verdict[1] + shift)
        self._executor.reset()
        self._settle_down(run, now)

    def _settle_down(self, run: Running, now: float) -> None:
        """From the motion that the last two commands amount to, to rest."""
        if run.safe:
            before, last = run.safe[0], run.safe[-1]
            velocity = (last.position - before.position) / self._period
            run.rest = Rest(self._robot.spec, last.position, velocity, last.base_velocity, now)

    def _judge(self, run: Running, state: RobotState, now: float) -> None:
        """Whether the run ends with this tick."""
        if run.status is not None:
            return
        if self._guard.estop.pressed:
            self._end(run, "stopped", now, f"emergency stop: {self._guard.estop.why}")
        elif run.until is not None and run.until(state):
            self._end(run, "reached", now, "reached what it was run for")
        elif run.verdict is not None and now >= run.verdict[1]:
            self._end(run, run.verdict[0], now, f"the policy says {run.verdict[0]}")
        elif now >= run.limit - 0.5 * self._period:
            verdict = "time" if run.verdict is None else run.verdict[0]
            self._end(run, verdict, now, f"the time limit of {run.limit - run.begin:g} s")

    def _end(self, run: Running, status: Status, now: float, note: str) -> None:
        """Decide that the run is over. What follows is rest, which the summary does not count."""
        if run.status is None:
            run.ended = now
            run.counts = {
                reason: more
                for reason, count in self._guard.counts().items()
                if (more := count - run.counts.get(reason, 0))
            }
            run.stops = self._guard.faults() - run.stops
        run.status = status
        run.notes.append((now, note))
        self._settle_down(run, now)

    def _events(self) -> int:
        """All events the guard ever had; it keeps the latest of them."""
        return len(self._guard.events) + self._guard.dropped

    def _calm(self, run: Running) -> None:
        """After an error: bring the robot to rest without recorder, viewer or policy."""
        end = self._clock.now() + self._rest_s
        while (now := self._clock.now()) < end:
            state = self._robot.read()
            self._robot.command(self._guard.apply(None, state, now))
            self._clock.sleep_until(now + self._period)

    def _report(self, run: Running, now: float, detail: str) -> None:
        self._guard.report(Intervention(stamp=now, reason=reasons.POLICY, detail=detail))
        run.notes.append((now, f"policy: {detail}"))

    def _save(self, run: Running) -> RunSummary:
        summary = run.summary()
        if self._recorder is not None:
            self._recorder.save(summary)
        return summary
