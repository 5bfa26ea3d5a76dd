"""The words whose exact meaning counts: sides, directions, verbs and things, for the parts of an instruction that embeddings blur.

A sentence encoder puts "turn left" beside "turn right" and "walk forward" beside "walk backward" because such words
appear in the same company. So direction is read from these tables, and the encoder decides only the kind of action.
"""

from __future__ import annotations


def _words(text: str) -> frozenset[str]:
    return frozenset(text.split())


LEFT = frozenset({"left", "leftward", "leftwards", "counterclockwise", "anticlockwise"})
RIGHT = frozenset({"right", "rightward", "rightwards", "clockwise"})
FORWARD = frozenset(
    {
        "forward",
        "forwards",
        "ahead",
        "straight",
        "onward",
        "onwards",
        "closer",
        "nearer",
        "towards",
        "toward",
        "forth",
        "on",
    }
)
BACKWARD = frozenset(
    {
        "back",
        "backward",
        "backwards",
        "rear",
        "rearward",
        "rearwards",
        "reverse",
        "retreat",
        "away",
        "withdraw",
        "off",
        "recoil",
        "room",
    }
)
SIDEWAYS = frozenset(
    {"sideways", "sideway", "sidestep", "sidesteps", "side", "lateral", "laterally", "aside", "strafe", "sidle", "crab"}
)
UP = frozenset(
    {
        "up",
        "upward",
        "upwards",
        "high",
        "raise",
        "lift",
        "elevate",
        "above",
        "overhead",
        "air",
        "sky",
        "skyward",
        "ceiling",
        "reach",
        "over",
    }
)
DOWN = frozenset({"down", "downward", "downwards", "lower", "drop", "relax", "hang", "lay"})
ARMS = frozenset({"arm", "arms", "hand", "hands", "palm", "fist"})
STOPS = frozenset({"stop", "halt", "freeze", "cease", "quit"})
TURNS = frozenset(
    {
        "turn",
        "turns",
        "rotate",
        "spin",
        "pivot",
        "face",
        "twist",
        "swing",
        "swivel",
        "look",
        "heading",
        "revolve",
        "rotation",
    }
)
WAVES = frozenset({"wave", "greet", "hello", "hi", "goodbye", "bye", "greeting", "welcome", "salute"})
NEGATIONS = frozenset({"not", "never", "no", "neither", "nor", "avoid", "refrain"})

# Verb -> its other forms; the forms are replaced by the verb, so "after turning left" reads "after turn left".
_FORMS = {
    "walk": "walks walking walked",
    "go": "goes going gone",
    "move": "moves moving moved",
    "step": "stepping stepped",
    "take": "takes taking taken",
    "make": "makes making",
    "do": "doing done",
    "turn": "turning turned",
    "rotate": "rotates rotating rotated",
    "spin": "spins spinning",
    "pivot": "pivots pivoting",
    "face": "faces facing",
    "twist": "twists twisting",
    "swing": "swings swinging",
    "swivel": "swivels swivelling swiveling",
    "look": "looks looking",
    "raise": "raises raising raised",
    "lift": "lifts lifting lifted",
    "elevate": "elevates elevating elevated",
    "put": "puts putting",
    "hold": "holds holding held",
    "keep": "keeps keeping kept",
    "bring": "brings bringing",
    "stretch": "stretches stretching stretched",
    "extend": "extends extending extended",
    "reach": "reaches reaching",
    "wave": "waves waving waved",
    "greet": "greets greeted",
    "say": "says saying",
    "give": "gives giving",
    "stop": "stops stopping stopped",
    "halt": "halting halted",
    "freeze": "freezing",
    "stand": "stands standing",
    "stay": "stays staying",
    "remain": "remains remaining",
    "wait": "waits waiting waited",
    "pause": "pauses pausing paused",
    "rest": "rests resting",
    "come": "comes coming",
    "approach": "approaches approaching",
    "advance": "advances advancing advanced",
    "proceed": "proceeds proceeding",
    "head": "heads",
    "march": "marches marching",
    "stroll": "strolls strolling",
    "continue": "continues continuing",
    "reverse": "reverses reversing",
    "retreat": "retreats retreating",
    "withdraw": "withdraws withdrawing",
    "back": "backs backing",
    "sidestep": "sidestepping sidestepped",
    "shuffle": "shuffles shuffling",
    "shift": "shifts shifting",
    "slide": "slides sliding",
    "scoot": "scoots scooting",
    "strafe": "strafes strafing",
    "sidle": "sidles sidling",
    "lower": "lowers lowering lowered",
    "drop": "drops dropping",
    "relax": "relaxes relaxing",
    "let": "lets letting",
    "cease": "ceases ceasing",
    "quit": "quits quitting",
}
VERBS = frozenset(_FORMS)
BASE_FORM = {form: verb for verb, forms in _FORMS.items() for form in forms.split()}

# Motions of the body that are none of the ten. With a direction behind them ("jump forward", "lean left") the encoder
# finds them near a primitive; doing another motion in that direction would be wrong, so the word itself refuses.
OTHER_MOTIONS = _words(
    "jump jumping hop hopping leap skip run running sprint jog jogging roll rolling fall falling lean leaning tilt bend "
    "bending crouch squat kneel sit sitting lie dance dancing kick kicking punch hit clap clapping grab grasp catch "
    "crawl crawling climb climbing swim fly nod bow flip cartwheel somersault flex curl dive limp moonwalk tiptoe"
)
QUESTIONS = _words("what who whom whose why how where which is are am was were did does has have")

# Words that carry no action: a fragment made only of these and of directions completes or repeats the step before it.
FILLERS = _words(
    "a an the your to of by for in at with and it its this that one ones only then more again too also now just some "
    "please me you side"
)
DETERMINERS = _words("the a an my that this these those some his her its their our your another every each")
MODIFIERS = _words(
    "other same small little tiny big large long short quick slow full half quarter whole complete single more side "
    "friendly nice warm gentle firm sharp slight 90 180 360 very own whole last next first second third raised"
)
# Things that exist for the primitives. Anything else after "the", "a", "my" ... is an object it can neither see nor hold.
NOUNS = (
    LEFT
    | RIGHT
    | ARMS
    | FORWARD
    | BACKWARD
    | WAVES
    | STOPS
    | _words(
        "side sides front spot place air sky ceiling body self heading direction way step steps pace paces stride "
        "strides turn turns circle rotation spin revolution sidestep metre metres meter meters degree degrees second "
        "seconds moment bit little one ones space room distance standstill rest pause break position pose stance "
        "opposite line greeting waving course upright"
    )
)

# What spelling repair may restore: every word above that steers a decision, long enough not to be hit by accident.
KEY_WORDS = frozenset(
    word
    for word in (
        VERBS | set(BASE_FORM) | LEFT | RIGHT | FORWARD | BACKWARD | SIDEWAYS | ARMS | STOPS | TURNS | WAVES
        | {"step", "steps", "metre", "metres", "meter", "meters", "degrees", "seconds", "around", "twice"}
    )
    if len(word) >= 4
)  # fmt: skip
