"""What a person chooses by name, on a command line: which skills, chains among them, and how strongly each axis varies."""

from __future__ import annotations

from dataclasses import fields

from volition.errors import ContractError
from volition.sim.chain import MOST, chain
from volition.sim.randomise import Axes, Draw
from volition.sim.scene import Scene
from volition.sim.skills import SKILLS

CHAIN = "chain"  # several goals in one scene: no skill of its own, but chosen like one


def skills_of(text: str, *, chains: bool = False) -> tuple[str, ...]:
    """`all`, or names with commas between."""
    known = (*SKILLS, CHAIN) if chains else tuple(SKILLS)
    if text.strip() == "all":
        return known
    names = tuple(name.strip() for name in text.split(",") if name.strip())
    for name in names:
        if name not in known:
            raise ContractError(f"There is no skill {name!r}; there are {', '.join(known)}, and `all`.")
        if names.count(name) > 1:
            raise ContractError(f"The skill {name} is given twice; once is enough.")
    if not names:
        raise ContractError(f"No skill is given; there are {', '.join(known)}, and `all`.")
    return names


def layout(name: str, draw: Draw, *, steps: int | None = None) -> Scene:
    """A scene of a skill, or of a chain of so many steps (two to five if not said)."""
    if name != CHAIN:
        return SKILLS[name].layout(draw)
    return chain(draw, steps if steps is not None else draw.pick(range(2, MOST + 1), "steps"))


def axes_of(text: str) -> Axes:
    """`light=0,camera=2` -> Axes(light=0, camera=2); the others stay at 1."""
    known = [axis.name for axis in fields(Axes)]
    strengths: dict[str, float] = {}
    for part in filter(None, (part.strip() for part in text.split(","))):
        name, _, value = (word.strip() for word in part.partition("="))
        if name not in known:
            raise ContractError(f"There is no axis {name!r}; there are {', '.join(known)}.")
        if name in strengths:
            raise ContractError(f"The axis {name} is given twice; once is enough.")
        try:
            strengths[name] = float(value)
        except ValueError:
            raise ContractError(
                f"The strength of the axis {name} is {value!r}; it must be a number, 0 to 10."
            ) from None
    return Axes(**strengths)
