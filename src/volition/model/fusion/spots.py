"""Spots: where in each picture is what the words mean, and what is there; a few numbers, beside words and state.

    vision (B, N, Dv) --how well does a cell answer the words?--> a share for each cell, and for "not in this picture"
        --> point of each spot, how sure, what is seen there, if asked where it is in metres ┐
    words.pooled (B, Dw), state (B, M, Ds) ------------------------------------------------┴-> MLP --> (B, width)

The first `things` spots are taught where they are, where data sets know (`Grounding` in auxiliaries.py); the `free` ones
find by themselves what actions depend on. A hand that must be led to a thing has little else to learn from a picture.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor, nn
from torch.nn import functional

from volition.body.mounts import Mount
from volition.errors import ContractError
from volition.model.fusion.hands import ROLES, Hands
from volition.model.fusion.places import UNIT, Places
from volition.model.fusion.relations import Relations, RelationsConfig
from volition.model.fusion.sizes import Sizes
from volition.model.inputs import Context, Spots, Words
from volition.model.vision.positions import cell_middles
from volition.transforms.scale import Scale

_BEFORE = (2.0, 0.0, 0.0)  # where things are at first guessed to be: 0.4 m before the pelvis, as `Places` is told


@dataclass(frozen=True, kw_only=True)
class SpotsConfig:
    """`seen`: numbers of what is seen at a spot; `glance`: of each picture as a whole; `match`: width of the comparison.

    `places`: where spots are in metres, too (`places.py`), in a straight line to the actions beside the MLP.
    `relations` and `rounds`: width and depth of what finds out how things stand to each other in the first camera's
    pictures, which show them all. `hands`: the actions follow from places, words and state alone (`hands.py`), which then
    are learned from moments without pictures too, in which places are known to within `vague` metres.
    """

    width: int = 512
    things: int = 3
    free: int = 6
    match: int = 64
    seen: int = 24
    glance: int = 32
    words: int = 64
    state: int = 64
    places: bool = False
    hands: bool = False
    vague: float = 0.005
    relations: int = 32
    rounds: int = 2
    hidden: Sequence[int] = (512,)

    def __post_init__(self) -> None:
        sizes = (self.width, self.match, self.seen, self.glance, self.words, self.state, *self.hidden)
        if min(sizes) < 1 or self.things < 1 or self.free < 0:
            raise ContractError(f"{self} cannot be built; every width and `things` is at least 1, `free` at least 0.")
        if self.hands and (not self.places or self.things < ROLES or self.vague < 0):
            raise ContractError(
                f"{self} cannot be built; `hands` go by `places`, of {ROLES} things at least, vague by 0 m or more."
            )


class SpotsFusion(nn.Module):
    """Needs an encoder whose tokens are a grid."""

    def __init__(self, config: SpotsConfig, sizes: Sizes) -> None:
        super().__init__()
        if sizes.cells is None or sizes.patches % math.prod(sizes.cells):
            raise ContractError(
                "The fusion 'spots' needs pictures as a grid of cells; choose an encoder that gives one."
            )
        self.config, self.sizes, self.width = config, sizes, config.width
        self.pictures = sizes.patches // math.prod(sizes.cells)  # cameras times steps
        count = config.things + config.free
        self.norm = nn.LayerNorm(sizes.vision)
        self.relations = Relations(
            RelationsConfig(width=config.relations, rounds=config.rounds),
            vision=sizes.vision,
            words=sizes.pooled,
            cells=sizes.cells,
        )
        self.ask = nn.Linear(sizes.pooled, count * config.match)
        self.answer = nn.Linear(sizes.vision, config.match + 2)  # and how far aside from a cell's middle, in cells
        self.stands = nn.Linear(config.relations, config.match, bias=False)
        self.nowhere = nn.Parameter(torch.zeros(self.pictures, count))
        self.see = nn.Linear(sizes.vision, config.seen)
        self.words = nn.Sequential(nn.Linear(sizes.pooled, config.words), nn.LayerNorm(config.words))
        self.state = nn.Sequential(nn.Linear(sizes.state * sizes.steps, config.state), nn.LayerNorm(config.state))
        a_spot = self.pictures * (3 + config.seen)
        self.guess = _Guess(count, a_spot + config.words + config.state) if config.places else None
        self.places = Places(cameras=sizes.cameras, numbers=sizes.numbers) if config.places else None
        away = 3 * sizes.cameras * (ROLES if config.hands else count) * config.places
        self.direct = away + sizes.numbers if config.places else 0  # F of Context.direct
        self.hands = self.glance = self.layers = None
        if config.hands:
            self.hands = Hands(
                cameras=sizes.cameras, pooled=sizes.pooled, words=config.words, state=sizes.state * sizes.steps,
                felt=config.state, width=config.width, hidden=config.hidden,
            )  # fmt: skip
        else:
            self.glance = nn.Linear(sizes.vision, config.glance)
            numbers = count * a_spot + away + self.pictures * config.glance + config.words + config.state
            layers: list[nn.Module] = []
            for hidden in config.hidden:
                layers += [nn.Linear(numbers, hidden), nn.GELU()]
                numbers = hidden
            self.layers = nn.Sequential(*layers, nn.Linear(numbers, config.width))
        self.register_buffer("middles", cell_middles(*sizes.cells), persistent=False)

    def forward(self, vision: Tensor, words: Words, state: Tensor, numbers: Tensor | None = None) -> Context:
        """`numbers` (B, N): what the robot feels now, as the state encoder is given it; needed with `places`."""
        self.sizes.check(vision, words, state)
        cells = self.norm(vision).unflatten(1, (self.pictures, -1))  # (B, U, P, D): U pictures
        heat, aside = self._heat(cells, words, slice(None), self.sizes.cameras)
        points, sure, looked = self._where(heat, aside)
        seen, whole = self._pooled(cells, looked)
        found = torch.cat([points * 2 - 1, sure, self.see(seen)], dim=-1)
        told, felt = self.words(words.pooled), self.state(state.flatten(1))
        places = away = None
        if self.places is not None and self.guess is not None:
            if numbers is None:
                raise ContractError(
                    "Spots with places need the numbers that the robot feels; pass Inputs.state's newest."
                )
            guess = self.guess(found, torch.cat([told, felt], dim=-1))
            newest = slice(self.pictures - self.sizes.cameras, None)
            places, away = self.places(points[:, newest], sure[:, newest], guess, numbers)
            if self.hands is not None:
                there = 1 - (1 - sure[:, newest, :, 0]).prod(dim=1)  # in any picture
                spots = self._taught(heat, points, places)
                return self._led(away.unflatten(-1, (-1, 3)) * UNIT, there, words, state, numbers, spots)
        assert self.glance is not None
        assert self.layers is not None
        parts, direct = [found.flatten(1), self.glance(whole).flatten(1), told, felt], None
        if away is not None and numbers is not None:
            parts.append(away.flatten(1).to(told.dtype))
            direct = torch.cat([away.flatten(1), numbers], dim=-1)
        pooled = self.layers(torch.cat(parts, dim=-1))  # (B, width)
        return self._context(pooled, self._taught(heat, points, places), direct)

    def feel(self, places: Tensor, present: Tensor, words: Words, state: Tensor, numbers: Tensor) -> Context:
        """What hands would go by if eyes had found the things at `places` (B, G, 3), as far as they are `present` (B, G)."""
        assert self.places is not None
        if self.training:
            places = places + self.config.vague * torch.randn_like(places)
        return self._led(self.places.away(places, numbers), present.to(places.dtype), words, state, numbers, None)

    def _led(
        self, away: Tensor, there: Tensor, words: Words, state: Tensor, numbers: Tensor, spots: Spots | None
    ) -> Context:
        assert self.hands is not None
        straight = (away[:, :ROLES] / UNIT * there[:, :ROLES, None, None]).flatten(1)
        pooled = self.hands(away, there, words, state)
        return self._context(pooled, spots, torch.cat([straight, numbers.to(straight.dtype)], dim=-1))

    @staticmethod
    def _context(pooled: Tensor, spots: Spots | None, direct: Tensor | None) -> Context:
        mask = torch.ones(pooled.shape[0], 1, dtype=torch.bool, device=pooled.device)
        return Context(tokens=pooled.unsqueeze(1), mask=mask, pooled=pooled, spots=spots, direct=direct)

    def mount(self, mounts: Sequence[Mount | None], felt: Scale) -> None:
        """Where the cameras are: in the model's order, None for one nobody knows of; `felt` scales what the robot feels."""
        if self.places is not None:
            self.places.mount(mounts, felt)

    def seek(self, vision: Tensor, words: Words) -> Spots:
        """What these words mean in the first camera's newest picture alone, (B, P, Dv): U is 1."""
        cells, first = self.norm(vision).unsqueeze(1), self.pictures - self.sizes.cameras
        heat, aside = self._heat(cells, words, slice(first, first + 1), 1)
        return self._taught(heat, self._where(heat, aside)[0])

    def _taught(self, heat: Tensor, points: Tensor, places: Tensor | None = None) -> Spots:
        things = self.config.things
        places = None if places is None else places[:, :things]
        return Spots(heat=heat[:, :, :things], points=points[:, :, :things], places=places)

    def _where(self, heat: Tensor, aside: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """Points (B, U, S, 2), how sure it is that they are in the picture (B, U, S, 1), and each cell's part (B, U, S, P)."""
        with torch.autocast(heat.device.type, enabled=False):  # in bfloat16 a point is a quarter of a pixel coarse
            here = heat.float().softmax(-1)[..., 1:]
            sure = here.sum(-1, keepdim=True)
            looked = here / sure.clamp(min=1e-6)
            places = self.get_buffer("middles") + torch.tanh(aside.float()) / self._counts(here)  # (B, U, P, 2)
            return looked @ places, sure, looked

    @staticmethod
    def _pooled(cells: Tensor, looked: Tensor) -> tuple[Tensor, Tensor]:
        """The cells at each spot (B, U, S, D), and of each picture as a whole (B, U, D): in one multiplication."""
        whole = torch.full_like(looked[:, :, :1], 1.0 / looked.shape[-1])
        pooled = torch.cat([looked, whole], dim=2).to(cells.dtype) @ cells
        return pooled[:, :, :-1], pooled[:, :, -1]

    def _heat(self, cells: Tensor, words: Words, pictures: slice, cameras: int) -> tuple[Tensor, Tensor]:
        """How well each cell answers what is asked for each spot, and before them "not in this picture": (B, U, S, 1 + P);
        and how far aside from a cell's middle it is, before a tanh: (B, U, P, 2)."""
        asked = self.ask(words.pooled).unflatten(-1, (-1, self.config.match))  # (B, S, match)
        known, aside = self.answer(cells).split([self.config.match, 2], dim=-1)
        # Nothing is found out about how things stand in the pictures of cameras but the first.
        first, *others = known.unflatten(1, (-1, cameras)).unbind(2)  # (B, T, P, match)
        first = first + self.stands(self.relations(cells[:, ::cameras], words.pooled))
        known = functional.gelu(torch.stack([first, *others], dim=2).flatten(1, 2))
        found = known @ asked.transpose(1, 2).unsqueeze(1) / math.sqrt(self.config.match)  # (B, U, P, S)
        nowhere = self.nowhere[None, pictures, :, None].expand(len(cells), -1, -1, 1)
        return torch.cat([nowhere.to(found.dtype), found.transpose(2, 3)], dim=-1), aside

    def _counts(self, like: Tensor) -> Tensor:
        rows, columns = self.sizes.cells or (1, 1)
        return torch.tensor([columns, rows], dtype=like.dtype, device=like.device)


class _Guess(nn.Module):
    """Where each spot may be, by all that is seen of it and felt: found (B, U, S, F), beside (B, G) -> (B, S, 3)."""

    def __init__(self, spots: int, numbers: int, hidden: int = 64) -> None:
        super().__init__()
        self.enter, self.leave = nn.Linear(numbers, hidden), nn.Linear(hidden, 3)
        with torch.no_grad():
            self.leave.bias.copy_(torch.tensor(_BEFORE))
        self.of = nn.Parameter(torch.zeros(spots, hidden))  # each spot's own, before the middle

    def forward(self, found: Tensor, beside: Tensor) -> Tensor:
        each = found.transpose(1, 2).flatten(2)  # (B, S, U * F)
        known = torch.cat([each, beside.unsqueeze(1).expand(-1, each.shape[1], -1)], dim=-1)
        return self.leave(functional.gelu(self.enter(known) + self.of))
