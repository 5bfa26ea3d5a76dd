"""How long a decision takes: Volition's default policy against the real ACT and SmolVLA of `lerobot`, on the same cores.

    .venv/bin/python benchmarks/latency.py [--pixels 128] [--repeats 5] [--threads 1] [--only act,smolvla]

The sides take turns of some seconds, one process running while the others are stopped; a figure is the median of the
turns. All have random weights and see the same three cameras; each is of the size it comes in: Volition's `quick` (small),
torch and ONNX; ACT with ResNet-18 and 512 wide; SmolVLA with its half of SmolVLM2-500M, which makes 512 pixels of every
picture. On Volition's side the whole `Policy.infer` is timed, from the observation to a chunk in metres and radians; on
lerobot's only the network, on tensors that are ready. The stages of ours, with camera, executor and shield:
`volition bench latency`. lerobot runs in its own environment, which docs/data.md says how to make.
"""

from __future__ import annotations

import argparse
import json
import os
import statistics
import sys
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch
from training import Side  # the script beside this one

from volition.cache import cache_dir
from volition.export.export import put
from volition.export.folder import read
from volition.export.policy import ExportedPolicy
from volition.export.untrained import untrained
from volition.model.policy import LearnedPolicy
from volition.model.table import SENTENCE, STATE
from volition.robots.fake import FakeRobot
from volition.robots.g1 import g1
from volition.types import Observation

PEER = Path(__file__).parent / "peers" / "lerobot_policies.py"
TARGETS = {"act": 5.0, "smolvla": 50.0}  # times as fast
WORDS = 10


class _Still:
    def now(self) -> float:
        return 0.0


def ours(s: dict[str, Any]) -> None:
    """The same as peers/lerobot_policies.py: as many decisions as each line asks for, and how long they took."""
    os.sched_setaffinity(0, sorted(os.sched_getaffinity(0))[: s["threads"]])
    torch.set_num_threads(s["threads"])
    robot, checkpoint = g1(s["pixels"]), untrained("quick", "small", s["pixels"])
    parameters = sum(one.numel() for one in checkpoint.model.parameters())
    if s["policy"] == "onnx":
        with tempfile.TemporaryDirectory() as folder:
            put(Path(folder), checkpoint, "onnx")
            policy = ExportedPolicy(read(Path(folder)), robot, threads=s["threads"])
    else:
        policy = LearnedPolicy(checkpoint, robot)
    random = np.random.default_rng(0)
    images = {
        camera.name: random.integers(0, 256, (s["pixels"], s["pixels"], 3), dtype=np.uint8) for camera in robot.cameras
    }
    state = FakeRobot(robot, _Still()).read()
    observation = Observation(stamp=state.stamp, state=state, images=images, instruction=SENTENCE)
    policy.reset(SENTENCE)
    policy.infer(observation)
    print("ready", json.dumps({"parameters": parameters, "torch": torch.__version__}), flush=True)
    for line in sys.stdin:
        wall, work = time.perf_counter(), time.process_time()
        for _ in range(int(line)):
            policy.infer(observation)
        print(json.dumps([time.perf_counter() - wall, time.process_time() - work]), flush=True)
    os._exit(0)


def report(sides: Sequence[Side], peers: dict[str, Side]) -> None:
    print(f"\n{'':<28} ms a decision (fastest - slowest turn)  processor ms  parameters")
    for side in sides:
        wall, work = (1e3 / statistics.median(rates) for rates in (side.rates, side.by_work))
        spread = f"({1e3 / max(side.rates):.1f} - {1e3 / min(side.rates):.1f})"
        print(f"{side.name:<28} {wall:10.1f} {spread:<26} {work:12.1f}  {side.about['parameters'] / 1e6:8.1f} M")
    for name, peer in peers.items():
        for side in sides:
            if side not in peers.values():
                by_time = statistics.median(side.rates) / statistics.median(peer.rates)
                by_work = statistics.median(side.by_work) / statistics.median(peer.by_work)
                print(
                    f"{side.name} is {by_time:.0f} times as fast as {peer.name}, {by_work:.0f} times by processor time "
                    f"(wanted: {TARGETS[name]:.0f})"
                )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    for name, default in {"pixels": 128, "repeats": 5, "threads": 1}.items():
        parser.add_argument(f"--{name}", type=int, default=default)
    parser.add_argument("--only", default="act,smolvla", help="which of lerobot's (default: act,smolvla)")
    parser.add_argument("--inside", help=argparse.SUPPRESS)
    args = parser.parse_args()
    if args.inside:
        ours(json.loads(args.inside))
        return
    if args.pixels % 32 or min(args.repeats, args.threads) < 1 or not set(args.only.split(",")) <= set(TARGETS):
        parser.error("pixels a multiple of 32, repeats and threads at least 1, only act and smolvla")
    peer, robot = cache_dir() / "peers" / "lerobot" / "bin" / "python", g1(args.pixels)
    s = {"batch": 1, "pixels": args.pixels, "threads": args.threads, "state": STATE, "words": WORDS}
    s |= {"cameras": [camera.name for camera in robot.cameras], "actions": len(robot.action("ee").names)}
    print(f"3 x {args.pixels} px, {args.threads} thread(s); load {os.getloadavg()[0]:.1f} on {os.cpu_count()} cores")
    chosen = args.only.split(",") if peer.exists() else []
    if not chosen:
        print(f"There is no lerobot environment at {peer.parent.parent}; docs/data.md says how to make one.")
    sides: list[Side] = []
    with tempfile.TemporaryDirectory() as scratch:
        try:
            for kind in ("torch", "onnx"):
                inside = [sys.executable, __file__, "--inside"]
                sides.append(Side(f"Volition's quick, {kind}", inside, {**s, "policy": kind}, scratch))
            peers = {
                name: Side(f"lerobot's {name}", [str(peer), str(PEER)], {**s, "policy": name}, scratch)
                for name in chosen
            }
            sides += peers.values()
            for _ in range(args.repeats):
                for side in sides:
                    side.turn()
        finally:
            for side in sides:
                side.stop()
    report(sides, peers)


if __name__ == "__main__":
    main()
