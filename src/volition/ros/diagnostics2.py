"""The node's health as a DiagnosticArray: lines of control, robot, surroundings and shield, each OK, WARN or ERROR."""

# pyright: reportMissingImports=false
# rclpy is only where ROS 2 is (docs/ros.md), which is not where the types are checked.

from __future__ import annotations

from collections.abc import Mapping

from diagnostic_msgs.msg import DiagnosticArray, DiagnosticStatus, KeyValue

from volition.ros.around import Around
from volition.ros.pilot import Report
from volition.ros.seen import Seen
from volition.safety.estop import EStop

OK, WARN, ERROR = DiagnosticStatus.OK, DiagnosticStatus.WARN, DiagnosticStatus.ERROR
_LATE = 0.01  # share of late ticks that is worth a warning


def diagnostics(
    report: Report,
    problem: str,
    seen: Mapping[str, Seen],
    now: float,
    estop: EStop,
    counts: Mapping[str, int],
    around: Around,
) -> DiagnosticArray:
    """Once a second. `counts`: the shield's interventions by reason."""
    late = report.late > _LATE * max(1, report.ticks)
    control = ERROR if report.state == "fault" else WARN if late else OK
    holding = report.shield.startswith("HOLD")
    return DiagnosticArray(
        status=[
            _line(
                "control",
                control,
                f"{report.state}: {report.note}".rstrip(": "),
                {
                    "ticks": report.ticks,
                    "late ticks": report.late,
                    "longest gap ms": f"{1000 * report.worst_gap_s:.1f}",
                    "inference ms": "" if report.latency_s is None else f"{1000 * report.latency_s:.1f}",
                    "tasks": report.tasks,
                },
            ),
            _line(
                "robot",
                ERROR if problem else OK,
                problem or "all topics come",
                {f"{name} Hz": f"{one.rate_hz(now):.1f}" for name, one in seen.items()}
                | {f"{name} missing": one.missing for name, one in seen.items()},
            ),
            _line("surroundings", ERROR if around.problem else OK, around.problem or around.summary, {}),
            _line(
                "shield",
                ERROR if estop.pressed or holding else OK,
                f"emergency stop: {estop.why}" if estop.pressed else report.shield or "clear",
                {"stops": report.stops, **counts},
            ),
        ]
    )


def _line(name: str, level: bytes, message: str, values: Mapping[str, object]) -> DiagnosticStatus:
    pairs = [KeyValue(key=key, value=str(value)) for key, value in values.items()]
    return DiagnosticStatus(
        level=level, name=f"volition: {name}", message=message, hardware_id="volition", values=pairs
    )
