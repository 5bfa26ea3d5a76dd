"""Many tokens to a few: each of the few looks where a learned map says (TokenLearner, Ryoo et al. 2021; of `rt1`).

pictures -> an encoder of vision/ -> (N, P, width) -> maps (N, tokens, P) -> (N, tokens, width)
"""

from __future__ import annotations

from dataclasses import dataclass

from torch import Tensor, nn

from volition.errors import ContractError


@dataclass(frozen=True, kw_only=True)
class TokenLearnerConfig:
    tokens: int = 8
    hidden: int = 64

    def __post_init__(self) -> None:
        if min(self.tokens, self.hidden) < 1:
            raise ContractError(f"tokens and hidden are {self.tokens} and {self.hidden}; each must be at least 1.")


class TokenLearner(nn.Module):
    """An encoder whose tokens it makes few; itself an encoder. `maps` is where each of the few looks."""

    def __init__(self, config: TokenLearnerConfig, *, encoder: nn.Module) -> None:
        super().__init__()
        self.config = config
        self.encoder, self.told = encoder, getattr(encoder, "told", False)
        self.takes_bytes: bool = getattr(encoder, "takes_bytes", False)
        self.width: int = encoder.width  # pyright: ignore[reportAttributeAccessIssue]
        self.look = nn.Sequential(
            nn.LayerNorm(self.width),
            nn.Linear(self.width, config.hidden),
            nn.GELU(),
            nn.Linear(config.hidden, config.tokens),
        )

    def cells(self, height: int, width: int) -> tuple[int, int] | None:
        """None: the few tokens are no grid."""
        return None

    def maps(self, tokens: Tensor) -> Tensor:
        """(N, P, width) of the encoder -> (N, tokens, P): shares of a whole, each."""
        return self.look(tokens).transpose(1, 2).softmax(-1)

    def forward(self, pictures: Tensor, words: Tensor | None = None) -> Tensor:
        tokens = self.encoder(pictures, words)
        return self.maps(tokens) @ tokens
