"""`volition data mcap`: a rosbag2 recording (MCAP or SQLite) to a data set, without ROS installed.

bag --rosbags--> messages in order of time -> States, images -> Take -> DatasetWriter
"""

# pyright: reportMissingImports=false
# rosbags is an extra of its own, which is not where the types are checked.

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Any

from rich.console import Console

from volition.ros.config import CAMERA, TOPICS, McapConfig
from volition.ros.errors import RosError
from volition.ros.images import compressed, fit, raw
from volition.ros.keep import Keeper
from volition.ros.states import States

_NEEDED = ("joint_states", "odometry", "instruction", "joint_commands")


def mcap(config: McapConfig) -> int:
    """Read the bag once, in order; returns 0."""
    try:
        from rosbags.highlevel import AnyReader, AnyReaderError
        from rosbags.typesys import Stores, get_typestore
    except ModuleNotFoundError:
        raise RosError("rosbags is not installed; run `pip install 'volition[rosbag]'`.") from None
    from volition.robots.g1 import g1

    spec = g1(config.pixels)
    keeper = Keeper(config.out, spec, config.cameras, config.tolerance_s)
    feed = _Feed(keeper, States(spec), config)
    try:
        with AnyReader([config.source], default_typestore=get_typestore(Stores.ROS2_JAZZY)) as bag:
            wanted = [one for one in bag.connections if one.topic in feed.handlers]
            feed.check({one.topic for one in wanted})
            for connection, time_ns, data in bag.messages(connections=wanted):
                feed.handlers[connection.topic](bag.deserialize(data, connection.msgtype), time_ns * 1e-9)
    except (AnyReaderError, OSError) as error:
        raise RosError(f"{config.source} is not a readable bag: {error}") from error
    finally:
        keeper.close()
    for line in keeper.lines:
        Console().print(line, highlight=False)
    if not keeper.episodes:
        raise RosError(f"{config.source} gave no episode; each needs an instruction and {', '.join(_NEEDED)}.")
    print(f"{keeper.episodes} episodes of {config.source}, {keeper.frames} frames, are in {config.out}.")
    return 0


class _Feed:
    """Topic -> what to do with its messages."""

    def __init__(self, keeper: Keeper, states: States, config: McapConfig) -> None:
        self._take, self._states, self._spec = keeper.take, states, states.robot
        self._source = config.source
        given = {name: topic for name, _, topic in (pair.partition("=") for pair in config.topics)}
        unknown = sorted(set(given) - set(TOPICS))
        if unknown:
            raise RosError(f"There is no topic called {unknown[0]!r}; there are {', '.join(TOPICS)}.")
        self._topics = TOPICS | given
        topic = self._topics
        self.handlers: dict[str, Callable[[Any, float], None]] = {
            topic["joint_states"]: self._joints,
            topic["odometry"]: self._odometry,
            topic["instruction"]: lambda message, now: self._take.instruction(now, message.data),
            topic["joint_commands"]: self._command,
            topic["velocity"]: self._velocity,
        }
        for camera in config.cameras:
            path = topic[CAMERA + camera]
            self.handlers[path] = partial(self._picture, camera, path, raw)
            packed = path + "/compressed"
            self.handlers[packed] = partial(self._picture, camera, packed, compressed)
        self._cameras = [topic[CAMERA + camera] for camera in config.cameras]

    def check(self, there: set[str]) -> None:
        """Raise with what is missing before anything is read."""
        missing = [self._topics[name] for name in _NEEDED if self._topics[name] not in there]
        missing += [path for path in self._cameras if not {path, path + "/compressed"} & there]
        if missing:
            raise RosError(
                f"{self._source} has no {', '.join(missing)}; name the bag's own topics, as --topics odometry=/odom."
            )

    def _joints(self, message: Any, now: float) -> None:
        state = self._states.joints_message(_stamp(message, now), message)
        if state is not None:
            self._take.state(state)

    def _odometry(self, message: Any, now: float) -> None:
        self._states.odometry_message(_stamp(message, now), message)

    def _command(self, message: Any, now: float) -> None:
        self._take.command(_stamp(message, now), list(message.name), list(message.position))

    def _velocity(self, message: Any, now: float) -> None:
        self._take.velocity(now, message.linear.x, message.linear.y, message.angular.z)

    def _picture(self, camera: str, topic: str, read: Callable[[Any, str], Any], message: Any, now: float) -> None:
        spec = self._spec.camera(camera)
        self._take.picture(camera, _stamp(message, now), lambda: fit(read(message, topic), spec))


def _stamp(message: Any, now: float) -> float:
    """The header's, or when it was recorded where nobody stamped it."""
    stamp = message.header.stamp
    return stamp.sec + stamp.nanosec * 1e-9 or now
