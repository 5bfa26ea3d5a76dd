"""The settings of `volition serve`: read by the command line, checked when they are built. The standard library alone.

arguments --> ServeConfig --> command.serve
"""

from __future__ import annotations

import ipaddress
import os
import re
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

import tyro

from volition.errors import ContractError

KEY_VARIABLE = "VOLITION_API_KEY"
_NEW_KEY = 'python -c "import secrets; print(secrets.token_urlsafe(32))" > key.txt && chmod 600 key.txt'


@dataclass(frozen=True, kw_only=True)
class ServeConfig:
    """Serve a checkpoint over the openpi websocket protocol, to this machine alone unless told otherwise; Ctrl-C ends it.

    Example: volition serve out/quick/best --port 8000

    Then, in another terminal: volition run "press the red button" --policy ws://127.0.0.1:8000
    """

    checkpoint: Annotated[Path, tyro.conf.Positional, tyro.conf.arg(metavar="CHECKPOINT")]
    """Folder of a checkpoint, as `volition train` writes it."""
    host: str = "127.0.0.1"
    """Address to listen on; 0.0.0.0 is every network of this machine. Any but its own address needs an API key."""
    port: int = 8000
    """Port to listen on, 0 to 65535; 0 takes a free one and prints it."""
    key_file: Path | None = None
    """File with the API key that clients must send, readable by you alone; else the variable VOLITION_API_KEY counts."""
    clients: int = 8
    """How many clients may be connected, 1 to 1000; the policy decides for one at a time."""
    message_mb: float = 8.0
    """Largest message in MB, 0.1 to 256; an observation is mostly its pictures."""
    per_second: float = 50.0
    """Observations of one client a second; more are slowed down."""
    deadline_s: float = 10.0
    """Longest time in seconds from an observation to its answer; then the client is told so and let go."""
    idle_s: float = 60.0
    """A client that sends no whole observation for so many seconds is let go."""
    device: str = "cpu"
    """Where the model computes: cpu, cuda, cuda:1."""
    seed: int = 0
    """Seed of policies that draw; every client gets the same."""
    schema: bool = False
    """Serve nothing; print as JSON what an observation must have and what comes back."""

    def __post_init__(self) -> None:
        if not 0 <= self.port <= 65535:
            raise ContractError(f"ServeConfig.port is {self.port}; it must be 0 to 65535.")
        if not 0.1 <= self.message_mb <= 256:
            raise ContractError(f"ServeConfig.message_mb is {self.message_mb}; it must be 0.1 to 256 MB.")
        if not 0 <= self.seed < 2**32:
            raise ContractError(f"ServeConfig.seed is {self.seed}; it must be 0 to {2**32 - 1}.")


def is_loopback(host: str) -> bool:
    try:
        return host == "localhost" or ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False


def read_key(file: Path | None) -> str | None:
    """From the file, else from the environment; None where there is none."""
    if file is None:
        key, source = os.environ.get(KEY_VARIABLE, "").strip(), f"The variable {KEY_VARIABLE}"
        if not key:
            return None
    else:
        try:
            text = file.read_text(encoding="utf-8")
            mode = file.stat().st_mode
        except OSError as error:
            raise ContractError(
                f"The key file {file} cannot be read: {error.strerror}. Make one: {_NEW_KEY}"
            ) from error
        except UnicodeDecodeError:
            raise ContractError(f"The key file {file} is not text. Make one: {_NEW_KEY}") from None
        if mode & 0o077:
            raise ContractError(f"The key file {file} can be read by others; run: chmod 600 {file}")
        key, source = text.strip(), f"The key file {file}"
    if not re.fullmatch(r"[!-~]{16,512}", key):
        raise ContractError(
            f"{source} has no usable key: 16 to 512 letters, digits and signs without spaces. Make one: {_NEW_KEY}"
        )
    return key


def key_for(host: str, file: Path | None) -> str | None:
    """The key of a server that listens on `host`; raises where it needs one and has none."""
    key = read_key(file)
    if key is None and not is_loopback(host):
        raise ContractError(
            f"ServeConfig.host is {host!r}, which others can reach, and there is no API key; give one with --key-file "
            f"FILE or {KEY_VARIABLE}, or listen on 127.0.0.1. Make one: {_NEW_KEY}"
        )
    return key
