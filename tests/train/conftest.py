"""One thread: the tests compare bits, and the machine is small."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
import torch

from volition.train import journal


@pytest.fixture(autouse=True)
def one_thread() -> Iterator[None]:
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)


@pytest.fixture(autouse=True)
def no_curves(monkeypatch: pytest.MonkeyPatch) -> None:
    """Half a second for each run; the test that looks at them draws them itself."""
    monkeypatch.setattr(journal, "write_curves", lambda lines, path: None)
