"""A flat network to a file in each format. The example decides shapes; the second one is only tried.

Decided, Spoken -> torch.jit.trace | torch.export | torch.onnx (on torch.export, with onnxscript) -> a file
"""

from __future__ import annotations

import logging
import warnings
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

import torch
from torch import Tensor, nn

from volition.export.flat import ExportError

_LONGEST = 512  # words that a network takes
_MISSING = "ONNX is written with onnxscript and onnx; install them: pip install 'volition[export]'."


def torchscript(network: nn.Module, names: Sequence[str], example: tuple[Tensor, ...], path: Path, words: str) -> None:
    torch.jit.save(torch.jit.trace(network, example, check_trace=False), str(path))


def exported(network: nn.Module, names: Sequence[str], example: tuple[Tensor, ...], path: Path, words: str) -> None:
    torch.export.save(torch.export.export(network, example, dynamic_shapes=_shapes(network, names, words)), str(path))


def onnx(network: nn.Module, names: Sequence[str], example: tuple[Tensor, ...], path: Path, words: str) -> None:
    try:
        import onnxscript  # noqa: F401
    except ImportError as error:
        raise ExportError(_MISSING) from error
    program = torch.onnx.export(
        network,
        example,
        dynamo=True,
        input_names=list(names),
        dynamic_shapes=_shapes(network, names, words),
        verbose=False,
    )
    if program is None:
        raise ExportError("torch.onnx gave no program.")
    program.save(str(path), external_data=False)


WRITERS: dict[str, Callable[[nn.Module, Sequence[str], tuple[Tensor, ...], Path, str], None]] = {
    "onnx": onnx,
    "torchscript": torchscript,
    "export": exported,
}


def write(engine: str, network: nn.Module, names: Sequence[str], example: tuple[Tensor, ...], path: Path) -> None:
    """`names` of the inputs; the one named words or ids has as many places as a sentence has words."""
    words = next(name for name in names if name in ("words", "ids"))
    try:
        with torch.no_grad(), _quiet():
            WRITERS[engine](network, names, example, path, words)
    except ExportError:
        raise
    except Exception as error:  # exporters raise dozens of types of their own
        first = (str(error).strip().splitlines() or [type(error).__name__])[0]
        raise ExportError(f"This network cannot be written as {engine}: {first}") from error


def _shapes(network: nn.Module, names: Sequence[str], words: str) -> tuple[object, ...]:
    length = torch.export.Dim("length", min=2, max=_LONGEST)
    each = tuple({1: length} if name == words else None for name in names)
    return (each,) if len(names) > 1 else each  # several come as one *argument


@contextmanager
def _quiet() -> Iterator[None]:
    """Exporters warn of operators of packages that are not installed, and that TorchScript is old."""
    loggers = [logging.getLogger(name) for name in ("torch.onnx", "torch.export", "onnxscript", "onnx_ir")]
    levels = [logger.level for logger in loggers]
    for logger in loggers:
        logger.setLevel(logging.ERROR)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            yield
    finally:
        for logger, level in zip(loggers, levels, strict=True):
            logger.setLevel(level)
