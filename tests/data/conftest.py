"""Registers the marker of the tests that need another program's environment, or its data."""

from __future__ import annotations

import pytest


def pytest_configure(config: pytest.Config) -> None:
    config.addinivalue_line(
        "markers", "peer: against a real peer (lerobot) or real data fetched from the index; skipped where absent"
    )
