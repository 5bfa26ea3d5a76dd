"""The policy that comes with the package is what its record says: its file, and how often it succeeds."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch

from volition.data.atomic import read_json
from volition.eval.report.manifest import hash_of
from volition.eval.shipping import LARGEST, RECORD, check
from volition.model import shipped
from volition.model.pretrained import WEIGHTS


@pytest.fixture
def folder() -> Path:
    found = shipped.checkpoint()
    assert found is not None
    return found


def test_the_shipped_policy_is_small_and_the_one_that_was_tried(folder: Path) -> None:
    record = read_json(folder / RECORD)
    assert (folder / WEIGHTS).stat().st_size <= LARGEST
    assert record["checkpoint"] == hash_of(folder)
    assert record["plan"]["stages"]  # every command that made it, with its minutes
    assert all(one["trials"] == record["episodes"] for one in record["trials"] if one["skill"] != "all")


@pytest.mark.slow
@pytest.mark.timeout(900)
def test_the_shipped_policy_does_as_well_as_when_it_was_shipped(folder: Path) -> None:
    torch.set_num_threads(1)
    assert check(folder, workers=1) == []
