"""`volition safety faults`: the fault harness with a server of ours in another process, which is killed and started again.

    eval/faults.py --start, kill -9--> this module as a process: PolicyServer <--websocket--> RemotePolicy <-- the loop

The server's policy swings the arms by a formula: no torch, so that it is there at once.
"""

from __future__ import annotations

import asyncio
import json
import os
import re
import select
import subprocess
import sys
import time
from typing import TYPE_CHECKING

from volition.errors import PolicyError
from volition.eval.fault_parts import SPEC, Plan, swinging
from volition.processes import end_with
from volition.serve.client import RemotePolicy
from volition.serve.schema import schema_for
from volition.serve.server import PolicyServer
from volition.serve.session import Policies
from volition.serve.standing import until_told
from volition.serve.state import state_vector

if TYPE_CHECKING:
    from volition.safety.configs import FaultsConfig

STARTS = 60.0  # s that a server may take to start, on a busy machine


def run(config: FaultsConfig) -> int:
    from volition.eval import faults  # physics and all, which the server's process does without

    return faults.run(config, SwingServer)


class SwingServer:
    """The process, on a port that stays the same, and the client before it."""

    def __init__(self, plan: Plan) -> None:
        self._plan, self._port = json.dumps(plan), 0
        self.start()
        try:
            end = time.monotonic() + STARTS
            while not self.answers(max(0.0, end - time.monotonic())):
                if time.monotonic() >= end or self._child.poll() is not None:
                    raise PolicyError("The harness's policy server did not start.")
            self.policy = RemotePolicy(f"ws://127.0.0.1:{self._port}", SPEC)
        except BaseException:
            self.kill()
            raise

    def start(self) -> None:
        told = [str(self._port), str(os.getpid()), self._plan]
        self._child = subprocess.Popen([sys.executable, "-m", __name__, *told], stdout=subprocess.PIPE, text=True)
        self._said = ""

    def answers(self, wait_s: float = 0.0) -> bool:
        """Whether it has said where it serves."""
        out = self._child.stdout
        if not self._said and out is not None and select.select([out], [], [], wait_s)[0]:
            self._said = out.readline()
            if found := re.search(r":(\d+) ", self._said):
                self._port = int(found[1])
        return bool(self._said)

    def kill(self) -> None:
        """As `kill -9` does."""
        self._child.kill()
        self._child.wait()
        if self._child.stdout is not None:
            self._child.stdout.close()

    def close(self) -> None:
        self.policy.close()
        self.kill()


def main(port: str, parent: str, plan: str) -> int:
    """The server's process; it ends with the one that started it."""
    end_with(int(parent))
    schema = schema_for(SPEC, SPEC.action("joint"), cameras=(), state=state_vector(SPEC), chunk=10, dt=0.1)
    server = PolicyServer(Policies(lambda: swinging(json.loads(plan))), schema, SPEC)
    return asyncio.run(until_told(server, "127.0.0.1", int(port)))


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
