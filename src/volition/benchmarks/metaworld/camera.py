"""What the cameras of the protocol see, drawn fast: `corner2` where the published tables have it, and the gripper's own.

model, data --Eyes.look--> {corner2: (H, W, 3) uint8, gripper: ...}; Eyes.project: where a point of the world is in them

The published picture is that of `corner2`, moved to (0.75, 0.075, 0.7) and flipped on both axes (LeRobot, SmolVLA). Ours
is the part of it in which things happen, three quarters of its side: without that a goal's dot is 3 pixels of 128.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from types import MappingProxyType
from typing import Any

import mujoco
import numpy as np

from volition.benchmarks.metaworld.errors import MetaWorldError
from volition.sim.render import Renderer
from volition.specs import CameraSpec

_NEAR = 0.01  # m: what is closer is not in the picture


@dataclass(frozen=True, kw_only=True)
class View:
    """`window`: left, top and side of the part that is drawn, as shares of the whole picture after it is flipped."""

    name: str  # in the suite's model
    body: str
    position: tuple[float, float, float]  # m, in the body's frame
    pitch: float
    yaw: float
    field_of_view: float  # rad, of the whole picture
    moved: bool = False  # to `position`, which is not where the model has it
    flipped: bool = False
    window: tuple[float, float, float] = (0.0, 0.0, 1.0)


CAMERAS: Mapping[str, View] = MappingProxyType(
    {
        "corner2": View(
            name="corner2",
            body="world",
            position=(0.75, 0.075, 0.7),
            pitch=0.505,
            yaw=2.591,
            field_of_view=math.radians(60),
            moved=True,
            flipped=True,
            window=(0.22, 0.20, 0.75),
        ),
        "gripper": View(
            name="gripperPOV",
            body="hand",
            position=(0.04, -0.06, 0.0),
            pitch=1.486,
            yaw=1.571,
            field_of_view=math.radians(90),
        ),
    }
)


def camera_of(name: str, pixels: int, rate_hz: float) -> CameraSpec:
    """`field_of_view` is that of the part that is drawn."""
    if name not in CAMERAS:
        raise MetaWorldError(f"There is no camera {name!r}; there are {', '.join(CAMERAS)}.")
    view = CAMERAS[name]
    side = view.window[2]
    return CameraSpec(
        name=name,
        body=view.body,
        position=view.position,
        pitch=view.pitch,
        yaw=view.yaw,
        field_of_view=2 * math.atan(side * math.tan(view.field_of_view / 2)),
        height=pixels,
        width=pixels,
        rate_hz=rate_hz,
        source=f"metaworld 3.1.1, {view.name}; window {view.window}{', flipped on both axes' if view.flipped else ''}",
    )


class Eyes:
    """Of one model; `close` frees what it draws with. Shadows, reflections and multisampling are off."""

    def __init__(self, model: Any, data: Any, cameras: Sequence[str], pixels: int) -> None:
        self._model, self._data = model, data
        self._views = {name: CAMERAS[name] for name in cameras}
        model.vis.quality.offsamples = 0
        for view in self._views.values():
            _set(model, view)
        sizes = {view.name: (pixels, pixels) for view in self._views.values()}
        self._renderer = Renderer(model, data, sizes=sizes)

    def look(self) -> dict[str, np.ndarray]:
        pictures = {name: self._renderer.camera(view.name) for name, view in self._views.items()}
        turned = {name: picture[::-1, ::-1] for name, picture in pictures.items() if self._views[name].flipped}
        return {name: np.ascontiguousarray(picture) for name, picture in (pictures | turned).items()}

    def project(self, camera: str, point: np.ndarray) -> tuple[np.ndarray, bool]:
        """Right and down in the picture, as shares of it, and whether that is inside."""
        return project(self._data, self._views[camera], point)

    def close(self) -> None:
        self._renderer.close()


def project(data: Any, view: View, point: np.ndarray) -> tuple[np.ndarray, bool]:
    """(3,) in the world -> (2,) in the part of the picture that is drawn."""
    eye = data.camera(view.name)
    right, up, back = (point - eye.xpos) @ eye.xmat.reshape(3, 3)
    half = math.tan(view.field_of_view / 2) * max(-back, 1e-6)
    whole = np.array([0.5 + right / half / 2, 0.5 - up / half / 2])
    whole = 1 - whole if view.flipped else whole
    left, top, side = view.window
    place = (whole - (left, top)) / side
    return place, bool(-back > _NEAR and (place >= 0).all() and (place < 1).all())


def _set(model: Any, view: View) -> None:
    """The window is an off-centre lens: MuJoCo then draws that part alone."""
    number = model.camera(view.name).id
    if view.moved:
        model.cam_pos[number] = view.position
    left, top, side = view.window
    if side == 1:
        return
    focal = 0.5 / math.tan(view.field_of_view / 2)  # in sides of the whole picture
    middle = np.array([left, top]) + side / 2 - 0.5
    across, down = -middle if view.flipped else middle
    model.cam_sensorsize[number] = (side, side)
    model.cam_intrinsic[number] = (focal, focal, across, -down)


def forward(model: Any, data: Any) -> None:
    """Brings every marker to where the model has it: the suite leaves them stale in the first picture after a reset."""
    mujoco.mj_forward(model, data)
