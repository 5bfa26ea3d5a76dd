"""Numbers to the scale a model works in and back: x -> (x - offset) / factor, number by number, by statistics that are checked.

    statistics of a feature --scale_of--> Scale; Scale.forward, Scale.inverse; Scale.to_json beside the weights

A number that hardly varies has no scale: dividing by its spread would blow noise up to thousands. It is refused by
name, or, where the caller says so, kept in its own unit; which ones were kept is part of the Scale.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal, get_args

import numpy as np

from volition.errors import ContractError

Kind = Literal["mean_std", "min_max", "quantiles", "identity"]
STILL = 1e-4  # a spread under this is none


@dataclass(frozen=True, kw_only=True)
class Scale:
    kind: Kind
    names: tuple[str, ...]
    offset: np.ndarray  # (N,)
    factor: np.ndarray  # (N,)
    kept: tuple[str, ...] = ()  # numbers that hardly varied and are left in their own unit

    def __post_init__(self) -> None:
        if self.kind not in get_args(Kind):
            raise ContractError(f"The kind of scale is {self.kind!r}; there are {', '.join(get_args(Kind))}.")
        for name in ("offset", "factor"):
            value = np.array(getattr(self, name), dtype=np.float64)
            if value.shape != (len(self.names),) or not np.isfinite(value).all():
                raise ContractError(f"Scale.{name} must be {len(self.names)} finite numbers, one a name.")
            value.setflags(write=False)
            object.__setattr__(self, name, value)
        if (self.factor <= 0).any():
            low = [name for name, factor in zip(self.names, self.factor, strict=True) if factor <= 0]
            raise ContractError(f"Scale.factor of {', '.join(low)} is not above 0; the statistics are damaged.")

    def forward(self, values: np.ndarray) -> np.ndarray:
        """(..., N) in units -> (..., N) in the model's scale."""
        return (self._check(values) - self.offset) / self.factor

    def inverse(self, values: np.ndarray) -> np.ndarray:
        return self._check(values) * self.factor + self.offset

    def to_json(self) -> dict[str, Any]:
        return {
            "kind": self.kind,
            "names": list(self.names),
            "offset": self.offset.tolist(),
            "factor": self.factor.tolist(),
            "kept": list(self.kept),
        }

    def _check(self, values: np.ndarray) -> np.ndarray:
        array = np.asarray(values, dtype=np.float64)
        if array.shape[-1:] != (len(self.names),):
            raise ContractError(f"A Scale of {len(self.names)} numbers was given an array of shape {array.shape}.")
        return array


def scale_from_json(values: Mapping[str, Any]) -> Scale:
    try:
        return Scale(
            kind=values["kind"],
            names=tuple(values["names"]),
            offset=np.array(values["offset"], dtype=np.float64),
            factor=np.array(values["factor"], dtype=np.float64),
            kept=tuple(values["kept"]),
        )
    except ContractError:
        raise
    except (KeyError, TypeError, ValueError) as error:
        raise ContractError(f"These are not statistics: {type(error).__name__}: {error}.") from error


def scale_of(
    statistics: Mapping[str, np.ndarray],
    names: Sequence[str],
    *,
    kind: Kind = "mean_std",
    still: Literal["refuse", "keep"] = "refuse",
    plain: Sequence[str] = (),
) -> Scale:
    """From one feature's statistics (mean, std, min, max, q01, q99). `plain`: numbers that are ids, left as they are."""
    if kind not in get_args(Kind):
        raise ContractError(f"The kind of scale is {kind!r}; there are {', '.join(get_args(Kind))}.")
    count = len(names)
    offset, factor = np.zeros(count), np.ones(count)
    if kind == "identity":
        return Scale(kind=kind, names=tuple(names), offset=offset, factor=factor)
    needed = {"mean_std": ("mean", "std"), "min_max": ("min", "max"), "quantiles": ("q01", "q99")}[kind]
    for key in needed:
        if key not in statistics:
            raise ContractError(
                f"The statistics lack {key}, which the scale {kind} needs; they have {', '.join(statistics)}."
            )
        value = np.asarray(statistics[key], dtype=np.float64)
        if value.shape != (count,) or not np.isfinite(value).all():
            raise ContractError(f"The statistics' {key} has shape {value.shape}; it must be {count} finite numbers.")
    first, second = (np.asarray(statistics[key], dtype=np.float64) for key in needed)
    offset, factor = (first, second) if kind == "mean_std" else ((first + second) / 2, (second - first) / 2)
    if (factor < 0).any():
        below = [name for name, spread in zip(names, factor, strict=True) if spread < 0]
        raise ContractError(f"The statistics give a spread below 0 in {', '.join(below)}; they are damaged.")
    flat = factor < STILL
    ids = np.array([name in plain for name in names], dtype=bool)
    kept = tuple(name for name, off in zip(names, flat & ~ids, strict=True) if off)
    if kept and still == "refuse":
        raise ContractError(
            f"{', '.join(kept)} hardly varies in the data (spread under {STILL:g}), so there is no scale for it; leave it "
            "out, keep it in its own unit, or record data in which it moves."
        )
    offset = np.where(ids, 0.0, offset)
    return Scale(kind=kind, names=tuple(names), offset=offset, factor=np.where(flat | ids, 1.0, factor), kept=kept)
