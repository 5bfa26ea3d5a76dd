"""For all tests: files with slow ones come first, so that with several workers none is left with one at the end."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from browser import Tab


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    slow = {item.path for item in items if item.get_closest_marker("slow")}
    items.sort(key=lambda item: item.path not in slow)  # stable: within these the order stays


@pytest.fixture(scope="module")
def one_thread() -> Iterator[None]:
    """Torch with one thread, for a file that compares bits or whose tensors are too small for more."""
    torch = pytest.importorskip("torch")
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(threads)


@pytest.fixture(scope="session")
def tab(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Tab]:
    """A tab of a real browser."""
    from browser import chromium, installed

    program = installed()
    if program is None:
        pytest.skip("there is no Chromium here; on Debian: apt install chromium")
    folder = tmp_path_factory.mktemp("chromium")
    with chromium(program, folder) as found:
        yield found
    shutil.rmtree(folder, ignore_errors=True)  # tens of MB
