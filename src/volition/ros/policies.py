"""A policy by name for a robot behind topics: `primitives`, `rival`, a checkpoint's folder, or a server's address.

    name -> Chosen(policy, spec, cameras) -> the nodes

Everything is imported when it is wanted: a node that asks a server needs no torch.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from volition.errors import ContractError
from volition.policy import Policy
from volition.robots.g1 import g1
from volition.runtime.doubt import Doubt, doubt_beside, doubt_for
from volition.types import RobotSpec

PRIMITIVES, RIVAL = "primitives", "rival"


@dataclass(frozen=True, kw_only=True)
class Chosen:
    policy: Policy
    spec: RobotSpec  # of the robot, with cameras of the size that the policy looks at
    cameras: tuple[str, ...]  # that the policy looks at
    doubt: Doubt | None = None  # what is done when it is unsure; None: it is not calibrated


def choose(name: str, *, pixels: int = 128) -> Chosen:
    """Raises with what can be given where the name is nothing of it. `pixels`: of the pictures that a server is sent."""
    if name.startswith(("ws://", "wss://")):
        return _served(name, pixels)
    if name == PRIMITIVES and not Path(name).exists():
        from volition.model.primitives.policy import PrimitivePolicy

        return Chosen(policy=PrimitivePolicy(), spec=g1(), cameras=())
    if name == RIVAL and not Path(name).exists():
        from volition.rival.policy import RivalPolicy

        robot = g1()
        return Chosen(policy=RivalPolicy(robot), spec=robot, cameras=("head",))
    if not Path(name).is_dir():
        raise ContractError(
            f"There is no policy {name!r}; give {PRIMITIVES}, {RIVAL}, the folder of a checkpoint, or ws://HOST:PORT."
        )
    return _checkpoint(Path(name))


def _served(address: str, pixels: int) -> Chosen:
    from volition.serve.client import RemotePolicy

    robot = g1(pixels)
    policy = RemotePolicy(address, robot)
    doubt = doubt_for(policy.calibration, policy.action_spec, None, address)
    return Chosen(policy=policy, spec=robot, cameras=tuple(policy.schema.images), doubt=doubt)


def _checkpoint(folder: Path) -> Chosen:
    from volition.model.checkpoint import load
    from volition.model.policy import LearnedPolicy
    from volition.model.steps.policy import Steps
    from volition.model.uncertainty import doubts_beside

    checkpoint = load(folder)
    shapes = checkpoint.design.shapes
    robot = g1(shapes.picture[0])
    policy = LearnedPolicy(checkpoint, robot, doubts=doubts_beside(folder))
    doubt = doubt_beside(folder, policy.action_spec)
    return Chosen(policy=Steps(policy), spec=robot, cameras=tuple(shapes.cameras), doubt=doubt)
