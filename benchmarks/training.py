"""How many samples a second are trained on: Volition's `act` against the real ACT of `lerobot`, on the same cores.

    .venv/bin/python benchmarks/training.py [--batch 8] [--pixels 128] [--cameras 2] [--chunk 16] [--repeats 5] [--threads 1]

A step is forward, losses, backward, clipping and AdamW; on Volition's side also the averaged weights. Volition's is
`train/step.py` as the trainer calls it, lerobot's its own `update_policy`. The sides take turns of some seconds, one
process running while the others are stopped; a figure is the median of the turns. Three comparisons:

a  like for like: ResNet-18 with fixed statistics, width 512, 8 heads, 4 + 4 layers, feed-forward 2048, a CVAE of 2
   layers, no dropout, pre-norm, GELU on both sides. What still differs: Volition reads a sentence too (some tokens more,
   embedded beforehand), and normalises pictures (uint8) in the step, where lerobot is given them as normalised float32.
b  Volition's default for small machines, `act` at size small, with its own small convolutions; lerobot's ACT as wide,
   deep and long, without CVAE, but with its ResNet-18, since it has no smaller backbone. THE BACKBONES DIFFER.
c  a, end to end: each with its own loader and normalisation, from one data set (h264).

Each side as it trains by default (Volition takes bfloat16 where the processor multiplies it, lerobot float32), and in
the other's precision; only fixed shapes of work are timed, not how well either learns. lerobot runs in its own environment, which
docs/data.md says how to make; without it only Volition's figures are printed.
"""

from __future__ import annotations

import argparse
import json
import os
import signal
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import torch

from volition.cache import cache_dir
from volition.data.feature import image_feature, vector_feature
from volition.data.loader import LoaderConfig
from volition.data.store import Dataset
from volition.data.writer import DatasetWriter
from volition.model.inputs import Inputs, Targets
from volition.model.maker import Maker
from volition.model.recipes import recipe
from volition.model.shapes import Shapes
from volition.model.vla import VLA
from volition.robots.g1 import g1
from volition.train.batches import BatchConfig, Batches, codec_of
from volition.train.config import TrainConfig
from volition.train.contracts import Batch
from volition.train.distributed import Processes
from volition.train.ema import Ema
from volition.train.precision import resolve
from volition.train.step import Stepper

STATE, FPS, EPISODES, LENGTH, TURN_S = 43, 10, 24, 120, 2.0
CAMERAS = ("head", "left_wrist", "right_wrist")
Settings = dict[str, Any]

PEER = Path(__file__).parent / "peers" / "lerobot_act.py"


def model_of(s: Settings) -> VLA:
    shapes = Shapes(
        cameras=tuple(s["cameras"]), picture=(s["pixels"],) * 2, state=STATE, actions=s["actions"], chunk=s["chunk"]
    )
    if s["small"]:
        return recipe("act").build(Maker(shapes, "small"))
    size = {"width": s["width"], "heads": s["heads"], "layers": s["layers"]}
    options = {
        "vision": {"family": "resnet18", "fix_statistics": True},
        "fusion": size,
        "head": {**size, "variational": s["vae"] > 0, "encoder_layers": max(s["vae"], 1)},
        "auxiliaries": {"grounding": None, "finished": None},
    }
    model = recipe("act").build(Maker(shapes, "standard", options))
    for part in model.modules():
        if isinstance(part, torch.nn.BatchNorm2d):  # lerobot's have no gradient either
            part.requires_grad_(False)
    return model


def batches_of(s: Settings, model: VLA) -> Iterator[Batch]:
    batch, chunk, pixels = s["batch"], s["chunk"], s["pixels"]
    if s["data"]:
        dataset, spec = Dataset(Path(s["data"])), g1(pixels).action("ee")
        view = BatchConfig(cameras=tuple(s["cameras"]), chunk=chunk, frame="absolute")
        loader = LoaderConfig(batch=batch, workers=s["threads"])
        data = Batches(dataset, view, codec_of([dataset], view, spec), model.read, loader)
        for epoch in range(1_000_000):
            yield from data.epoch(epoch)
    pictures = torch.randint(0, 255, (len(s["cameras"]), batch, 1, pixels, pixels, 3), dtype=torch.uint8)
    inputs = Inputs(
        images=dict(zip(s["cameras"], pictures, strict=True)),
        state=torch.randn(batch, 1, STATE),
        seen=torch.ones(batch, 1, dtype=torch.bool),
        sentences=model.read(["put the red cube on the plate"] * batch),
    )
    real = torch.ones(batch, chunk, dtype=torch.bool)
    while True:
        yield inputs, Targets(actions=torch.randn(batch, chunk, s["actions"]), real=real)


def ours(s: Settings) -> None:
    """The same as peers/lerobot_act.py: says that it is ready, then takes as many steps as each line asks for, and says how long it took."""
    os.sched_setaffinity(0, sorted(os.sched_getaffinity(0))[: s["threads"]])
    torch.set_num_threads(s["threads"])
    torch.manual_seed(0)
    model = model_of(s)
    stepper = Stepper(model, TrainConfig(precision=s["precision"], learning_rate=1e-5), Processes(device="cpu"))
    average, batches = Ema(model, 0.999), batches_of(s, model)

    def step(number: int) -> None:
        if stepper(number, [next(batches)], [1.0], 1e-5).finite:
            average.update()

    step(0)
    count = sum(one.numel() for one in model.parameters() if one.requires_grad)
    print("ready", json.dumps({"parameters": count, "torch": torch.__version__}), flush=True)
    for line in sys.stdin:
        wall, work = time.perf_counter(), time.process_time()
        for number in range(int(line)):
            step(number)
        print(json.dumps([time.perf_counter() - wall, time.process_time() - work]), flush=True)
    os._exit(0)  # not after the loader's threads


class Side:
    """A process that trains when it is its turn and is stopped, with all it began, when it is not."""

    def __init__(self, name: str, command: list[str], s: Settings, scratch: str) -> None:
        self.name, self.batch, self.steps = name, s["batch"], 1
        self.rates: list[float] = []
        self.by_work: list[float] = []  # samples a second of processor time: what others do on the machine counts less
        self._log = Path(scratch) / "log"
        with self._log.open("w") as log:
            self._process = subprocess.Popen(
                [*command, json.dumps(s)], stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=log, text=True,
                start_new_session=True, env=os.environ | {"HF_HUB_OFFLINE": "1", "HF_HOME": f"{scratch}/hf"},
            )  # fmt: skip
        while not (line := self._read()).startswith("ready"):
            pass
        self.about = json.loads(line.removeprefix("ready"))
        seconds = self._turn()[0]
        self.steps = max(1, round(TURN_S / seconds))

    def turn(self) -> None:
        wall, work = self._turn()
        self.rates.append(self.batch * self.steps / wall)
        self.by_work.append(self.batch * self.steps / work)

    def stop(self) -> None:
        os.killpg(self._process.pid, signal.SIGKILL)
        self._process.wait()

    def _turn(self) -> tuple[float, float]:
        os.killpg(self._process.pid, signal.SIGCONT)
        assert self._process.stdin is not None
        self._process.stdin.write(f"{self.steps}\n")
        self._process.stdin.flush()
        wall, work = json.loads(self._read())
        os.killpg(self._process.pid, signal.SIGSTOP)
        return wall, work

    def _read(self) -> str:
        assert self._process.stdout is not None
        line = self._process.stdout.readline()
        if not line:
            sys.exit(f"{self.name} failed:\n{self._log.read_text()[-2000:]}")
        return line


def compare(title: str, makers: list[Callable[[], Side]], repeats: int) -> None:
    sides: list[Side] = []
    try:
        for make in makers:
            sides.append(make())
        for _ in range(repeats):
            for side in sides:
                side.turn()
    finally:
        for side in sides:
            side.stop()
    print(f"\n{title}\n{'':<34} samples/s (lowest - highest)  per CPU s  trained  ratio by time, by CPU time")
    base = next((side for side in sides if side.name == "lerobot, float32"), None)
    for side in sides:
        rate, work = statistics.median(side.rates), statistics.median(side.by_work)
        spread = f"({min(side.rates):.1f} - {max(side.rates):.1f})"
        ratio = ""
        if base is not None:
            ratio = f"{rate / statistics.median(base.rates):.2f}x  {work / statistics.median(base.by_work):.2f}x"
        print(
            f"{side.name:<34} {rate:9.1f} {spread:<18} {work:11.1f}  {side.about['parameters'] / 1e6:5.1f} M  {ratio}"
        )
    print(", ".join(f"{side.name.split(',')[0]}: torch {side.about['torch']}" for side in (sides[0], sides[-1])))


def record(folder: str, pixels: int, cameras: tuple[str, ...]) -> None:
    """Episodes of moving patterns with the names that the robot's ends have."""
    spec = g1(pixels).action("ee")
    features = (
        *(image_feature(camera, pixels, pixels) for camera in cameras),
        vector_feature("observation.state", [f"joint_{i}" for i in range(STATE)]),
        vector_feature("action", list(spec.names)),
    )
    with DatasetWriter.open(Path(folder), features, FPS, "unitree_g1", action_spec="ee") as writer:
        for episode in range(EPISODES):
            rng = np.random.default_rng(episode)
            scenes = rng.integers(0, 255, (len(cameras), 8, 8, 3), dtype=np.uint8)
            scenes = scenes.repeat(pixels // 8, axis=1).repeat(pixels // 8, axis=2)
            for frame in range(LENGTH):
                views = {f"observation.images.{c}": np.roll(scenes[i], frame, axis=1) for i, c in enumerate(cameras)}
                numbers = {"observation.state": rng.normal(size=STATE), "action": rng.normal(size=len(spec.names))}
                writer.add_frame(views | numbers, f"press button {episode % 5}")
            writer.end_episode(success=True)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    for name, default in {"batch": 8, "pixels": 128, "cameras": 2, "chunk": 16, "repeats": 5, "threads": 1}.items():
        parser.add_argument(f"--{name}", type=int, default=default)
    parser.add_argument("--only", default="abc", help="which comparisons (default: abc)")
    parser.add_argument("--inside", help=argparse.SUPPRESS)
    args = parser.parse_args()
    if args.inside:
        ours(json.loads(args.inside))
        return
    if not 1 <= args.cameras <= len(CAMERAS) or args.pixels % 32 or min(args.batch, args.chunk, args.repeats) < 1:
        parser.error("1 to 3 cameras, pixels a multiple of 32, the rest at least 1")
    peer = cache_dir() / "peers" / "lerobot" / "bin" / "python"
    fast = resolve("auto", torch.device("cpu")) is torch.bfloat16
    cameras = CAMERAS[: args.cameras]
    common = {"batch": args.batch, "pixels": args.pixels, "chunk": args.chunk, "threads": args.threads, "fps": FPS}
    common |= {"cameras": cameras, "state": STATE, "actions": len(g1(args.pixels).action("ee").names), "data": ""}
    like = {**common, "small": False, "width": 512, "heads": 8, "layers": 4, "vae": 2}
    small = {**common, "small": True, "width": 128, "heads": 4, "layers": 3, "vae": 0}
    shape = f"{args.cameras} x {args.pixels} px, chunk {args.chunk}, batch {args.batch}, {args.threads} thread(s)"
    print(f"{shape}; load {os.getloadavg()[0]:.1f} on {os.cpu_count()} cores")
    if not peer.exists():
        print(f"There is no lerobot environment at {peer.parent.parent}; docs/data.md says how to make one.")
    with tempfile.TemporaryDirectory() as scratch:

        def side(who: str, precision: str, s: Settings) -> Callable[[], Side]:
            inside = [sys.executable, __file__, "--inside"] if who == "Volition" else [str(peer), str(PEER)]
            return lambda: Side(f"{who}, {precision}", inside, {**s, "precision": precision}, scratch)

        def sides(s: Settings) -> list[Callable[[], Side]]:
            kinds = ("float32", "bf16") if fast else ("float32",)
            return [side(who, kind, s) for kind in kinds for who in ("Volition", "lerobot") if _runs(who, peer)]

        if "a" in args.only:
            compare("a  like for like: ResNet-18, 512 wide, 4 + 4 layers, CVAE", sides(like), args.repeats)
        if "b" in args.only:
            title = (
                "b  Volition's `act` at size small (its own convolutions); lerobot's with ResNet-18: backbones differ"
            )
            compare(title, sides(small), args.repeats)
        if "c" in args.only:
            record(f"{scratch}/data", args.pixels, cameras)
            compare("c  as a, each with its own loader", sides({**like, "data": f"{scratch}/data"}), args.repeats)


def _runs(who: str, peer: Path) -> bool:
    return who == "Volition" or peer.exists()


if __name__ == "__main__":
    main()
