"""What `volition doctor` tries in child processes: imports, drawing without a screen, video. Prints one line of JSON.

    python -m volition.probes render      (with MUJOCO_GL set by the parent)

A child, because a renderer that failed once in a process can go on and return garbage, and because a broken
native library can end the process that loads it.
"""

from __future__ import annotations

import importlib
import io
import json
import re
import sys
import time
from typing import Any

SCENE = """
<mujoco>
  <visual><quality offsamples="0" shadowsize="0"/><global offwidth="128" offheight="128"/></visual>
  <worldbody>
    <light pos="0 0 3" dir="0 0 -1"/>
    <body name="box" pos="0 0 0"><freejoint/><geom type="box" size=".3 .3 .3" rgba="1 0 0 1"/></body>
    <camera name="view" pos="0 -2 0" xyaxes="1 0 0 0 0 1"/>
  </worldbody>
</mujoco>
"""
FRAMES = 30


class ProbeError(Exception):
    """What was tried does not work; the text is for the table."""


def render() -> str:
    """Draw a red box: it must be red, stay when nothing moves and move when the box does."""
    mujoco: Any = importlib.import_module("mujoco")
    numpy: Any = importlib.import_module("numpy")
    model = mujoco.MjModel.from_xml_string(SCENE)
    data = mujoco.MjData(model)
    with mujoco.Renderer(model, 128, 128) as renderer:

        def frame(offset: float) -> Any:
            data.qpos[0] = offset
            mujoco.mj_forward(model, data)
            renderer.update_scene(data, camera="view")
            return renderer.render().astype(numpy.int32)

        still, again, moved = frame(0.0), frame(0.0), frame(0.4)
        red, green, blue = still[64, 64]
        if not (red > 60 and red > 2 * green and red > 2 * blue):
            raise ProbeError(f"the picture is wrong: a red box is drawn as {red}, {green}, {blue}")
        if not (still == again).all():
            raise ProbeError("two pictures of the same scene differ")
        if (still != moved).any(axis=2).mean() < 0.02:
            raise ProbeError("the picture stays the same when the scene moves")
        start = time.perf_counter()
        for index in range(FRAMES):
            frame(0.01 * index)
        rate = FRAMES / (time.perf_counter() - start)
    return f"works, {rate:.0f} frames/s (one box, 128 x 128)"


def video() -> str:
    """Encode a few frames as h264 in memory and read them back."""
    av: Any = importlib.import_module("av")
    numpy: Any = importlib.import_module("numpy")
    memory = io.BytesIO()
    with av.open(memory, "w", format="mp4") as container:
        stream = container.add_stream("libx264", rate=25)
        stream.width, stream.height, stream.pix_fmt = 128, 96, "yuv420p"
        for index in range(10):
            picture = numpy.full((96, 128, 3), 20 * index, dtype=numpy.uint8)
            container.mux(stream.encode(av.VideoFrame.from_ndarray(picture, format="rgb24")))
        container.mux(stream.encode())
    memory.seek(0)
    with av.open(memory) as container:
        count = sum(1 for _ in container.decode(video=0))
    if count != 10:
        raise ProbeError(f"10 frames were encoded and {count} came back")
    return f"h264 works (PyAV {av.__version__})"


def load(names: list[str]) -> str:
    for name in names:
        importlib.import_module(name)
    return f"{', '.join(names)} can be imported"


def main(arguments: list[str]) -> int:
    what, *names = arguments
    try:
        found = {"render": render, "video": video}[what]() if what != "load" else load(names)
    except Exception as error:  # the child's whole purpose is to report whatever goes wrong
        text = " ".join(str(error).split()) or type(error).__name__
        if re.search(r"'NoneType' object has no attribute '(egl|gl)", text):  # PyOpenGL's way of saying so
            text = "its library is not installed"
        print(json.dumps({"works": False, "found": text[:300]}))
        return 1
    print(json.dumps({"works": True, "found": found}))
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
