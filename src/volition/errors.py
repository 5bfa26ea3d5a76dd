"""The project's own errors: each says what was given, what is allowed and what to do. Raised at every border."""

from collections.abc import Iterator
from contextlib import contextmanager


class VolitionError(Exception):
    """Base of all errors a user can cause or meet; the command line prints its text and exits with code 2."""


class ContractError(VolitionError, ValueError):
    """A value breaks one of the contracts in `types.py`: a wrong shape, range, name or unit."""


class AssetError(VolitionError):
    """A robot description, balance policy or other installed asset is missing or damaged."""


class RenderError(VolitionError):
    """No way to draw pictures without a screen works on this machine."""


class InstructionError(VolitionError):
    """The instruction asks for something this policy cannot do, or cannot be understood."""


class PolicyError(VolitionError):
    """A policy failed while inferring; the loop answers with the safe action."""


@contextmanager
def said_plainly() -> Iterator[None]:
    """For `python -m` modules: what a user can mend ends in its one sentence, not in a trace."""
    try:
        yield
    except VolitionError as error:
        raise SystemExit(f"error: {error}") from None
