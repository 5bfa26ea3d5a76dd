"""How many training samples a second: Volition's loader against the real LeRobotDataset, same data, same windows.

    .venv/bin/python benchmarks/loader.py [--episodes 120] [--cores 1] [--samples 4000] [--data FOLDER]

Records a data set once (two cameras of 128 pixels, h264), or takes FOLDER, one with the same two cameras; then reads
windows (2 pictures a camera, 16 actions) from it with both, taking turns on the same cores; the figure is the median of
the turns. `lerobot` runs in its own
environment (docs/data.md says how to make it; without it only Volition's figures are printed) through torch's
DataLoader, shuffled, with as many workers as there are cores. Volition's pictures are uint8 (H, W, 3); the row
"as float32" makes of them what `lerobot` gives, float32 (3, H, W) in 0..1.
"""

from __future__ import annotations

import argparse
import json
import os
import resource
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

import numpy as np

from volition.cache import cache_dir
from volition.data.feature import image_feature, vector_feature
from volition.data.loader import Loader, LoaderConfig
from volition.data.store import Dataset
from volition.data.windows import WindowConfig, Windows
from volition.data.writer import DatasetWriter

PIXELS, FPS, LENGTH, BATCH = 128, 10, 150, 64
WINDOWS = WindowConfig(history=2, chunk=16)
CAMERAS = ("observation.images.head", "observation.images.right_wrist")

PEER = """
import json, os, sys, time
root, samples, cores = sys.argv[1], int(sys.argv[2]), int(sys.argv[3])
os.sched_setaffinity(0, sorted(os.sched_getaffinity(0))[:cores])
import torch
torch.set_num_threads(1)
library = torch.library.Library("torchvision", "DEF")
library.define("nms(Tensor dets, Tensor scores, float iou_threshold) -> Tensor")
library.define("qnms(Tensor dets, Tensor scores, float iou_threshold) -> Tensor")
from lerobot.datasets.lerobot_dataset import LeRobotDataset
fps, cameras, history, chunk, batch = json.loads(sys.argv[4])
past = [-(history - 1 - i) / fps for i in range(history)]
deltas = {name: past for name in [*cameras, "observation.state"]} | {"action": [i / fps for i in range(chunk)]}
data = LeRobotDataset("bench/loader", root=root, delta_timestamps=deltas, video_backend="torchcodec")
workers = 0 if cores == 1 else cores
loader = torch.utils.data.DataLoader(data, batch_size=batch, shuffle=True, num_workers=workers)
seen, begin = -4 * batch, 0.0
while seen < samples:
    for item in loader:
        seen += len(item["index"])
        if begin == 0.0 and seen >= 0:
            seen, begin = 0, time.perf_counter()
        if seen >= samples:
            break
print(json.dumps({"rate": seen / (time.perf_counter() - begin)}))
os._exit(0)
"""


def record(folder: Path, episodes: int) -> Path:
    """A data set of moving patterns; what a frame shows costs about as much to decode as a simulated scene."""
    features = (
        *(image_feature(name.removeprefix("observation.images."), PIXELS, PIXELS) for name in CAMERAS),
        vector_feature("observation.state", [f"joint_{i}" for i in range(43)]),
        vector_feature("action", [f"action_{i}" for i in range(17)]),
    )
    with DatasetWriter.open(folder, features, FPS, "unitree_g1", action_spec="ee") as writer:
        for episode in range(episodes):
            rng = np.random.default_rng(episode)
            scene = np.kron(rng.integers(0, 255, (2, PIXELS // 8, PIXELS // 8, 3)), np.ones((1, 8, 8, 1)))
            scene = scene.astype(np.uint8)
            for frame in range(LENGTH):
                views = {name: np.roll(scene[i], frame, axis=1) for i, name in enumerate(CAMERAS)}
                for view in views.values():
                    view[40:70, (2 * frame) % 90 : (2 * frame) % 90 + 30] = (220, 40, 30)
                numbers = {"observation.state": rng.normal(size=43), "action": rng.normal(size=17)}
                writer.add_frame(views | numbers, f"press button {episode % 5}")
            writer.end_episode(success=True)
    return folder


def ours(folder: Path, samples: int, cores: int, kind: str) -> dict[str, float]:
    """`kind`: uint8, float32, or random (one window at a time, in uniformly random order)."""
    os.sched_setaffinity(0, sorted(os.sched_getaffinity(0))[:cores])
    seen, begin, size = -4 * BATCH, 0.0, 1
    for size in _batches(folder, cores, kind):
        seen += size
        if begin == 0.0 and seen >= 0:
            seen, begin = 0, time.perf_counter()
        if seen >= samples:
            break
    rate = seen / (time.perf_counter() - begin)
    return {"rate": rate, "peak_mb": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024}


def _batches(folder: Path, cores: int, kind: str) -> Iterator[int]:
    dataset = Dataset(folder, cache_bytes=64 << 20)
    if kind == "random":
        windows = Windows(dataset, WINDOWS)
        for index in np.random.default_rng(0).integers(0, len(windows), 10**6):
            windows[int(index)]
            yield 1
    loader = Loader(dataset, WINDOWS, LoaderConfig(batch=BATCH, workers=cores, memory_bytes=256 << 20))
    for epoch in range(1000):
        for batch in loader.epoch(epoch):
            if kind == "float32":
                for name in CAMERAS:
                    np.multiply(batch[name].transpose(0, 1, 4, 2, 3), np.float32(1 / 255), dtype=np.float32)
            yield len(batch["frame"])


def run(command: list[str], **environment: str) -> dict[str, float]:
    done = subprocess.run(command, capture_output=True, text=True, env=os.environ | environment, check=False)
    if done.returncode:
        sys.exit(f"{command[0]} failed:\n{done.stderr[-2000:]}")
    return json.loads(done.stdout.strip().splitlines()[-1])


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--episodes", type=int, default=120)
    parser.add_argument(
        "--samples", type=int, default=4000, help="samples of Volition's loader a turn; others take fewer"
    )
    parser.add_argument("--data", type=Path, help="a data set to read instead of one recorded here")
    parser.add_argument("--cores", type=int, default=1)
    parser.add_argument("--turns", type=int, default=3)
    parser.add_argument("--inside", nargs=2, metavar=("FOLDER", "KIND"), help=argparse.SUPPRESS)
    args = parser.parse_args()
    if args.inside:
        print(json.dumps(ours(Path(args.inside[0]), args.samples, args.cores, args.inside[1])))
        return
    peer = cache_dir() / "peers" / "lerobot" / "bin" / "python"
    with tempfile.TemporaryDirectory() as scratch:
        large = args.data or _recorded(Path(scratch), args.episodes)
        rates: dict[str, list[float]] = {}
        peak = 0.0
        for _ in range(args.turns):
            for kind, samples in (("uint8", args.samples), ("float32", args.samples), ("random", args.samples // 4)):
                found = run(_inside(large, kind, samples, args.cores))
                rates.setdefault(kind, []).append(found["rate"])
                peak = max(peak, found["peak_mb"] if kind == "uint8" else 0.0)
            if peer.exists():
                what = json.dumps([FPS, CAMERAS, WINDOWS.history, WINDOWS.chunk, BATCH])
                command = [str(peer), "-c", PEER, str(large), str(args.samples // 8), str(args.cores), what]
                found = run(command, HF_HUB_OFFLINE="1", HF_HOME=f"{scratch}/hf")
                rates.setdefault("lerobot", []).append(found["rate"])
        small = Path(scratch) / "small"
        before = None if args.data else run(_inside(small, "uint8", args.samples, args.cores))["peak_mb"]
    theirs = statistics.median(rates["lerobot"]) if "lerobot" in rates else None
    names = {
        "uint8": "Volition's loader",
        "float32": "Volition's loader, as float32",
        "random": "Volition, one window at a time at random",
        "lerobot": "LeRobotDataset in a DataLoader",
    }
    print(f"\n{args.cores} core(s)                                samples/s   ratio")
    for kind, found in rates.items():
        middle = statistics.median(found)
        ratio = "" if theirs is None else f"{middle / theirs:7.1f}x"
        print(f"{names[kind]:<42} {middle:9.0f} {ratio}")
    if theirs is None:
        print(f"There is no lerobot environment at {peer.parent.parent}; docs/data.md says how to make one.")
    quarter = "" if before is None else f", of one on a data set a quarter as large: {before:.0f} MB"
    print(f"peak memory of a process: {peak:.0f} MB{quarter}")


def _recorded(folder: Path, episodes: int) -> Path:
    """A large data set, and beside it one a quarter as large."""
    print(f"recording {episodes} + {episodes // 4} episodes of {LENGTH} frames, 2 cameras of {PIXELS} px ...")
    begin = time.perf_counter()
    large = record(folder / "large", episodes)
    seconds = time.perf_counter() - begin
    record(folder / "small", episodes // 4)
    size = sum(path.stat().st_size for path in large.rglob("*") if path.is_file())
    frames = episodes * LENGTH
    print(f"recorded {frames / seconds:.0f} frames/s (both cameras), {size / frames:.0f} bytes/frame")
    return large


def _inside(folder: Path, kind: str, samples: int, cores: int) -> list[str]:
    here = [sys.executable, __file__, "--samples", str(samples), "--cores", str(cores)]
    return [*here, "--inside", str(folder), kind]


if __name__ == "__main__":
    main()
