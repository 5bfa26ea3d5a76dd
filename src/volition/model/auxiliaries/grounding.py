"""Grounding: where the things are that the words mean, and, where eyes name things, what stands where."""

from __future__ import annotations

from dataclasses import dataclass, replace

import torch
from torch import Tensor, nn
from torch.nn import functional

from volition.errors import ContractError
from volition.model.auxiliaries.parts import Heat, Sizes, mean_of, mlp, same_shape
from volition.model.inputs import Context, Inputs, Names, Question, Sightings, Spots, Targets, Truth, Words
from volition.model.vision.positions import cell_middles

_ASIDE = 2.0
_FAR, _LEAST = 5.0, 0.02  # m
_BESIDE = 0.15  # of a picture's side: a point that is farther off is another thing's, and which is meant "spot" teaches
_TOLD = 5.0  # of what is said at all: most of it is not, and easy
_MIDDLE = 5.0  # how much more a cell with a thing's middle counts than the many others


@dataclass(frozen=True, kw_only=True)
class GroundingConfig:
    """`things` is G of Truth: the thing the words mean, the place, what it is told by. A weight of 0 leaves that part out.

    `spot_weight` is for fusions that look for things themselves (Context.spots), `name_weight` for those that also tell
    what they are; `point_weight` is for the others.
    """

    things: int = 3
    position_weight: float = 0.2
    point_weight: float = 0.05
    spot_weight: float = 0.2
    name_weight: float = 0.2
    hidden: int = 128

    def __post_init__(self) -> None:
        if min(self.things, self.hidden) < 1:
            raise ContractError(f"things and hidden are {self.things} and {self.hidden}; both must be at least 1.")


class Grounding(nn.Module):
    """Where the things are that the words mean: in the pelvis frame, and in each picture where tokens are a grid."""

    def __init__(self, config: GroundingConfig, *, sizes: Sizes) -> None:
        super().__init__()
        self.config = config
        self.sizes = sizes
        self.position = mlp(sizes.context, config.hidden, 3 * config.things)
        own = sizes.cells and config.point_weight and not sizes.spots
        self.heat = Heat(sizes, config.hidden, config.things) if own else None

    def positions(self, context: Context) -> Tensor:
        """(B, G, 3) m, pelvis frame."""
        return self.position(context.pooled).unflatten(-1, (self.config.things, 3))

    def points(self, tokens: Tensor, words: Words) -> Tensor:
        """(B, V, G, 2), 0 to 1 right and down: the mean place under the heat of the cells."""
        heat = self.heatmaps(tokens, words).flatten(-2)
        return heat @ cell_middles(*(self.sizes.cells or (0, 0))).to(heat)

    def heatmaps(self, tokens: Tensor, words: Words) -> Tensor:
        """(B, V, G, h, w): each map's share of a whole; to be drawn over the picture."""
        if self.heat is None or self.sizes.cells is None:
            raise ContractError("There are no points in pictures: the tokens are no grid, or point_weight is 0.")
        return self.heat(tokens, words).softmax(-1).unflatten(-1, self.sizes.cells)

    def losses(
        self, tokens: Tensor, words: Words, context: Context, inputs: Inputs, targets: Targets
    ) -> dict[str, Tensor]:
        truth, config = targets.truth, self.config
        terms: dict[str, Tensor] = {}
        if truth.positions is not None and config.position_weight:
            same_shape("positions", truth.positions, (inputs.size, config.things, 3))
            guess = self.positions(context)
            there = torch.ones_like(guess[..., 0], dtype=torch.bool) if truth.present is None else truth.present
            # An absent thing's place may be NaN, and 0 * NaN is NaN: it is replaced, not weighed with zero.
            aim = torch.where(there[..., None], truth.positions, guess.detach())
            off = functional.smooth_l1_loss(guess, aim, beta=0.05, reduction="none").sum(-1)  # beta: 5 cm
            terms["position"] = config.position_weight * mean_of(off, there)
            if context.spots is not None:
                terms |= self._placed(context.spots, truth, torch.ones_like(there[:, 0]))
        if truth.points is not None and self.sizes.cells is not None:
            same_shape("points", truth.points, (inputs.size, self.sizes.views, config.things, 2))
            if context.spots is not None:
                everywhere = torch.ones_like(truth.points[..., 0], dtype=torch.bool)
                terms |= self._spots(context.spots, truth, everywhere)
                terms |= self.seen(context.spots.seen, truth)
                terms |= self._meant(context.spots, truth, torch.ones_like(truth.points[:, 0, 0, 0], dtype=torch.bool))
            elif self.heat is not None:
                there, _, aim = self._aim(truth)
                off = -(aim * self.heat(tokens, words).log_softmax(-1)).sum(-1)  # (B, V, G)
                terms["point"] = config.point_weight * mean_of(off, there)
        return terms

    def asked(self, spots: Spots, question: Question) -> dict[str, Tensor]:
        """The same for questions, (B * Q, ...), about all pictures or the first camera's alone."""
        truth, asked, cameras = question.truth, question.asked, spots.heat.shape[1]
        if truth.points is None:
            return {}
        same_shape("points", truth.points, (len(asked), self.sizes.views, self.config.things, 2))
        visible = None if truth.visible is None else truth.visible[:, :cameras]
        seen = replace(truth, points=truth.points[:, :cameras], visible=visible)
        terms = self._spots(spots, seen, asked[:, None, None].expand(-1, cameras, self.config.things))
        terms |= self._placed(spots, truth, asked) | self._meant(spots, truth, asked)
        return {f"asked_{name}": term for name, term in terms.items()}

    def _aim(self, truth: Truth) -> tuple[Tensor, Tensor, Tensor]:
        """What can be seen (B, V, G), where (B, V, G, 2), and the share of each cell (B, V, G, P)."""
        assert truth.points is not None
        assert self.sizes.cells is not None
        there = ((truth.points >= 0) & (truth.points <= 1)).all(-1)  # also False for NaN
        if truth.visible is not None:
            there = there & truth.visible
        if truth.present is not None:
            there = there & truth.present[:, None]
        points = torch.where(there[..., None], truth.points, 0.5)
        return there, points, _spread(points, self.sizes.cells)

    def _placed(self, spots: Spots, truth: Truth, known: Tensor) -> dict[str, Tensor]:
        """How far off in metres, where places are `known` (B,) and the fusion tells them."""
        if spots.places is None or truth.positions is None:
            return {}
        there = torch.ones_like(spots.places[..., 0], dtype=torch.bool) if truth.present is None else truth.present
        aim = torch.where(there[..., None], truth.positions, spots.places.detach())
        off = functional.smooth_l1_loss(spots.places, aim, beta=0.02, reduction="none").sum(-1)  # beta: 2 cm
        return {"spot_place": 10 * self.config.spot_weight * mean_of(off, there & known[:, None])}

    def seen(self, seen: Sightings | None, truth: Truth) -> dict[str, Tensor]:
        """What stands where, whatever is asked: the cells around a thing's middle say that it is there, its kind and colour."""
        scenery, cells = truth.scenery, self.sizes.cells
        if scenery is None or cells is None or seen is None:
            return {}
        thing, names = seen.there, seen.names
        newest = slice(-self.sizes.views, None)
        aim = _spread(scenery.points, cells) * scenery.visible[..., None]  # (B, V, N, P)
        there = functional.binary_cross_entropy_with_logits(
            thing[:, newest], aim.amax(2), pos_weight=aim.new_tensor(_MIDDLE)
        )
        wrong = sum(
            _unlike(aim @ guess[:, newest], true[:, None].expand(scenery.visible.shape))
            for guess, true in ((names.kinds, scenery.kinds), (names.colours, scenery.colours))
        )
        loss = _MIDDLE * there + mean_of(torch.as_tensor(wrong), scenery.visible)
        if names.aside is not None:
            middles = cell_middles(*cells).to(aim)
            off = (scenery.points.unsqueeze(-2) - middles) * torch.tensor([cells[1], cells[0]], device=aim.device)
            missed = functional.smooth_l1_loss(names.aside[:, newest].unsqueeze(2).expand_as(off), off, beta=0.2, reduction="none")  # fmt: skip
            loss = loss + _ASIDE * mean_of((aim * missed.sum(-1)).sum(-1), scenery.visible)
        if seen.far is not None and seen.centres is not None and scenery.positions is not None:
            at = scenery.positions.nan_to_num()  # of things that are not there, and 0 * NaN is NaN
            far = (at[:, None] - seen.centres[:, :, None]).norm(dim=-1).clamp(min=_LEAST)  # (B, V, N)
            guess = seen.far[:, newest].clamp(min=_LEAST).log().unsqueeze(2)
            missed = functional.smooth_l1_loss(
                guess.expand_as(aim), far.log().unsqueeze(-1).expand_as(aim), beta=0.05, reduction="none"
            )
            loss = loss + _FAR * mean_of((aim * missed).sum(-1), scenery.visible)
        return {"scenery": self.config.name_weight * loss}

    def _meant(self, spots: Spots, truth: Truth, known: Tensor) -> dict[str, Tensor]:
        """What kind and colour the words mean, where that is `known` (B,)."""
        if spots.meant is None or truth.kinds is None or truth.colours is None:
            return {}
        return {"meant": self.config.name_weight * self._read_as(spots.meant, truth, known)}

    def read(self, meant: Names, truth: Truth) -> dict[str, Tensor]:
        """What sentences alone say, of the things they speak of."""
        assert truth.kinds is not None
        return {"meant": self.config.name_weight * self._read_as(meant, truth, torch.ones_like(truth.kinds[:, 0] > 0))}

    @staticmethod
    def _read_as(meant: Names, truth: Truth, known: Tensor) -> Tensor:
        """Kinds and colours where they are said, and what is said at all, of `meant` (N, G, .)."""
        assert truth.kinds is not None
        assert truth.colours is not None
        there = (truth.kinds >= 0) & known[:, None]
        kinds, colours = _unlike(meant.kinds, truth.kinds), _unlike(meant.colours, truth.colours)
        if truth.told is None or meant.told is None:
            return mean_of(kinds + colours, there)
        sure = truth.told.isfinite() & known[:, None, None]
        right = torch.where(sure, truth.told, 0.0)
        off = functional.binary_cross_entropy_with_logits(meant.told, right, reduction="none")
        said = there[..., None] & (right[..., 1:3] == 1)
        return mean_of(kinds, said[..., 0]) + mean_of(colours, said[..., 1]) + _TOLD * mean_of(off, sure)

    def _spots(self, spots: Spots, truth: Truth, known: Tensor) -> dict[str, Tensor]:
        """The right cell or "not in this picture" by cross-entropy, then the point by its distance; where it is `known`."""
        there, points, aim = self._aim(truth)
        heat, guess = spots.heat[:, -self.sizes.views :], spots.points[:, -self.sizes.views :]
        wanted = torch.cat([1.0 - there[..., None].to(aim.dtype), aim * there[..., None]], dim=-1)
        missed = -(wanted * heat.log_softmax(-1)).sum(-1)
        off = functional.smooth_l1_loss(guess, points, beta=0.02, reduction="none").sum(-1)  # beta: 2 or 3 pixels
        weight, taught = self.config.spot_weight, there & known
        if spots.meant is not None:  # of things with names the best is pointed at, not the mean
            taught = taught & ((guess.detach() - points).norm(dim=-1) < _BESIDE)
        return {"spot": weight * mean_of(missed, known), "spot_point": 10 * weight * mean_of(off, taught)}


def _spread(points: Tensor, cells: tuple[int, int]) -> Tensor:
    """(..., 2) -> (..., P): a point as shares of the four cells around it, whose mean place is the point.

    A heat that learns these shares by cross-entropy has the point as its mean, and learns faster than from the
    distance of the mean alone, whose gradient fades where the heat is flat. Within half a cell of the border the
    mean is the border cell's middle.
    """
    shares = []
    for axis, count in ((1, cells[0]), (0, cells[1])):  # rows, columns
        place = (points[..., axis] * count - 0.5).clamp(0, count - 1)
        shares.append((1 - (place[..., None] - torch.arange(count, device=points.device)).abs()).clamp(min=0))
    return (shares[0][..., :, None] * shares[1][..., None, :]).flatten(-2)


def _unlike(guess: Tensor, true: Tensor) -> Tensor:
    """Cross-entropy of (..., C) with numbers (...); of anything where they are -1."""
    return functional.cross_entropy(guess.movedim(-1, 1), true.clamp(min=0), reduction="none")
