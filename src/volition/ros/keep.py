"""A Take into a data set on disk: opened at the first frame, an episode for each instruction, counted for people.

Take.write, Take.end -> Keeper -> DatasetWriter
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

from volition.data import layout
from volition.data.writer import DatasetWriter
from volition.ros.errors import RosError
from volition.ros.take import SHORTEST, Take
from volition.types import RobotSpec


class Keeper:
    """`take` is fed by a reader or a node; `close` at the end. Told why each episode ended by `say`."""

    def __init__(self, out: Path, spec: RobotSpec, cameras: tuple[str, ...], tolerance_s: float) -> None:
        if (out / layout.INFO).exists():
            raise RosError(f"{out} holds a data set already; give a new or empty folder.")
        self._out, self._spec = out, spec
        self._writer: DatasetWriter | None = None
        self.lines: list[str] = []  # what became of each instruction
        self.take = Take(spec, cameras, self._write, self._end, tolerance_s=tolerance_s)
        self._task = ""

    @property
    def episodes(self) -> int:
        return 0 if self._writer is None else self._writer.episodes

    @property
    def frames(self) -> int:
        return 0 if self._writer is None else self._writer.frames

    def close(self) -> None:
        self.take.finish("the end")
        if self._writer is not None:
            self._writer.close()

    def _write(self, frame: dict[str, Any], instruction: str) -> None:
        if self._writer is None:
            fps = self._spec.policy_rate_hz
            self._writer = DatasetWriter.open(
                self._out, self.take.features, fps, self._spec.name, action_spec=self._spec.action("ee").name
            )
        self._task = instruction
        self._writer.add_frame(frame, instruction)

    def _end(self, frames: int, why: str) -> None:
        if self._writer is None or frames < SHORTEST:
            if self._writer is not None:
                self._writer.discard_episode()
            self.lines.append(f"left out: {frames} frames until {why}")
            return
        number = self._writer.end_episode(info={"ended": why})
        self.lines.append(f"episode {number}: “{self._task}”, {frames} frames until {why}")
