"""For the tests over ROS 1: one roscore and one node of their own for all of them."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from ros1_tools import Watcher, roscore


@pytest.fixture(scope="session")
def ros1_watcher(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Watcher]:
    with roscore(tmp_path_factory.mktemp("ros")):
        yield Watcher()
