"""A recipe as a whole checkpoint of the G1 with random weights: what exports and latencies are measured with.

recipe, size, pixels -> Checkpoint, whose actions stay near where the hands are
"""

from __future__ import annotations

import torch

from volition.body.proprioception import Proprioception
from volition.model.checkpoint import Checkpoint, Design
from volition.model.language.bpe import train_bpe
from volition.model.recipes import recipe
from volition.model.table import SENTENCE, shapes_for
from volition.robots.description import describe
from volition.robots.g1 import g1
from volition.transforms.codec import Codec
from volition.transforms.scale import scale_of


def untrained(name: str, size: str, pixels: int) -> Checkpoint:
    """A recipe on the G1 with random weights, whose actions stay near where the hands are."""
    robot, one = g1(pixels), recipe(name)
    shapes = shapes_for(one, pixels, tokenizer=train_bpe([SENTENCE], 300).to_str())
    spec = robot.action("primitive" if shapes.classes else "ee")
    states = Proprioception(robot).names
    codec = Codec(
        spec=spec,
        frame="absolute" if shapes.classes else "relative",
        states=scale_of({}, states, kind="identity"),
        actions=scale_of({}, spec.names, kind="identity"),
    )
    design = Design(recipe=name, size=size, shapes=shapes)
    torch.manual_seed(0)
    return Checkpoint(model=design.build().eval(), design=design, codec=codec, robot=describe(robot), about={})
