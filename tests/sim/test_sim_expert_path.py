"""The way of an expert's hand: straight, at the speeds asked for, ahead by what it lags behind, and there when it is over."""

from __future__ import annotations

import numpy as np
import pytest

from volition.sim.expert import CLOSING, DT, FIRM, LEAD, NUDGE, STEPS, Reach, _path
from volition.transforms.rotation import between, from_rotvec, slerp, to_rotvec

START = np.array([0.2, 0.2, 0.28]), from_rotvec(np.array([0.1, -0.4, 0.3])), 0.9


@pytest.mark.parametrize(
    ("position", "turn"),
    [((0.5, 0.1, 0.1), (0.0, 0.0, -0.5)), ((0.21, 0.2, 0.28), (0.0, 2.5, 0.0)), ((0.2, 0.2, 0.28), (0.1, -0.4, 0.3))],
)
def test_every_step_is_its_share_of_the_way(position, turn) -> None:
    reach = Reach(position=np.array(position), quaternion=from_rotvec(np.array(turn)), grasp=0.1)
    place, quaternion, grasp = START
    rows = _path(START, reach)
    way = np.linalg.norm(reach.position - place)
    angle = np.linalg.norm(between(quaternion, reach.quaternion))
    length = max(way / reach.speed, angle / reach.turning, 1e-6)
    assert rows.shape == (STEPS, 7)
    least = min(NUDGE[0] / way if way else np.inf, NUDGE[1] / angle if angle > 1e-9 else np.inf)
    for step, row in enumerate(rows):
        time = (step + 1) * DT
        share = min(time / length + max(LEAD / length, least), 1.0)
        np.testing.assert_allclose(row[:3], place + share * (reach.position - place), atol=1e-12)
        np.testing.assert_allclose(row[3:6], to_rotvec(slerp(quaternion, reach.quaternion, share)), atol=1e-12)
        assert row[6] == pytest.approx(grasp - min(CLOSING * (time + FIRM), grasp - reach.grasp), abs=1e-12)
