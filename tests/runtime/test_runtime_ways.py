"""Other ways to execute chunks than blending: the mean of several, waiting for each, telling the policy what is ahead."""

from __future__ import annotations

from typing import get_args

import numpy as np
import pytest
from runtime_tools import COLUMNS, JOINT, block

from volition.errors import ContractError
from volition.eval import configs
from volition.robots.fake import FakePolicy
from volition.runtime.doubt import Response
from volition.runtime.ensemble import Ensemble
from volition.runtime.executor import Executor
from volition.runtime.ways import MEANING, WAYS, check_way, executor_of
from volition.transforms import rotation
from volition.types import ActionChunk, ActionDimension, ActionSpec, Ahead, Observation

SPEC = ActionSpec(
    name="test",
    dimensions=(
        *(ActionDimension(name=f"r{axis}", unit="rad", meaning="absolute", low=-np.pi, high=np.pi) for axis in "xyz"),
        ActionDimension(name="x", unit="m", meaning="absolute", low=-1, high=1),
        ActionDimension(name="v", unit="m/s", meaning="velocity", low=-1, high=1),
        ActionDimension(name="id", unit="id", meaning="discrete", low=0, high=9),
    ),
    rotations=(0,),
)
X, V, ID = 3, 4, 5
ELBOW = JOINT.index("left_elbow_joint")


def chunk(stamp: float, x, *, r=(0.0, 0.0, 0.0), v=0.0, id=0, dt=0.1) -> ActionChunk:
    values = np.array([[*r, value, v, id] for value in x], dtype=float)
    return ActionChunk(stamp=stamp, values=values, dt=dt, spec="test")


# ---- ensembling


@pytest.mark.parametrize("decay", [0.0, 0.5, -0.5])
def test_a_step_is_the_weighted_mean_of_all_that_speak_of_its_time(decay):
    ensemble = Ensemble(SPEC, decay=decay)
    given = [[0.0] * 6, [0.3] * 6, [0.9] * 6]
    mixed = [ensemble.mix(chunk(0.1 * number, x, v=x[0])) for number, x in enumerate(given)]
    weights = np.exp(-decay * np.arange(3))
    assert mixed[0].values[:, X] == pytest.approx(0.0)
    assert mixed[2].values[0, X] == pytest.approx(weights @ [0.0, 0.3, 0.9] / weights.sum())
    assert mixed[2].values[0, V] == pytest.approx(mixed[2].values[0, X])
    # Of its last two steps fewer chunks speak: the oldest is then the second, then the newest itself.
    assert mixed[2].values[-2, X] == pytest.approx(weights[:2] @ [0.3, 0.9] / weights[:2].sum())
    assert mixed[2].values[-1, X] == pytest.approx(0.9)
    assert [one.stamp for one in mixed] == pytest.approx([0.0, 0.1, 0.2]), "a chunk keeps its stamp"


def test_a_discrete_choice_is_the_newest_and_rotations_meet_in_the_middle():
    ensemble = Ensemble(SPEC, decay=0.0)
    ensemble.mix(chunk(0.0, [0.0] * 5, r=(0, 0, 3.0), id=2))
    mixed = ensemble.mix(chunk(0.1, [0.0] * 3, r=(0, 0, -3.0), id=7))
    assert set(mixed.values[:, ID]) == {7.0}
    turned = rotation.from_rotvec(mixed.values[0, :3])
    assert np.linalg.norm(rotation.between(rotation.from_rotvec(np.array([0, 0, np.pi])), turned)) < 1e-6


def test_an_ensemble_is_smoother_than_what_it_is_made_of():
    """A policy whose chunks jitter: the ensembled motion turns back and forth less."""
    rng = np.random.default_rng(0)
    offsets = rng.normal(0, 0.05, 20)

    def motion(executor):
        found = []
        for number in range(100):
            now = 0.02 * number
            if number % 5 == 0:
                executor.accept(chunk(now, [offsets[number // 5]] * 8), now)
            found.append(executor.sample(now).values[X])
        return np.array(found)

    plain, mean = (np.abs(np.diff(motion(executor_of(way, SPEC)), n=2)).sum() for way in ("blend", "ensemble"))
    assert mean < 0.5 * plain


def test_ensembling_forgets_at_a_reset():
    executor = Executor(SPEC, ensemble=Ensemble(SPEC))
    executor.accept(chunk(0.0, [1.0] * 9), 0.0)
    executor.reset()
    executor.accept(chunk(0.1, [0.0] * 9), 0.1)
    assert executor.sample(0.5).values[X] == pytest.approx(0.0)


# ---- what is ahead


def test_ahead_is_what_will_be_sampled():
    executor = executor_of("continue", SPEC)
    assert executor.ahead(0.0) is None, "nothing runs yet"
    executor.accept(chunk(0.0, np.linspace(0, 0.7, 8), r=(0, 0.4, 0), v=0.3), 0.05)
    executor.accept(chunk(0.1, np.linspace(0.5, 0.8, 8), r=(0, 0.2, 0.1), v=0.1, id=3), 0.16)
    ahead = executor.ahead(0.2)
    assert ahead is not None
    assert (ahead.dt, ahead.spec, len(ahead.values)) == (0.1, "test", 7)
    wanted = np.array([executor.sample(0.2 + 0.1 * (step + 1)).values for step in range(7)])
    assert ahead.values == pytest.approx(wanted), "while the join still fades, too"


@pytest.mark.parametrize(("late", "fixed"), [(0.0, 0), (0.04, 1), (0.1, 1), (0.25, 3), (0.4, 4)])
def test_as_many_steps_are_fixed_as_begin_before_an_answer_is_here(late, fixed):
    executor = executor_of("continue", SPEC)
    executor.accept(chunk(0.0, [0.1] * 9), late)
    ahead = executor.ahead(0.5)
    assert ahead is not None
    assert ahead.fixed == fixed


def test_the_slowest_of_the_last_answers_counts_and_no_more_is_fixed_than_known():
    executor = executor_of("continue", SPEC)
    for stamp, age in ((0.0, 0.02), (0.1, 0.3), (0.5, 0.02)):
        executor.accept(chunk(stamp, [0.1] * 8), stamp + age)
    assert executor.ahead(0.6).fixed == 3
    late = executor.ahead(1.15)
    assert (late.fixed, len(late.values)) == (1, 1)
    assert executor.ahead(1.25) is None, "less than a step is left"


def test_usual_ways_tell_nobody():
    for way in ("blend", "switch", "ensemble", "wait"):
        executor = executor_of(way, SPEC)
        executor.accept(chunk(0.0, [0.1] * 9), 0.0)
        assert executor.ahead(0.1) is None


def test_the_policy_is_told_what_is_ahead_and_asked_one_at_a_time(rig):
    """With 150 ms of latency: what was ahead when it was asked is what was sent until its answer came."""
    told: list[Observation] = []

    def script(observation):
        told.append(observation)
        return block(10, elbow=0.2 * np.sin(3 * len(told)))

    run = rig(FakePolicy(JOINT, script), latency_s=0.15, executor=executor_of("continue", JOINT))
    summary = run.run(3.0)
    assert summary.errors == summary.refused == summary.stops == 0
    stamps = [one.stamp for one in told]
    assert min(np.diff(stamps)) == pytest.approx(0.16), "a tick after the answer was due"
    sent = {round(tick.stamp, 3): tick.action.values[ELBOW] for tick in run.ticks if tick.action is not None}
    assert told[0].ahead is None
    checked = 0
    for one in told[1:-1]:
        assert one.ahead is not None
        assert one.ahead.fixed == 2
        time = round(one.stamp + 0.1, 3)  # of the second step the answer sees the end
        assert sent[time] == pytest.approx(one.ahead.values[0, ELBOW], abs=1e-9)
        checked += 1
    assert checked > 10


def test_a_policy_that_goes_on_from_what_is_ahead_makes_no_seam(rig):
    """The same erratic policy; where it holds the fixed steps, the command changes less at each replacement."""

    def policy(holds):
        count = 0

        def script(observation):
            nonlocal count
            count += 1
            values = block(10, elbow=0.3 * (count % 2))
            if holds and observation.ahead is not None:
                fixed = observation.ahead.fixed
                values[:fixed] = observation.ahead.values[:fixed]
            return values

        return FakePolicy(JOINT, script)

    jumps = []
    for holds in (False, True):
        run = rig(policy(holds), latency_s=0.15, executor=Executor(JOINT, blend=0.01, continues=True))
        run.run(4.0)
        following = [tick.action for tick in run.ticks if tick.stamp > 0.5 and tick.action is not None]
        elbow = np.array([action.values[ELBOW] for action in following])
        jumps.append(np.abs(np.diff(elbow)).max())
    assert jumps[1] < 0.5 * jumps[0]


def test_wrong_plans_are_refused():
    with pytest.raises(ContractError, match="fixed is 4; it must be 0 to 3"):
        Ahead(values=np.zeros((3, 2)), dt=0.1, spec="test", fixed=4)
    with pytest.raises(ContractError, match="finite"):
        Ahead(values=np.full((3, 2), np.nan), dt=0.1, spec="test", fixed=0)


# ---- waiting


def test_the_robot_that_waits_plays_half_and_stands_until_the_next_is_there(rig):
    policy = FakePolicy(JOINT, lambda seen: block(8, forward=0.3))
    run = rig(policy, latency_s=0.4, executor=executor_of("wait", JOINT))
    summary = run.run(4.0)
    asked = np.array([one.stamp for one in policy.seen])
    assert np.diff(asked) == pytest.approx(0.8, abs=0.041), "0.4 s to play, 0.4 s to wait"
    walking = np.array([tick.safe.base_velocity[0] for tick in run.ticks if tick.stamp > 1.0])
    assert walking.max() == pytest.approx(0.3, abs=0.01)
    assert (walking == 0).mean() > 0.15, "it stands while it waits"
    assert summary.stops == 0, "waiting on purpose is no fault, however old the last chunk is"


def test_a_chunk_begins_when_it_comes_however_late():
    executor = executor_of("wait", SPEC)
    assert executor.asks(0.0)
    assert executor.accept(chunk(0.0, np.linspace(0.1, 0.8, 8)), 1.5)
    assert executor.chunk is not None
    assert executor.chunk.end == pytest.approx(1.9)
    assert not executor.asks(1.8)
    assert executor.waiting(1.91)
    assert executor.sample(1.9).values[X] == pytest.approx(0.4)


def test_every_way_moves_the_robot_and_stops_it_after_the_last_chunk(rig):
    for way in WAYS:
        run = rig(FakePolicy(JOINT, block(elbow=0.4)), executor=executor_of(way, JOINT))
        assert run.run(2.0).stops == 0
        moved = run.ticks[-1].safe.position - run.ticks[0].safe.position
        assert np.abs(moved).max() == pytest.approx(0.4, abs=0.02), way
    assert list(MEANING) == list(WAYS)
    assert len(COLUMNS) == 14


def test_only_a_policy_that_goes_on_from_what_is_ahead_can_continue():
    check_way("continue", continues=True, name="it")
    for way in WAYS:
        if way != "continue":
            check_way(way, continues=False, name="it")
    with pytest.raises(
        ContractError, match=r"it cannot be run in the way 'continue': .* take wait, switch, blend, ens"
    ):
        check_way("continue", continues=False, name="it")


def test_the_command_line_offers_what_there_is():
    assert get_args(configs.Way) == tuple(WAYS)
    assert get_args(configs.Response) == get_args(Response)


def test_what_is_refused():
    with pytest.raises(ContractError, match="There is no way 'guess'"):
        executor_of("guess", SPEC)  # type: ignore[arg-type]
    with pytest.raises(ContractError, match=r"Executor\.waits is 0"):
        Executor(SPEC, waits=0.0)
    with pytest.raises(ContractError, match=r"Ensemble\.decay"):
        Ensemble(SPEC, decay=9.0)
    with pytest.raises(ContractError, match=r"Ensemble\.most"):
        Ensemble(SPEC, most=0)
