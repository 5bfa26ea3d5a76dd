"""One thread and no curves: the tests compare bits, and the machine is small."""

from __future__ import annotations

import pytest

from volition.train import journal


@pytest.fixture(autouse=True)
def no_curves(one_thread: None, monkeypatch: pytest.MonkeyPatch) -> None:
    """Half a second for each run; the test that looks at them draws them itself."""
    monkeypatch.setattr(journal, "write_curves", lambda lines, path: None)
