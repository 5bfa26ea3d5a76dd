"""A policy on a server, in the loop and behind the shield: whatever the server does, the robot is safe, and goes on after it."""

from __future__ import annotations

import socket
import subprocess
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from typing import Any

import msgpack
import numpy as np
import pytest
from serve_tools import EE, ROBOT, Stub, at_ease, schema, served

from volition.errors import ContractError, PolicyError
from volition.robots.fake import FakePolicy, FakeRobot
from volition.runtime.clock import FakeClock, RealClock
from volition.runtime.executor import Executor
from volition.runtime.inference import ThreadedInference
from volition.runtime.loop import Loop
from volition.runtime.report import RunSummary, Tick
from volition.safety.guard import Guard
from volition.safety.shield import Shield
from volition.serve import client
from volition.serve.client import Patience, RemotePolicy
from volition.serve.protocol import pack
from volition.types import ActionPoint, Command, Observation, RobotState

FIRST = pack({"schema": schema().to_wire()})
QUICK = Patience(answer_s=0.3, connect_s=0.5, silent_s=0.8, first_s=0.5)
CALM = Patience(answer_s=5.0, connect_s=5.0, first_s=10.0)  # where no time is measured, on a busy machine
WALK = 0.2  # m/s, what the servers' policies ask for


def walking(steps: int = 5, forward: float = WALK) -> np.ndarray:
    values = at_ease(steps)
    values[:, EE.index("base.forward")] = forward
    return values


OK = pack({"actions": walking()})


class HomeBody:
    """Arms at home, the base as it is told."""

    def reset(self, state: RobotState) -> None: ...

    def resolve(self, point: ActionPoint, state: RobotState) -> Command:
        home = ROBOT.home_position[ROBOT.commanded_index]
        return Command(stamp=point.stamp, position=home, base_velocity=point.values[-3:], chunk_stamp=point.chunk_stamp)


@dataclass
class Drive:
    """A run of the real loop, in real time, with what the robot was sent."""

    summary: RunSummary = field(repr=False)
    guard: Guard = field(repr=False)
    ticks: list[Tick] = field(repr=False)

    def walks(self, begin: float, end: float) -> np.ndarray:
        """The forward velocity that the robot got between two times, m/s."""
        return np.array([tick.safe.base_velocity[0] for tick in self.ticks if begin <= tick.stamp < end])


def drive(
    policy: RemotePolicy,
    seconds: float,
    *,
    on_tick: Callable[[Tick], None] | None = None,
    until: Callable[[], bool] | None = None,
) -> Drive:
    """For so long, or until something is so and the robot walks."""
    clock, ticks, guard = RealClock(), [], Guard(Shield(ROBOT))

    def collect(tick: Tick) -> None:
        ticks.append(tick)
        if on_tick is not None:
            on_tick(tick)

    def over(state: RobotState) -> bool:
        return until is not None and until() and state.base_velocity[0] > 0.9 * WALK

    inference = ThreadedInference(policy)
    loop = Loop(
        robot=FakeRobot(ROBOT, clock),
        inference=inference,
        executor=Executor(EE),
        body=HomeBody(),
        guard=guard,
        clock=clock,
        on_tick=collect,
    )
    try:
        return Drive(loop.run("walk", limit_s=seconds, until=over), guard, ticks)
    finally:
        inference.close()


def seen(stamp: float = 0.0) -> Observation:
    robot = FakeRobot(ROBOT, FakeClock(stamp))
    return Observation(stamp=stamp, state=robot.read(), images=robot.look(), instruction="walk")


def remote(url: str, **options: Any) -> RemotePolicy:
    return RemotePolicy(url, ROBOT, **{"patience": QUICK, **options})


def nothing_but_the_loop_and_numpy() -> str:
    return (
        "import sys\n"
        "class Block:\n"
        "    def find_spec(self, name, path=None, target=None):\n"
        "        if name.partition('.')[0] in ('torch', 'transformers', 'safetensors', 'tokenizers'): raise ImportError(name)\n"
        "sys.meta_path.insert(0, Block())\n"
        "import volition.serve.client, volition.serve.server, volition.serve.standing\n"
    )


def test_client_and_server_need_no_torch() -> None:
    done = subprocess.run([sys.executable, "-c", nothing_but_the_loop_and_numpy()], capture_output=True, text=True, timeout=60, check=False)  # fmt: skip
    assert done.returncode == 0, done.stderr


def test_the_answer_is_the_chunk_that_the_servers_policy_made() -> None:
    with served(lambda: FakePolicy(EE, walking(), faults={2: "done"})) as server:
        policy = remote(server.url)
        assert policy.action_spec == EE
        policy.reset("walk")
        chunks = [policy.infer(seen(stamp)) for stamp in (0.0, 0.1, 0.2)]
        policy.close()
        np.testing.assert_array_equal(chunks[0].values, walking())
        assert [chunk.stamp for chunk in chunks] == [0.0, 0.1, 0.2]
        assert [chunk.status for chunk in chunks] == ["running", "running", "done"]
        given = server.made[0].seen[1]
        for camera in ("head", "left_wrist"):
            np.testing.assert_array_equal(given.images[camera], seen(0.1).images[camera])
        np.testing.assert_array_equal(given.state.position, ROBOT.home_position)
        assert server.made[0].instructions == ["walk"]


def test_the_loop_drives_by_a_server() -> None:
    with served(lambda: FakePolicy(EE, walking())) as server:
        policy = remote(server.url)
        run = drive(policy, 1.5)
        policy.close()
    assert run.summary.errors == 0
    assert run.walks(1.0, 1.5).max() == pytest.approx(WALK, rel=0.01)


def test_a_new_instruction_and_a_new_run_make_the_server_forget() -> None:
    with Stub(lambda number, asked: OK, FIRST) as stub:
        policy = remote(stub.url)
        for told in ("walk", "walk", "stop"):
            policy.reset(told)
            policy.infer(seen())
            policy.infer(seen(0.1))
        policy.close()
        assert [(one["prompt"], one["reset"]) for one in stub.asked] == [
            ("walk", True), ("walk", False), ("walk", True), ("walk", False), ("stop", True), ("stop", False)
        ]  # fmt: skip


NAN = walking()
NAN[2, 3] = np.nan
WRONG: dict[str, Callable[[], bytes | str | None]] = {
    "nan": lambda: pack({"actions": NAN}),
    "shape": lambda: pack({"actions": np.zeros((5, 9))}),
    "not chunk first": lambda: pack({"actions": np.zeros(17)}),
    "no actions": lambda: pack({"action": walking()}),
    "garbage": lambda: b"\x00\xffgarbage",
    "object array": lambda: object_array(),
    "too large": lambda: bytes(9 * 2**20),
    "error text": lambda: "Traceback (most recent call last)\n  File secret",
    "hangs up": lambda: hang_up(),
}


def object_array() -> bytes:
    return (
        msgpack.packb({"actions": {b"__ndarray__": True, b"data": b"12345678", b"dtype": "|O", b"shape": [1]}}) or b""
    )


def hang_up() -> None:
    raise ConnectionAbortedError


@pytest.mark.parametrize("what", list(WRONG))
def test_a_wrong_answer_is_a_sentence_and_the_next_right_one_counts(what: str) -> None:
    def script(number: int, asked: dict[str, Any]) -> bytes | str | None:
        return WRONG[what]() if number == 0 else OK

    with Stub(script, FIRST) as stub:
        policy = remote(stub.url, patience=CALM)
        policy.reset("walk")
        with pytest.raises(PolicyError, match=r"^The server at ws://127.0.0.1:\d+ (gave|is gone)") as caught:
            policy.infer(seen())
        assert "\n" not in str(caught.value)
        time.sleep(0.15)
        assert policy.infer(seen(0.2)).stamp == 0.2
        policy.close()


@pytest.mark.parametrize("what", ["nan", "hangs up", *(pytest.param(one, marks=pytest.mark.slow) for one in ("shape", "garbage"))])  # fmt: skip
def test_wrong_answers_hold_the_robot_and_it_goes_on_after_them(what: str) -> None:
    """The server is wrong often enough that the last good chunk is too old; then it is right again."""
    ends = what in ("garbage", "hangs up")  # the connection, each time
    last = 13 if ends else 18

    def script(number: int, asked: dict[str, Any]) -> bytes | str | None:
        return WRONG[what]() if 8 <= number < last else OK

    with Stub(script, FIRST) as stub:
        policy = remote(stub.url)
        run = drive(policy, 30.0, until=lambda: len(stub.asked) > last + 3)
        policy.close()
        assert (stub.connections > 5) is ends
    assert run.summary.status == "reached"  # it walks again
    assert run.summary.errors >= last - 8
    held = next(number for number, tick in enumerate(run.ticks) if tick.shield.startswith("HOLD"))
    assert max(tick.safe.base_velocity[0] for tick in run.ticks[:held]) == pytest.approx(WALK, rel=0.01)
    assert min(tick.safe.base_velocity[0] for tick in run.ticks[held:]) == 0.0
    assert all(np.isfinite(tick.safe.position).all() for tick in run.ticks)
    assert "policy: PolicyError: The server at ws://127.0.0.1:" in " ".join(note for _, note in run.summary.notes)


def test_a_server_that_stalls_for_two_seconds() -> None:
    """It holds within the shield's half second, and goes on when the server does, on the same connection."""
    stalled: list[float] = []

    def script(number: int, asked: dict[str, Any]) -> bytes:
        if number == 8:
            stalled.append(asked["observation/stamp"])
            time.sleep(2.0)
        return OK

    with Stub(script, FIRST) as stub:
        policy = remote(stub.url, patience=replace(QUICK, silent_s=10.0))
        run = drive(policy, 30.0, until=lambda: len(stub.asked) > 12)
        policy.close()
        assert stub.connections == 1
    (begin,) = stalled
    assert run.summary.status == "reached"
    assert run.walks(begin + 1.4, begin + 1.9).max() == 0.0
    during = [tick.stamp for tick in run.ticks if begin < tick.stamp < begin + 2.0]
    assert max(np.diff(during)) < 0.5  # the control loop never waited for it
    assert policy.trouble["silent"] >= 2


@pytest.mark.slow
def test_a_server_that_falls_silent_for_good_is_given_up_and_tried_again() -> None:
    with Stub(lambda number, asked: OK if number < 5 else None, FIRST) as stub:
        policy = remote(stub.url)
        run = drive(policy, 4.0)
        policy.close()
        assert stub.connections >= 2
    assert run.walks(3.0, 4.0).max() == 0.0
    assert run.summary.status == "time"


SERVER = """
import sys
from websockets.sync.server import serve
first, reply = (bytes.fromhex(word) for word in sys.argv[2:])
def client(connection):
    connection.send(first)
    for _ in connection:
        connection.send(reply)
with serve(client, "127.0.0.1", int(sys.argv[1]), compression=None) as server:
    server.serve_forever()
"""


def start(port: int) -> subprocess.Popen[bytes]:
    return subprocess.Popen([sys.executable, "-c", SERVER, str(port), FIRST.hex(), OK.hex()])


def free_port() -> int:
    with socket.socket() as plug:
        plug.bind(("127.0.0.1", 0))
        return plug.getsockname()[1]


def test_a_server_that_is_killed_and_comes_back_in_mid_run() -> None:
    """A process, killed while it walks the robot, and another one in its place 1.5 s later."""
    port = free_port()
    servers = [start(port)]
    killed = back = float("inf")

    def on_tick(tick: Tick) -> None:
        nonlocal killed, back
        if tick.stamp > 1.0 and tick.safe.base_velocity[0] > 0.9 * WALK and len(servers) == 1:
            servers[0].kill()
            servers[0].wait()
            killed = tick.stamp
            servers.append(servers[0])  # it is down, and stays so for a while
        elif len(servers) == 2 and tick.stamp > killed + 1.5:
            servers.append(start(port))
            back = tick.stamp

    try:
        policy = remote(f"ws://127.0.0.1:{port}", patience=replace(QUICK, first_s=20.0))
        run = drive(policy, 60.0, on_tick=on_tick, until=lambda: len(servers) == 3)
        policy.close()
    finally:
        for one in servers:
            one.kill()
            one.wait()
    assert run.summary.status == "reached"
    assert run.walks(killed + 1.0, back).max() == 0.0
    assert run.guard.counts()["policy"] > 0
    assert policy.trouble["reconnected"] == 1


def test_a_server_with_another_policy_does_not_go_on_driving() -> None:
    other = replace(schema(), dt=0.2)
    firsts = [FIRST, pack({"schema": other.to_wire()})]
    with Stub(lambda number, asked: hang_up(), None) as stub:
        stub._first = firsts[0]
        policy = remote(stub.url, patience=CALM)
        policy.reset("walk")
        stub._first = firsts[1]
        with pytest.raises(PolicyError, match="is gone"):
            policy.infer(seen())
        time.sleep(0.15)
        with pytest.raises(PolicyError, match="another policy now"):
            policy.infer(seen(0.1))
        policy.close()


def test_after_a_lost_connection_it_waits_longer_each_time(monkeypatch: pytest.MonkeyPatch) -> None:
    with Stub(lambda number, asked: OK, FIRST) as stub:
        policy = remote(stub.url)
        policy.reset("walk")
    policy._link.drop()
    pauses = []
    monkeypatch.setattr(client, "BACK_OFF", (0.1, 0.5))
    policy._pause = 0.1
    for _ in range(4):
        time.sleep(max(0.0, policy._again - time.monotonic()))
        with pytest.raises(PolicyError, match="cannot be reached"):
            policy.infer(seen())
        pauses.append(policy._pause)
        with pytest.raises(PolicyError, match=r"is gone; the next try is in \d"):
            policy.infer(seen())
    assert pauses == [0.2, 0.4, 0.5, 0.5]
    policy.close()


@pytest.mark.parametrize(
    ("first", "said"),
    [
        (None, "no answer within"),
        ("go away", "the server says: go away"),
        (b"\x00", "does not speak this protocol"),
        (pack({}), "does not say what it expects; describe it in a file and give that with --schema"),
        (pack({"schema": {"robot": 3}}), "not a schema"),
        (pack({"schema": replace(schema(), robot="gr1").to_wire()}), "policy is for gr1, and this is unitree_g1"),
        (pack({"schema": replace(schema(), space="torque").to_wire()}), "actions are 'torque', and this robot takes ee"),
        (pack({"schema": replace(schema(), rate_hz=30.0).to_wire()}), "decides at 30 Hz, and this robot asks at 10"),
        (pack({"schema": replace(schema(), meanings=("delta",) * 17).to_wire()}), "other meanings than ee"),
        (pack({"schema": replace(schema(), actions=replace(schema().actions, names=EE.names[:9], units=())).to_wire()}), "actions lack"),
        (pack({"schema": schema(("head",)).to_wire() | {"images": {"head": {"key": "a", "shape": [64, 64, 3]}}}}), r"looks at head of 64 x 64, and here it is \(16, 16\)"),
    ],
)  # fmt: skip
def test_a_server_that_does_not_fit_is_refused_before_anything_moves(first: bytes | str | None, said: str) -> None:
    with Stub(lambda number, asked: OK, first) as stub, pytest.raises(PolicyError, match=said):
        remote(stub.url, patience=replace(QUICK, connect_s=0.2, first_s=0.2))


def test_a_server_of_somebody_else_is_described_by_a_schema() -> None:
    foreign = replace(schema(("head",)), stamp=None, reset=None, state=None, rate_hz=None)
    foreign = replace(foreign, images={"head": replace(foreign.images["head"], key="observation/image")})
    with Stub(lambda number, asked: OK, pack({})) as stub:
        policy = remote(stub.url, schema=foreign)
        policy.reset("walk")
        assert policy.infer(seen()).values.shape == (5, 17)
        policy.close()
        assert set(stub.asked[0]) == {"observation/image", "prompt"}


def test_nobody_there_is_one_sentence() -> None:
    with pytest.raises(PolicyError, match=r"no policy server at ws://127.0.0.1:\d+: .*volition serve"):
        remote(f"ws://127.0.0.1:{free_port()}")


@pytest.mark.parametrize("url", ["127.0.0.1:8000", "http://x", "ws://", "ws://user:secret@x"])
def test_an_address_that_is_none(url: str) -> None:
    with pytest.raises(ContractError, match=r"must be as ws://127.0.0.1:8000"):
        remote(url)


def test_a_wrong_key_is_told_at_once() -> None:
    begin = time.monotonic()
    with served(key="a-key-of-some-length") as server:
        with pytest.raises(PolicyError, match=r"does not take us: the server refused .401.: The API key"):
            remote(server.url, key="a-key-that-is-wrong", patience=Patience(first_s=30.0))
        policy = remote(server.url, key="a-key-of-some-length")
        policy.close()
    assert time.monotonic() - begin < 10
