"""Pictures without a screen: EGL or OSMesa, chosen and verified when the renderer starts; the robot's cameras and free views.

MuJoCo's own Renderer picks its backend once, from the environment, when mujoco is imported. This one makes the
context itself, so that the choice can be tried and a failure explained. A backend that fails can leave a process in a
state where the next one returns garbage without an error, so each is tried in a child process first.
"""

from __future__ import annotations

import functools
import math
import os
import subprocess
import sys
import threading
from typing import Any

import mujoco
import numpy as np

from volition.errors import RenderError

BACKENDS = ("egl", "osmesa")
HOW_TO_INSTALL = (
    "On Debian or Ubuntu run `apt-get install libegl1 libgl1-mesa-dri` (EGL) or `apt-get install libosmesa6`."
)
_NEVER_DRAWN = 5  # a group of geoms that MjvOption leaves out
_SCENE = """<mujoco><worldbody><light pos="0 0 3"/><camera name="eye" pos="0 -2 0.6" xyaxes="1 0 0 0 0.3 1"/>
<geom type="plane" size="3 3 .1" rgba=".2 .4 .2 1"/><body><freejoint/><geom size=".3" rgba=".9 .2 .1 1"/></body>
</worldbody></mujoco>"""


@functools.cache
def backend() -> str:
    """The first backend that draws true pictures here; the environment's MUJOCO_GL, if set, is the only one tried."""
    asked = os.environ.get("MUJOCO_GL", "").lower()
    if asked and asked not in BACKENDS:
        raise RenderError(f"MUJOCO_GL is {asked!r}; without a screen it must be {' or '.join(BACKENDS)}, or unset.")
    failures = []
    for name in (asked,) if asked else BACKENDS:
        environment = {**os.environ, "MUJOCO_GL": name}
        command = [sys.executable, "-m", "volition.sim.render", name]
        try:
            done = subprocess.run(command, env=environment, capture_output=True, text=True, timeout=60, check=False)
        except subprocess.TimeoutExpired:
            failures.append(f"{name}: no picture within 60 s")
            continue
        if done.returncode == 0:
            return name
        failures.append(f"{name}: {(done.stderr.strip().splitlines() or ['no reason given'])[-1]}")
    raise RenderError(f"No pictures can be drawn here ({'; '.join(failures)}). {HOW_TO_INSTALL}")


class Renderer:
    """Draws one model. `camera` draws what a camera of the model sees, at its own size; `view` a free third-person view, with shadows if asked."""

    def __init__(
        self,
        model: mujoco.MjModel,
        data: mujoco.MjData,
        *,
        sizes: dict[str, tuple[int, int]],
        shadows: bool = False,
        name: str | None = None,
    ) -> None:
        self._model, self._data, self._sizes, self._shadows = model, data, sizes, shadows
        height, width = (max(size[axis] for size in sizes.values()) for axis in (0, 1))
        model.vis.global_.offwidth, model.vis.global_.offheight = width, height
        self._kind = (name or backend(), width, height, os.getpid())
        _idle.bury()
        self._grave = _idle.dead
        self._gl = _idle.contexts.pop(self._kind, None) or _context(*self._kind[:3])
        self._gl.make_current()
        self._scene = mujoco.MjvScene(model, maxgeom=2000)
        self._scene.flags[mujoco.mjtRndFlag.mjRND_REFLECTION] = False
        self._options = mujoco.MjvOption()
        self._camera = mujoco.MjvCamera()
        self._perturb = mujoco.MjvPerturb()
        self._groups = model.geom_group.copy()
        self._mujoco = mujoco.MjrContext(model, mujoco.mjtFontScale.mjFONTSCALE_100)
        mujoco.mjr_setBuffer(mujoco.mjtFramebuffer.mjFB_OFFSCREEN, self._mujoco)
        self._open = True

    def camera(self, name: str) -> np.ndarray:
        """What the named camera sees, always without shadows: (H, W, 3) uint8."""
        self._scene.flags[mujoco.mjtRndFlag.mjRND_SHADOW] = False
        self._camera.type = mujoco.mjtCamera.mjCAMERA_FIXED
        self._camera.fixedcamid = self._model.camera(name).id
        height, width = self._sizes[name]
        hidden = self._out_of_view(self._camera.fixedcamid, width / height)
        self._model.geom_group[hidden] = _NEVER_DRAWN
        try:
            return self._draw(height, width)
        finally:
            self._model.geom_group[:] = self._groups

    def view(self, name: str, *, look_at: np.ndarray, distance: float, azimuth: float, elevation: float) -> np.ndarray:
        """A free view (angles in degrees, as MuJoCo has them) at the size registered under `name`."""
        self._scene.flags[mujoco.mjtRndFlag.mjRND_SHADOW] = self._shadows
        self._camera.type = mujoco.mjtCamera.mjCAMERA_FREE
        self._camera.lookat[:] = look_at
        self._camera.distance, self._camera.azimuth, self._camera.elevation = distance, azimuth, elevation
        return self._draw(*self._sizes[name])

    def close(self) -> None:
        """Free what it holds, and leave the context to the next renderer."""
        if self._open:
            self._open = False
            _idle.leave(self._kind, self._gl, self._mujoco)

    def __del__(self) -> None:
        """Collected at any moment, in any thread: while another renderer is being made, its context must stay the current one. So the
        thread that made this one frees it before it makes the next."""
        if getattr(self, "_open", False) and not sys.is_finalizing():
            self._open = False
            self._grave.append((self._kind, self._gl, self._mujoco))

    def _out_of_view(self, camera: int, aspect: float) -> np.ndarray:
        """Which geoms cannot be in the picture: MuJoCo draws all, and without a GPU unseen triangles cost as much as seen ones."""
        model, data = self._model, self._data
        axes = data.cam_xmat[camera].reshape(3, 3)  # columns: right, up, backwards
        right, up, backwards = ((data.geom_xpos - data.cam_xpos[camera]) @ axes).T
        half = math.radians(model.cam_fovy[camera]) / 2
        wide = math.atan(aspect * math.tan(half))
        beside = np.maximum(
            np.abs(up) * math.cos(half) + backwards * math.sin(half),
            np.abs(right) * math.cos(wide) + backwards * math.sin(wide),
        )
        return (np.maximum(beside, backwards) > model.geom_rbound) & (model.geom_rbound > 0)  # planes have none

    def _draw(self, height: int, width: int) -> np.ndarray:
        self._gl.make_current()
        # Floor and lights are laid out from the scene's camera: without this, from the one drawn before.
        mujoco.mjv_updateCamera(self._model, self._data, self._camera, self._scene)
        mujoco.mjv_updateScene(
            self._model,
            self._data,
            self._options,
            self._perturb,
            self._camera,
            mujoco.mjtCatBit.mjCAT_ALL,
            self._scene,
        )
        rectangle = mujoco.MjrRect(0, 0, width, height)
        mujoco.mjr_render(rectangle, self._scene, self._mujoco)
        picture = np.empty((height, width, 3), dtype=np.uint8)
        mujoco.mjr_readPixels(picture, None, rectangle, self._mujoco)
        return np.ascontiguousarray(picture[::-1])


_Kind = tuple[str, int, int, int]  # backend, width, height, process


class _Idle(threading.local):
    """Contexts that closed renderers have left to the next one of their kind, thread and process: the first pictures of
    a new context cost 150 ms of processor time, a twentieth of a short episode."""

    def __init__(self) -> None:
        self.contexts: dict[_Kind, Any] = {}
        self.dead: list[tuple[_Kind, Any, mujoco.MjrContext]] = []  # of renderers that nobody closed

    def leave(self, kind: _Kind, gl: Any, drawn: mujoco.MjrContext) -> None:
        """Freed in any other context, the numbers of its textures and buffers would be another renderer's."""
        gl.make_current()
        drawn.free()
        if self.contexts.setdefault(kind, gl) is not gl:
            gl.free()

    def bury(self) -> None:
        while self.dead:
            self.leave(*self.dead.pop())


_idle = _Idle()


def _context(name: str, width: int, height: int) -> Any:
    os.environ.setdefault("PYOPENGL_PLATFORM", name)
    if name == "egl":
        from mujoco.egl import GLContext
    else:
        from mujoco.osmesa import GLContext
    return GLContext(width, height)


def verify(name: str) -> None:
    """Draw a ball falling through a known scene and raise unless the pictures are of it: not constant, not noise, not stale."""
    model = mujoco.MjModel.from_xml_string(_SCENE)
    data = mujoco.MjData(model)
    renderer = Renderer(model, data, sizes={"eye": (64, 64)}, name=name)
    frames = []
    for height in (0.3, 0.8):
        data.qpos[2] = height
        mujoco.mj_forward(model, data)
        frames.append(renderer.camera("eye").astype(np.int16))
    again = renderer.camera("eye").astype(np.int16)
    renderer.close()
    red = [int(np.sum((frame[..., 0] > 80) & (frame[..., 1] < 60))) for frame in (*frames, again)]
    if np.abs(frames[1] - again).max() > 2:
        raise RenderError(f"{name} draws the same scene differently each time: its pictures are noise.")
    if min(red) < 20 or np.abs(frames[0] - frames[1]).max() < 50:
        raise RenderError(f"{name} draws pictures that do not show the scene.")


if __name__ == "__main__":
    verify(sys.argv[1])
