"""`volition preflight`: a checkpoint folder against the simulated G1 at a table."""

from __future__ import annotations

import json

import numpy as np
import pytest

torch = pytest.importorskip("torch")

from volition.body.proprioception import Proprioception  # noqa: E402
from volition.cli import main  # noqa: E402
from volition.model.checkpoint import Checkpoint, Design, save  # noqa: E402
from volition.model.shapes import Shapes  # noqa: E402
from volition.robots.description import describe  # noqa: E402
from volition.robots.g1 import g1  # noqa: E402
from volition.runtime.preflight import present  # noqa: E402
from volition.sim.stage import ready_posture  # noqa: E402
from volition.transforms.codec import Codec  # noqa: E402
from volition.transforms.scale import Scale  # noqa: E402
from volition.types import RobotState  # noqa: E402

PIXELS = 32
ROBOT = g1(PIXELS)


def ready() -> RobotState:
    still = np.zeros(len(ROBOT.joints))
    return RobotState(
        stamp=0.0,
        position=ready_posture(ROBOT),
        velocity=still,
        effort=still,
        base_position=np.array([0, 0, 0.79]),
        base_quaternion=np.array([1.0, 0, 0, 0]),
        base_velocity=np.zeros(3),
        base_angular_velocity=np.zeros(3),
    )


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """Random weights, whose actions are scaled to a hair's breadth around where the robot is."""
    spec, names = ROBOT.action("ee"), Proprioception(ROBOT).names
    here = present(spec, ROBOT, ready())[0]
    states = Scale(
        kind="mean_std",
        names=names,
        offset=Proprioception(ROBOT).vector(ready()),
        factor=np.full(len(names), 0.2),
    )
    actions = Scale(kind="mean_std", names=spec.names, offset=here, factor=np.full(len(here), 1e-3))
    shapes = Shapes(
        cameras=("head",), picture=(PIXELS, PIXELS), state=len(names), actions=len(here), chunk=4, space="unitree_g1/ee"
    )
    design = Design(recipe="quick", size="test", shapes=shapes)
    torch.manual_seed(0)
    made = Checkpoint(
        model=design.build().eval(),
        design=design,
        codec=Codec(spec=spec, frame="absolute", states=states, actions=actions),
        robot=describe(ROBOT),
        about={},
    )
    path = tmp_path_factory.mktemp("preflight") / "policy"
    save(path, made)
    return path


def test_a_policy_that_fits_may_move_the_robot(folder, capsys):
    assert main(["preflight", str(folder)]) == 0, capsys.readouterr().out
    assert "Ready." in capsys.readouterr().out


def test_all_that_does_not_fit_is_listed(folder, capsys, tmp_path):
    for file in folder.iterdir():
        (tmp_path / file.name).write_bytes(file.read_bytes())
    robot = json.loads((tmp_path / "robot.json").read_text())
    robot["control_rate_hz"] = 200.0
    robot["joints"][20]["position"] = [-1.0, 1.0]
    (tmp_path / "robot.json").write_text(json.dumps(robot))
    stats = json.loads((tmp_path / "stats.json").read_text())
    stats["states"]["offset"][3] += 9.0
    (tmp_path / "stats.json").write_text(json.dumps(stats))
    assert main(["preflight", str(tmp_path), "--no-motion"]) == 1
    text = " ".join(capsys.readouterr().out.split())
    assert "Refused" in text
    for word in ("control_rate_hz", "statistics", "first step"):
        assert word in text
    assert main(["preflight", str(tmp_path / "nothing")]) == 2
