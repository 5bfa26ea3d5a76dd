"""One training as several processes of this machine, each with its share of every batch: torchrun, without its words.

    together(2, work, argument) -> work(argument) in each of two processes -> the exit code of the first, the main one

On a CPU two processes with a thread each may get more done than one with two threads: those wait for each other at every
operation, and for whatever else (decoding, words) keeps one of the cores busy.
"""

from __future__ import annotations

import contextlib
import multiprocessing
import os
import signal
import socket
import sys
from collections.abc import Callable, Iterator, Sequence
from multiprocessing.connection import wait
from multiprocessing.process import BaseProcess
from pathlib import Path
from typing import Any

from volition.errors import VolitionError
from volition.processes import end_with
from volition.train.errors import TrainError

ENDING = 30.0  # s that the others may take to end after the first
LOOK = 1.0  # s


def together(processes: int, work: Callable[..., int], *arguments: Any) -> int:
    """Only the main one is heard. Who stops this process stops the main one, which tells the others."""
    context, place = multiprocessing.get_context("spawn"), _place(processes)
    members = [
        context.Process(target=_member, args=(os.getpid(), rank, place, work, arguments)) for rank in range(processes)
    ]
    try:
        for member in members:
            member.start()
        with _passing_on(members[0]):
            return _ended(members)
    finally:
        for member in members:
            if member.is_alive():
                member.kill()
            member.join()


def begun() -> bool:
    """Whether this is one of several processes already."""
    return "RANK" in os.environ


def _ended(members: Sequence[BaseProcess]) -> int:
    """The main one's exit code, as soon as all have ended or one of them has failed."""
    alive = list(members)
    while alive:
        wait([member.sentinel for member in alive], LOOK)  # what a member began may hold its sentinel open
        if any(member.exitcode for member in members):
            break
        alive = [member for member in alive if member.exitcode is None]
    main = members[0]
    main.join(ENDING)  # what ended another one ends it, too, and it says why
    for rank, member in enumerate(members):
        if main.exitcode in (None, 0) and member.exitcode:
            raise TrainError(
                f"Process {rank} of the training ended with exit code {member.exitcode}. The last saved state is whole; "
                f"--resume goes on from it."
            )
    return main.exitcode or 0


def _member(
    parent: int, rank: int, place: dict[str, str], work: Callable[..., int], arguments: tuple[Any, ...]
) -> None:
    end_with(parent)
    os.environ.update({**place, "RANK": str(rank), "LOCAL_RANK": str(rank)})
    with contextlib.ExitStack() as stack:
        if rank:
            signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C reaches all; the main one tells the others
            nowhere = stack.enter_context(Path(os.devnull).open("w"))
            stack.enter_context(contextlib.redirect_stdout(nowhere))
            stack.enter_context(contextlib.redirect_stderr(nowhere))
        try:
            code = work(*arguments)
        except VolitionError as error:
            print(f"volition: {error}", file=sys.stderr)
            code = 2
        except KeyboardInterrupt:
            print("Stopped.", file=sys.stderr)
            code = 130
    sys.exit(code)


@contextlib.contextmanager
def _passing_on(main: BaseProcess) -> Iterator[None]:
    before = {
        signal.SIGTERM: signal.signal(signal.SIGTERM, lambda *_: main.terminate()),
        signal.SIGINT: signal.signal(signal.SIGINT, signal.SIG_IGN),  # it reaches the main one by itself
    }
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


def _place(processes: int) -> dict[str, str]:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    quiet = {"TORCH_CPP_LOG_LEVEL": "ERROR"}  # torch warns that all parameters are used, as it was told they may not be
    return {"WORLD_SIZE": str(processes), "MASTER_ADDR": "127.0.0.1", "MASTER_PORT": str(port), **quiet}
