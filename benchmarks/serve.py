"""What the server adds to a decision: round trips on loopback with three 128 px pictures, without a model.

    python benchmarks/serve.py [--rounds 1000] [--port PORT]

Beside it the floor: the same bytes echoed by a bare websocket server. With --port the server that runs there is asked
instead, with whatever policy it serves.
"""

from __future__ import annotations

import argparse
import asyncio
import re
import subprocess
import sys
import time

import numpy as np
from websockets.sync.client import connect

from volition.robots.g1 import g1
from volition.serve.protocol import pack, unpack
from volition.serve.schema import Schema, from_wire, schema_for
from volition.serve.server import PolicyServer
from volition.serve.session import Policies
from volition.serve.standing import until_told
from volition.serve.state import state_vector
from volition.types import ActionChunk, Observation

ROBOT = g1(128)
EE = ROBOT.action("ee")
CHUNK = 16
ECHO = """
from websockets.sync.server import serve
def client(connection):
    connection.send(b"\\x80")
    for frame in connection:
        connection.send(frame[:3000])
with serve(client, "127.0.0.1", 0, compression=None, max_size=2**24) as server:
    print(f"on 127.0.0.1:{server.socket.getsockname()[1]} ", flush=True)
    server.serve_forever()
"""


class Still:
    """A policy that costs nothing."""

    action_spec = EE

    def reset(self, instruction: str) -> None: ...

    def infer(self, observation: Observation) -> ActionChunk:
        return ActionChunk(stamp=observation.stamp, values=np.zeros((CHUNK, 17)), dt=0.1, spec="ee")


def schema() -> Schema:
    cameras = tuple(camera.name for camera in ROBOT.cameras)
    return schema_for(ROBOT, EE, cameras=cameras, state=state_vector(ROBOT), chunk=CHUNK, dt=0.1)


def stand() -> int:
    from volition.serve.limits import Limits

    server = PolicyServer(Policies(Still), schema(), ROBOT, limits=Limits(per_second=10_000))
    return asyncio.run(until_told(server, "127.0.0.1", 0))


def observation(told: Schema) -> dict[str, object]:
    random = np.random.default_rng(0)
    found: dict[str, object] = {
        one.key: random.integers(0, 256, (one.height, one.width, 3), dtype=np.uint8) for one in told.images.values()
    }
    if told.state is not None:
        found[told.state.key] = np.zeros(len(told.state.names))
    return found | {told.prompt: "press the red button"}


def round_trips(port: int, rounds: int, *, echo: bool = False) -> np.ndarray:
    """ms"""
    took = []
    with connect(f"ws://127.0.0.1:{port}", compression=None, max_size=None, proxy=None) as plug:
        first = unpack(plug.recv(10))  # type: ignore[arg-type]
        message = observation(schema() if echo else from_wire(first["schema"]))
        for _ in range(rounds + 20):
            begin = time.perf_counter()
            plug.send(pack(message))
            reply = plug.recv(30)
            if isinstance(reply, str):
                raise SystemExit(reply)
            if not echo:
                unpack(reply)
            took.append(1000 * (time.perf_counter() - begin))
    return np.array(took[20:])


def measured(name: str, code: list[str], rounds: int, *, echo: bool = False) -> float:
    child = subprocess.Popen([sys.executable, *code], stdout=subprocess.PIPE, text=True)
    try:
        assert child.stdout is not None, "it is a pipe"
        port = int(re.findall(r":(\d+) ", child.stdout.readline())[0])
        return shown(name, round_trips(port, rounds, echo=echo))
    finally:
        child.terminate()
        child.wait(20)


def shown(name: str, took: np.ndarray) -> float:
    print(f"{name:28} p50 {np.median(took):6.2f} ms   p99 {np.percentile(took, 99):6.2f} ms   n {len(took)}")
    return float(np.median(took))


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("--rounds", type=int, default=1000)
    parser.add_argument("--port", type=int)
    parser.add_argument("--stand", action="store_true", help=argparse.SUPPRESS)
    given = parser.parse_args()
    if given.stand:
        return stand()
    if given.port is not None:
        shown(f"the server on port {given.port}", round_trips(given.port, given.rounds))
        return 0
    ours = measured("volition serve, no model", [__file__, "--stand"], given.rounds)
    floor = measured("the same bytes, echoed", ["-c", ECHO], given.rounds, echo=True)
    print(f"The server costs {ours - floor:.2f} ms more than an echo, {ours / floor:.1f} times as much.")
    return 0


if __name__ == "__main__":
    sys.exit(main())
