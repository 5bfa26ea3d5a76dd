"""The 50 tasks by name, their tiers, and which of them look alike: what the published tables are cut by.

"easy,push" --tasks_of--> names, in the order of the tiers

Always by name, never by number: the orders that others published disagree.
"""

from __future__ import annotations

from volition.benchmarks.metaworld.errors import MetaWorldError

# The tiers of Seo et al. 2022 (Masked World Models), as the table of SmolVLA uses them.
TIERS: dict[str, tuple[str, ...]] = {
    "easy": (
        "button-press", "button-press-topdown", "button-press-topdown-wall", "button-press-wall", "coffee-button",
        "dial-turn", "door-close", "door-lock", "door-open", "door-unlock", "drawer-close", "drawer-open",
        "faucet-close", "faucet-open", "handle-press", "handle-press-side", "handle-pull", "handle-pull-side",
        "lever-pull", "peg-unplug-side", "plate-slide", "plate-slide-back", "plate-slide-back-side",
        "plate-slide-side", "reach", "reach-wall", "window-close", "window-open",
    ),
    "medium": (
        "basketball", "bin-picking", "box-close", "coffee-pull", "coffee-push", "hammer", "peg-insert-side",
        "push-wall", "soccer", "sweep", "sweep-into",
    ),
    "hard": ("assembly", "hand-insert", "pick-out-of-hole", "pick-place", "push", "push-back"),
    "very hard": ("disassemble", "pick-place-wall", "shelf-place", "stick-pull", "stick-push"),
}  # fmt: skip
TIER = {name: tier for tier, names in TIERS.items() for name in names}
TASKS = tuple(TIER)

# Tasks whose pictures look alike: told the other one's sentence, a policy that listens does not do its own.
_PAIRS = (
    ("coffee-push", "coffee-pull"), ("door-lock", "door-unlock"), ("door-open", "door-close"),
    ("drawer-open", "drawer-close"), ("faucet-open", "faucet-close"), ("handle-press", "handle-pull"),
    ("handle-press-side", "handle-pull-side"), ("pick-place", "reach"), ("pick-place-wall", "reach-wall"),
    ("plate-slide", "plate-slide-back"), ("plate-slide-side", "plate-slide-back-side"), ("push", "push-back"),
    ("stick-push", "stick-pull"), ("window-open", "window-close"), ("assembly", "disassemble"),
)  # fmt: skip
TWINS: dict[str, str] = {one: other for pair in _PAIRS for one, other in (pair, pair[::-1])}
TWINS |= {"push-wall": "reach-wall", "coffee-button": "coffee-push", "sweep": "push-back"}


def tasks_of(text: str) -> tuple[str, ...]:
    """Names and tiers with commas between, or `all`; each task once, in the order of the tiers."""
    asked: set[str] = set()
    for word in (part.strip() for part in text.split(",")):
        if word == "all":
            asked |= set(TASKS)
        elif word in TIERS:
            asked |= set(TIERS[word])
        elif word in TIER:
            asked.add(word)
        else:
            raise MetaWorldError(
                f"There is no task {word!r}; give tasks or tiers with commas between: all, {', '.join((*TIERS, *TASKS))}."
            )
    return tuple(name for name in TASKS if name in asked)
