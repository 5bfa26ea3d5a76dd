"""The language of the task suite: what is said is understood, references keep their margins, held-out sets stay held out."""

from __future__ import annotations

import json
import time
import zlib
from collections import Counter

import numpy as np
import pytest

from volition.errors import ContractError
from volition.robots.primitives import NAMES
from volition.sim.language import movements
from volition.sim.language.geometry import FLOOR_KINDS
from volition.sim.language.held_out import (
    HELD_OUT_PAIRS,
    PAIRED_KINDS,
    is_held_out_cell,
    is_held_out_layout,
    is_held_out_pair,
    split_of,
)
from volition.sim.language.manners import JOINS, MANNERS
from volition.sim.language.mention import WEIGHTS
from volition.sim.language.noun_phrase import lift, normalise
from volition.sim.language.reference import Reference, reference_from_json, resolve
from volition.sim.language.referring import phrase, references
from volition.sim.language.say import Instruction, say, variants
from volition.sim.language.shares import Shares, measure, scenes_of
from volition.sim.language.skeleton import ENTRIES, readings
from volition.sim.language.templates import MOVEMENTS, SLOTS, TEMPLATES, templates
from volition.sim.language.understand import understand
from volition.sim.language.words import PLACES
from volition.sim.scene import Goal, Scene, Thing
from volition.sim.skills import SKILLS
from volition.sim.tasks import go_to, pick_and_place
from volition.sim.things import COLOURS, KINDS

SIZES = {
    "can": (0.033, 0.12), "box": (0.06, 0.06, 0.06), "plate": (0.1, 0.015), "tray": (0.2, 0.15, 0.03),
    "cup": (0.04, 0.1), "bowl": (0.08, 0.06), "button": (0.022,), "drawer": (0.2, 0.2, 0.12), "wiper": (0.1, 0.06),
    "patch": (0.08, 0.06), "pillar": (0.15, 1.0), "crate": (0.4, 0.4), "cone": (0.2, 0.62), "chair": (0.42, 0.86),
    "person": (0.44, 1.7),
}  # fmt: skip


def thing(name: str, kind: str, colour: str, position: tuple, size: tuple | None = None) -> Thing:
    return Thing(name=name, kind=kind, colour=colour, rgb=COLOURS[colour], position=position, size=size or SIZES[kind])


def scene_of(*things: Thing, goals: tuple[Goal, ...] = ()) -> Scene:
    return Scene(seed=1, things=things, goals=goals)


def random_scene(seed: int) -> Scene:
    """One to three of every kind, of any colour: so colours, places and sizes often tell nothing apart."""
    random = np.random.default_rng(seed)
    things = []
    for kind in KINDS:
        for number in range(int(random.integers(1, 4))):
            if kind in FLOOR_KINDS:
                at = (*random.uniform(-3, 3, 2), 0.0)
            elif kind in ("button", "drawer"):
                y = random.choice([-0.5, -0.22, 0.0, 0.22, 0.5]) + random.uniform(-0.015, 0.015)
                at = (0.45, y, random.choice([0.82, 0.95, 1.08]))
            else:
                at = (random.uniform(0.26, 0.44), random.uniform(-0.5, 0.5), 0.8)
            size = tuple(float(length * random.choice([0.7, 1.0, 1.4])) for length in SIZES[kind])
            colour = str(random.choice(sorted(COLOURS)))
            things.append(thing(f"{kind}{number}", kind, colour, tuple(float(value) for value in at), size))
    return Scene(seed=seed, things=tuple(things), goals=())


def random_goals(scene: Scene, random: np.random.Generator) -> tuple[Goal, ...]:
    goals = []
    for _ in range(int(random.integers(1, 6))):
        skill = str(random.choice(list(SLOTS)))
        names = {
            slot: str(random.choice([t.name for t in scene.things if t.kind in kinds]))
            for slot, kinds in SLOTS[skill].items()
        }
        what = str(random.choice(MOVEMENTS[skill])) if skill in MOVEMENTS else ""
        goals.append(Goal(skill=skill, what=what, **names))
    return tuple(goals)


@pytest.fixture(scope="module")
def said() -> list[tuple[Scene, Instruction]]:
    """Hundreds of instructions of both splits, in as many scenes."""
    found = []
    for seed in range(300):
        scene, random = random_scene(seed), np.random.default_rng(seed)
        for split in ("train", "phrasings"):
            try:
                found.append((scene, say(scene, random_goals(scene, random), random, split)))
            except ContractError:
                continue  # no words tell a thing apart in a few of these scenes
    assert len(found) > 540
    return found


def test_what_is_said_is_understood(said: list[tuple[Scene, Instruction]]) -> None:
    for scene, instruction in said:
        meaning = understand(scene, instruction.text)
        assert meaning.status == "clear", (instruction.text, meaning.message)
        assert meaning.goals == instruction.goals, instruction.text
    assert {len(instruction.goals) for _, instruction in said} == {1, 2, 3, 4, 5}


def test_everything_that_can_be_said_has_been(said: list[tuple[Scene, Instruction]]) -> None:
    parts = [part for _, i in said for part in (i.join, i.manner, *i.templates)]
    assert {join.id for join in JOINS} | {manner.id for manner in MANNERS} <= set(parts)
    with_things = {t.id for t in TEMPLATES if t.skill != "move"}
    assert len(set(parts) & with_things) > 0.8 * len(with_things)
    tags = {reference.tag for _, i in said for reference in i.references}
    assert tags == {"bare", "colour", "shape", "size", "place", "neighbour"}


def test_it_understands_fast(said: list[tuple[Scene, Instruction]]) -> None:
    began = time.process_time()
    for scene, instruction in said:
        understand(scene, instruction.text)
    assert (time.process_time() - began) / len(said) < 0.010


def test_case_punctuation_and_politeness_do_not_matter(said: list[tuple[Scene, Instruction]]) -> None:
    for scene, instruction in said[::5]:
        for text in (instruction.text.upper() + "!!", f"  hello robot, {instruction.text} thank you "):
            assert understand(scene, text).goals == instruction.goals, text


def test_mentions_mean_their_thing_and_nothing_else(said: list[tuple[Scene, Instruction]]) -> None:
    for scene, instruction in said:
        names = [name for goal in instruction.goals for name in (goal.thing, goal.place) if name]
        assert [mention.thing for mention in instruction.mentions] == names
        for mention in instruction.mentions:
            assert [t.name for t in resolve(scene, mention.reference)] == [mention.thing]
            assert mention.words in instruction.text.lower()
            assert reference_from_json(json.loads(json.dumps(mention.reference.to_json()))) == mention.reference
        json.dumps(instruction.to_json())


def test_the_same_generator_says_the_same() -> None:
    scene = random_scene(3)
    goals = random_goals(scene, np.random.default_rng(0))
    texts = [say(scene, goals, np.random.default_rng(5)).text for _ in range(2)]
    assert texts[0] == texts[1]
    several = variants(scene, goals[:1], "train", 30)
    assert len({instruction.text.lower() for instruction in several}) == 30
    assert several == variants(scene, goals[:1], "train", 30)


# Movements -------------------------------------------------------------------------------------------------------


def test_every_primitive_has_its_words() -> None:
    assert set(movements.COMMANDS) == set(movements.STATEMENTS) == set(MOVEMENTS["move"]) == set(NAMES)
    scene = scene_of()
    for template in TEMPLATES:
        if template.skill == "move":
            goals = (Goal(skill="move", what=template.what),)
            assert lift(normalise(template.text)) == (template.text, [])  # no noun phrase in it
            for text in (template.text, f"Please {template.text}!", f"robot, {template.text}, thanks"):
                assert understand(scene, text).goals == goals, text


def test_every_primitive_can_be_said_in_many_ways() -> None:
    for what in MOVEMENTS["move"]:
        scene = scene_of(goals=(Goal(skill="move", what=what),))
        texts = {}
        for split in ("train", "phrasings"):
            several = variants(scene, scene.goals, split, 40)
            assert len(several) == 40
            for instruction in several:
                assert understand(scene, instruction.text).goals == scene.goals, instruction.text
                assert instruction.mentions == ()
            texts[split] = {instruction.text.lower() for instruction in several}
        assert not texts["train"] & texts["phrasings"]


def test_movements_and_skills_are_mixed() -> None:
    scene = scene_of(thing("b", "button", "red", (0.47, 0.0, 1.0)), thing("d", "drawer", "blue", (0.42, 0.4, 0.8)))
    press = Goal(skill="press_button", thing="b")
    move = {what: Goal(skill="move", what=what) for what in NAMES}
    for text, goals in (
        ("press the red button, then wave", (press, move["wave"])),
        ("Turn left on the spot and press the button.", (move["turn_left"], press)),
        ("before you raise your hand and wave, push the red one", (press, move["wave"])),
        ("walk one meter back, push the button and stop", (move["move_backward"], press, move["stop"])),
        ("rotate ninety degrees counterclockwise; when that is done, halt", (move["turn_left"], move["stop"])),
        ("lift your left hand up, step to the right and open the drawer",
         (move["raise_left_arm"], move["step_right"], Goal(skill="open_drawer", thing="d"))),
    ):  # fmt: skip
        assert understand(scene, text).goals == goals, text


# What is held out ------------------------------------------------------------------------------------------------


def test_there_are_enough_templates_and_no_sentence_is_said_twice() -> None:
    for skill, slots in SLOTS.items():
        if slots:
            assert len(templates(skill, "train", commands=True)) >= 14
            assert len(templates(skill, "phrasings", commands=True)) >= 6
    for what in MOVEMENTS["move"]:
        assert len(templates("move", "train", what=what, commands=True)) >= 12
        assert len(templates("move", "phrasings", what=what, commands=True)) >= 5
    of: dict[str, str] = {}
    for template in TEMPLATES:
        for on, onto in (("on", "onto"), ("in", "into")):
            text = template.text.format(thing="#", place="#", on=on, onto=onto)
            assert of.setdefault(text, template.id) == template.id
            assert len(readings(text)) == 1
    assert set(of) == set(ENTRIES)


def test_training_never_says_what_is_held_out(said: list[tuple[Scene, Instruction]]) -> None:
    verbs = {t.verb for t in TEMPLATES if t.split == "phrasings"} - {""}
    assert len(verbs) > 70
    for part in (*TEMPLATES, *MANNERS):
        assert part.split != "train" or not set(normalise(part.text).split()) & verbs, part.text
    for _, instruction in said:
        parts = [part for part in (JOINS + MANNERS) if part.id in (instruction.join, instruction.manner)]
        assert {part.split for part in parts} == {instruction.split}
        assert {name.split(".")[1] for name in instruction.templates} == {instruction.split}
        if instruction.split == "train":
            words = set(instruction.text.lower().replace(",", " ").replace(".", " ").split())
            assert not words & verbs, instruction.text
            for reference in instruction.references:
                if reference.landmark and reference.landmark.colour:
                    assert not is_held_out_pair(reference.landmark.noun, reference.landmark.colour)
    texts = {split: {i.text.lower() for _, i in said if i.split == split} for split in ("train", "phrasings")}
    assert not texts["train"] & texts["phrasings"]


def test_held_out_pairs_leave_every_kind_and_colour_to_training() -> None:
    share = len(HELD_OUT_PAIRS) / len(PAIRED_KINDS) / len(COLOURS)
    assert 0.12 < share < 0.18
    for kind in PAIRED_KINDS:
        assert 1 <= sum(is_held_out_pair(kind, colour) for colour in COLOURS) <= 2
    for colour in COLOURS:
        assert 1 <= sum(is_held_out_pair(kind, colour) for kind in PAIRED_KINDS) <= 2
    first = {pair for pair in HELD_OUT_PAIRS if pair[0] not in ("cone", "chair", "person")}
    assert zlib.crc32(repr(sorted(first)).encode()) == 3255310858
    assert HELD_OUT_PAIRS - first == {("cone", "green"), ("chair", "white"), ("person", "black")}


def test_held_out_layouts_are_the_same_cells_for_ever() -> None:
    def held(x: float, y: float, z: float) -> bool:
        return is_held_out_cell(thing("it", "can", "red", (x, y, z)))

    table = [held(0.02 + 0.04 * i, 0.02 + 0.04 * j, 0.8) for i in range(6, 12) for j in range(-13, 13)]
    assert 0.12 < np.mean(table) < 0.18
    room = np.random.default_rng(0).uniform(-3, 3, (4000, 3))
    assert 0.13 < np.mean([held(*map(float, at)) for at in room]) < 0.18
    assert held(0.28, 0.08, 0.8) == held(0.28 + 1e-9, 0.08 - 1e-9, 0.80000000001)  # on the edges of cells
    assert zlib.crc32(bytes(table)) == 2793232868


def test_a_scene_belongs_to_the_split_of_its_goals() -> None:
    cells = [(0.3, round(-0.5 + 0.04 * number, 2), 0.8) for number in range(20)]
    inside = next(at for at in cells if is_held_out_cell(thing("it", "can", "red", at)))
    outside = next(at for at in cells if not is_held_out_cell(thing("it", "can", "red", at)))
    plate, orange = thing("p", "plate", "red", inside), thing("o", "plate", "orange", outside)

    def split(can: Thing, place: str) -> str:
        return split_of(scene_of(can, plate, orange, goals=(Goal(skill="pick_and_place", thing="c", place=place),)))

    assert split(thing("c", "can", "red", outside), "p") == "train"  # where the place stands does not count
    assert split(thing("c", "can", "red", inside), "p") == "layouts"
    assert split(thing("c", "can", "blue", inside), "p") == "pairs"
    assert split(thing("c", "can", "red", outside), "o") == "pairs"
    assert not is_held_out_layout([])
    wave = Goal(skill="move", what="wave")  # has no thing to be held out
    assert split_of(scene_of(thing("c", "can", "blue", inside), goals=(wave,))) == "train"
    both = (wave, Goal(skill="pick_and_place", thing="c", place="p"))
    assert split_of(scene_of(thing("c", "can", "red", inside), plate, goals=both)) == "layouts"


# References ------------------------------------------------------------------------------------------------------


def meant(scene: Scene, words: str) -> set[str]:
    """What `go to ...` may mean: the names of things."""
    meaning = understand(scene, f"go to {words}")
    if meaning.goals:
        return {meaning.goals[0].thing}
    return {name for doubt in meaning.doubts for name in doubt.candidates}


def cans(*positions: tuple[float, float]) -> Scene:
    return scene_of(*(thing(f"c{n}", "can", "red", (x, y, 0.8)) for n, (x, y) in enumerate(positions)))


def test_left_and_right_need_five_centimetres() -> None:
    assert meant(cans((0.3, 0.03), (0.3, -0.03)), "the left can") == {"c0"}
    assert meant(cans((0.3, 0.03), (0.3, -0.03)), "the can on the right") == {"c1"}
    assert meant(cans((0.3, 0.02), (0.3, -0.02)), "the left can") == {"c0", "c1"}
    assert meant(cans((0.3, 0.3), (0.3, 0.0), (0.3, -0.3)), "the can in the middle") == {"c1"}
    assert meant(cans((0.3, 0.3), (0.3, 0.02), (0.3, -0.02)), "the middle can") == {"c1", "c2"}
    assert meant(cans((0.3, 0.3), (0.3, 0.1), (0.3, -0.1), (0.3, -0.3)), "the middle can") == {"c1", "c2"}
    assert meant(cans((0.27, 0.0), (0.36, 0.0)), "the can closest to you") == {"c0"}
    assert meant(cans((0.27, 0.3), (0.36, 0.0)), "the nearest can") == {"c0", "c1"}  # to the edge, or to the robot


def test_rows_and_columns() -> None:
    drawers = {"ul": (0.1, 0.95), "ur": (-0.1, 0.95), "ll": (0.1, 0.81), "lr": (-0.1, 0.81)}
    scene = scene_of(*(thing(name, "drawer", "red", (0.42, y, z)) for name, (y, z) in drawers.items()))
    for words, names in (
        ("the top left drawer", {"ul"}),
        ("the lower right drawer", {"lr"}),
        ("the upper drawer on the right", {"ur"}),
        ("the upper drawer", {"ul", "ur"}),
        ("the left-hand drawer", {"ul", "ll"}),
    ):
        assert meant(scene, words) == names, words
    assert meant(cans((0.3, 0.3), (0.3, -0.3)), "the top left can") == {"c0", "c1"}  # one row has no top


def test_floor_is_seen_from_where_the_robot_starts() -> None:
    things = (thing("a", "pillar", "red", (2.0, 1.0, 0.0)), thing("b", "pillar", "red", (2.0, -1.0, 0.0)))
    scene = scene_of(*things)
    assert meant(scene, "the left pillar") == {"a"}
    turned = Scene(seed=1, things=things, goals=(), start=type(scene.start)(position=(4.0, 0.0), heading=np.pi))
    assert meant(turned, "the left pillar") == {"b"}
    close = scene_of(things[0], thing("b", "pillar", "red", (2.0, 0.8, 0.0)))
    assert meant(close, "the left pillar") == {"a", "b"}


def test_neighbours() -> None:
    plate, cup = thing("p", "plate", "blue", (0.3, 0.4, 0.8)), thing("u", "cup", "green", (0.3, -0.3, 0.8))
    scene = scene_of(*cans((0.3, 0.22), (0.3, -0.1), (0.3, -0.5)).things, plate, cup)
    for words, names in (
        ("the can next to the blue plate", {"c0"}),
        ("the one near the plate", {"c0"}),
        ("the can nearest to the green cup", {"c1", "c2"}),
        ("the can to the right of the cup", {"c2"}),
        ("the can left of the mug", {"c0", "c1"}),
        ("the can next to the red plate", set()),
    ):
        assert meant(scene, words) == names, words


def test_shapes_and_sizes() -> None:
    cube, tall = (
        thing("cube", "box", "red", (0.3, 0.2, 0.8)),
        thing("tall", "box", "red", (0.3, -0.2, 0.8), (0.05, 0.05, 0.1)),
    )
    assert meant(scene_of(cube, tall), "the cube") == {"cube"}
    assert meant(scene_of(cube, tall), "the carton") == meant(scene_of(cube, tall), "the tall block") == {"tall"}
    for ratio, names in ((1.15, {"a", "b"}), (1.3, {"a"})):
        bigger = thing("b", "can", "red", (0.3, -0.2, 0.8), tuple(ratio * length for length in SIZES["can"]))
        scene = scene_of(thing("a", "can", "red", (0.3, 0.2, 0.8)), bigger)
        assert meant(scene, "the small can") == meant(scene, "the smaller red tin") == names


def test_references_are_all_clear_and_needed() -> None:
    scene = random_scene(8)
    for one in scene.things[::5]:
        for reference in references(scene, one, (one.kind,))[::3]:
            assert resolve(scene, reference) == (one,)
            assert understand(scene, f"go to {phrase(reference)}").goals or reference.noun == "one"
    alone = scene_of(thing("b", "button", "red", (0.47, 0.0, 1.0)))
    assert {r.tag for r in references(alone, alone.things[0], ("button",))} == {"bare", "colour"}


# The scenes of the skills ------------------------------------------------------------------------------------------


def test_words_know_what_the_skills_take() -> None:
    assert set(SLOTS) == set(SKILLS)
    assert SLOTS["pick_and_place"] == {"thing": pick_and_place.THINGS, "place": pick_and_place.PLACES}
    assert {*go_to.KINDS, "person"} == set(FLOOR_KINDS) <= set(PAIRED_KINDS)
    assert set(SLOTS["go_to"]["thing"]) == set(KINDS)


def test_what_the_skills_lay_out_is_said_and_understood() -> None:
    for name in (*SKILLS, "chain"):
        for scene in scenes_of(name, 12):
            for split in ("train", "phrasings"):
                text = say(scene, scene.goals, np.random.default_rng(scene.seed), split).text
                assert understand(scene, text).goals == scene.goals, text


def test_colours_are_said_more_than_puzzles() -> None:
    shares = Shares()
    for name in (*SKILLS, "chain"):
        shares += measure(scenes_of(name, 40))
    mentions = shares.tags.total()
    share = {tag: shares.tags[tag] / mentions for tag in WEIGHTS}
    assert 0.55 < share["colour"] < 0.75
    assert 0.12 < share["place"] < 0.30
    assert 0.04 < share["neighbour"] < 0.16
    assert 0.12 < shares.ones / mentions < 0.28


def test_a_noun_is_said_four_times_as_often_as_one() -> None:
    scene = scene_of(thing("r", "button", "red", (0.47, 0.1, 1.0)), thing("b", "button", "blue", (0.47, -0.1, 1.0)))
    goals, random = (Goal(skill="press_button", thing="r"),), np.random.default_rng(0)
    said = [say(scene, goals, random).references[0] for _ in range(900)]
    tags = {tag: sum(reference.tag == tag for reference in said) / 900 for tag in WEIGHTS}
    assert 0.16 < np.mean([reference.noun == "one" for reference in said]) < 0.24
    for tag, weight in WEIGHTS.items():  # neither alone nor of another size or shape
        assert abs(tags[tag] - (weight / 9 if tag in ("colour", "place", "neighbour") else 0.0)) < 0.05, tag


def test_evenly_said_a_puzzle_is_as_frequent_as_a_colour() -> None:
    scene = scene_of(thing("r", "button", "red", (0.47, 0.1, 1.0)), thing("b", "button", "blue", (0.47, -0.1, 1.0)))
    goals, random = (Goal(skill="press_button", thing="r"),), np.random.default_rng(0)
    said = Counter(say(scene, goals, random, evenly=True).references[0].tag for _ in range(900))
    assert set(said) == {"colour", "place", "neighbour"}
    assert all(abs(count / 900 - 1 / 3) < 0.06 for count in said.values())


def test_held_out_words_are_said_every_other_time_and_never_in_training() -> None:
    left = PLACES["left"]
    random = np.random.default_rng(0)
    said = [left.draw("phrasings", random) for _ in range(600)]
    assert abs(np.mean([way in left.held for way in said]) - 0.5) < 0.07
    assert set(said) == {*left.train, *left.held}
    assert {left.draw("train", random) for _ in range(200)} == set(left.train)


# Questions -------------------------------------------------------------------------------------------------------


def test_the_question_names_the_candidates() -> None:
    buttons = [("l", "red", 0.2), ("m", "blue", 0.0), ("r", "red", -0.2)]
    scene = scene_of(*(thing(name, "button", colour, (0.47, y, 1.0)) for name, colour, y in buttons))
    meaning = understand(scene, "press the red button")
    (doubt,) = meaning.doubts
    assert (meaning.status, meaning.goals, doubt.words, doubt.candidates) == (
        "ambiguous",
        (),
        "the red button",
        ("l", "r"),
    )
    assert meaning.message == "Which button: the one on the left or the one on the right?"
    for name, reference in zip(doubt.candidates, doubt.settle, strict=True):
        assert reference is not None
        assert [t.name for t in resolve(scene, reference)] == [name]
        assert understand(scene, f"press {phrase(reference)}").goals == (Goal(skill="press_button", thing=name),)


def test_every_candidate_can_be_asked_for(said: list[tuple[Scene, Instruction]]) -> None:
    for scene, _ in said[::12]:
        for kind in KINDS:
            meaning = understand(scene, f"go to the {kind}")
            like = [t.name for t in scene.things if t.kind == kind]
            assert (meaning.status == "clear") == (len(like) == 1)
            for doubt in meaning.doubts:
                assert list(doubt.candidates) == like
                for name, reference in zip(doubt.candidates, doubt.settle, strict=True):
                    assert reference is None or [t.name for t in resolve(scene, reference)] == [name]


def test_things_of_several_kinds_are_asked_for_by_noun() -> None:
    scene = scene_of(
        thing("c", "can", "red", (0.3, 0.2, 0.8)), thing("b", "box", "red", (0.3, 0.0, 0.8)),
        thing("p", "plate", "blue", (0.3, -0.2, 0.8)),
    )  # fmt: skip
    assert understand(scene, "put the red one on the plate").message == "Which one: the can or the box?"


def test_what_no_words_tell_apart() -> None:
    scene = cans((0.3, 0.01), (0.3, -0.01))
    assert understand(scene, "go to the can").doubts[0].settle == (None, None)
    assert references(scene, scene.things[0]) == ()
    with pytest.raises(ContractError, match="No words tell"):
        say(scene, (Goal(skill="go_to", thing="c0"),), np.random.default_rng(0))


@pytest.mark.parametrize(
    ("text", "status", "message"),
    [
        ("press the purple button", "absent", "There is no purple button here; there are a red and a blue one."),
        ("press the pink one", "absent", "There is no pink button here; there are a red and a blue one."),
        ("open the drawer", "absent", "There is no drawer here."),
        ("go to the orange can", "absent", "There is no orange can here; there is a green one."),
        ("open the green can", "unfit", "That cannot be done with 'the green can': open drawer takes a drawer."),
        ("press the red blue button", "unknown", "I do not understand 'the red blue button': it contradicts itself."),
        (
            "pick up the cup and put it on the plate",
            "unfit",
            "That cannot be done with 'the cup': pick and place takes a can or a box.",
        ),
        ("put the wiper on the plate", "unfit", None),
        ("wave the green can", "unknown", None),
        ("turn 45 degrees to the left", "unknown", None),
        ("sing a song", "unknown", None),
        ("press the red button, then sing a song", "unknown", None),
        ("", "unknown", None),
        ("press " * 500, "unknown", None),
    ],
)
def test_what_cannot_be_done(text: str, status: str, message: str | None) -> None:
    scene = scene_of(
        thing("r", "button", "red", (0.47, 0.1, 1.0)), thing("b", "button", "blue", (0.47, -0.1, 1.0)),
        thing("c", "can", "green", (0.3, 0.0, 0.8)),
    )  # fmt: skip
    meaning = understand(scene, text)
    assert (meaning.status, meaning.goals) == (status, ())
    assert message in (None, meaning.message)


def test_steps_are_done_in_the_order_that_is_meant() -> None:
    scene = scene_of(thing("b", "button", "red", (0.47, 0.0, 1.0)), thing("d", "drawer", "blue", (0.42, 0.4, 0.8)))
    drawer_first = (Goal(skill="open_drawer", thing="d"), Goal(skill="press_button", thing="b"))
    for text in (
        "open the drawer and press the button",
        "Before you press the button, open the drawer.",
        "Press the button, but before that pull the drawer open.",
        "First, open the drawer; second, press the button",
        "step 1: open the drawer. Step 2: please press the red one!",
    ):
        assert understand(scene, text).goals == drawer_first, text


def test_wrong_goals_are_refused() -> None:
    scene, random = cans((0.3, 0.2)), np.random.default_rng(0)
    for goals, complaint in (
        ((), "1 to 5 steps"),
        ((Goal(skill="go_to", thing="c0"),) * 6, "1 to 5 steps"),
        ((Goal(skill="dance", thing="c0"),), "no words for the skill"),
        ((Goal(skill="press_button", thing="c0"),), "takes as thing"),
        ((Goal(skill="pour", thing="c0"),), "needs thing and place"),
        ((Goal(skill="move", thing="c0", what="wave"),), "needs no thing; the goal has thing"),
        ((Goal(skill="go_to", what="wave"),), "needs thing; the goal has no thing"),
        ((Goal(skill="go_to", thing="c0", what="wave"),), "no words for the movement 'wave'; it has some for none"),
        ((Goal(skill="move"),), "no words for the movement ''; it has some for stop"),
    ):
        with pytest.raises(ContractError, match=complaint):
            say(scene, goals, random)
    with pytest.raises(ContractError, match="no split"):
        say(scene, (Goal(skill="go_to", thing="c0"),), random, "test")
    with pytest.raises(ContractError, match="relation and a landmark"):
        Reference(kinds=("can",), noun="can", relation="beside")
