"""The guard over a run: e-stop, exceptions inside the shield, events, counts, status, log."""

from __future__ import annotations

import numpy as np
import pytest
from safety_tools import DT, HIGH, HOME, LOW, ROBOT, broken_limits, command, state

from volition.errors import ContractError
from volition.robots.g1_assets import light_g1
from volition.safety import guard as guard_module
from volition.safety import reasons
from volition.safety.collision import CollisionModel
from volition.safety.guard import Guard
from volition.safety.log import read_log, summarise, table
from volition.safety.shield import Shield
from volition.types import ActionChunk, Intervention


class Run:
    """A guard driven tick by tick, keeping what it sent."""

    def __init__(self, collision=None):
        self.guard = Guard(Shield(ROBOT, collision=collision))
        self.now = 0.0
        self.guard.start(state(), 0.0)
        self.positions, self.bases = [HOME] * 3, [np.zeros(3)] * 3

    def tick(self, wanted, base=(0.3, 0, 0)):
        made = None if wanted is None else command(wanted, self.now, base)
        sent = self.guard.apply(made, state(now=self.now), self.now)
        self.positions.append(sent.position)
        self.bases.append(sent.base_velocity)
        self.now += DT
        return sent

    def check(self):
        assert broken_limits(np.array(self.positions), np.array(self.bases)) == []


def test_estop_latches_and_resumes_without_a_jump():
    run = Run()
    for _ in range(8):
        run.tick(HIGH)
    run.guard.estop.press("hand on the button")
    for _ in range(100):
        sent = run.tick(HIGH)
    assert run.guard.holding
    assert run.guard.status == "HOLD: estop"
    assert (run.positions[-1] == run.positions[-60]).all()
    assert (sent.base_velocity == 0).all()
    assert run.guard.estop.why == "hand on the button"
    run.guard.estop.press("again")
    assert run.guard.estop.why == "hand on the button"
    run.guard.estop.reset()
    for _ in range(150):
        run.tick(HIGH)
    assert not run.guard.holding
    assert run.guard.faults() == 1
    assert (run.positions[-1] == HIGH).all()
    run.check()


class Broken(CollisionModel):
    def near(self, position, *how):
        if self.ready:
            raise RuntimeError("the collision model fell over")
        return super().near(position, *how)

    ready = False


def test_exception_inside_is_a_fault_not_a_crash():
    broken = Broken(ROBOT, light_g1())
    broken.ready = True
    run = Run(collision=broken)
    for _ in range(30):
        run.tick(HIGH)
    assert run.guard.holding
    assert run.guard.status == "HOLD: shield"
    assert "fell over" in run.guard.events[0].detail
    run.check()


def test_reported_policy_failure_holds():
    run = Run()
    run.tick(HOME)
    run.guard.report(Intervention(stamp=run.now, reason=reasons.POLICY, where="policy", detail="boom"))
    run.tick(HOME)
    assert run.guard.status == "HOLD: policy"
    run.tick(HOME)
    assert not run.guard.holding
    assert run.guard.faults() == 1
    assert run.guard.counts()[reasons.POLICY] == 1


def test_fault_episodes_are_counted_not_ticks():
    run = Run()
    for wanted in (HOME, None, None, HOME, None, HOME):
        run.tick(wanted)
    assert run.guard.faults() == 2
    assert run.guard.counts() == {reasons.MISSING: 3, reasons.BASE_ACCELERATION: 3}


def test_status_while_limiting_and_clear():
    run = Run()
    run.tick(LOW, base=(0, 0, 0))
    assert run.guard.status.startswith("limiting: ")
    run = Run()
    run.tick(HOME, base=(0, 0, 0))
    assert run.guard.status == "clear"


def test_admit_remembers_the_last_stamp():
    run = Run()
    chunk = ActionChunk(stamp=0.0, values=np.zeros((2, 1)), dt=0.1, spec="primitive")
    assert run.guard.admit(chunk, 0.1) is chunk
    assert run.guard.admit(chunk, 0.1) is None
    assert run.guard.counts() == {reasons.REPEATED: 1}
    assert run.guard.admit("not a chunk", 0.1) is None


def test_apply_before_start_says_what_to_do():
    with pytest.raises(ContractError, match="start it"):
        Guard(Shield(ROBOT)).apply(None, state(), 0.0)


def test_events_are_bounded(monkeypatch):
    monkeypatch.setattr(guard_module, "_KEPT", 5)
    run = Run()
    for _ in range(9):
        run.tick(None)
    assert len(run.guard.events) == 5
    assert run.guard.dropped == 4
    assert run.guard.counts() == {reasons.MISSING: 9}
    assert "4 older events" in run.guard.summary()


def test_log_reads_back(tmp_path):
    run = Run()
    run.guard.log_to(tmp_path / "shield.jsonl")
    run.guard.report(Intervention(stamp=0.0, reason=reasons.POLICY, before=float("nan")))
    for wanted in (HIGH, None, HIGH):
        run.tick(wanted)
    run.guard.close()
    read = read_log(tmp_path / "shield.jsonl")
    assert [event.reason for event in read] == [event.reason for event in run.guard.events]
    rows = summarise(read)
    assert rows[0].reason in reasons.FAULTS
    assert "where most often" in table(rows)
    (tmp_path / "bad").write_text("nonsense\n")
    with pytest.raises(ContractError, match="line 1"):
        read_log(tmp_path / "bad")
