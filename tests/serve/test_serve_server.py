"""The server: what each client gets is its own, what one does no other feels, and it ends with a word to everybody."""

from __future__ import annotations

import logging
import os
import socket
import struct
import threading
import time
from pathlib import Path
from typing import Any
from urllib.error import HTTPError
from urllib.request import Request, urlopen

import numpy as np
import pytest
from serve_tools import CHUNK, EE, Raw, at_ease, observation, schema, served
from websockets.exceptions import ConnectionClosed, InvalidStatus
from websockets.sync.client import connect

from volition.errors import ContractError
from volition.robots.fake import FakePolicy
from volition.serve.limits import Limits, Pace
from volition.serve.protocol import pack
from volition.serve.schema import from_wire
from volition.types import ActionChunk, Observation

KEY = "a-key-of-some-length-123"


class Counting:
    """Its answer says what it was told, and how many observations it has seen since."""

    action_spec = EE

    def __init__(self) -> None:
        self._told, self._seen = "", 0

    def reset(self, instruction: str) -> None:
        self._told, self._seen = instruction, 0

    def infer(self, observation: Observation) -> ActionChunk:
        self._seen += 1
        values = at_ease()
        values[:, 0] = observation.images["head"].mean()
        return ActionChunk(stamp=observation.stamp, values=values, dt=0.1, spec="ee", note=f"{self._told} {self._seen}")


def get(port: int, path: str, key: str | None = None) -> tuple[int, str]:
    request = Request(f"http://127.0.0.1:{port}{path}", headers={"Authorization": f"Api-Key {key}"} if key else {})
    try:
        with urlopen(request, timeout=5) as reply:
            return reply.status, reply.read().decode()
    except HTTPError as error:
        with error:
            return error.code, error.read().decode()


def until(what: Any, seconds: float = 5.0) -> None:
    end = time.monotonic() + seconds
    while not what():
        assert time.monotonic() < end, "it did not come to pass"
        time.sleep(0.01)


def test_the_first_frame_says_all_and_each_observation_gets_a_chunk() -> None:
    with served() as server, Raw(server.url) as client:
        assert from_wire(client.metadata["schema"]) == schema()
        told = client.metadata["schema"]
        assert (told["robot"], told["rate_hz"], told["dt"], told["chunk"]) == ("unitree_g1", 10.0, 0.1, CHUNK)
        assert told["images"]["head"] == {"key": "observation/images/head", "dtype": "uint8", "shape": [16, 16, 3]}
        assert told["actions"]["names"] == list(EE.names)
        assert told["actions"]["units"][:4] == ["m", "m", "m", "rad"]
        for stamp in (0.5, 0.6):
            reply = client.ask(observation(stamp=stamp))
            assert reply["stamp"] == stamp
            np.testing.assert_array_equal(reply["actions"], at_ease())
            assert reply["server_timing"]["infer_ms"] >= 0


def test_each_client_has_a_policy_of_its_own_with_what_it_was_told() -> None:
    with served(Counting) as server, Raw(server.url) as one, Raw(server.url) as other:
        for turn in range(1, 4):
            assert one.ask(observation(prompt="wave"))["note"] == f"wave {turn}"
            assert other.ask(observation(prompt="turn left"))["note"] == f"turn left {turn}"
        assert one.ask(observation(prompt="bow"))["note"] == "bow 1"
        assert other.ask(observation(prompt="turn left", reset=True))["note"] == "turn left 1"
        assert one.ask(observation(prompt="bow", reset=False))["note"] == "bow 2"
        assert len(server.made) == 2


def test_a_policy_that_is_used_again_has_forgotten_its_client() -> None:
    with served(Counting) as server:
        for _ in range(3):
            with Raw(server.url) as client:
                assert client.ask(observation(prompt="wave"))["note"] == "wave 1"
            until(lambda: server.server._policies._free)
        assert len(server.made) == 1


def test_many_clients_at_once_are_never_mixed() -> None:
    wrong: list[str] = []

    def ask(number: int) -> None:
        with Raw(server.url) as client:
            for turn in range(1, 16):
                picture = np.full((16, 16, 3), 10 * number + turn, np.uint8)
                reply = client.ask(observation(head=picture, prompt=f"client {number}"))
                right = reply["actions"][0, 0] == 10 * number + turn and reply["note"] == f"client {number} {turn}"
                wrong.extend([] if right else [reply["note"]])

    with served(Counting, per_second=1000) as server:
        threads = [threading.Thread(target=ask, args=(number,)) for number in range(6)]
        for one in threads:
            one.start()
        for one in threads:
            one.join(30)
        assert server.server.metrics.total("volition_observations_total", "answered") == 90
    assert not wrong


@pytest.mark.parametrize("policy_fault", ["raise", "nan", "crash"])
def test_an_error_is_a_sentence_without_internals_and_the_server_goes_on(policy_fault: str, caplog: Any) -> None:
    def crash(_: Observation) -> np.ndarray:
        raise RuntimeError(f"secret in {Path(__file__)}")

    def make() -> FakePolicy:
        return FakePolicy(EE, crash if policy_fault == "crash" else at_ease(), faults={0: policy_fault} if policy_fault != "crash" else None)  # fmt: skip

    caplog.set_level(logging.INFO)
    with served(make) as server:
        with Raw(server.url) as client:
            said = client.ask()
            with pytest.raises(ConnectionClosed) as closed:
                client.take()
            assert closed.value.rcvd is not None
            assert closed.value.rcvd.code == 1011
        wanted = {"raise": "The policy refuses: FakePolicy fails", "nan": "not finite", "crash": "incident"}
        assert wanted[policy_fault] in said
        assert "Traceback" not in said
        assert "secret" not in said
        assert "/" not in said
        if policy_fault != "crash":
            until(lambda: server.server._policies._free)
            with Raw(server.url) as client:
                assert client.ask()["actions"].shape == (CHUNK, 17)
    if policy_fault == "crash":  # whoever runs it finds it
        number = said.partition("incident ")[2][:8]
        assert any(number in record.message and record.exc_info for record in caplog.records)


def test_what_does_not_fit_is_said_and_no_policy_is_asked() -> None:
    with served() as server:
        for message, said in (({"prompt": "wave"}, "lacks “observation/images/head”"), ({}, "lacks")):
            with Raw(server.url) as client:
                assert said in client.ask(message)
        with Raw(server.url) as client:
            client.socket.send("hello")
            assert "binary frame" in client.take()
        assert not server.made


def test_only_who_has_the_key_comes_in() -> None:
    with served(key=KEY) as server:
        for headers in ({}, {"Authorization": "Api-Key wrong"}, {"Authorization": f"Bearer {KEY}"}):
            with pytest.raises(InvalidStatus, match="401"), connect(server.url, additional_headers=headers, proxy=None):
                pass
        with Raw(server.url, additional_headers={"Authorization": f"Api-Key {KEY}"}) as client:
            assert client.ask()["actions"].shape == (CHUNK, 17)
        assert get(server.port, "/healthz") == (200, "OK\n")
        assert get(server.port, "/metrics")[0] == 401
        code, text = get(server.port, "/metrics", KEY)
        assert code == 200
        assert 'volition_connections_total{result="wrong_key"} 4' in text
        assert KEY not in text


def test_a_page_in_a_browser_does_not_come_in() -> None:
    with served() as server, pytest.raises(InvalidStatus, match="403"):  # noqa: SIM117
        with connect(server.url, origin="http://evil.example", proxy=None):  # type: ignore[arg-type]
            pass


def test_health_and_metrics() -> None:
    with served() as server, Raw(server.url) as client:
        client.ask()
        code, text = get(server.port, "/metrics")
        assert code == 200
        for line in ('volition_observations_total{result="answered"} 1', "volition_clients 1", "volition_inference_seconds_count 1"):  # fmt: skip
            assert line in text
        assert all(line.startswith(("#", "volition_")) for line in text.splitlines())
        assert get(server.port, "/")[0] == 426


def test_more_clients_than_allowed_are_told_so() -> None:
    with served(clients=2) as server, Raw(server.url), Raw(server.url):
        with pytest.raises(InvalidStatus) as caught, connect(server.url, proxy=None):
            pass
        assert caught.value.response.status_code == 503
        assert b"2 clients already" in (caught.value.response.body or b"")


def test_sockets_that_say_nothing_are_few_and_do_not_stay() -> None:
    with served(clients=1, spare=4, opening_s=0.5) as server:
        idle = [socket.create_connection(("127.0.0.1", server.port)) for _ in range(12)]
        until(lambda: server.server.metrics.total("volition_connections_total", "too_many_sockets") >= 7)
        assert server.server._sockets <= 5
        until(lambda: server.server._sockets == 0)
        for one in idle:
            one.close()
        with Raw(server.url) as client:
            client.ask()


def test_too_large_a_message_ends_its_connection_alone() -> None:
    with served(message_bytes=2**16) as server, Raw(server.url) as polite:
        with Raw(server.url) as client:
            client.socket.send(bytes(2**17))
            with pytest.raises(ConnectionClosed) as closed:
                client.take()
            assert closed.value.rcvd is not None
            assert closed.value.rcvd.code == 1009
        polite.ask()


def test_who_sends_too_often_is_slowed_down_and_nobody_else() -> None:
    with served(per_second=10) as server, Raw(server.url) as hasty, Raw(server.url) as polite:
        begin = time.monotonic()
        for _ in range(15):
            hasty.socket.send(pack(observation()))
        polite.ask()
        assert time.monotonic() - begin < 0.4
        for _ in range(15):
            hasty.take()
        assert time.monotonic() - begin > 0.4
        assert server.server.metrics.total("volition_slowed_total") >= 4


def test_a_client_that_does_not_take_its_answers_is_left_and_blocks_nobody() -> None:
    def large(_: Observation) -> np.ndarray:
        return np.zeros((1000, 17))

    with served(lambda: FakePolicy(EE, large), per_second=10_000, send_s=0.5) as server, Raw(server.url) as polite:
        deaf = socket.create_connection(("127.0.0.1", server.port))
        deaf.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        deaf.sendall(b"GET / HTTP/1.1\r\nHost: x\r\nUpgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Version: 13\r\n\r\n")  # fmt: skip
        data = pack(observation())
        frame = b"\x82\xfe" + struct.pack(">H", len(data)) + bytes(4) + data
        deaf.settimeout(0.2)
        worst, end = 0.0, time.monotonic() + 10
        while server.server._clients > 1 and time.monotonic() < end:
            try:
                for _ in range(20):
                    deaf.sendall(frame)
            except OSError:  # it is full, or ended
                pass
            begin = time.monotonic()
            polite.ask()
            worst = max(worst, time.monotonic() - begin)
        deaf.close()
        assert server.server._clients == 1
        assert worst < 1.0


def test_a_client_that_says_nothing_is_left_with_a_reason() -> None:
    with served(idle_s=1.0) as server, Raw(server.url) as client:
        with pytest.raises(ConnectionClosed) as closed:
            client.take()
        assert closed.value.rcvd is not None
        assert (closed.value.rcvd.code, closed.value.rcvd.reason) == (1008, "No whole observation came for 1 s.")
        until(lambda: server.server._clients == 0)


def test_a_decision_that_hangs_is_answered_in_time_and_health_says_so() -> None:
    def make() -> FakePolicy:
        return FakePolicy(EE, at_ease(), faults={0: "hang"})

    with served(make, deadline_s=0.4) as server:
        with Raw(server.url) as client, Raw(server.url) as other:
            begin = time.monotonic()
            assert "took longer than 0.4 s" in client.ask()
            assert "Other clients kept the policy" in other.ask()
            assert time.monotonic() - begin < 3
        assert get(server.port, "/healthz")[0] == 503
        server.made[0].release()
        until(lambda: get(server.port, "/healthz")[0] == 200)


def test_a_shutdown_answers_what_is_under_way_and_says_goodbye() -> None:
    with served(lambda: FakePolicy(EE, at_ease(), delay_s=0.6)) as server:
        with Raw(server.url) as busy, Raw(server.url) as idle:
            busy.socket.send(pack(observation()))
            time.sleep(0.2)
            server.stop(wait=False)
            assert busy.take()["actions"].shape == (CHUNK, 17)
            for client in (busy, idle):
                with pytest.raises(ConnectionClosed) as closed:
                    client.take()
                assert closed.value.rcvd is not None
                assert closed.value.rcvd.code == 1001
                assert "shutting down" in closed.value.rcvd.reason
        until(lambda: server.stopped_whole)
        with pytest.raises(OSError, match="refused"), connect(server.url, proxy=None):
            pass


def test_connections_leave_no_files_behind() -> None:
    with served() as server:
        with Raw(server.url) as client:
            client.ask()
        until(lambda: server.server._sockets == 0)
        before = len(os.listdir("/proc/self/fd"))  # noqa: PTH208
        for number in range(30):
            with Raw(server.url) as client:
                client.ask() if number % 3 else client.ask({"prompt": 1})
        until(lambda: server.server._sockets == 0)
        assert len(os.listdir("/proc/self/fd")) <= before  # noqa: PTH208


@pytest.mark.parametrize("wrong", [{"clients": 0}, {"idle_s": float("nan")}, {"message_bytes": 10}, {"per_second": 0}])
def test_limits_that_are_none_are_refused(wrong: dict) -> None:
    with pytest.raises(ContractError, match=next(iter(wrong))):
        Limits(**wrong)


def test_a_pace_lets_a_burst_pass_and_then_so_many_a_second() -> None:
    pace = Pace(5.0)
    waits = [pace.wait() for _ in range(7)]
    assert waits[:5] == [0.0] * 5
    assert waits[6] == pytest.approx(0.4, abs=0.05)
