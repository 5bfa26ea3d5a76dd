"""Doubt that acts: slowed, held or asked at the calibrated threshold, with hysteresis, each an event; off without one."""

from __future__ import annotations

import itertools
import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from runtime_tools import JOINT, block

from volition.errors import AssetError, ContractError
from volition.robots.fake import FakePolicy
from volition.runtime.doubt import Doubt, DoubtConfig, Signs, doubt_beside, doubt_for
from volition.runtime.oversight import Oversight
from volition.safety import reasons
from volition.safety.calibration import CALIBRATION, Calibration, Signal, read_calibration, weights_of
from volition.safety.log import read_log
from volition.types import ActionChunk

WORRY = Calibration(
    signals=(Signal(name="worry", middle=0.0, spread=0.5, weight=2.0), Signal(name="time", middle=0.0, spread=1.0, weight=0.0)),
    bias=-3.0, threshold=0.7, alarms=0.1, smooth_s=0.2, weights="",
)  # fmt: skip


class Worried(FakePolicy):
    """Walks on, and says how worried it is at which time."""

    def __init__(self, worry):
        super().__init__(JOINT, block(forward=0.3))
        self._worry = worry

    def infer(self, observation):
        return replace(super().infer(observation), doubt={"worry": self._worry(observation.stamp)})


def between(begin, end, *, high=5.0):
    return lambda now: high if begin <= now < end else 1.0


def speed(run, begin, end):
    return [tick.safe.base_velocity[0] for tick in run.ticks if begin <= tick.stamp < end]


def doubting(response, **more):
    return Doubt(WORRY, JOINT, DoubtConfig(response=response, **more))


def told(run, reason):
    return [event for event in run.guard.events if event.reason == reason]


def test_a_policy_that_is_sure_is_left_alone(rig):
    run = rig(Worried(lambda now: 1.0), doubt=doubting("slow"))
    summary = run.run(3.0)
    assert max(speed(run, 1.0, 3.0)) == pytest.approx(0.3, abs=0.01)
    assert not {reasons.DOUBT, reasons.UNSURE} & set(summary.interventions)


def test_doubt_slows_hands_and_base_and_lets_go_when_it_has_passed(rig):
    run = rig(Worried(between(1.0, 2.0)), doubt=doubting("slow", slow_to=0.2))
    summary = run.run(4.0)
    most = run.robot.spec.base.velocity[0]
    assert max(speed(run, 1.8, 2.2)) == pytest.approx(0.2 * most)
    assert max(speed(run, 3.4, 4.0)) == pytest.approx(0.3, abs=0.01)
    assert summary.stops == 0, "being slowed is no fault"
    (up,), (down,) = told(run, reasons.DOUBT), told(run, reasons.CALM)
    assert 1.0 < up.stamp < 1.6
    assert 2.5 < down.stamp < 3.3, "half a second after it has fallen below the release"
    assert up.before is not None
    assert up.before >= up.after == 0.7
    assert "slow: doubt" in up.detail
    assert "mostly worry" in up.detail
    assert {event.where for event in told(run, reasons.UNSURE)} == {"base.forward"}


def test_the_arms_are_slowed_by_the_shield(rig):
    def fast(caution_at):
        policy = Worried(between(0.0, caution_at))
        policy._script = lambda seen: block(8, elbow=0.0 if seen.stamp < 1.0 else 1.2)
        run = rig(policy, doubt=doubting("slow", slow_to=0.1))
        run.run(3.5)
        moved = np.array([tick.safe.position for tick in run.ticks])
        return np.abs(np.diff(moved, axis=0)).max()

    assert fast(10.0) < 0.5 * fast(0.0)


def test_it_does_not_go_on_and_off_around_the_threshold():
    doubt = doubting("slow", release=0.5, calm_s=0.4)
    states = []
    for tick in range(200):
        now = 0.1 * tick
        chunk = ActionChunk(stamp=now, values=block(4), dt=0.1, spec="joint", doubt={"worry": 3.0 if tick % 2 else 2.2})
        doubt.hear(chunk, now)
        states.append(doubt.look(now))
    changes = sum(one != other for one, other in itertools.pairwise(states))
    assert changes == 1
    assert len(doubt.events()) == changes


def test_a_hold_rests_for_a_while_and_goes_on_slowly(rig):
    run = rig(Worried(between(1.0, 3.5)), doubt=doubting("hold", hold_s=1.0, slow_to=0.2))
    summary = run.run(5.0)
    (held,) = told(run, reasons.DOUBT)
    assert max(speed(run, held.stamp + 0.6, held.stamp + 1.0)) == 0.0
    seen = [one.stamp for one in run.policy.seen if held.stamp + 0.05 < one.stamp < held.stamp + 0.95]
    assert not seen, "the policy is not asked while the robot rests"
    slow = speed(run, held.stamp + 1.8, 3.4)
    assert max(slow) == pytest.approx(0.2 * run.robot.spec.base.velocity[0])
    assert summary.stops == 0
    assert max(speed(run, 4.6, 5.0)) == pytest.approx(0.3, abs=0.01)


def at(when):
    left = dict(when)

    def on_tick(tick):
        for stamp in [stamp for stamp in left if tick.stamp >= stamp - 1e-6]:
            left.pop(stamp)()

    return on_tick


def test_it_asks_a_person_once_and_goes_on_slowly_after_a_yes(rig):
    over = Oversight()
    run = rig(
        Worried(between(1.0, 9.0)), oversight=over, doubt=doubting("ask"), on_tick=at({2.5: lambda: asked.append(over.question), 3.0: over.approve})
    )  # fmt: skip
    asked: list[str] = []
    summary = run.run(5.0)
    assert "the policy is unsure" in asked[0]
    assert max(speed(run, 2.2, 3.0)) == 0.0
    assert max(speed(run, 4.0, 5.0)) == pytest.approx(0.25 * run.robot.spec.base.velocity[0])
    assert [len(told(run, reason)) for reason in (reasons.DOUBT, reasons.WAITING, reasons.APPROVED)] == [1, 1, 1]
    assert summary.status == "time"


def test_a_no_ends_the_run(rig):
    over = Oversight()
    run = rig(Worried(between(1.0, 9.0)), oversight=over, doubt=doubting("ask"), on_tick=at({2.0: over.refuse}))
    summary = run.run(5.0)
    assert summary.status == "stopped"
    assert summary.notes[-1][1] == "the person said no to going on"


def test_nobody_to_ask_is_said_at_once(rig):
    with pytest.raises(ContractError, match="nobody to ask; give the loop an Oversight"):
        rig(doubt=doubting("ask"))


def test_watching_changes_nothing_but_the_log(rig):
    plain, watched = rig(Worried(between(1.0, 2.0))), rig(Worried(between(1.0, 2.0)), doubt=doubting("watch"))
    plain.run(4.0)
    watched.run(4.0)
    for one, other in zip(plain.ticks, watched.ticks, strict=True):
        assert (one.safe.base_velocity == other.safe.base_velocity).all()
    assert (len(told(watched, reasons.DOUBT)), len(told(watched, reasons.CALM))) == (1, 1)


def test_every_run_begins_sure_and_the_log_file_has_it(rig, tmp_path: Path):
    run = rig(Worried(between(1.0, 9.0)), doubt=doubting("slow"))
    run.guard.log_to(tmp_path / "events.jsonl")
    run.run(2.5)
    run.policy._worry = lambda now: 1.0
    run.run(2.5)
    run.guard.close()
    assert run.guard.caution == 1.0
    found = [event.reason for event in read_log(tmp_path / "events.jsonl")]
    assert found.count(reasons.DOUBT) == 1


# ---- what is seen from outside


def test_chunks_that_agree_change_nothing_and_others_do():
    signs = Signs(JOINT)

    def chunk(stamp, elbow):
        return ActionChunk(stamp=stamp, values=block(8, elbow=elbow), dt=0.1, spec="joint")

    assert signs.of(chunk(1.0, 0.0)) == {"time": 0.0}
    same = signs.of(chunk(1.1, 0.0))
    assert same["time"] == pytest.approx(0.1)
    assert same["change"] == pytest.approx(0.0, abs=1e-9)
    small, large = signs.of(chunk(1.2, 0.1))["change"], signs.of(chunk(1.3, -0.4))["change"]
    assert 0 < small < large
    assert "change" not in signs.of(chunk(9.0, 0.0)), "they say nothing about the same moments"


# ---- the calibration


def test_a_calibration_is_the_same_after_a_trip_to_disk(tmp_path: Path):
    made = replace(WORRY, weights="abc", about={"command": "test"})
    (tmp_path / CALIBRATION).write_text(json.dumps(made.to_json()))
    assert read_calibration(tmp_path, "abc") == made
    assert read_calibration(tmp_path / "nowhere") is None


def test_without_a_calibration_there_is_no_doubt(tmp_path: Path):
    assert doubt_beside(tmp_path, JOINT) is None
    (tmp_path / "model.safetensors").write_bytes(b"weights")
    made = replace(WORRY, weights=weights_of(tmp_path))
    (tmp_path / CALIBRATION).write_text(json.dumps(made.to_json()))
    found = doubt_beside(tmp_path, JOINT, DoubtConfig(response="hold"))
    assert found is not None
    assert (found.calibration, found.config.response) == (made, "hold")


def test_who_asks_for_a_response_gets_it_or_is_told_what_is_missing():
    assert doubt_for(None, JOINT, None, "it") is None
    usual, asked = doubt_for(WORRY, JOINT, None, "it"), doubt_for(WORRY, JOINT, "hold", "it")
    assert usual is not None
    assert asked is not None
    assert (usual.config.response, asked.config.response) == ("slow", "hold")
    with pytest.raises(
        ContractError, match=r"it is not calibrated: .* cannot ask\. Calibrate .*volition\.eval\.uncertainty"
    ):
        doubt_for(None, JOINT, "ask", "it")


def test_what_is_wrong_with_a_calibration_is_said(tmp_path: Path):
    path = tmp_path / CALIBRATION
    good = WORRY.to_json()
    for told_as, said in (
        ("{", "cannot be read"),
        ("[]", "is not a calibration"),
        (json.dumps({**good, "format": 9}), "has format 9; this version reads 1"),
        (json.dumps({**good, "threshold": 7.0}), r"threshold is 7\.0; it must be 0 to 1"),
        (json.dumps({**good, "signals": []}), "has no signals"),
        (json.dumps({**good, "signals": [{**good["signals"][0], "spread": 0.0}]}), "the spread above 0"),
        (json.dumps({name: value for name, value in good.items() if name != "bias"}), "is not a calibration: KeyError"),
    ):
        path.write_text(told_as)
        with pytest.raises(AssetError, match=said):
            read_calibration(tmp_path)
    path.write_text(json.dumps(good))
    with pytest.raises(AssetError, match="is of other weights"):
        read_calibration(tmp_path, "abcdef")


def test_what_a_config_refuses():
    for wrong, said in (
        ({"response": "panic"}, "must be one of watch, slow, hold, ask"),
        ({"slow_to": 0.0}, r"slow_to is 0\.0; it must be 0\.05 to 1"),
        ({"hold_s": 0.0}, "hold_s"),
    ):
        with pytest.raises(ContractError, match=said):
            DoubtConfig(**wrong)


def test_a_signal_that_is_unknown_or_not_finite_says_nothing():
    signal = WORRY.signals[0]
    assert signal.off(None) == signal.off(float("nan")) == 0.0
    assert signal.off(0.0) == -3.0
    assert signal.off(1e9) == 6.0
    assert WORRY.blame({"worry": 9.0}) == "worry"
