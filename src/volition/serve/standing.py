"""A server that stands until it is told to go: SIGTERM or Ctrl-C, then a whole end.

PolicyServer --until_told--> prints its address, serves, answers what is under way --> exit code
"""

from __future__ import annotations

import asyncio
import os
import signal

from volition.errors import ContractError
from volition.serve.server import PolicyServer


async def until_told(server: PolicyServer, host: str, port: int) -> int:
    """Serve until SIGTERM or SIGINT."""
    told = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, told.set)
    try:
        port = await server.start(host, port)
    except OSError as error:
        why = os.strerror(error.errno) if error.errno and error.errno > 0 else str(error)
        raise ContractError(
            f"The server cannot listen on {host}:{port}: {why}; choose another with --host or --port."
        ) from error
    print(f"Serving on ws://{_bracketed(host)}:{port} (stop with Ctrl-C or SIGTERM).", flush=True)
    await told.wait()
    whole = await server.stop()
    print("Stopped." if whole else "Stopped; a decision that did not end was left behind.", flush=True)
    if not whole:
        os._exit(1)  # its thread cannot be ended, and leaving in the usual way would wait for it
    return 0


def _bracketed(host: str) -> str:
    return f"[{host}]" if ":" in host else host
