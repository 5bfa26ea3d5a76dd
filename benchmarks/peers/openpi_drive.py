"""Runs inside an environment with the real `openpi-client` and without Volition: drives a server as its users do.

python openpi_drive.py PORT COUNT [KEY]: one JSON line with what came back, and round trips in ms.
"""

import json
import sys
import time

import numpy as np
from openpi_client.action_chunk_broker import ActionChunkBroker
from openpi_client.websocket_client_policy import WebsocketClientPolicy

port, count, key = int(sys.argv[1]), int(sys.argv[2]), (sys.argv[3:] or [None])[0]
policy = WebsocketClientPolicy("127.0.0.1", port, api_key=key)
schema = policy.get_server_metadata()["schema"]
random = np.random.default_rng(0)
took, shapes, dtypes = [], set(), set()


def observation():
    found = {one["key"]: random.integers(0, 256, one["shape"], dtype=np.uint8) for one in schema["images"].values()}
    state = np.zeros(len(schema["state"]["names"]), np.float32)
    state[schema["state"]["names"].index("base.height")] = 0.79
    return found | {schema["state"]["key"]: state, schema["prompt"]: "press the red button"}


for _ in range(count):
    begin = time.perf_counter()
    answer = policy.infer(observation())
    took.append(1000 * (time.perf_counter() - begin))
    shapes.add(answer["actions"].shape)
    dtypes.add(answer["actions"].dtype.str)
broker = ActionChunkBroker(policy, action_horizon=schema["chunk"])
steps = [broker.infer(observation()) for _ in range(2 * schema["chunk"])]
try:
    policy.infer({"prompt": "wave"})
    error = ""
except RuntimeError as raised:
    error = str(raised)
found = {
    "shapes": sorted(shapes),
    "dtypes": sorted(dtypes),
    "steps": sorted({step["actions"].shape for step in steps}),
    "status": steps[0]["status"],
    "timing": sorted(answer["server_timing"]),
    "error": error,
    "ms": took,
}
print(json.dumps(found))
