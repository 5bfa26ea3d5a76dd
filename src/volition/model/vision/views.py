"""All cameras over all observed steps to one row of tokens: the vision half of a policy, on one screen.

images {camera: (B, T, H, W, 3) uint8} -> encoder(s) -> (B, T, V, P, width) -> + which camera, which step
-> cross-view attention -> (B, T*V*P, width), in the order: step (oldest first), camera (as configured), cell (row by row).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import torch
from torch import Tensor, nn

from volition.errors import ContractError
from volition.model.vision.cross_view import CrossView


@dataclass(frozen=True, kw_only=True)
class ViewsConfig:
    """`size` is every camera's (height, width). `width` None keeps the encoder's; `cross_view` counts layers.

    `depth`: cameras also give depth, for encoders with a fourth channel (ConvConfig.depth).
    """

    cameras: tuple[str, ...]
    size: tuple[int, int] = (128, 128)
    history: int = 1
    width: int | None = None
    cross_view: int = 0
    heads: int = 4
    depth: bool = False

    def __post_init__(self) -> None:
        if not self.cameras or len(set(self.cameras)) != len(self.cameras):
            raise ContractError(f"cameras are {self.cameras}; name one or more, each once.")
        if self.history < 1 or self.cross_view < 0 or min(self.size) < 1:
            raise ContractError(
                f"history, cross_view and size are {self.history}, {self.cross_view}, {self.size}; history and size "
                f"must be at least 1, cross_view at least 0."
            )
        if self.cross_view and len(self.cameras) < 2:
            raise ContractError(f"cross_view is {self.cross_view} with one camera alone, {self.cameras}; set it to 0.")


class Views(nn.Module):
    """See ViewsConfig. `encoder` is one for all cameras, or a mapping that says which is each one's; several may share."""

    def __init__(self, config: ViewsConfig, *, encoder: nn.Module | Mapping[str, nn.Module]) -> None:
        super().__init__()
        self.config = config
        self.shared, self.each, self._looks_at = None, nn.ModuleDict(), {}
        if isinstance(encoder, nn.Module):
            self.shared = encoder
        elif set(encoder) != set(config.cameras):
            raise ContractError(f"There are encoders for {sorted(encoder)}; the cameras are {config.cameras}.")
        else:
            for name in config.cameras:  # each encoder once, under the name of its first camera
                first = next((first for first, one in self.each.items() if one is encoder[name]), name)
                self.each[first] = encoder[name]
                self._looks_at.setdefault(first, []).append(name)
        encoders = self.encoders()
        grids = {one.cells(*config.size) for one in encoders}  # pyright: ignore[reportCallIssue]
        self.cells: tuple[int, int] | None = grids.pop() if len(grids) == 1 else None  # rows and columns of a picture
        self.width: int = config.width or encoders[0].width  # pyright: ignore[reportAttributeAccessIssue]
        self.project = nn.ModuleList(
            nn.Identity() if one.width == self.width else nn.Linear(one.width, self.width)  # pyright: ignore[reportArgumentType]
            for one in encoders
        )
        self.view = nn.Parameter(torch.randn(len(config.cameras), self.width) * 0.02)
        self.time = nn.Parameter(torch.randn(config.history, self.width) * 0.02)
        # In place of a picture from before the episode, of which there is none without a history.
        self.before = nn.Parameter(torch.zeros(self.width)) if config.history > 1 else None
        self.cross = nn.ModuleList(CrossView(self.width, heads=config.heads) for _ in range(config.cross_view))

    def forward(
        self,
        images: Mapping[str, Tensor],
        seen: Tensor,
        words: Tensor | None = None,
        *,
        depth: Mapping[str, Tensor] | None = None,
    ) -> Tensor:
        """`seen` (B, T) is False for steps before the episode, which the newest never is: their pictures change nothing.
        `words` (B, W) pooled."""
        steps = seen.shape[1]
        if steps != self.config.history:
            raise ContractError(f"There are {steps} steps; these views were built for {self.config.history}.")
        wanted = (*seen.shape, *self.config.size)
        pictures = [self._given(camera, images, "pictures", (*wanted, 3)) for camera in self.config.cameras]
        metres = None
        if self.config.depth:
            metres = [self._given(camera, depth or {}, "depth", wanted) for camera in self.config.cameras]
        tokens = self._encode(pictures, metres, words, steps=steps)  # (B, T, V, P, D)
        if self.before is not None:
            tokens = torch.where(seen[:, :, None, None, None], tokens, self.before.to(tokens.dtype))
        tokens = tokens + (self.view[:, None] + self.time[:, None, None]).to(tokens.dtype)
        batch, steps = tokens.shape[:2]
        if self.cross:
            tokens = tokens.flatten(0, 1)
            for layer in self.cross:
                tokens = layer(tokens)
            tokens = tokens.unflatten(0, (batch, steps))
        return tokens.flatten(1, 3)

    def first(
        self, images: Mapping[str, Tensor], words: Tensor | None = None, *, depth: Mapping[str, Tensor] | None = None
    ) -> Tensor:
        """The newest picture of the first camera alone, as `forward` has it before pictures look at each other: (B, P, width)."""
        camera = self.config.cameras[0]
        metres = (depth or {})[camera][:, -1:] if self.config.depth else None
        tokens = self.project[0](self._look(self.of(camera), images[camera][:, -1:], metres, words))
        return tokens + (self.view[0] + self.time[-1]).to(tokens.dtype)

    @property
    def told(self) -> bool:
        """Whether words change what is seen, so that other words need another look."""
        return any(getattr(one, "told", False) for one in self.encoders())

    def encoders(self) -> list[nn.Module]:
        """Each once."""
        return list(self.each.values()) if self.shared is None else [self.shared]

    def of(self, camera: str) -> nn.Module:
        """A camera's encoder."""
        if self.shared is not None:
            return self.shared
        return next(self.each[first] for first, cameras in self._looks_at.items() if camera in cameras)

    def _encode(
        self, pictures: list[Tensor], metres: list[Tensor] | None, words: Tensor | None, *, steps: int
    ) -> Tensor:
        if words is not None:
            words = words.repeat_interleave(steps, dim=0)  # one a picture: (B*T, W)
        cameras = [list(self.config.cameras)] if self.shared is not None else list(self._looks_at.values())
        found: dict[str, Tensor] = {}
        for encoder, project, names in zip(self.encoders(), self.project, cameras, strict=True):  # one pass for each
            at = [self.config.cameras.index(name) for name in names]
            many = None if words is None else words.repeat(len(names), 1)
            depth = None if metres is None else torch.cat([metres[index] for index in at])
            together = project(self._look(encoder, torch.cat([pictures[index] for index in at]), depth, many))
            found |= dict(zip(names, together.chunk(len(names)), strict=True))
        tokens = [found[camera] for camera in self.config.cameras]
        if any(one.shape[1] != tokens[0].shape[1] for one in tokens):
            counts = {camera: int(one.shape[1]) for camera, one in found.items()}
            raise ContractError(f"Tokens a picture are {counts}; encoders of several cameras must give as many.")
        return torch.stack([one.unflatten(0, (-1, steps)) for one in tokens], dim=2)

    def encode(self, encoder: nn.Module, pictures: Tensor) -> Tensor:
        """What one of the encoders makes of pictures (B, T, H, W, 3): (B*T, P, D), before the projection."""
        return encoder(self._channels(encoder, pictures, None))

    def _look(self, encoder: nn.Module, given: Tensor, metres: Tensor | None, words: Tensor | None) -> Tensor:
        if given.is_floating_point():  # what this encoder, frozen, made of the pictures (`train/features.py`)
            return given.flatten(0, 1)
        return encoder(self._channels(encoder, given, metres), words)

    def _channels(self, encoder: nn.Module, pictures: Tensor, metres: Tensor | None) -> Tensor:
        """(B, T, H, W, 3) -> (B*T, C, H, W), bytes if the encoder takes them, or 0..1; channels stay last in memory, as
        convolutions like it."""
        channels_last = pictures.flatten(0, 1).permute(0, 3, 1, 2)
        if metres is None and getattr(encoder, "takes_bytes", False):
            return channels_last
        channels_last = channels_last.to(self.view.dtype).div_(255)
        if metres is None:
            return channels_last
        both = torch.cat([channels_last, metres.flatten(0, 1).unsqueeze(1).to(self.view.dtype)], dim=1)
        return both.contiguous(memory_format=torch.channels_last)

    def _given(self, camera: str, kinds: Mapping[str, Tensor], what: str, wanted: tuple[int, ...]) -> Tensor:
        if camera not in kinds:
            raise ContractError(
                f"There are no {what} of the camera {camera}, only of {sorted(kinds)}; this model needs "
                f"{', '.join(self.config.cameras)}."
            )
        if what == "pictures" and kinds[camera].is_floating_point() and kinds[camera].ndim == 4:
            width = self.of(camera).width
            if kinds[camera].shape[:2] != wanted[:2] or kinds[camera].shape[-1] != width:
                raise ContractError(
                    f"The features of {camera} are {tuple(kinds[camera].shape)}; they must be {wanted[:2]} + (tokens, {width})."
                )
            return kinds[camera].to(self.view.dtype)
        if kinds[camera].shape != wanted:
            raise ContractError(
                f"The {what} of {camera} are {tuple(kinds[camera].shape)}; they must be {wanted} (B, T, H, W, ...)."
            )
        if what == "pictures" and kinds[camera].dtype != torch.uint8:
            raise ContractError(f"The pictures of {camera} are {kinds[camera].dtype}; they must be uint8, 0 to 255.")
        return kinds[camera]
