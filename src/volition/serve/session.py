"""One client's policy: what it was told last, and what it has seen. Used in the worker's thread alone.

Request --Session.decide--> reset if the task is another --> infer --> ActionChunk
"""

from __future__ import annotations

import logging
import secrets
from collections.abc import Callable

import numpy as np

from volition.errors import ContractError, InstructionError, PolicyError
from volition.policy import Policy
from volition.serve.protocol import ProtocolError, shown
from volition.serve.request import Request
from volition.types import ActionChunk

log = logging.getLogger("volition.serve")


class Session:
    """A new connection, another prompt, or `reset` begin anew: nothing of before is in what is decided then."""

    def __init__(self, policy: Policy) -> None:
        self._policy = policy
        self._told: str | None = None

    def decide(self, request: Request) -> ActionChunk:
        try:
            observation = request.observation
            if request.reset or observation.instruction != self._told:
                self._told = None  # a refused prompt must not leave the last one in force
                self._policy.reset(observation.instruction)
                self._told = observation.instruction
            chunk = self._policy.infer(observation)
        except (PolicyError, InstructionError, ContractError) as error:
            raise ProtocolError(f"The policy refuses: {shown(error, 300)}") from error
        except Exception as error:
            number = secrets.token_hex(4)
            log.exception("incident %s: the policy failed", number)
            raise ProtocolError(
                f"The policy failed on this observation; whoever runs the server finds incident {number} in its log."
            ) from error
        if not np.isfinite(chunk.values).all():
            raise ProtocolError("The policy's answer was not finite and is not sent; the robot must hold.")
        return chunk


class Policies:
    """Policies that wait for a client: one each, made when all are taken, used again when a client has gone."""

    def __init__(self, make: Callable[[], Policy]) -> None:
        self._make = make
        self._free: list[Policy] = []

    def take(self) -> Policy:
        return self._free.pop() if self._free else self._make()

    def give_back(self, policy: Policy) -> None:
        self._free.append(policy)
