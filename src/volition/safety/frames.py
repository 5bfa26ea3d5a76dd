"""A quaternion as the matrix of its turn, once a tick: from there on points are turned by products. RobotState -> Field, Survey"""

from __future__ import annotations

import numpy as np


def matrix(quaternion: np.ndarray) -> np.ndarray:
    """What `transforms.rotation.rotate` does to a column. (4,) wxyz -> (3, 3)"""
    w, x, y, z = quaternion.tolist()
    xx, yy, zz = 2.0 * x * x, 2.0 * y * y, 2.0 * z * z
    xy, xz, yz = 2.0 * x * y, 2.0 * x * z, 2.0 * y * z
    wx, wy, wz = 2.0 * w * x, 2.0 * w * y, 2.0 * w * z
    return np.array(
        [[1.0 - yy - zz, xy - wz, xz + wy], [xy + wz, 1.0 - xx - zz, yz - wx], [xz - wy, yz + wx, 1.0 - xx - yy]]
    )
