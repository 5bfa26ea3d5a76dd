"""`volition serve CHECKPOINT`: a checkpoint as a server, until SIGTERM or Ctrl-C.

checkpoint folder -> Checkpoint -> Policies (a LearnedPolicy for each client, one model) -> PolicyServer
"""

from __future__ import annotations

import asyncio
import json
import logging
import sys
from dataclasses import replace
from typing import Any

import numpy as np

from volition.errors import ContractError
from volition.export.folder import is_exported
from volition.model.checkpoint import Checkpoint, load
from volition.model.policy import LearnedPolicy
from volition.model.steps.policy import Steps
from volition.model.uncertainty import doubts_beside
from volition.policy import Policy
from volition.robots.g1 import g1
from volition.safety.calibration import Calibration, read_calibration, weights_of
from volition.serve.configs import ServeConfig, key_for
from volition.serve.limits import Limits
from volition.serve.schema import Schema, schema_for
from volition.serve.server import PolicyServer
from volition.serve.session import Policies
from volition.serve.standing import until_told
from volition.serve.state import measured, state_vector
from volition.types import Observation, RobotSpec

MB = 2**20


def serve(config: ServeConfig) -> int:
    """0 after a whole shutdown; 1 when a decision had to be left behind."""
    limits = Limits(
        clients=config.clients,
        message_bytes=int(config.message_mb * MB),
        per_second=config.per_second,
        deadline_s=config.deadline_s,
        idle_s=config.idle_s,
    )
    key = None if config.schema else key_for(config.host, config.key_file)
    if is_exported(config.checkpoint):
        raise ContractError(
            f"{config.checkpoint} is an exported policy, which runs where the robot is; serve the checkpoint that it was "
            "made of, or run it with `volition demo --policy`."
        )
    checkpoint = load(config.checkpoint)
    robot = g1(checkpoint.design.shapes.picture[0])
    schema = schema_of(checkpoint, robot)
    if config.schema:
        print(json.dumps(schema.to_wire(), indent=1))
        return 0
    policies = Policies(
        lambda: Steps(
            LearnedPolicy(
                checkpoint, robot, device=config.device, seed=config.seed, doubts=doubts_beside(config.checkpoint)
            )
        )
    )
    warm(policies, schema, robot)
    about = {
        "policy": {"recipe": checkpoint.design.recipe, "size": checkpoint.design.size},
        "calibration": meaning(read_calibration(config.checkpoint, weights_of(config.checkpoint))),
    }
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(message)s", datefmt="%H:%M:%S", stream=sys.stderr)
    server = PolicyServer(policies, schema, robot, limits=limits, key=key, about=about)
    return asyncio.run(until_told(server, config.host, config.port))


def schema_of(checkpoint: Checkpoint, robot: RobotSpec) -> Schema:
    shapes, action = checkpoint.design.shapes, checkpoint.codec.spec
    return schema_for(
        robot,
        action,
        cameras=shapes.cameras,
        state=state_vector(robot),
        chunk=shapes.chunk,
        dt=checkpoint.design.dt,
        continues=checkpoint.model.continues,
    )


def meaning(calibration: Calibration | None) -> dict[str, Any] | None:
    """What a client needs to act on the doubt of the answers; how it was made stays here."""
    return None if calibration is None else replace(calibration, about={}).to_json()


def warm(policies: Policies, schema: Schema, robot: RobotSpec) -> None:
    """One decision before anybody asks: the first is slow, and a broken policy shows here."""
    policy: Policy = policies.take()
    values = np.concatenate([robot.home_position, np.zeros(5), [0.79]])
    images = {camera: np.zeros((one.height, one.width, 3), np.uint8) for camera, one in schema.images.items()}
    policy.reset("stop")
    policy.infer(Observation(stamp=0.0, state=measured(robot, values, 0.0), images=images, instruction="stop"))
    policies.give_back(policy)
