"""Arrays to parquet columns and back, as `lerobot` (the `datasets` library under it) types them.

    Feature (1,) -> plain column; (n,) -> fixed-size list; (n, m) -> list of lists; picture -> struct of PNG bytes

The only module that knows Arrow's layouts; what it gives and takes are numpy arrays (T, *shape).
"""

from __future__ import annotations

import io
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from volition.data.atomic import replacing
from volition.data.errors import DataError
from volition.data.feature import Feature


def column_type(feature: Feature) -> pa.DataType:
    """The Arrow type of a feature that is not a picture."""
    kind = pa.type_for_alias("bool" if feature.dtype == "bool" else feature.dtype)
    if feature.shape == (1,):
        return kind
    if len(feature.shape) == 1:
        return pa.list_(kind, feature.shape[0])
    for _ in feature.shape:
        kind = pa.list_(kind)
    return kind


def to_column(feature: Feature, values: np.ndarray) -> pa.Array:
    """(T, *shape) as one Arrow array of T rows."""
    kind = column_type(feature)
    if feature.kind == "text":
        return pa.array(values.ravel().tolist(), type=kind)
    flat = np.ascontiguousarray(values).ravel()
    if feature.shape == (1,):
        return pa.array(flat, type=kind)
    leaf = pa.array(flat)
    if len(feature.shape) == 1:
        return pa.FixedSizeListArray.from_arrays(leaf, feature.shape[0])
    for size in reversed(feature.shape):
        leaf = pa.ListArray.from_arrays(pa.array(np.arange(0, len(leaf) + 1, size), type=pa.int32()), leaf)
    return leaf


def from_column(column: pa.ChunkedArray, shape: Sequence[int], dtype: str, owner: str) -> np.ndarray:
    """One column as (T, *shape); `owner` names file and column in messages."""
    rows = len(column)
    array = column.combine_chunks() if column.num_chunks != 1 else column.chunk(0)
    if isinstance(array, pa.ChunkedArray):  # no rows, no chunks
        array = pa.array([], type=column.type)
    while pa.types.is_list(array.type) or pa.types.is_large_list(array.type) or pa.types.is_fixed_size_list(array.type):
        if array.null_count:
            raise DataError(f"{owner} has {array.null_count} empty rows; every frame needs its numbers.")
        array = array.flatten()
    if array.null_count:
        raise DataError(f"{owner} has {array.null_count} empty values; every frame needs its own.")
    if len(array) != rows * int(np.prod(shape)):
        raise DataError(f"{owner} has {len(array)} values in {rows} rows; each row must hold {tuple(shape)}.")
    if dtype == "string":
        values = np.array(array.to_pylist(), dtype=object)
    else:
        if not (pa.types.is_floating(array.type) or pa.types.is_integer(array.type) or pa.types.is_boolean(array.type)):
            raise DataError(f"{owner} holds {array.type}; it must be {dtype}.")
        values = array.to_numpy(zero_copy_only=False).astype(dtype, copy=False)
    return values.reshape(rows, *shape)


def picture_from(value: Any, owner: str) -> np.ndarray:
    """A picture kept inside parquet ({"bytes": PNG, "path": ...}) as (H, W, 3) uint8."""
    from PIL import Image, UnidentifiedImageError  # only data sets with pictures in parquet need Pillow

    data = value.get("bytes") if isinstance(value, dict) else None
    if not data:
        raise DataError(f"{owner} has no picture in it.")
    try:
        with Image.open(io.BytesIO(data)) as image:
            return np.asarray(image.convert("RGB"))
    except (UnidentifiedImageError, OSError) as error:
        raise DataError(f"{owner} is not a readable picture: {error}.") from error


def open_table(path: Path) -> pq.ParquetFile:
    if not path.exists():
        raise DataError(f"{path} is missing.")
    try:
        return pq.ParquetFile(path, memory_map=True)
    except (pa.ArrowException, OSError) as error:
        raise DataError(f"{path} is not a readable parquet file: {str(error).splitlines()[0]}") from error


def read_table(path: Path, columns: Sequence[str] | None = None) -> pa.Table:
    file = open_table(path)
    try:
        return file.read(columns=None if columns is None else list(columns))
    except (pa.ArrowException, OSError) as error:
        raise DataError(f"{path} is damaged: {str(error).splitlines()[0]}") from error


def read_rows(file: pq.ParquetFile, path: Path, begin: int, end: int, columns: Sequence[str]) -> pa.Table:
    """Rows begin..end-1, from the row groups that have them only: an episode is one, if `lerobot` or this wrote it."""
    groups, first, at = [], 0, 0
    for number in range(file.num_row_groups):
        rows = file.metadata.row_group(number).num_rows
        if at < end and at + rows > begin:
            if not groups:
                first = at
            groups.append(number)
        at += rows
    if end > at or begin < 0:
        raise DataError(f"{path} has {at} rows; an episode is said to be in rows {begin} to {end - 1}.")
    try:
        return file.read_row_groups(groups, columns=list(columns)).slice(begin - first, end - begin)
    except (pa.ArrowException, OSError) as error:
        raise DataError(f"{path} is damaged: {str(error).splitlines()[0]}") from error


def write_tables(path: Path, tables: Sequence[pa.Table]) -> None:
    """One file, a row group for each table, whole or not at all."""
    with replacing(path) as beside, pq.ParquetWriter(beside, tables[0].schema, compression="snappy") as writer:
        for table in tables:
            writer.write_table(table, row_group_size=max(1, table.num_rows))
