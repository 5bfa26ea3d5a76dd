"""What can be wrong between a robot's topics and Volition, said in one sentence."""

from __future__ import annotations

from volition.errors import VolitionError


class RosError(VolitionError):
    """A topic, message or parameter is not what the node can work with."""
