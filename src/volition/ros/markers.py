"""One marker as a shape that the shield keeps away from; what cannot be one is refused in words.

    visualization_msgs/Marker (CUBE, SPHERE, CYLINDER) of ROS 1 or ROS 2 -> Obstacle, in the marker's own frame

A shape never leaves out a part of its marker: what is not a box, ball or capsule becomes a little larger.
"""

from __future__ import annotations

import math
from typing import Any, Literal

from volition.ros.errors import RosError
from volition.safety.obstacles import Obstacle, Vector

CUBE, SPHERE, CYLINDER = 1, 2, 3  # Marker.type
ADD, DELETE, DELETEALL = 0, 2, 3  # Marker.action
PEOPLE = "people"  # the namespace of those who are kept away from farther; of several sources, people/FRONT and so on
LARGEST = 1000.0  # m
_LENGTH = 0.01  # how far from 1 the length of a quaternion may be


def name_of(marker: Any) -> str:
    return f"{marker.ns or 'marker'} {marker.id}"


def of_people(namespace: str) -> bool:
    return namespace == PEOPLE or namespace.startswith(f"{PEOPLE}/")


def shape_of(marker: Any) -> Obstacle:
    """Raises RosError for a marker of another type, or with numbers that are no shape."""
    name, kind = name_of(marker), "person" if of_people(marker.ns) else "thing"
    centre, size = _vector(marker.pose.position), _vector(marker.scale)
    if not all(abs(one) <= LARGEST for one in (*centre, *size)):  # false for NaN too
        raise RosError(
            f"The marker {name} is at {centre} and of size {size}; numbers must be finite and at most {LARGEST:g} m."
        )
    if min(size) <= 0:
        raise RosError(f"The marker {name} is of size {size}; its scale must be above 0 m in x, y and z.")
    if marker.type == CUBE:
        return _shape(name, kind, centre, _unit(name, marker), size, 0.0)
    if marker.type == SPHERE:
        return _shape(name, kind, centre, _unit(name, marker), size, min(size) / 2)
    if marker.type == CYLINDER:
        return _cylinder(name, kind, centre, _unit(name, marker), size)
    raise RosError(
        f"The marker {name} has the type {marker.type}; CUBE ({CUBE}), SPHERE ({SPHERE}) and CYLINDER ({CYLINDER}) "
        "are shapes here. Send what is only to be looked at on another topic."
    )


def _cylinder(name: str, kind: Any, centre: Vector, quaternion: Any, size: Vector) -> Obstacle:
    """A tall one inside a capsule, which is as wide and has round ends beyond it; a flat or oval one inside a box."""
    wide, high = max(size[:2]), size[2]
    if min(size[:2]) > 0.9 * wide and high > wide:
        return _shape(name, kind, centre, quaternion, (wide, wide, high + wide), wide / 2)
    return _shape(name, kind, centre, quaternion, size, 0.0)


def _shape(
    name: str, kind: Literal["thing", "person"], centre: Vector, quaternion: Any, size: Vector, radius: float
) -> Obstacle:
    """A box of this size whose edges are rounded by `radius`. An ellipsoid is inside the one of its axes' lengths."""
    half = (size[0] / 2 - radius, size[1] / 2 - radius, size[2] / 2 - radius)
    return Obstacle(name=name, kind=kind, centre=centre, quaternion=quaternion, half=half, radius=radius)


def _vector(value: Any) -> Vector:
    return float(value.x), float(value.y), float(value.z)


def _unit(name: str, marker: Any) -> tuple[float, float, float, float]:
    turned = marker.pose.orientation
    length = math.hypot(turned.w, turned.x, turned.y, turned.z)
    if not abs(length - 1.0) <= _LENGTH:
        raise RosError(
            f"The orientation of the marker {name} has the length {length:g}; a quaternion has the length 1, and "
            "one that turns nothing is w = 1."
        )
    return turned.w / length, turned.x / length, turned.y / length, turned.z / length
