"""Where spots are, in metres: the point of the pelvis frame that is nearest to the rays of all cameras that see it.

    points, sure (B, V, S, ..), numbers (B, N) --rays of the cameras--┐
    far (B, V, S), how far along each ray, where eyes tell that --------┤
    guess (B, S, 3) ---------------------------------------------------┴-> the point between them all, (B, S, 3)

A camera is carried by a hand or the torso, whose pose is among the numbers the robot feels. Which camera is where is told
once (`mount`), from the robot's description; until then, and for cameras nobody knows of, the guess alone is the place.
All of it in float32: in bfloat16 half a metre is 2 mm coarse.
"""

from __future__ import annotations

import math
from collections.abc import Sequence

import torch
from torch import Tensor, nn
from torch.nn import functional

from volition.body.mounts import Mount
from volition.errors import ContractError
from volition.transforms.scale import Scale

_ROUNDS = 3  # the second knows how far away things are, and which rays lead somewhere else
_ASTRAY = 0.04  # m: a ray that passes by at this distance counts a quarter: it is of another thing that looks alike
_CLOSE = 0.05  # m: nothing is nearer to a camera
_OUTSIDE = -9.0  # of a picture
_OFF = 0.25  # m: at which distance a ray is as far off for the camera's own place as for its direction
_REACH = 0.04  # of how far away a thing is told to be: a twentieth is as likely as 0.01 rad in its direction
_TRUST = 0.01  # of the guess, beside a ray at a metre's distance: 0.01 rad there are 1 cm, the guess is off by 10 cm
UNIT = 0.2  # m that a network is given as 1
_BEFORE = (2.0, 0.0, 0.0)  # where things are at first guessed to be: 0.4 m before the pelvis


class Places(nn.Module):
    def __init__(self, *, cameras: int, numbers: int, far: bool = False) -> None:
        """`far`: eyes also tell how far away things are."""
        super().__init__()
        self.reach = nn.Parameter(torch.full((cameras,), math.log(_REACH))) if far else None
        self.expect = nn.Parameter(torch.tensor([1.5])) if far else None  # of other cameras, what the first has found
        self.cameras, self.numbers = cameras, numbers
        self.trust = nn.Parameter(torch.zeros(cameras))  # of each camera, as a logarithm
        self.register_buffer("known", torch.zeros(cameras))
        self.register_buffer("turn", torch.eye(3).repeat(cameras, 1, 1))  # from the camera's axes to its carrier's
        self.register_buffer("offset", torch.zeros(cameras, 3))  # m
        self.register_buffer("opening", torch.ones(cameras))  # tangent of half the angle of view
        self.register_buffer(
            "first", torch.zeros(cameras, dtype=torch.long)
        )  # of the six numbers of its carrier's pose
        self.register_buffer("mean", torch.zeros(numbers))
        self.register_buffer("scale", torch.ones(numbers))

    def mount(self, mounts: Sequence[Mount | None], felt: Scale) -> None:
        """Cameras in the model's order, None for one nobody knows of; what the robot feels, and how that is scaled."""
        names = felt.names
        if len(mounts) != self.cameras or len(names) != self.numbers:
            raise ContractError(
                f"{len(mounts)} cameras and {len(names)} numbers were told of; this model has {self.cameras} and {self.numbers}."
            )
        self._buffer("mean").copy_(torch.tensor(felt.offset))
        self._buffer("scale").copy_(torch.tensor(felt.factor))
        for place, one in enumerate(mounts):
            if one is None or f"{one.carrier}.x" not in names:
                continue
            self._buffer("known")[place] = 1.0
            self._buffer("turn")[place] = torch.tensor(one.rotation)
            self._buffer("offset")[place] = torch.tensor(one.position)
            self._buffer("opening")[place] = math.tan(one.field_of_view / 2)
            self._buffer("first")[place] = names.index(f"{one.carrier}.x")

    def forward(
        self, points: Tensor, sure: Tensor, guess: Tensor, numbers: Tensor, far: Tensor | None = None
    ) -> tuple[Tensor, Tensor]:
        """Places (B, S, 3) in the pelvis frame, m; and from each camera's carrier, for networks, (B, S, V * 3).

        `points` (B, V, S, 2) 0 to 1 right and down, `sure` (B, V, S, 1), `guess` (B, S, 3) as networks have it;
        `far` (B, V, S) m, how far away from each camera."""
        with torch.autocast(points.device.type, enabled=False):
            points, sure, guess, numbers = points.float(), sure.float(), guess.float() * UNIT, numbers.float()
            carrier, turn, centre = self._cameras(numbers)
            ray = self._rays(points, turn)
            across = torch.eye(3, device=ray.device) - ray.unsqueeze(-1) * ray.unsqueeze(-2)
            sure = sure.squeeze(-1) * (self.trust.exp() * self._buffer("known"))[:, None]  # (B, V, S)
            found, start = guess, centre[:, :, None]  # (B, V, 1, 3)
            agree = torch.ones_like(sure)
            along, end = torch.zeros_like(across), start
            if far is not None and self.reach is not None:
                told = self.reach.exp()[:, None] * sure / (far.float().square() + _CLOSE**2)
                along = told[..., None, None] * (ray.unsqueeze(-1) * ray.unsqueeze(-2))
                end = start + far.float().unsqueeze(-1) * ray
            for _ in range(_ROUNDS):
                away = found.detach()[:, None] - start  # (B, V, S, 3)
                pull = (agree * sure / (away.square().sum(-1) + _OFF**2))[..., None, None] * across  # (B, V, S, 3, 3)
                held = agree[..., None, None] * along
                matrix = (pull + held).sum(1) + _TRUST * torch.eye(3, device=ray.device)
                towards = (pull @ start.unsqueeze(-1) + held @ end.unsqueeze(-1)).squeeze(-1).sum(1) + _TRUST * guess
                found = _solved(matrix, towards)
                past = across @ (found.detach()[:, None] - start).unsqueeze(-1)
                agree = (1 + past.square().sum((-2, -1)) / _ASTRAY**2) ** -2
            return found, ((found[:, :, None] - carrier[:, None]) / UNIT).flatten(2)

    def _rays(self, points: Tensor, turn: Tensor) -> Tensor:
        """Unit vectors through points (B, V, S, 2) of all cameras' pictures, in the pelvis frame: (B, V, S, 3)."""
        half = self._buffer("opening")[:, None, None]
        flat = (1.0 - 2.0 * points) * half  # to the left and up, at a metre's distance
        away = torch.cat([torch.ones_like(flat[..., :1]), flat], dim=-1)
        ray = (turn[:, :, None] @ away.unsqueeze(-1)).squeeze(-1)
        return ray / ray.norm(dim=-1, keepdim=True)

    def centres(self, numbers: Tensor) -> Tensor:
        """Where the cameras themselves are, (B, V, 3) m."""
        return self._cameras(numbers.float())[2]

    def reached(self, points: Tensor, far: Tensor, numbers: Tensor) -> Tensor:
        """Places (B, S, 3) that the first camera sees at points (B, S, 2), so far away (B, S)."""
        with torch.autocast(points.device.type, enabled=False):
            _, turn, centre = self._cameras(numbers.float())
            shown = points.float()[:, None].expand(-1, self.cameras, -1, -1)
            return centre[:, :1] + far.float().unsqueeze(-1) * self._rays(shown, turn)[:, 0]

    def shown(self, places: Tensor, numbers: Tensor) -> Tensor:
        """Where each camera's picture would show places (B, S, 3): (B, V, S, 2), far outside what is behind it."""
        with torch.autocast(places.device.type, enabled=False):
            _, turn, centre = self._cameras(numbers.float())
            ahead, left, up = ((places.float()[:, None] - centre[:, :, None]) @ turn).unbind(-1)
            flat = torch.stack([left, up], dim=-1) / ahead.clamp(min=_CLOSE).unsqueeze(-1)
            flat = 0.5 - flat / (2 * self._buffer("opening")[:, None, None])
            return torch.where((ahead > 0).unsqueeze(-1), flat, _OUTSIDE)

    def away(self, places: Tensor, numbers: Tensor) -> Tensor:
        """From each camera's carrier to places (B, S, 3) that are known, m: (B, S, V, 3)."""
        carrier, _, _ = self._cameras(numbers.float())
        return places.float()[:, :, None] - carrier[:, None]

    def _cameras(self, numbers: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """Of each camera: its carrier's place (B, V, 3), its axes (B, V, 3, 3) and its own place (B, V, 3)."""
        felt = numbers * self._buffer("scale") + self._buffer("mean")
        felt = functional.pad(felt, (0, max(6 - self.numbers, 0)))  # for robots that feel less than a pose
        columns = self._buffer("first")[:, None] + torch.arange(6, device=numbers.device)
        pose = felt[:, columns] * self._buffer("known")[:, None]  # (B, V, 6)
        carrier, turned = pose[..., :3], _matrix(pose[..., 3:])
        centre = carrier + (turned @ self._buffer("offset")[..., None]).squeeze(-1)
        return carrier, turned @ self._buffer("turn"), centre

    def _buffer(self, name: str) -> Tensor:
        return self.get_buffer(name)


class Guess(nn.Module):
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


def _matrix(turned: Tensor) -> Tensor:
    """Rotation vectors (..., 3) as matrices (..., 3, 3), by Rodrigues' formula."""
    angle = turned.square().sum(-1, keepdim=True).add(1e-12).sqrt()
    x, y, z = (turned / angle).unbind(-1)
    zero = torch.zeros_like(x)
    cross = torch.stack([zero, -z, y, z, zero, -x, -y, x, zero], dim=-1).unflatten(-1, (3, 3))
    angle = angle.unsqueeze(-1)
    return torch.eye(3, device=turned.device) + angle.sin() * cross + (1 - angle.cos()) * (cross @ cross)


def _solved(matrix: Tensor, right: Tensor) -> Tensor:
    """matrix x = right for symmetric (..., 3, 3), by its rows' cross products, which every runtime knows."""
    a, b, c = matrix.unbind(-2)
    columns = torch.stack([_cross(b, c), _cross(c, a), _cross(a, b)], dim=-1)
    return (columns @ right.unsqueeze(-1)).squeeze(-1) / (a * columns[..., 0]).sum(-1, keepdim=True)


def _cross(a: Tensor, b: Tensor) -> Tensor:
    (ax, ay, az), (bx, by, bz) = a.unbind(-1), b.unbind(-1)
    return torch.stack([ay * bz - az * by, az * bx - ax * bz, ax * by - ay * bx], dim=-1)
