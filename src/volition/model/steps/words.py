"""The words that a command is cut by: verbs that begin a step, what joins steps, what is said out of politeness.

They are ordinary English, not the task suite's sentences: a verb that is in no list is still known by what follows it.
"""

from __future__ import annotations

import re


def _words(text: str) -> frozenset[str]:
    return frozenset(text.split())


VERBS = _words("""
    activate actuate adjust advance apply approach arrange attach back backtrack bring brush build bump carry catch
    cease check choose clean clear click close coax collect come continue cover cross cut deal decant deliver
    deposit depress detach dip discharge do drag drain draw drop dump dust ease elevate empty engage erase expose
    extend face ferry fetch fill find finish flip fold follow freeze furnish get give go grab grasp greet grip guide
    halt hand hang haul head heave hit hoist hold hurry insert jerk keep kick knock lay lean leave let lift load
    lock look lower make march mop move navigate nudge open operate park pass pause pick pivot place plant point
    poke polish position pour press proceed pull punch push put raise reach release relocate remain remove reset
    rest retreat return reverse revolve ring rinse roll rotate rub saunter say scoop scoot scour scrub search send
    serve set shake shed shift show shuffle shut sidestep sidle signal sit slide slip sort spill spin sprinkle
    squeeze stack stand start stay step stick stir stop store strafe straighten stretch stride strike stroll supply
    swab swap sweep swing switch swivel take tap tell throw thrust tidy tilt tip toggle transfer transport travel
    trigger trot tug turn twist unload unlock unplug unroll unscrew untie upend use visit void wait walk wander wash
    water wave welcome wipe withdraw work wrap wrench yank
    """)
IRREGULAR = {"done": "do", "given": "give", "gone": "go", "held": "hold", "laid": "lay", "left": "leave", "made": "make",
             "put": "put", "said": "say", "set": "set", "shut": "shut", "taken": "take", "hit": "hit"}  # fmt: skip
GRASPING = _words("collect fetch find get grab grasp grip hold lift pick raise take")
WIPING = _words("clean mop polish rub scrub swab wipe")
TOOL = re.compile(r"\b(?:sponge|wiper|cloth|rag|brush|towel)$")
HANDLE = re.compile(r"\b(?:handle|knob|lever)\b")
PLACING = _words(
    "bring carry deliver deposit drop empty get lay lift move place pour put send set take tip transfer throw"
)
KEEPING = _words("hold keep leave")
# "pull the handle and open the drawer"
WITH_HANDLE = _words("close open pull push turn twist")
PRONOUN = re.compile(r"[a-z]+ (?:(?:up|out|off|down|over|on) )?(?:it|them)\b")
# Not a whole step by themselves: "reach out and press ...", "go and stand at ...", "turn and look at ...".
LIGHT = re.compile(
    r"(?:reach out|reach over|go|go ahead|go on|come|come on|walk|walk on|turn|set off|step aside|watch out|try)"
)
HAND_UP = re.compile(r"(?:raise|lift|put up|hold up) (?:your|the|a|an) (?:hand|arm)(?: up)?")
# What belongs to the step before: "stop and look at the cone", "step aside and make room for the person".
BELONGS = re.compile(r"(?:look (?:at|towards)|let|see|make (?:room|way) for)\b")

# A word that is no verb, whatever follows it: so that any other can be guessed to be one, "whisk the eggs".
NO_VERB = _words("""
    a about above after against all alongside along also an and another any are as at be before behind below beneath beside
    between both but by can central close closest do down each either every everything far few first for from front her
    here his i if in inside into is it its just last leftmost left like lower lowest many me middle more most my near
    nearest neither next no not nothing of off on once one only onto or other others our out over past please quite rather
    right rightmost round same several she so some somebody someone still such than that the their them then there these
    they this those though three through till to too top toward towards two under underneath unless until up upper upon
    us very was we were what when where whether which while who whose why will with within without would yet you your
    red green blue yellow orange purple black white pink brown grey gray silver golden turquoise big small large little
    short tall
    """)
# Verbs that are as often something else: they need one of the words behind them.
DOUBTFUL = _words(
    "box brush cover cut dust face hand head light load lock park place plant point position rest sort stick store water work"
)
BEHIND_VERB = r"(?:the|a|an|your|my|me|it|them|this|these|those|all|both|every)"
ADVERB = re.compile(r"(?:(?:\w+ly|just|also|again|please|now|always) )+")

_NUMBER = r"(?:\d{1,2}|one|two|three|four|five|six|seven|eight|nine|ten)"
_DONE = r"(?:done|finished|over|through|ready|complete|completed)"
# Before a step; said of the order, or said to be polite. Each may be followed by a comma.
ORDER = (
    r"and", r"but", r"then", r"next(?! to\b)", r"so", r"now", r"also", r"first of all", r"firstly", r"first",
    r"second(?:ly)?", r"third(?:ly)?", r"fourth(?:ly)?", r"fifth(?:ly)?", r"last(?:ly| of all)", r"finally", r"afterwards?",
    r"subsequently", r"thereafter", r"later(?: on)?", r"(?:right |straight )?after(?:wards)? (?:that|this|which)(?! \w+\b,)",
    r"(?:in|at) the (?:end|beginning)(?=,)", r"to (?:begin|start|finish|end)(?: with| off)?", rf"step {_NUMBER}", r"\d{1,2}[.)]",
    rf"(?:when|once|as soon as|after) (?:that|this|it|all that|everything) (?:is|was|has been) (?:{_DONE}|\w+ed|open|in)",
    rf"(?:when|once|as soon as|after) you (?:are |have (?:been )?)?{_DONE}(?: (?:that|this|it|so))?(?: with (?:that|this|it))?",
    rf"(?:when|once|as soon as) {_DONE}",
    r"(?:start|begin|finish|end|continue|go on) (?:off )?(?:by|with)(?= \w+ing\b)", r"followed by",
)  # fmt: skip
POLITE = (
    r"please", r"kindly", r"ok(?:ay)?", r"hello(?: robot)?", r"hey(?: robot)?", r"hi(?: robot)?", r"robot",
    r"would you mind(?= \w+ing\b)", r"would you be so kind as to", r"(?:could|can|would|will) you(?: please| kindly)?",
    r"i (?:would like|want|need) you to", r"i would like to ask you to",
    r"if you (?:do not mind|would|could|can|please|like)", r"if possible", r"do me a favour and", r"do me a favor and",
    r"your (?:task|job|mission) is to", r"it is time to", r"you (?:should|must|have to|need to|are to|can)",
    r"let us(?: see you)?", r"listen", r"when(?:ever)? you are ready", r"if it is no (?:trouble|problem)", r"sorry to ask",
    r"there is no (?:hurry|rush)", r"here is what to do", r"it would help to", r"my wish is that you", r"are you able to", r"would it be possible to", r"why not", r"you may", r"feel free to", r"remember to",
    r"i am asking you to", r"a request", r"for me", r"all right", r"well",
)  # fmt: skip
BACKWARDS = (
    r"but (?:before that|before you do(?: that| so)?|first|before)",
    r"before (?:that|doing (?:that|so)|you do(?: that| so)?)",
)
BEHIND = (
    r"please", r"thanks", r"thank you", r"robot", r"for me", r"now", r"too", r"as well", r"also", r"if you would",
    r"if you (?:do not mind|could|can|please|like)", r"if possible", r"i would be (?:very )?grateful", r"(?<!the )(?<!your )first",
    r"will you", r"that would be good", r"my friend", r"everybody is waiting", r"without haste", r"and i am glad", r"and", r"then",
    r"as soon as you can", r"it matters to me",
)  # fmt: skip
SPELLINGS = (
    (r"[’`]", "'"), (r"\b(do|does|is|are|must|should|can|wo)n't\b", r"\1 not"), (r"\bi'd\b", "i would"),
    (r"\b(you|we|they)'re\b", r"\1 are"), (r"\b(you|i|we)'ve\b", r"\1 have"), (r"\b(that|it)'s\b", r"\1 is"),
    (r"\blet's\b", "let us"), (r"\s+", " "),
)  # fmt: skip


def _inflected() -> dict[str, str]:
    """pressing, pressed -> press; wiping, wiped -> wipe; putting -> put; carried -> carry."""
    found: dict[str, str] = {}
    for verb in sorted(VERBS):
        stem = verb[:-1] if verb.endswith("e") and not verb.endswith("ee") else verb
        doubled = verb + verb[-1]
        found |= {
            f"{stem}ing": verb,
            f"{verb}ing": verb,
            f"{doubled}ing": verb,
            f"{stem}ed": verb,
            f"{doubled}ed": verb,
        }
        if verb.endswith("y"):
            found[f"{verb[:-1]}ied"] = verb
    return found | IRREGULAR


BASE = _inflected()
