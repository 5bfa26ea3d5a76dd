"""Runs inside the peer environment, which has lerobot and not Volition: writes, continues or reads a data set.

python peer_lerobot.py write FOLDER FRAMES.npz CODEC | append FOLDER FRAMES.npz CODEC | read FOLDER OUT.npz
"""

import json
import sys

import numpy as np
import torch

# torchvision beside the plain CPU build lacks its compiled operators; nothing here uses them.
library = torch.library.Library("torchvision", "DEF")
library.define("nms(Tensor dets, Tensor scores, float iou_threshold) -> Tensor")
library.define("qnms(Tensor dets, Tensor scores, float iou_threshold) -> Tensor")

from lerobot.datasets.lerobot_dataset import LeRobotDataset  # noqa: E402


def write(folder, frames, codec, append):
    source = np.load(frames)
    if append:
        data = LeRobotDataset("peer/set", root=folder, video_backend="torchcodec", vcodec=codec)
    else:
        features = json.loads(str(source["features"]))
        kind = "image" if codec == "image" else "video"
        for entry in features.values():
            entry["shape"] = tuple(entry["shape"])
            entry["dtype"] = kind if entry["dtype"] == "video" else entry["dtype"]
        codec = "h264" if codec == "image" else codec
        data = LeRobotDataset.create("peer/set", 10, features, root=folder, robot_type="unitree_g1", vcodec=codec)
    names = [name for name in source.files if name not in ("features", "task", "lengths")]
    row = 0
    for length in source["lengths"]:
        for _ in range(length):
            frame = {name: source[name][row] for name in names}
            frame = {name: str(value[0]) if value.dtype.kind == "U" else value for name, value in frame.items()}
            data.add_frame(frame | {"task": str(source["task"][row])})
            row += 1
        data.save_episode(parallel_encoding=False)
    data.finalize()


def read(folder, out):
    data = LeRobotDataset("peer/set", root=folder, video_backend="torchcodec")
    rows = [data[index] for index in range(len(data))]
    found = {name: np.stack([np.asarray(row[name]) for row in rows]) for name in rows[0]}
    for name, of in data.meta.stats.items():
        found |= {f"stats/{name}/{key}": np.asarray(value) for key, value in of.items()}
    found["lengths"] = np.array([episode["length"] for episode in data.meta.episodes])
    found["robot"], found["fps"] = np.array(data.meta.robot_type), np.array(data.fps)
    np.savez(out, **found)


if __name__ == "__main__":
    if sys.argv[1] == "read":
        read(*sys.argv[2:])
    else:
        write(*sys.argv[2:], append=sys.argv[1] == "append")
