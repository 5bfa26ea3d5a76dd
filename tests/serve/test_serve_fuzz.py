"""A short run of the fuzzer; docs/servers.md says what a long one found."""

from __future__ import annotations

import sys

import numpy as np
import pytest

from volition.serve import fuzz
from volition.serve.protocol import ProtocolError, unpack
from volition.serve.request import read


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="looks into /proc")
def test_the_server_stays_whole_under_400_attacks() -> None:
    found = fuzz.fuzz(400, seed=1)
    assert not found.failures
    assert sum(found.outcomes.values()) == 400
    assert len({kind for kind, _ in found.outcomes}) >= 10
    assert len(found.waits) >= 5


@pytest.mark.parametrize("payload", fuzz.PAYLOADS, ids=lambda payload: payload.__name__)
def test_the_reader_raises_nothing_else_than_its_own_error(payload) -> None:
    random = np.random.default_rng(7)
    refused: list[str] = []
    for _ in range(500):
        try:
            read(unpack(payload(random)), fuzz.SCHEMA, fuzz.ROBOT, 0.0)
        except ProtocolError as error:
            refused.append(str(error))
    assert len(refused) > 100
    assert max(map(len, refused)) < 600
    assert "Traceback" not in " ".join(refused)
