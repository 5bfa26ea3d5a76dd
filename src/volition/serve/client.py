"""A policy that runs elsewhere, behind any server of the openpi protocol. Never waits longer than it was told to.

    Observation -> {key: array} --Link--> server --> actions (K, A) -> ActionChunk
    silent, late, gone, broken --> a PolicyError at once, which the loop answers with the safe action; then back again

Numbers are matched by name, both ways. No torch.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np

from volition.errors import AssetError, ContractError, PolicyError
from volition.safety.calibration import Calibration
from volition.serve.link import Link, LinkError, Refused, Silent
from volition.serve.protocol import ProtocolError, pack, shown, unpack
from volition.serve.request import calibration_from, chunk_from, told_ahead
from volition.serve.schema import Schema, from_wire
from volition.serve.state import Numbers
from volition.types import ActionChunk, ActionSpec, Observation, RobotSpec

BACK_OFF = (0.1, 0.5)  # s: the first pause before connecting again, doubled each time, and the longest: a robot waits


@dataclass(frozen=True, kw_only=True)
class Patience:
    """How long what may take."""

    answer_s: float = 0.5  # the shield refuses chunks from older observations anyway
    connect_s: float = 2.0
    silent_s: float = 5.0  # a connection on which nothing came for so long is given up
    first_s: float = 20.0  # for the server to be there at all, at the beginning

    def __post_init__(self) -> None:
        for name in ("answer_s", "connect_s", "silent_s", "first_s"):
            value = getattr(self, name)
            if not 0.01 <= value <= 600:
                raise ContractError(f"Patience.{name} is {value}; it must be 0.01 to 600 s.")


class RemotePolicy:
    """Connects when it is made. `robot`: the one it drives, or made for what the server looks at, as a simulator can.
    `schema`: for a server that sends none. For one thread; `close` it at the end.

    `calibration`: what the doubt of its answers means, None where the server does not say. `continues`: whether its
    policy goes on from `Observation.ahead`. `trouble` counts what went wrong, by kind, for people.
    """

    def __init__(
        self,
        url: str,
        robot: RobotSpec | Callable[[Schema], RobotSpec],
        *,
        schema: Schema | None = None,
        key: str | None = None,
        patience: Patience | None = None,
    ) -> None:
        check_url(url)
        self._url, self._given = url, schema
        self._patience = patience or Patience()
        self._link = Link(url, key)
        try:
            self.schema, self.calibration = self._first()
            self.robot = robot(self.schema) if callable(robot) else robot
            self._spec = _agreed(self.schema, self.robot)
            state = self.schema.state
            self._numbers = None if state is None else Numbers(self.robot, state.names)
            self._columns = np.array([self._spec.index(name) for name in self.schema.actions.names])
        except BaseException:
            self._link.close()
            raise
        self._told: str | None = None
        self._fresh = True  # the server must forget what it saw
        self._pause, self._again = BACK_OFF[0], 0.0
        self._heard = time.monotonic()
        self.answered = 0
        self.trouble: dict[str, int] = {}

    @property
    def action_spec(self) -> ActionSpec:
        return self._spec

    @property
    def continues(self) -> bool:
        return self.schema.ahead is not None

    def reset(self, instruction: str) -> None:
        self._told, self._fresh = instruction, True
        if not self._link.open:
            self._again = 0.0  # somebody waits for it: no pause
            self._reconnect(self._patience.connect_s)

    def infer(self, observation: Observation) -> ActionChunk:
        if self._told is None:
            raise PolicyError("RemotePolicy has no instruction; call reset(instruction) before infer.")
        end = time.monotonic() + self._patience.answer_s
        if not self._link.open:
            self._reconnect(self._patience.answer_s)
        message = self._message(observation)
        try:
            reply = self._unpacked(self._link.ask(message, max(0.0, end - time.monotonic())))
            self._heard = time.monotonic()
            chunk = chunk_from(reply, self.schema, self._columns, len(self._spec.names), observation.stamp)
        except Silent:
            silent = time.monotonic() - self._heard
            if silent > self._patience.silent_s:
                self._link.drop()
            raise self._counted("silent", f"has been silent for {silent:.1f} s") from None
        except LinkError as error:
            raise self._counted("lost", f"is gone: {error}") from None
        except ProtocolError as error:
            raise self._counted("wrong", f"gave a wrong answer. {error}") from None
        except PolicyError as error:
            self._link.drop()  # a server hangs up after it has said why
            raise self._counted("refused", f"gave no action: {error}") from None
        self._fresh = False
        self._pause, self._again = BACK_OFF[0], 0.0
        self.answered += 1
        return chunk

    def close(self) -> None:
        self._link.close()

    def _counted(self, kind: str, text: str) -> PolicyError:
        self.trouble[kind] = self.trouble.get(kind, 0) + 1
        return PolicyError(f"The server at {self._url} {text}")

    # ---- the connection

    def _first(self) -> tuple[Schema, Calibration | None]:
        """Wait for the server to be there: it may still be loading its model."""
        end, pause = time.monotonic() + self._patience.first_s, BACK_OFF[0]
        while True:
            try:
                return self._agreement(self._link.connect(self._patience.connect_s))
            except Refused as error:
                raise PolicyError(f"The server at {self._url} does not take us: {error}") from None
            except (LinkError, Silent) as error:
                if time.monotonic() + pause > end:
                    raise PolicyError(
                        f"There is no policy server at {self._url}: {error}. Start one with `volition serve`."
                    ) from None
                time.sleep(pause)
                pause = min(2 * pause, 1.0)

    def _reconnect(self, deadline_s: float) -> None:
        now = time.monotonic()
        if now < self._again:
            raise self._counted("lost", f"is gone; the next try is in {self._again - now:.1f} s")
        self._pause, self._again = min(2 * self._pause, BACK_OFF[1]), now + self._pause
        try:
            agreed = self._agreement(self._link.connect(min(deadline_s, self._patience.connect_s)))
        except (LinkError, Silent) as error:
            raise self._counted("lost", f"cannot be reached: {error}") from None
        if agreed != (self.schema, self.calibration):
            self._link.drop()
            raise self._counted("changed", "serves another policy now; start again to drive with it")
        self._fresh, self._heard = True, time.monotonic()
        self.trouble["reconnected"] = self.trouble.get("reconnected", 0) + 1

    def _agreement(self, first: bytes) -> tuple[Schema, Calibration | None]:
        """The schema, and what its doubt means if it says so."""
        try:
            metadata = unpack(first)
            told, calibration = metadata.get("schema"), calibration_from(metadata.get("calibration"))
            if self._given is not None:
                return self._given, calibration
            if told is None:
                raise PolicyError(
                    f"The server at {self._url} does not say what it expects; describe it in a file and give that "
                    "with --schema FILE (docs/servers.md shows one)."
                )
            return from_wire(told), calibration
        except (ProtocolError, ContractError, AssetError) as error:
            self._link.drop()
            raise PolicyError(f"The server at {self._url} does not speak this protocol: {error}") from None

    # ---- the frames

    def _message(self, observation: Observation) -> bytes:
        schema = self.schema
        missing = [camera for camera in schema.images if camera not in observation.images]
        if missing:
            raise PolicyError(f"The observation lacks pictures of {', '.join(missing)}, which the server looks at.")
        message: dict[str, object] = {one.key: observation.images[camera] for camera, one in schema.images.items()}
        if schema.state is not None and self._numbers is not None:
            message[schema.state.key] = self._numbers.vector(observation.state)
        message[schema.prompt] = self._told
        if schema.stamp:
            message[schema.stamp] = observation.stamp
        if schema.reset:
            message[schema.reset] = self._fresh
        if schema.ahead and (ahead := told_ahead(observation.ahead, schema, self._columns)):
            message[schema.ahead] = ahead
        return pack(message)

    def _unpacked(self, reply: bytes) -> dict[str, Any]:
        try:
            return unpack(reply)
        except ProtocolError:
            self._link.drop()  # what is not even a frame may be out of step as well
            raise


def check_url(url: str) -> None:
    host = url.partition("://")[2].partition("/")[0]
    if not url.startswith(("ws://", "wss://")) or not host or "@" in host:
        raise ContractError(f"The address of a policy server is {shown(url)!r}; it must be as ws://127.0.0.1:8000.")


def _agreed(schema: Schema, robot: RobotSpec) -> ActionSpec:
    """The action space, if what the server does is for this robot; else all that differs."""
    wrong: list[str] = []
    if schema.robot != robot.name:
        wrong.append(f"its policy is for {shown(schema.robot)}, and this is {robot.name}")
    sizes = {camera.name: (camera.height, camera.width) for camera in robot.cameras}
    for camera, one in schema.images.items():
        if sizes.get(camera) != (one.height, one.width):
            here = "there is none here" if camera not in sizes else f"here it is {sizes[camera]}"
            wrong.append(f"it looks at {shown(camera)} of {one.height} x {one.width}, and {here}")
    if schema.rate_hz is not None and schema.rate_hz != robot.policy_rate_hz:
        wrong.append(f"it decides at {schema.rate_hz:g} Hz, and this robot asks at {robot.policy_rate_hz:g}")
    spec = next((one for one in robot.actions if one.name == schema.space), None)
    if spec is None:
        known = ", ".join(one.name for one in robot.actions)
        wrong.append(f"its actions are {shown(schema.space)!r}, and this robot takes {known}")
        raise PolicyError(f"The server does not fit: {'; '.join(wrong)}.")
    return _matched(schema, spec, wrong)


def _matched(schema: Schema, spec: ActionSpec, wrong: list[str]) -> ActionSpec:
    told = schema.actions.names
    unknown = [shown(name) for name in told if name not in spec.names]
    if unknown:
        wrong.append(f"its actions have {', '.join(unknown[:5])}, which {spec.name} has not")
    # A server that only moves the arms leaves the base where it is; any other number must come.
    needed = [one.name for one in spec.dimensions if one.meaning != "velocity" and one.name not in told]
    if needed:
        wrong.append(f"its actions lack {', '.join(needed[:5])}")
    for part, here in (("units", "unit"), ("meanings", "meaning")):
        said = schema.actions.units if part == "units" else schema.meanings
        if said and not unknown:
            ours = tuple(getattr(spec.dimensions[spec.index(name)], here) for name in told)
            if said != ours:
                wrong.append(f"its actions have other {part} than {spec.name}")
    if wrong:
        raise PolicyError(f"The server does not fit: {'; '.join(wrong)}.")
    return spec
