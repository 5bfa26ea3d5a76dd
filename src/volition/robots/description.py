"""A RobotSpec as JSON, to lie beside a policy's weights, and what differs between that and the robot at hand.

RobotSpec --describe--> robot.json --differences(robot)--> sentences, none if the policy may drive this robot
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict
from typing import Any

from volition.errors import ContractError
from volition.specs import ActionDimension, ActionSpec, RobotSpec

_CAMERA = ("body", "height", "width", "rate_hz", "field_of_view", "position", "pitch", "yaw")


def describe(robot: RobotSpec) -> dict[str, Any]:
    return {
        "name": robot.name,
        "joints": [asdict(joint) for joint in robot.joints],
        "commanded_groups": list(robot.commanded_groups),
        "home": dict(robot.home),
        "cameras": [asdict(camera) for camera in robot.cameras],
        "actions": [asdict(action) for action in robot.actions],
        "base": asdict(robot.base),
        "safe_action": asdict(robot.safe_action),
        "control_rate_hz": robot.control_rate_hz,
        "policy_rate_hz": robot.policy_rate_hz,
    }


def action_from(description: Mapping[str, Any], name: str) -> ActionSpec:
    """An action space of a described robot."""
    try:
        for action in description["actions"]:
            if action["name"] == name:
                dimensions = tuple(ActionDimension(**dimension) for dimension in action["dimensions"])
                return ActionSpec(name=name, dimensions=dimensions, rotations=tuple(action["rotations"]))
        known = ", ".join(action["name"] for action in description["actions"])
    except (KeyError, TypeError) as error:
        raise ContractError(f"This is not a robot's description: {type(error).__name__}: {error}.") from error
    raise ContractError(f"The described robot has no action space {name!r}; it has {known}.")


def differences(
    description: Mapping[str, Any], robot: RobotSpec, *, action: str, cameras: tuple[str, ...]
) -> list[str]:
    """Everything a policy that was taught on the described robot, with these cameras, would get wrong on this one."""
    try:
        return _differences(description, robot, action, cameras)
    except (KeyError, TypeError, AttributeError) as error:
        raise ContractError(f"This is not a robot's description: {type(error).__name__}: {error}.") from error


def _differences(description: Mapping[str, Any], robot: RobotSpec, action: str, cameras: tuple[str, ...]) -> list[str]:
    found: list[str] = []
    now = describe(robot)
    if description.get("name") != robot.name:
        found.append(f"the robot is {robot.name}, not {description.get('name')}")
    before, here = ([joint["name"] for joint in one.get("joints", ())] for one in (description, now))
    if before != here:
        odd = sorted(set(before) ^ set(here))
        found.append(f"joints differ: {', '.join(odd)}" if odd else "joints come in another order")
    else:
        for old, new in zip(description["joints"], now["joints"], strict=True):
            wrong = [key for key in ("group", "position") if _plain(old[key]) != _plain(new[key])]
            found += [f"{new['name']}: {key} is {_plain(new[key])}, not {_plain(old[key])}" for key in wrong]
    if _plain(description.get("commanded_groups")) != _plain(now["commanded_groups"]):
        found.append(f"commands set {', '.join(robot.commanded_groups)}")
    for key in ("policy_rate_hz", "control_rate_hz"):
        if description.get(key) != now[key]:
            found.append(f"{key} is {now[key]:g}, not {description.get(key)}")
    known = {one["name"]: one for one in description.get("cameras", ())}
    have = {one["name"]: one for one in now["cameras"]}
    for name in cameras:
        if name not in have:
            found.append(f"there is no camera {name}; there are {', '.join(have) or 'none'}")
            continue
        old, new = known.get(name, {}), have[name]
        wrong = [key for key in _CAMERA if _plain(old.get(key)) != _plain(new[key])]
        found += [f"camera {name}: {key} is {_plain(new[key])}, not {_plain(old.get(key))}" for key in wrong]
    actions = {one["name"]: one for one in now["actions"]}
    taught = {one["name"]: one for one in description.get("actions", ())}
    if action not in actions:
        found.append(f"it takes no actions {action!r}; it takes {', '.join(actions)}")
    elif _plain(taught.get(action)) != _plain(actions[action]):
        found.append(f"the action space {action} has other dimensions, units, meanings or bounds")
    return found


def _plain(value: Any) -> Any:
    """Tuples as the lists that JSON makes of them."""
    if isinstance(value, Mapping):
        return {key: _plain(item) for key, item in value.items()}
    return [_plain(item) for item in value] if isinstance(value, list | tuple) else value
