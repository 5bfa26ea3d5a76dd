"""Recently used arrays in memory, up to a number of bytes: decoded pictures and episodes' numbers."""

from __future__ import annotations

import threading
from collections import OrderedDict
from collections.abc import Hashable

import numpy as np

from volition.data.errors import DataError


class ArrayCache:
    """Least recently used goes first. Arrays are handed out read-only, since everybody gets the same one."""

    def __init__(self, limit: int) -> None:
        if limit < 0:
            raise DataError(f"The cache's limit is {limit} bytes; it must be 0 or more.")
        self.limit, self.bytes = limit, 0
        self.hits = self.misses = 0
        self._arrays: OrderedDict[Hashable, np.ndarray] = OrderedDict()
        self._lock = threading.Lock()

    def get(self, key: Hashable) -> np.ndarray | None:
        with self._lock:
            array = self._arrays.get(key)
            if array is None:
                self.misses += 1
                return None
            self.hits += 1
            self._arrays.move_to_end(key)
            return array

    def put(self, key: Hashable, array: np.ndarray) -> np.ndarray:
        """Keep an array that owns its memory (a view would keep all of what it looks at)."""
        if array.base is not None:
            array = array.copy()
        array.setflags(write=False)
        if array.nbytes > self.limit:
            return array
        with self._lock:
            old = self._arrays.pop(key, None)
            self.bytes += array.nbytes - (0 if old is None else old.nbytes)
            self._arrays[key] = array
            while self.bytes > self.limit:
                _, gone = self._arrays.popitem(last=False)
                self.bytes -= gone.nbytes
        return array

    def clear(self) -> None:
        with self._lock:
            self._arrays.clear()
            self.bytes = 0
