"""What a person says at a table, read before anything moves: goals, a question or a refusal; and a scene to say it in."""

from __future__ import annotations

import pytest

from volition.errors import InstructionError
from volition.eval import request
from volition.eval.request import Refusal, inventory, named, read, scene_for, suggestion, taught
from volition.model import shipped
from volition.sim.chain import AT_TABLE
from volition.sim.scene import Scene

SAID = "press the red button, then put the green block in the tray"


@pytest.fixture(scope="module")
def table() -> Scene:
    """Bowls, cups, buttons, a box, a can and plates."""
    return scene_for("", 0)


def test_a_scene_is_found_that_has_what_is_said() -> None:
    scene = scene_for(SAID, None)
    asked = read(scene, SAID)
    assert asked.sentences == ("press the red button", "put the green block in the tray")
    assert [(goal.skill, goal.thing) for goal in asked.goals] == [
        ("press_button", "red_button"),
        ("pick_and_place", "green_box"),
    ]
    assert scene_for(SAID, None) == scene
    assert scene_for(SAID, 1).seed == request.FIRST + 1  # the one that is asked for, whatever is in it
    assert scene_for("walk forward, then wave", None).table is None
    assert scene_for("go to the red chair", None).table is None
    assert {thing.kind for thing in scene_for("", 3, ("press_button",)).things} == {"button"}


def test_what_a_scene_suggests_can_be_read_in_it() -> None:
    for seed in range(6):
        scene = scene_for("", seed)
        assert read(scene, suggestion(scene)).goals == scene.goals
        assert len(scene.goals) == 3


@pytest.mark.parametrize(
    ("said", "status", "answer"),
    [
        ("make me a cup of tea", "unknown", "do not understand"),
        ("press the button", "ambiguous", "Which button"),
        ("press the pink button", "absent", "There is no pink button here"),
        ("open the red cup", "unfit", "takes a drawer"),
        ("walk forward", "absent", "there is a table"),
        ("go to the purple cup", "absent", "on the floor"),
        ("wave, then press the pink button", "absent", "“press the pink button”: There is no pink button"),
        ("press the white button before you press the button", "ambiguous", "“press the button”: Which button"),
        ("push the white one push the blue one", "unknown", "do not understand"),
    ],
)
def test_what_cannot_be_done_is_said_plainly(table: Scene, said: str, status: str, answer: str) -> None:
    with pytest.raises(Refusal, match=answer) as refused:
        read(table, said)
    assert refused.value.status == status
    assert isinstance(refused.value, InstructionError)  # the command line prints its sentence


def test_a_policy_is_asked_only_for_what_it_was_taught(table: Scene) -> None:
    assert taught(("press_button", "chain")) == tuple(name for name in taught(()) if name in AT_TABLE)
    assert taught(("press_button",)) == ("press_button",)
    with pytest.raises(Refusal, match=r"not taught that\. It can press buttons"):
        read(table, "wave", ("press_button",))
    assert read(table, "push the white button", ("press_button",)).goals[0].thing == "white_button"


def test_words_name_skills_without_a_scene() -> None:
    assert named("press the red button, then wave") == ("press_button", "move")
    assert named("make me a cup of tea") == ()
    assert named("raise your left arm, then take two steps back") in ((), ("move",))  # which primitives do


def test_an_inventory_names_what_can_be_told(table: Scene) -> None:
    assert "white button" in inventory(table)
    assert "wiper" not in inventory(scene_for("wipe the red patch", None))


def test_no_policy_is_shipped_until_its_folder_is_there(tmp_path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(shipped, "FOLDER", tmp_path / "policy")
    assert shipped.checkpoint() is None
    (tmp_path / "policy").mkdir()
    (tmp_path / "policy" / "config.json").write_text("{}")
    assert shipped.checkpoint() == tmp_path / "policy"
