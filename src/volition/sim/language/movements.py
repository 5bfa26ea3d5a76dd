"""The sentences for the skill `move`, which needs no thing: "turn left", "take a step to the right". Add phrasings here.

As in `sentences.py`: a command begins with its verb, a statement stands alone, and the verbs of held-out commands occur
in no sentence of training. {side} is "left" or "right", {clock} the way a turn to that side goes. An amount that is
said is the one that a primitive has by itself (robots/primitives.py): 1 m forward or back, 0.6 m aside, 90 degrees.
"""

from __future__ import annotations

Table = dict[str, dict[str, tuple[str, ...]]]  # primitive -> split -> sentences

_CLOCK = {"left": "anticlockwise", "right": "clockwise"}


def _both(table: Table) -> Table:
    """A line of the table for each side; what has no sides stays as it is."""
    return {
        name.format(side=side): {
            split: tuple(text.format(side=side, clock=clock) for text in texts) for split, texts in splits.items()
        }
        for name, splits in table.items()
        for side, clock in _CLOCK.items()
    }


COMMANDS: Table = _both(
    {
        "stop": {
            "train": (
                "stop",
                "stop moving",
                "stop where you are",
                "come to a stop",
                "stand still",
                "stand still for a moment",
                "stand there with both arms down",
                "stay where you are",
                "wait",
                "wait a moment",
                "wait where you are",
                "do nothing for a moment",
            ),
            "phrasings": (
                "halt",
                "freeze",
                "pause for a moment",
                "remain where you are",
                "hold still",
                "cease all movement",
            ),
        },
        "move_forward": {
            "train": (
                "walk forward",
                "walk forwards",
                "move forward",
                "go forward",
                "come forward",
                "walk ahead",
                "walk straight ahead",
                "go straight ahead",
                "move straight ahead",
                "walk a metre forward",
                "walk one metre straight ahead",
                "take a few steps forward",
                "walk the way you are facing",
            ),
            "phrasings": (
                "march forward",
                "stride ahead",
                "stroll a metre onward",
                "advance by a metre",
                "proceed straight on",
                "continue the way you are facing",
            ),
        },
        "move_backward": {
            "train": (
                "walk backward",
                "walk backwards",
                "walk back",
                "move back",
                "move backwards",
                "go backwards",
                "step back",
                "back up",
                "back away",
                "walk a metre backwards",
                "walk one metre back",
                "take a few steps back",
            ),
            "phrasings": (
                "retreat",
                "withdraw by a metre",
                "reverse",
                "ease yourself backwards",
                "backtrack by a metre",
            ),
        },
        "turn_{side}": {
            "train": (
                "turn {side}",
                "turn to the {side}",
                "turn to your {side}",
                "turn {side} on the spot",
                "turn {side} where you stand",
                "turn your body to the {side}",
                "turn ninety degrees to the {side}",
                "turn 90 degrees to the {side}",
                "turn {side} by ninety degrees",
                "make a {side} turn",
                "make a quarter turn to the {side}",
                "face {side}",
            ),
            "phrasings": (
                "rotate to the {side}",
                "rotate ninety degrees {clock}",
                "pivot {side}",
                "swivel to your {side}",
                "spin a quarter circle to the {side}",
                "revolve a quarter circle {clock}",
            ),
        },
        "step_{side}": {
            "train": (
                "step {side}",
                "step to the {side}",
                "step sideways to the {side}",
                "step aside to the {side}",
                "take a step to the {side}",
                "take a step to your {side}",
                "move {side}",
                "move to the {side}",
                "move a bit to the {side}",
                "move over to the {side}",
                "walk sideways to the {side}",
                "go sideways to the {side}",
            ),
            "phrasings": (
                "sidestep to the {side}",
                "shuffle {side}",
                "strafe {side}",
                "sidle over to the {side}",
                "shift your stance sideways to the {side}",
                "scoot to your {side}",
            ),
        },
        "raise_{side}_arm": {
            "train": (
                "raise your {side} arm",
                "raise the {side} arm",
                "raise your {side} hand",
                "raise your {side} arm above your shoulder",
                "lift your {side} arm",
                "lift up your {side} arm",
                "lift your {side} hand up",
                "put your {side} arm up",
                "put up your {side} hand",
                "put your {side} hand in the air",
                "bring your {side} arm up",
                "keep your {side} arm up",
            ),
            "phrasings": (
                "hold up your {side} hand",
                "stretch your {side} arm upwards",
                "hoist your {side} arm",
                "elevate your {side} hand",
                "point to the ceiling with your {side} hand",
            ),
        },
        "wave": {
            "train": (
                "wave",
                "wave your hand",
                "wave your arm",
                "wave to me",
                "wave at me",
                "wave hello",
                "wave to the people",
                "give me a wave",
                "say hello with your hand",
                "say goodbye with your hand",
                "raise your hand and wave",
                "lift your arm and wave it",
            ),
            "phrasings": (
                "greet me",
                "greet everyone here",
                "signal hello with your hand",
                "welcome me with your hand",
                "swing your raised hand from side to side",
                "show me how you wave",
            ),
        },
    }
)
STATEMENTS: Table = _both(
    {
        "stop": {
            "train": ("you should stand still", "do not move"),
            "phrasings": ("there is no need to move", "i want to see you motionless"),
        },
        "move_forward": {
            "train": ("you should walk forward", "you have to go straight ahead"),
            "phrasings": ("a metre straight ahead is where you belong", "i need you one metre further on"),
        },
        "move_backward": {
            "train": ("you should walk backwards", "you have to go back a metre"),
            "phrasings": ("a metre behind you is where you belong", "i need you one metre further back"),
        },
        "turn_{side}": {
            "train": ("you should turn to the {side}", "you have to face {side}"),
            "phrasings": ("the way to look is to your {side}", "i want to see you facing {side}"),
        },
        "step_{side}": {
            "train": ("you should step to the {side}", "you have to stand further to the {side}"),
            "phrasings": ("your place is a step to the {side}", "a bit further to your {side} is where i need you"),
        },
        "raise_{side}_arm": {
            "train": ("your {side} arm should be up", "your {side} hand has to be in the air"),
            "phrasings": ("up goes your {side} arm", "i want to see your {side} hand above your shoulder"),
        },
        "wave": {
            "train": ("you should wave", "your hand should wave to me"),
            "phrasings": ("a friendly greeting would be nice", "i would love to see you wave"),
        },
    }
)
