"""The nodes' reports as text for topics: one JSON object a message, the same in ROS 1 and ROS 2."""

from __future__ import annotations

import json
from dataclasses import asdict

from volition.ros.pilot import Report
from volition.types import Intervention


def status_text(report: Report, problem: str) -> str:
    """What the node does, for programs and people; `problem` is what keeps it from seeing, empty when nothing does."""
    fields = asdict(report) | {"problem": problem}
    fields["worst_gap_s"] = round(report.worst_gap_s, 4)
    fields["latency_s"] = None if report.latency_s is None else round(report.latency_s, 4)
    return json.dumps(fields)


def intervention_text(event: Intervention) -> str:
    """JSON has no NaN or infinity: such a value is written as text."""
    fields = asdict(event)
    return json.dumps(
        {name: str(one) if isinstance(one, float) and one - one != 0 else one for name, one in fields.items()}
    )
