"""Servers and checkpoints for the tests: a tiny model with random weights, servers in a thread, a raw client."""

from __future__ import annotations

import asyncio
import contextlib
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
from websockets.sync.client import connect
from websockets.sync.server import ServerConnection, serve

from volition.policy import Policy
from volition.robots.fake import FakePolicy
from volition.robots.g1 import g1
from volition.serve.limits import Limits
from volition.serve.protocol import pack, unpack
from volition.serve.schema import Schema, schema_for
from volition.serve.server import PolicyServer
from volition.serve.session import Policies
from volition.serve.state import state_vector

ROBOT = g1(16)
EE = ROBOT.action("ee")
CHUNK = 5


def schema(cameras: tuple[str, ...] = ("head", "left_wrist"), *, continues: bool = False) -> Schema:
    return schema_for(ROBOT, EE, cameras=cameras, state=state_vector(ROBOT), chunk=CHUNK, dt=0.1, continues=continues)


def at_ease(steps: int = CHUNK) -> np.ndarray:
    """Both hands in front of the robot, standing."""
    values = np.zeros((steps, 17))
    values[:] = np.where((EE.low <= 0) & (EE.high >= 0), 0.0, 0.5 * (EE.low + EE.high))
    return values


def observation(seed: int = 0, **changes: Any) -> dict[str, Any]:
    """As an openpi user would write it; a change to None leaves the key out."""
    random = np.random.default_rng(seed)
    message: dict[str, Any] = {
        "observation/images/head": random.integers(0, 256, (16, 16, 3), dtype=np.uint8),
        "observation/images/left_wrist": random.integers(0, 256, (16, 16, 3), dtype=np.uint8),
        "observation/state": np.concatenate([ROBOT.home_position, np.zeros(5), [0.79]]),
        "prompt": "press the red button",
    }
    names = {"state": "observation/state", "head": "observation/images/head", "stamp": "observation/stamp"}
    message |= {names.get(name, name): value for name, value in changes.items()}
    return {name: value for name, value in message.items() if value is not None}


class Served:
    """A server in a thread of its own, with everything it made."""

    def __init__(
        self, make: Callable[[], Policy], limits: Limits, key: str | None, told: Schema, about: dict[str, Any] | None
    ) -> None:
        self.made: list[Any] = []

        def making() -> Policy:
            self.made.append(make())
            return self.made[-1]

        self._ready = threading.Event()
        self._arguments = (Policies(making), told, ROBOT)
        self._limits, self._key, self._about = limits, key, about
        self.stopped_whole: bool | None = None
        self._thread = threading.Thread(target=lambda: asyncio.run(self._run()), daemon=True)
        self._thread.start()
        assert self._ready.wait(10)

    async def _run(self) -> None:
        self._end = asyncio.Event()
        self._loop = asyncio.get_running_loop()
        self.server = PolicyServer(*self._arguments, limits=self._limits, key=self._key, about=self._about)
        self.port = await self.server.start("127.0.0.1", 0)
        self._ready.set()
        await self._end.wait()
        self.stopped_whole = await self.server.stop()

    @property
    def url(self) -> str:
        return f"ws://127.0.0.1:{self.port}"

    def stop(self, wait: bool = True) -> None:
        self._loop.call_soon_threadsafe(self._end.set)
        if wait:
            self._thread.join(30)
            assert not self._thread.is_alive()


@contextlib.contextmanager
def served(
    make: Callable[[], Policy] | None = None,
    *,
    key: str | None = None,
    told: Schema | None = None,
    about: dict[str, Any] | None = None,
    **limits: Any,
) -> Iterator[Served]:
    found = Served(make or (lambda: FakePolicy(EE, at_ease())), Limits(**limits), key, told or schema(), about)
    try:
        yield found
    finally:
        for policy in found.made:
            if isinstance(policy, FakePolicy):
                policy.release()
        with contextlib.suppress(RuntimeError):  # it was stopped by the test
            found.stop()


class Raw:
    """A client of a few lines."""

    def __init__(self, url: str, **options: Any) -> None:
        self._opened = connect(url, compression=None, max_size=None, open_timeout=5, proxy=None, **options)
        self.socket = self._opened.__enter__()
        self.metadata = unpack(self.socket.recv(5))  # type: ignore[arg-type]

    def ask(self, message: dict[str, Any] | None = None, timeout: float = 10) -> Any:
        self.socket.send(pack(observation() if message is None else message))
        return self.take(timeout)

    def take(self, timeout: float = 10) -> Any:
        reply = self.socket.recv(timeout)
        return reply if isinstance(reply, str) else unpack(reply)

    def __enter__(self) -> Raw:
        return self

    def __exit__(self, *_: object) -> None:
        self._opened.__exit__(None, None, None)


class Stub:
    """A server that does, for each observation of all its clients, what `script` says: bytes or text to send, or None for
    nothing; it may sleep or raise, which ends the connection. `first` is its first frame."""

    def __init__(self, script: Callable[[int, dict[str, Any]], bytes | str | None], first: bytes | str | None) -> None:
        self._script, self._first = script, first
        self.asked: list[dict[str, Any]] = []
        self.connections = 0
        self._server = serve(self._client, "127.0.0.1", 0, compression=None)
        self.url = f"ws://127.0.0.1:{self._server.socket.getsockname()[1]}"
        self._thread = threading.Thread(target=self._server.serve_forever, daemon=True)

    def _client(self, connection: ServerConnection) -> None:
        self.connections += 1
        if self._first is not None:
            connection.send(self._first)
        for frame in connection:
            self.asked.append(unpack(frame))  # type: ignore[arg-type]
            reply = self._script(len(self.asked) - 1, self.asked[-1])
            if reply is not None:
                connection.send(reply)

    def __enter__(self) -> Stub:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._server.shutdown()
        self._thread.join(5)


def tiny(folder: Path, recipe: str = "quick") -> Path:
    """A checkpoint with random weights, of the size `test`."""
    import torch

    from g1_data import PIXELS, make
    from g1_data import ROBOT as TAUGHT
    from volition.data.store import Dataset
    from volition.model.checkpoint import Checkpoint, Design, save
    from volition.model.shapes import Shapes
    from volition.robots.description import describe
    from volition.train.batch_config import BatchConfig, codec_of

    data = Dataset(make(folder / "data", (6,), skills=("press_button",)))
    view, spec = BatchConfig(chunk=4, phrases=1), TAUGHT.action("ee")
    shapes = Shapes(cameras=view.cameras, picture=(PIXELS, PIXELS), state=54, actions=17, chunk=4, history=2, space="unitree_g1/ee")  # fmt: skip
    design = Design(recipe=recipe, size="test", shapes=shapes)
    torch.manual_seed(0)
    model = design.build()
    for one in model.parameters():
        if one.requires_grad and not one.any():  # parts that begin with zeros decide nothing
            torch.nn.init.normal_(one, std=0.05)
    checkpoint = Checkpoint(model=model.eval(), design=design, codec=codec_of([data], view, spec), robot=describe(TAUGHT), about={})  # fmt: skip
    save(folder / "best", checkpoint)
    return folder / "best"
