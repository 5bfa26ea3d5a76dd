"""One policy, one instruction, one simulated robot, through the one loop with the shield in it: what demo, run and studies share."""

from __future__ import annotations

from collections.abc import Callable

from volition.body.whole_body import WholeBody
from volition.eval.manner import LosingInference, Manner
from volition.policy import Policy
from volition.robots.g1_assets import light_g1
from volition.runtime.inference import Inference, SimulatedInference
from volition.runtime.loop import Loop
from volition.runtime.recorder import Recorder
from volition.runtime.report import RunSummary, Tick
from volition.runtime.ways import executor_of
from volition.safety.collision import CollisionModel
from volition.safety.config import ShieldConfig
from volition.safety.guard import Guard
from volition.safety.shield import Shield
from volition.sim.session import Session
from volition.types import ActionSpec, RobotSpec, RobotState


class Rig:
    """The parts that do not change from run to run; building them takes half a second, so build one and keep it."""

    def __init__(self, spec: RobotSpec) -> None:
        self.spec = spec
        self.body = WholeBody(spec)
        self.collision = CollisionModel(spec, light_g1())

    def guard(self, config: ShieldConfig | None = None) -> Guard:
        return Guard(Shield(self.spec, config=config, collision=self.collision))

    def rollout(
        self,
        session: Session,
        policy: Policy,
        instruction: str,
        *,
        limit_s: float,
        guard: Guard | None = None,
        latency_s: float | None = 0.02,
        recorder: Recorder | None = None,
        on_tick: Callable[[Tick], None] | None = None,
        until: Callable[[RobotState], bool] | None = None,
        cameras: bool = False,
        settle_s: float = 0.5,
        manner: Manner | None = None,
    ) -> RunSummary:
        """Run until the policy is done or `limit_s` has passed. `latency_s` None: the policy's own wall time counts."""
        manner = manner or Manner()
        inference: Inference = SimulatedInference(policy, None if latency_s is None else latency_s + manner.added_s)
        if manner.lost:
            inference = LosingInference(inference, manner.lost, manner.seed)
        loop = self.loop(
            session,
            inference,
            policy.action_spec,
            guard=guard,
            recorder=recorder,
            on_tick=on_tick,
            cameras=cameras,
            settle_s=settle_s,
            manner=manner,
        )
        try:
            return loop.run(instruction, limit_s=limit_s, until=until)
        finally:
            inference.close()

    def loop(
        self,
        session: Session,
        inference: Inference,
        action_spec: ActionSpec,
        *,
        guard: Guard | None = None,
        recorder: Recorder | None = None,
        on_tick: Callable[[Tick], None] | None = None,
        cameras: bool = False,
        settle_s: float = 0.5,
        manner: Manner | None = None,
    ) -> Loop:
        """The loop around these parts, for any inference: `rollout` runs it, an environment steps it."""
        manner = manner or Manner()
        return Loop(
            robot=session.robot,
            inference=inference,
            executor=executor_of(manner.way, action_spec),
            body=self.body,
            guard=guard or self.guard(manner.shield),
            clock=session.clock,
            recorder=recorder,
            on_tick=on_tick,
            doubt=None if manner.doubt is None else manner.doubt(action_spec),
            oversight=manner.oversight,
            cameras=cameras,
            settle_s=settle_s,
        )
