"""Runs inside the peer environment, which has lerobot and not Volition: its ACT, with random weights, as a policy server.

python lerobot_serve.py --port 8001; then, in Volition's: volition run "press the red button" --policy ws://127.0.0.1:8001

To serve a policy of yours, load it instead of `act()` and say in `SCHEMA` what it was trained on. The environment needs
`pip install websockets msgpack` besides lerobot (docs/data.md says how to make it).
"""

import argparse
import time

import msgpack
import numpy as np
import torch
import without_torchvision  # noqa: F401  # before lerobot
from websockets.sync.server import serve

# isort: split
from lerobot.configs.types import FeatureType, PolicyFeature
from lerobot.policies.act.configuration_act import ACTConfig
from lerobot.policies.act.modeling_act import ACTPolicy

CAMERAS, PIXELS, CHUNK, RATE = ("head", "left_wrist"), 96, 16, 10.0
HAND = ("x", "y", "z", "rx", "ry", "rz")
STATE = [f"{side}.{part}" for side in ("left", "right") for part in (*HAND, "closed")]
ACTIONS = [f"{side}.{part}" for side in ("left", "right") for part in (*HAND, "grasp")]
ACTIONS += ["base.forward", "base.left", "base.turn"]
SCHEMA = {
    "robot": "unitree_g1",
    "images": {c: {"key": f"observation/images/{c}", "dtype": "uint8", "shape": [PIXELS, PIXELS, 3]} for c in CAMERAS},
    "state": {"key": "observation/state", "names": STATE},
    "prompt": "prompt",
    "reset": "reset",
    "actions": {"key": "actions", "space": "ee", "names": ACTIONS},
    "chunk": CHUNK,
    "dt": 1 / RATE,
    "rate_hz": RATE,
}


def act():
    torch.manual_seed(0)
    pictures = {
        f"observation.images.{camera}": PolicyFeature(FeatureType.VISUAL, (3, PIXELS, PIXELS)) for camera in CAMERAS
    }
    config = ACTConfig(
        device="cpu",
        push_to_hub=False,
        pretrained_backbone_weights=None,
        chunk_size=CHUNK,
        n_action_steps=CHUNK,
        dim_model=256,
        dim_feedforward=1024,
        input_features=pictures | {"observation.state": PolicyFeature(FeatureType.STATE, (len(STATE),))},
        output_features={"action": PolicyFeature(FeatureType.ACTION, (len(ACTIONS),))},
    )
    return ACTPolicy(config).eval()


@torch.inference_mode()
def decide(policy, observation):
    batch = {"observation.state": torch.tensor(observation["observation/state"], dtype=torch.float32)[None]}
    for camera in CAMERAS:
        picture = torch.tensor(observation[f"observation/images/{camera}"], dtype=torch.float32) / 255
        batch[f"observation.images.{camera}"] = picture.permute(2, 0, 1)[None]
    return policy.predict_action_chunk(batch)[0].double().numpy()


def packed(value):
    return {b"__ndarray__": True, b"data": value.tobytes(), b"dtype": value.dtype.str, b"shape": value.shape}


def unpacked(value):
    if b"__ndarray__" not in value:
        return value
    return np.frombuffer(value[b"data"], value[b"dtype"]).reshape(value[b"shape"])


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--port", type=int, default=8001)
    port = parser.parse_args().port
    policy = act()

    def client(connection):
        torch.set_num_threads(1)  # here, for it counts for the thread that says it
        connection.send(msgpack.packb({"schema": SCHEMA}))
        for frame in connection:
            observation = msgpack.unpackb(frame, object_hook=unpacked)
            if observation["reset"]:
                policy.reset()
            begin = time.perf_counter()
            actions = decide(policy, observation)
            timing = {"infer_ms": 1000 * (time.perf_counter() - begin)}
            connection.send(msgpack.packb({"actions": actions, "server_timing": timing}, default=packed))

    with serve(client, "127.0.0.1", port, compression=None, max_size=2**24) as server:
        print(f"Serving on ws://127.0.0.1:{server.socket.getsockname()[1]}", flush=True)
        server.serve_forever()


if __name__ == "__main__":
    main()
