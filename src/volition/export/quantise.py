"""An ONNX network in eight bits: convolutions with scales found on recorded observations, the weights of other layers.

policy.onnx, what it was shown --static--> convolutions compute in eight bits --weights--> linear layers are kept in them
language.onnx --dynamic--> weights in eight bits, what flows between is scaled as it comes

Linear layers of a policy still compute in float32: they are a small part of the time, and what flows between them is
what an action is made of. With their inputs in eight bits too, a trained `quick` erred about three times as much.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np

from volition.export.flat import ExportError

_LEAST = 4096  # weights of a linear layer that is worth it


def static(path: Path, shown: Sequence[dict[str, np.ndarray]]) -> None:
    """Convolutions, in place. `shown`: inputs that the ranges of what flows between layers are taken from."""
    tools = _tools()
    with _prepared(tools, path) as (prepared, done):
        tools.quantize_static(
            str(prepared),
            str(done),
            _reader(tools, path, shown),
            quant_format=tools.QuantFormat.QDQ,
            op_types_to_quantize=["Conv"],
            per_channel=True,
            activation_type=tools.QuantType.QUInt8,
            weight_type=tools.QuantType.QInt8,
        )


def weights(path: Path) -> None:
    """Linear layers, in place: a scale for each of their outputs."""
    _tools()
    import onnx
    from onnx import helper, numpy_helper

    model = onnx.load(str(path))
    known = {one.name: one for one in model.graph.initializer}
    done: set[str] = set()
    for node in [one for one in model.graph.node if one.op_type in ("Gemm", "MatMul")]:
        tensor = known.get(node.input[1])
        if tensor is None or tensor.name in done or len(tensor.dims) != 2 or np.prod(tensor.dims) < _LEAST:
            continue
        turned = any(one.name == "transB" and one.i for one in node.attribute)
        axis = 0 if turned else 1  # of the outputs
        value = numpy_helper.to_array(tensor)
        scale = np.maximum(np.abs(value).max(axis=1 - axis, keepdims=True), 1e-12).astype(np.float32) / 127
        name = tensor.name
        done.add(name)
        model.graph.initializer.remove(tensor)
        model.graph.initializer.append(numpy_helper.from_array(np.round(value / scale).astype(np.int8), f"{name}.int8"))
        model.graph.initializer.append(numpy_helper.from_array(scale.ravel(), f"{name}.scale"))
        back = helper.make_node("DequantizeLinear", [f"{name}.int8", f"{name}.scale"], [name], axis=axis)
        model.graph.node.insert(0, back)
    onnx.save(model, str(path))


def dynamic(path: Path) -> None:
    """In place: weights in eight bits, what flows between is scaled as it comes."""
    tools = _tools()
    with _prepared(tools, path) as (prepared, done):
        tools.quantize_dynamic(str(prepared), str(done), per_channel=True, weight_type=tools.QuantType.QInt8)


@contextmanager
def _prepared(tools: Any, path: Path) -> Iterator[tuple[Path, Path]]:
    """The network with its shapes known, and where to write the one that takes its place."""
    prepared, done = path.with_suffix(".prepared.onnx"), path.with_suffix(".int8.onnx")
    try:
        tools.shape_inference.quant_pre_process(str(path), str(prepared), skip_symbolic_shape=True)
        yield prepared, done
        done.replace(path)
    finally:
        for left in (prepared, done):
            left.unlink(missing_ok=True)


def _reader(tools: Any, path: Path, shown: Sequence[dict[str, np.ndarray]]) -> Any:
    import onnx

    known = {one.name for one in onnx.load(str(path)).graph.input}

    class Reader(tools.CalibrationDataReader):
        def __init__(self) -> None:
            self._rest: Iterator[dict[str, np.ndarray]] = iter(shown)

        def get_next(self) -> dict[str, np.ndarray] | None:
            given = next(self._rest, None)
            return None if given is None else {name: value for name, value in given.items() if name in known}

    return Reader()


def _tools() -> Any:
    try:
        from onnxruntime import quantization
    except ImportError as error:
        raise ExportError(
            f"Eight bits need the package onnx ({error}); install it: pip install 'volition[export]'."
        ) from error
    return quantization
