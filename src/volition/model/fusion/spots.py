"""Spots: where in each picture is what the words mean, and what is there; a few numbers, beside words and state.

    vision (B, N, Dv) --how well does a cell answer the words?--> a share for each cell, and for "not in this picture"
        --> point of each spot, how sure, what is seen there, if asked where it is in metres ┐
    words.pooled (B, Dw), state (B, M, Ds) ------------------------------------------------┴-> MLP --> (B, width)

The first `things` spots are taught where they are, where data sets know (`auxiliaries/grounding.py`); the `free` ones
find by themselves what actions depend on. A hand that must be led to a thing has little else to learn from a picture.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import replace

import torch
from torch import Tensor, nn
from torch.nn import functional

from volition.body.course import COURSE
from volition.body.mounts import Mount
from volition.errors import ContractError
from volition.model.fusion.hands import ROLES, Hands
from volition.model.fusion.named import Named
from volition.model.fusion.places import UNIT, Guess, Places
from volition.model.fusion.relations import Relations, RelationsConfig
from volition.model.fusion.sizes import Sizes
from volition.model.fusion.spots_config import SpotsConfig
from volition.model.fusion.spots_parts import Look, Seen, believed, by_picture, by_question
from volition.model.fusion.standing import LANDMARK, Standing
from volition.model.inputs import Context, Names, Sightings, Spots, Words, first_rows
from volition.model.vision.positions import cell_middles
from volition.transforms.scale import Scale

_ABOUT = 0.5  # m: how far away things are before anything is learned
_NEARBY = 0.12  # of a picture's side: where another camera's picture may show what the first has found
_FARTHEST = 4.0
_WINDOW = 0.1  # of a picture's side: a thing's middle and what is about it


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
        count = config.things + config.free * (not config.hands)  # nobody would use what these find
        self.norm = nn.LayerNorm(sizes.vision)
        match = 0 if config.kinds else config.match
        self.answer = nn.Linear(sizes.vision, match + 2)  # and how far aside from a cell's middle, in cells
        self.named = self.standing = self.relations = self.ask = self.stands = self.far = None
        if config.kinds:
            self.named = Named(
                vision=sizes.vision, words=sizes.words, spots=count, kinds=config.kinds, colours=config.colours
            )
            self.standing = Standing(vision=sizes.vision, cells=sizes.cells) if count > LANDMARK else None
            self.far = nn.Linear(sizes.vision, 1) if config.places and config.far else None
        else:
            size = RelationsConfig(width=config.relations, rounds=config.rounds)
            self.relations = Relations(size, vision=sizes.vision, words=sizes.pooled, cells=sizes.cells)
            self.ask = nn.Linear(sizes.pooled, count * match)
            self.stands = nn.Linear(config.relations, match, bias=False)
        self.nowhere = nn.Parameter(torch.zeros(self.pictures, count))
        self.see = nn.Linear(sizes.vision, config.seen)
        self.words = nn.Sequential(nn.Linear(sizes.pooled, config.words), nn.LayerNorm(config.words))
        self.state = nn.Sequential(nn.Linear(sizes.state * sizes.steps, config.state), nn.LayerNorm(config.state))
        a_spot = self.pictures * (3 + config.seen)
        self.guess = Guess(count, a_spot + config.words + config.state) if config.places else None
        self.places = (
            Places(cameras=sizes.cameras, numbers=sizes.numbers, far=self.far is not None) if config.places else None
        )
        away = 3 * sizes.cameras * (ROLES if config.hands else count) * config.places
        self.direct = away + sizes.numbers if config.places else 0  # F of Context.direct
        self.hands = self.glance = self.layers = None
        if config.hands:
            kinds = ROLES * (1 + config.kinds) * (self.named is not None)
            self.hands = Hands(
                cameras=sizes.cameras, told=sizes.pooled + kinds, words=config.words, state=sizes.state * sizes.steps,
                felt=config.state, width=config.width, hidden=config.hidden, course=COURSE * config.course,
            )  # fmt: skip
        else:
            self.glance = nn.Linear(sizes.vision, config.glance)
            numbers = count * a_spot + away + self.pictures * config.glance + config.words + config.state
            layers: list[nn.Module] = []
            for hidden in config.hidden:
                layers += [nn.Linear(numbers, hidden), nn.GELU()]
                numbers = hidden
            self.layers = nn.Sequential(*layers, nn.Linear(numbers, config.width))
        middles = cell_middles(*sizes.cells)
        self.register_buffer("middles", middles, persistent=False)
        self.register_buffer("about", (torch.cdist(middles, middles) < _WINDOW).float(), persistent=False)  # (P, P)

    def forward(
        self,
        vision: Tensor,
        words: Words,
        state: Tensor,
        numbers: Tensor | None = None,
        expected: Tensor | None = None,
        course: Tensor | None = None,
    ) -> Context:
        """`numbers` (B, N): what the robot feels now, as the state encoder is given it; needed with `places`. `expected`
        (B, ROLES, 6): where the thing and the place should be by what was seen before, for hands that go by places; `course` (B, COURSE):
        how things went, for those that are told (as if nothing had happened, if nobody says)."""
        self.sizes.check(vision, words, state)
        look = self._look(self._seen(vision, self.pictures), words, state, numbers)
        if self.hands is not None:
            assert look.away is not None
            assert numbers is not None
            assert self.places is not None
            there, away = look.there, look.away.unflatten(-1, (-1, 3)) * UNIT
            if expected is not None:
                assert look.spots.places is not None
                places, there = believed(look.spots.places, there, expected)
                away = self.places.away(places, numbers)
            return self._led(away, there, self.told(words, look.spots.meant), state, numbers, look.spots, course)
        assert self.glance is not None
        assert self.layers is not None
        parts, direct = [look.found.flatten(1), self.glance(look.whole).flatten(1), look.told, look.felt], None
        if look.away is not None and numbers is not None:
            parts.append(look.away.flatten(1).to(look.told.dtype))
            direct = torch.cat([look.away.flatten(1), numbers], dim=-1)
        pooled = self.layers(torch.cat(parts, dim=-1))  # (B, width)
        return self._context(pooled, look.spots, direct)

    def _seen(self, vision: Tensor, pictures: int) -> Seen:
        """What can be told of each cell before anybody has said a word."""
        cells = self.norm(vision).unflatten(1, (pictures, -1))  # (B, U, P, D): U pictures
        known, aside = self.answer(cells).split([self.answer.out_features - 2, 2], dim=-1)
        aside = torch.tanh(aside.float())  # in bfloat16 a point is a quarter of a pixel coarse
        there = names = None
        if self.named is not None:
            there, names = self.named.seen(cells)
            names = replace(names, aside=aside)
        far = None if self.far is None else _ABOUT * self.far(cells).squeeze(-1).float().exp()
        return Seen(cells=cells, known=known, aside=aside, there=there, names=names, far=far)

    def _look(self, seen: Seen, words: Words, state: Tensor, numbers: Tensor | None, questions: int = 1) -> Look:
        """`words`, `state` and `numbers` have so many rows for each of the pictures: what is not said is worked out once."""
        heat, meant = self._heat(seen, words, slice(None), self.sizes.cameras, questions, numbers)
        points, sure, looked = self._where(heat, seen.aside)
        far = None if seen.far is None else by_question((looked @ seen.far.unsqueeze(-1)).squeeze(-1), questions)
        glanced, whole = self._pooled(seen.cells, looked)
        heat, points, sure, glanced = (by_question(one, questions) for one in (heat, points, sure, glanced))
        found = torch.cat([points * 2 - 1, sure, self.see(glanced)], dim=-1)
        told, felt = self.words(words.pooled), self.state(state.flatten(1))
        places = away = None
        if self.places is not None and self.guess is not None:
            if numbers is None:
                raise ContractError(
                    "Spots with places need the numbers that the robot feels; pass Inputs.state's newest."
                )
            guess = self.guess(found, torch.cat([told, felt], dim=-1))
            newest = self._newest
            places, away = self.places(
                points[:, newest], sure[:, newest], guess, numbers, None if far is None else far[:, newest]
            )
        sightings = self._sightings(seen, None if numbers is None else numbers[::questions])
        there = 1 - (1 - sure[:, self._newest, :, 0]).prod(dim=1)  # in any picture
        spots = replace(self._taught(heat, points, sightings, meant, places), there=there[:, : self.config.things])
        return Look(spots=spots, there=there, found=found, whole=whole, told=told, felt=felt, away=away)

    @property
    def _newest(self) -> slice:
        return slice(self.pictures - self.sizes.cameras, None)

    def told(self, words: Words, meant: Names | None = None) -> Tensor:
        """What hands are told: the sentence as a whole and, as far as things have names, which kinds it speaks of. `meant`: if the
        sentence has been read already."""
        if self.named is None:
            return words.pooled
        meant = meant or self.named.meant(words)
        assert meant.told is not None
        there = meant.told[:, :ROLES, :1].sigmoid()
        kinds = torch.cat([there, there * meant.kinds[:, :ROLES].softmax(-1)], dim=-1).flatten(1)
        return torch.cat([words.pooled, kinds.detach().to(words.pooled.dtype)], dim=-1)  # hands do not teach reading

    def feel(
        self,
        places: Tensor,
        present: Tensor,
        told: Tensor,
        state: Tensor,
        numbers: Tensor,
        course: Tensor | None = None,
    ) -> Context:
        """`told` as above; what hands would go by if eyes had found the things at `places` (B, G, 3), as far as they are `present` (B, G)."""
        assert self.places is not None
        if self.training:
            places = places + self.config.vague * torch.randn_like(places)
            if course is not None:
                course = course + self.config.vague * torch.randn_like(course)
        away = self.places.away(places, numbers)
        return self._led(away, present.to(places.dtype), told, state, numbers, None, course)

    def _led(
        self,
        away: Tensor,
        there: Tensor,
        told: Tensor,
        state: Tensor,
        numbers: Tensor,
        spots: Spots | None,
        course: Tensor | None,
    ) -> Context:
        assert self.hands is not None
        straight = (away[:, :ROLES] / UNIT * there[:, :ROLES, None, None]).flatten(1)
        if self.config.course and course is None:
            course = away.new_zeros(len(away), COURSE)
        pooled = self.hands(away, there, told, state, course if self.config.course else None)
        return self._context(pooled, spots, torch.cat([straight, numbers.to(straight.dtype)], dim=-1))

    @staticmethod
    def _context(pooled: Tensor, spots: Spots | None, direct: Tensor | None) -> Context:
        mask = torch.ones(pooled.shape[0], 1, dtype=torch.bool, device=pooled.device)
        return Context(tokens=pooled.unsqueeze(1), mask=mask, pooled=pooled, spots=spots, direct=direct)

    def mount(self, mounts: Sequence[Mount | None], felt: Scale) -> None:
        """Where the cameras are: in the model's order, None for one nobody knows of; `felt` scales what the robot feels."""
        if self.places is not None:
            self.places.mount(mounts, felt)

    def name(self, vision: Tensor, numbers: Tensor | None = None) -> Sightings | None:
        """What stands in each cell, whatever is said."""
        return self._sightings(self._seen(vision, self.pictures), numbers)

    def _sightings(self, seen: Seen, numbers: Tensor | None) -> Sightings | None:
        if seen.there is None or seen.names is None:
            return None
        centres = None if self.places is None or numbers is None else self.places.centres(numbers)
        return Sightings(there=seen.there, names=seen.names, far=seen.far, centres=centres)

    def seek_all(self, vision: Tensor, words: Words, state: Tensor, numbers: Tensor) -> Spots:
        """What words (B * Q rows) mean in all pictures (B, N, Dv), Q in those of each row; and `state` and `numbers` (B, ...)."""
        questions = len(words.pooled) // len(vision)
        state, numbers = (one.repeat_interleave(questions, dim=0) for one in (state, numbers))
        return self._look(self._seen(vision, self.pictures), words, state, numbers, questions).spots

    def seek(self, vision: Tensor, words: Words) -> Spots:
        """What these words mean in the first camera's newest picture alone, (B, P, Dv): U is 1."""
        there, first = self._seen(vision, 1), self.pictures - self.sizes.cameras
        heat, meant = self._heat(there, words, slice(first, first + 1), 1)
        return self._taught(heat, self._where(heat, there.aside)[0], self._sightings(there, None), meant)

    def _taught(
        self, heat: Tensor, points: Tensor, seen: Sightings | None, meant: Names | None, places: Tensor | None = None
    ) -> Spots:
        things = self.config.things
        return Spots(
            heat=heat[:, :, :things], points=points[:, :, :things], places=None if places is None else places[:, :things],
            seen=seen,
            meant=None if meant is None else first_rows(meant, things),
        )  # fmt: skip

    def _where(self, heat: Tensor, aside: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """Points (B, U, S, 2), how sure it is that they are in the picture (B, U, S, 1), and each cell's part (B, U, S, P)."""
        with torch.autocast(heat.device.type, enabled=False):
            here = heat.float().softmax(-1)[..., 1:]
            sure = here.sum(-1, keepdim=True)
            looked = self._looked(here)
            places = self.get_buffer("middles") + aside / self._counts(here)  # (B, U, P, 2)
            return looked @ places, sure, looked

    def _looked(self, here: Tensor) -> Tensor:
        """Each cell's part (..., S, P) in where a spot is. Where things have names, of the cells about the best one alone: between two
        things that may be meant there is none."""
        if self.named is not None:
            here = here * self.get_buffer("about")[here.argmax(-1)]
        return here / here.sum(-1, keepdim=True).clamp(min=1e-6)

    @staticmethod
    def _pooled(cells: Tensor, looked: Tensor) -> tuple[Tensor, Tensor]:
        """The cells at each spot (B, U, S, D), and of each picture as a whole (B, U, D): in one multiplication."""
        whole = torch.full_like(looked[:, :, :1], 1.0 / looked.shape[-1])
        pooled = torch.cat([looked, whole], dim=2).to(cells.dtype) @ cells
        return pooled[:, :, :-1], pooled[:, :, -1]

    def _heat(
        self,
        seen: Seen,
        words: Words,
        pictures: slice,
        cameras: int,
        questions: int = 1,
        numbers: Tensor | None = None,
    ) -> tuple[Tensor, Names | None]:
        """How well each cell answers what is asked for each spot of each question, and before them "not in this picture":
        (B, U, R, 1 + P), R = Q * S; and what is meant (B * Q, S, .), where things have names."""
        nowhere = self.nowhere[None, pictures, :, None].repeat(len(seen.cells), 1, questions, 1)  # (B, U, R, 1)
        if self.named is None:
            found = self._answers(seen, words, cameras, questions)
            return torch.cat([nowhere.to(found.dtype), found], dim=-1), None
        meant = self.named.meant(words)
        numbers = None if numbers is None else numbers[::questions]
        return self._named(self.named, seen, meant, nowhere, cameras, questions, numbers), meant

    def _answers(self, seen: Seen, words: Words, cameras: int, questions: int) -> Tensor:
        """Where things have no names: (B, U, R, P)."""
        assert self.ask is not None
        assert self.relations is not None
        assert self.stands is not None
        asked = self.ask(words.pooled) / math.sqrt(self.config.match)
        asked = asked.view(len(seen.cells), -1, self.config.match)  # (B, R, match)
        # Nothing is found out about how things stand in the pictures of cameras but the first.
        head, *others = seen.known.unflatten(1, (-1, cameras)).unbind(2)  # (B, T, P, match)
        stands = self.stands(self.relations(seen.cells[:, ::cameras], words.pooled))  # (B * Q, T, P, match)
        head = functional.gelu(head.repeat_interleave(questions, dim=0) + stands)
        answers = [by_picture(asked.view(len(head), 1, -1, self.config.match) @ head.transpose(2, 3), questions)]
        answers += [asked.unsqueeze(1) @ functional.gelu(one).transpose(2, 3) for one in others]
        return torch.stack(answers, dim=2).flatten(1, 2)

    def _named(
        self,
        named: Named,
        seen: Seen,
        meant: Names,
        nowhere: Tensor,
        cameras: int,
        questions: int,
        numbers: Tensor | None,
    ) -> Tensor:
        """The first camera sees all things, and how they stand to each other; the others look for what it has found."""
        assert meant.told is not None
        assert seen.there is not None
        assert seen.names is not None
        steps = nowhere.shape[1] // cameras
        told = meant.told.unflatten(0, (-1, questions)).flatten(1, 2)  # (B, R, TOLD) logits
        kinds, colours, said = (
            one.unflatten(0, (-1, questions)).flatten(1, 2).unsqueeze(1).expand(-1, steps, -1, -1)
            for one in (meant.kinds.softmax(-1), meant.colours.softmax(-1), meant.told[..., 1:3].sigmoid())
        )
        nowhere = nowhere - told[:, None, :, :1]
        there, seen_kinds, seen_colours, nowhere = (
            one.unflatten(1, (steps, cameras)) for one in (seen.there, seen.names.kinds, seen.names.colours, nowhere)
        )

        def match(of: slice) -> Tensor:
            cells = Names(kinds=seen_kinds[:, :, of], colours=seen_colours[:, :, of])
            return named.match(there[:, :, of], cells, kinds, colours, said)  # (B, T, C, R, P)

        head = match(slice(0, 1))
        if self.standing is not None:
            first = head[:, :, 0].unflatten(2, (questions, -1)).transpose(1, 2).flatten(0, 2)  # (B * Q * T, S, P)
            cells = seen.cells[:, ::cameras].repeat_interleave(questions, dim=0).flatten(0, 1)
            ways = meant.told[..., 3:].sigmoid().repeat_interleave(steps, dim=0)
            stands = self.standing(first, cells, ways).unflatten(0, (-1, questions, steps))
            head = head + stands.transpose(1, 2).flatten(2, 3).unsqueeze(2)
        heat = [torch.cat([nowhere[:, :, :1], head], dim=-1)]
        if cameras > 1:
            here = heat[0][:, :, 0].softmax(-1)[..., 1:]  # (B, T, R, P)
            sure = here.sum(-1, keepdim=True)
            kinds, colours = (
                here @ one[:, :, 0].softmax(-1) + (1 - sure) * wanted
                for one, wanted in ((seen_kinds, kinds), (seen_colours, colours))
            )
            said = sure + (1 - sure) * said
            others = match(slice(1, None))
            if seen.far is not None and self.places is not None and numbers is not None and steps == 1:
                others = others - self._elsewhere(self.places, seen, seen.far[:, 0], here[:, 0], sure[:, 0], numbers)
            heat.append(torch.cat([nowhere[:, :, 1:], others], dim=-1))
        return torch.cat(heat, dim=2).flatten(1, 2)

    def _elsewhere(self, known: Places, seen: Seen, far: Tensor, here: Tensor, sure: Tensor, numbers: Tensor) -> Tensor:
        """How far from what the first camera has found, `here` (B, R, P), each cell of the others' pictures is: (B, 1, C, R, P)."""
        looked, middles = self._looked(here), self.get_buffer("middles")
        points = looked @ (middles + seen.aside[:, 0] / self._counts(here))
        place = known.reached(points, (looked @ far.unsqueeze(-1)).squeeze(-1), numbers)
        at = known.shown(place, numbers).detach()[:, 1:]  # (B, C, R, 2)
        off = torch.cdist(at, middles.expand(*at.shape[:2], -1, -1))
        miss = (off / _NEARBY).square().clamp(max=_FARTHEST) * sure.unsqueeze(1)
        assert known.expect is not None
        return (known.expect * miss).unsqueeze(1)

    def _counts(self, like: Tensor) -> Tensor:
        rows, columns = self.sizes.cells or (1, 1)
        return torch.tensor([columns, rows], dtype=like.dtype, device=like.device)
