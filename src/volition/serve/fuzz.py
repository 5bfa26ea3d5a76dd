"""Wrong, broken and malicious frames against a server of ours, while a polite client goes on asking. Says what came of it.

    python -m volition.serve.fuzz --frames 100000

Exit code 0: the server still answers, the polite client was answered every time and in time, and neither memory nor
files grew. The server is a process of its own, without a model; Linux, because it looks into /proc.
"""

from __future__ import annotations

import argparse
import asyncio
import os
import re
import socket
import struct
import subprocess
import sys
import threading
import time
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from urllib.request import urlopen

import msgpack
import numpy as np
from websockets.sync.client import connect

from volition.robots.g1 import g1
from volition.serve.limits import Limits
from volition.serve.protocol import as_map, pack, unpack
from volition.serve.schema import schema_for
from volition.serve.server import PolicyServer
from volition.serve.session import Policies
from volition.serve.standing import until_told
from volition.serve.state import state_vector
from volition.types import ActionChunk, ActionSpec, Observation

ROBOT = g1(16)
EE = ROBOT.action("ee")
SCHEMA = schema_for(ROBOT, EE, cameras=("head",), state=state_vector(ROBOT), chunk=4, dt=0.1, continues=True)
THREADS = 4
LATE_S = 2.0  # for a polite client, on a busy machine
GROWTH_MB = 24  # of the server's memory, from a tenth of the frames to the end
_SERVER = "from volition.serve.fuzz import stand; stand()"


class _Still:
    """Decides nothing and keeps nothing."""

    action_spec: ActionSpec = EE

    def reset(self, instruction: str) -> None: ...

    def infer(self, observation: Observation) -> ActionChunk:
        return ActionChunk(stamp=observation.stamp, values=np.zeros((4, 17)), dt=0.1, spec="ee")


def stand() -> None:
    """The server's process."""
    limits = Limits(clients=2 * THREADS + 1, message_bytes=2**18, idle_s=5.0, opening_s=2.0)
    server = PolicyServer(Policies(_Still), SCHEMA, ROBOT, limits=limits)
    sys.exit(asyncio.run(until_told(server, "127.0.0.1", 0)))


def good() -> dict[str, object]:
    picture = np.full((16, 16, 3), 128, np.uint8)
    state = np.concatenate([ROBOT.home_position, np.zeros(5), [0.79]])
    ahead = {"actions": np.zeros((3, 17)), "fixed": 1}
    return {
        "observation/images/head": picture,
        "observation/state": state,
        "observation/ahead": ahead,
        "prompt": "press the red button",
    }


# ---- what is sent: bytes that go into a websocket frame, or into the socket as they are


def flipped(random: np.random.Generator) -> bytes:
    data = bytearray(pack(good()))
    for at in random.integers(0, len(data), random.integers(1, 9)):
        data[at] = random.integers(0, 256)
    return bytes(data)


def truncated(random: np.random.Generator) -> bytes:
    data = pack(good())
    return data[: random.integers(0, len(data))]


def noise(random: np.random.Generator) -> bytes:
    return random.bytes(int(random.integers(0, 2000)))


def spliced(random: np.random.Generator) -> bytes:
    data, cut = pack(good()), random.integers(0, 1000)
    return data[:cut] + random.bytes(int(random.integers(1, 40))) + data[cut:]


def claiming(random: np.random.Generator) -> bytes:
    """Headers that promise more than comes, nested or not."""
    head = random.choice([b"\xdd", b"\xdf", b"\xc6", b"\xdb", b"\xc9"])
    return bytes(head + struct.pack(">I", int(random.integers(0, 2**32)))) * int(random.integers(1, 200))


def deep(random: np.random.Generator) -> bytes:
    return random.choice([b"\x91", b"\x81\xa1a"]) * int(random.integers(1, 50_000)) + b"\xc0"


def many(random: np.random.Generator) -> bytes:
    """Small things in a great number."""
    return b"\xdc" + struct.pack(">H", 1000) + random.choice([b"\x90", b"\x80", b"\xa0", b"\xa2xy"]) * 1000


def strange(random: np.random.Generator) -> bytes:
    """A whole frame whose values are of another kind, shape or size."""
    array = {b"__ndarray__": True, b"data": b"12345678", b"dtype": "<f8", b"shape": [1]}
    values: list[object] = [
        None, True, -1, 2**63, float("nan"), float("inf"), "", "x" * 20_000, [], [[[[]]]], {}, b"raw", {"a": {"b": [1]}},
        array | {b"dtype": "|O"}, array | {b"dtype": "<U2"}, array | {b"dtype": "<M8[s]"}, array | {b"dtype": [["a", "<f8"]]},
        array | {b"shape": [2**40, 2**40]}, array | {b"shape": [-1]}, array | {b"shape": "1"}, array | {b"data": "text"},
        array | {b"shape": [0, 2**31]}, {b"__ndarray__": 1}, {b"__npgeneric__": True, b"data": 1e60, b"dtype": "<i8"},
        {b"__npgeneric__": True, b"data": 300, b"dtype": "|u1"}, msgpack.ExtType(5, b"x"), msgpack.Timestamp(1, 2),
        np.full(49, np.nan), np.zeros(48), np.zeros((16, 16, 3)), np.zeros((3, 16, 16), np.uint8), np.zeros(49, bool),
    ]  # fmt: skip
    message = good() | {"observation/stamp": 1.0, "reset": False}
    key = str(random.choice(list(message)))
    message[key if random.random() < 0.8 else key + "s"] = values[int(random.integers(0, len(values)))]
    if random.random() < 0.3:
        message.pop(str(random.choice(list(message))))
    return msgpack.packb(message, default=as_map) or b""


PAYLOADS: tuple[Callable[[np.random.Generator], bytes], ...] = (flipped, truncated, noise, spliced, claiming, deep, many, strange)  # fmt: skip


def framed(data: bytes, first: int = 0x82) -> bytes:
    """A client's frame with a mask of zeros."""
    size = len(data)
    if size < 126:
        length = bytes([0x80 | size])
    else:
        length = b"\xfe" + struct.pack(">H", size) if size < 2**16 else b"\xff" + struct.pack(">Q", size)
    return bytes([first]) + length + bytes(4) + data


OPENING = (
    b"GET / HTTP/1.1\r\nHost: x\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
    b"Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Version: 13\r\n\r\n"
)


def sent(random: np.random.Generator) -> tuple[str, bytes]:
    """What kind of attack, and all the bytes of it."""
    draw = random.random()
    if draw < 0.86:
        payload = PAYLOADS[int(random.integers(0, len(PAYLOADS)))]
        return payload.__name__, OPENING + framed(payload(random))
    if draw < 0.89:
        return "text", OPENING + framed(random.bytes(20).hex().encode(), 0x81)
    if draw < 0.92:  # wrong opcodes, reserved bits, control frames that are too long, no mask
        return "websocket", OPENING + framed(random.bytes(200), int(random.integers(0, 256)))
    if draw < 0.94:
        return "unmasked", OPENING + bytes([0x82, 5]) + b"hello"
    if draw < 0.96:
        return "huge", OPENING + bytes([0x82, 0xFF]) + struct.pack(">Q", 2**62) + bytes(4) + b"x" * 100
    if draw < 0.98:
        return "half", OPENING + framed(pack(good()))[: int(random.integers(1, 2000))]
    return "http", random.bytes(int(random.integers(1, 300))) + random.choice([b"", b"\r\n\r\n"])


def throw(port: int, data: bytes, wait_s: float) -> str:
    """What the server made of it: the kind of its last word."""
    try:
        with socket.create_connection(("127.0.0.1", port), 5) as plug:
            plug.settimeout(wait_s)
            plug.sendall(data)
            heard = b""
            while b"does not fit" not in heard and b"\x88" not in heard[-130:]:
                part = plug.recv(65_536)
                if not part:
                    return "closed"
                heard += part
                if b"server_timing" in heard:
                    return "answered"
            return "refused"
    except TimeoutError:
        return "left waiting"
    except OSError:
        return "cut off"


@dataclass
class Found:
    """`outcomes` by kind of attack and what the server did; `waits` of the polite client, s; `failures` for people."""

    outcomes: Counter[tuple[str, str]] = field(default_factory=Counter)
    waits: list[float] = field(default_factory=list)
    failures: list[str] = field(default_factory=list)


def polite(port: int, over: threading.Event, found: Found) -> None:
    """Asks ten times a second; each time must be answered."""
    try:
        with connect(f"ws://127.0.0.1:{port}", compression=None, proxy=None) as plug:
            plug.recv(5)
            while not over.is_set():
                begin = time.perf_counter()
                plug.send(pack(good()))
                reply = plug.recv(10)
                found.waits.append(time.perf_counter() - begin)
                if isinstance(reply, str) or unpack(reply)["actions"].shape != (4, 17):
                    found.failures.append(f"the polite client was told {reply!r:.100}")
                over.wait(0.1)
    except Exception as error:  # whatever it was, it is what is looked for
        found.failures.append(f"the polite client was thrown out: {type(error).__name__}: {error}")


def attack(port: int, pid: int, frames: int, seed: int, say: Callable[[str], None]) -> Found:
    found, over, lock, done = Found(), threading.Event(), threading.Lock(), [0]
    beside = threading.Thread(target=polite, args=(port, over, found), daemon=True)
    beside.start()
    early = 0.0

    def worker(number: int) -> None:
        random = np.random.default_rng([seed, number])
        for _ in range(frames // THREADS):
            kind, data = sent(random)
            outcome = throw(port, data, 0.05 if kind in ("half", "http", "huge") else 2.0)
            with lock:
                found.outcomes[kind, outcome] += 1
                done[0] += 1

    workers = [threading.Thread(target=worker, args=(number,), daemon=True) for number in range(THREADS)]
    for one in workers:
        one.start()
    while any(one.is_alive() for one in workers):
        time.sleep(0.2)
        if not early and done[0] >= frames // 10:
            early = memory_mb(pid)
        say(f"{done[0]} frames, {memory_mb(pid):.0f} MB, {files(pid)} files")
    over.set()
    beside.join(15)
    time.sleep(6.0)  # halves of frames are waited for as long as a client may be idle
    if memory_mb(pid) - early > GROWTH_MB:
        found.failures.append(f"its memory grew from {early:.0f} to {memory_mb(pid):.0f} MB")
    if not found.waits or max(found.waits) > LATE_S:
        found.failures.append(f"the polite client waited {max(found.waits, default=0):.2f} s")
    return found


def memory_mb(pid: int) -> float:
    found = re.search(r"VmRSS:\s+(\d+) kB", Path(f"/proc/{pid}/status").read_text())
    return int(found[1]) / 1024 if found else 0.0


def files(pid: int) -> int:
    return len(os.listdir(f"/proc/{pid}/fd"))  # noqa: PTH208, counting needs no paths


def fuzz(frames: int, seed: int = 0, say: Callable[[str], None] = lambda text: None) -> Found:
    """Start a server, attack it, and end it."""
    child = subprocess.Popen(
        [sys.executable, "-c", _SERVER], stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True
    )
    try:
        assert child.stdout is not None, "it is a pipe"
        port = int(re.findall(r":(\d+) ", child.stdout.readline())[0])
        throw(port, OPENING + framed(pack(good())), 5.0)
        before = files(child.pid)
        found = attack(port, child.pid, frames, seed, say)
        if files(child.pid) > before:
            found.failures.append(f"it has {files(child.pid)} files open, {before} at first")
        with urlopen(f"http://127.0.0.1:{port}/healthz", timeout=5) as reply:
            if reply.read() != b"OK\n":
                found.failures.append("it is not healthy")
        child.terminate()
        if (code := child.wait(20)) != 0:
            found.failures.append(f"it ended with {code} after SIGTERM")
        return found
    finally:
        if child.poll() is None:
            child.kill()
        child.wait()
        if child.stdout is not None:
            child.stdout.close()


def _progress(text: str) -> None:
    print(f"\r\033[K{text}", end="", file=sys.stderr, flush=True)


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("--frames", type=int, default=100_000)
    parser.add_argument("--seed", type=int, default=0)
    given = parser.parse_args()
    begin = time.perf_counter()
    found = fuzz(given.frames, given.seed, _progress if sys.stderr.isatty() else lambda text: None)
    print()
    for (kind, outcome), count in sorted(found.outcomes.items()):
        print(f"{kind:10} {outcome:13} {count:7}")
    waits = 1000 * np.array(found.waits or [np.nan])
    print(
        f"{sum(found.outcomes.values())} frames in {time.perf_counter() - begin:.0f} s; the polite client asked {len(waits)} "
        f"times and waited {np.median(waits):.1f} ms (median), {np.percentile(waits, 99):.1f} (p99), {waits.max():.1f} at most."
    )
    print("\n".join(found.failures) or "The server is whole.")
    return 1 if found.failures else 0


if __name__ == "__main__":
    sys.exit(main())
