"""Windows and batches: the right frames, masks at the ends, every window once, the same for any number of workers."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from data_tools import make

from volition.data.augment import Augmentation
from volition.data.errors import DataError
from volition.data.feature import STATE
from volition.data.loader import Loader, LoaderConfig
from volition.data.share import Share
from volition.data.store import Dataset
from volition.data.windows import WindowConfig, Windows, read_stretch

HEAD = "observation.images.head"
LENGTHS = (11, 25, 7, 40)
CONFIG = WindowConfig(history=3, history_step=2, chunk=5, actions=("action", "action.joint"))
SMALL = LoaderConfig(batch=5, segment=8, memory_bytes=3_000_000, drop_last=False)


@pytest.fixture(scope="module")
def dataset(tmp_path_factory: pytest.TempPathFactory) -> Dataset:
    return Dataset(make(tmp_path_factory.mktemp("loader") / "set", LENGTHS))


def same(one: dict[str, Any], other: dict[str, Any]) -> bool:
    return one.keys() == other.keys() and all(np.array_equal(one[name], other[name]) for name in one)


def test_a_window_is_cut_right_in_the_middle_and_at_the_ends(dataset: Dataset) -> None:
    windows, data = Windows(dataset, CONFIG), dataset.episode(1)
    assert len(windows) == sum(LENGTHS)
    for frame, past, pad_past, future, pad_future in (
        (10, [6, 8, 10], [0, 0, 0], [10, 11, 12, 13, 14], [0] * 5),
        (2, [0, 0, 2], [1, 0, 0], [2, 3, 4, 5, 6], [0] * 5),
        (22, [18, 20, 22], [0, 0, 0], [22, 23, 24, 24, 24], [0, 0, 0, 1, 1]),
    ):
        window = windows[11 + frame]
        assert (window["episode"], window["frame"]) == (1, frame)
        assert window["history_pad"].tolist() == [bool(pad) for pad in pad_past]
        assert window["action_pad"].tolist() == [bool(pad) for pad in pad_future]
        assert np.array_equal(window[HEAD], dataset.images(1, HEAD, past))
        assert np.array_equal(window["observation.state"], data.state[past])
        assert np.array_equal(window["action"], data.action[future])
        assert np.array_equal(window["action.joint"], data.arrays["action.joint"][future])
        assert window["task"] == data.instruction


def test_the_actions_before_a_window_are_those_that_were_done(dataset: Dataset) -> None:
    config = WindowConfig(cameras=(), chunk=3, before=4)
    windows, actions = Windows(dataset, config), dataset.episode(1).action
    for frame, before, pad in ((12, [8, 9, 10, 11], [0, 0, 0, 0]), (2, [0, 0, 0, 1], [1, 1, 0, 0])):
        window = windows[11 + frame]
        assert np.array_equal(window["before.action"], actions[before])
        assert window["before_pad"].tolist() == [bool(value) for value in pad]
        assert np.array_equal(window["action"], actions[frame : frame + 3])
    assert "before.action" not in Windows(dataset, CONFIG)[0]


@pytest.mark.parametrize("workers", [1, 4])
def test_an_epoch_is_every_window_once(dataset: Dataset, workers: int) -> None:
    windows = Windows(dataset, CONFIG)
    begins = np.cumsum([0, *LENGTHS])
    loader = Loader(dataset, CONFIG, LoaderConfig(**{**vars(SMALL), "workers": workers}))
    batches = list(loader.epoch(0))
    assert [len(batch["frame"]) for batch in batches] == [5] * 16 + [3]
    assert len(loader) == 17
    seen = []
    for batch in batches:
        for place, (episode, frame) in enumerate(zip(batch["episode"], batch["frame"], strict=True)):
            index = int(begins[episode] + frame)
            seen.append(index)
            assert same({name: values[place] for name, values in batch.items()}, windows[index])
    assert sorted(seen) == list(range(sum(LENGTHS)))
    assert seen != sorted(seen)


def test_what_fits_into_memory_is_decoded_once(dataset: Dataset, monkeypatch: pytest.MonkeyPatch) -> None:
    read: list[tuple[int, int]] = []

    def reading(dataset: Dataset, windows: WindowConfig, episode: int, begin: int, end: int) -> Any:
        read.append((episode, begin))
        return read_stretch(dataset, windows, episode, begin, end)

    monkeypatch.setattr("volition.data.loader.read_stretch", reading)
    roomy = Loader(dataset, CONFIG, replace(SMALL, memory_bytes=1 << 30))
    first = [int(one) for batch in roomy.epoch(0) for one in batch["frame"]]
    decoded = len(read)
    assert len(set(read)) == decoded > len(LENGTHS)
    second = [int(one) for batch in roomy.epoch(1) for one in batch["frame"]]
    assert sorted(first) == sorted(second)
    assert first != second
    assert len(read) == decoded
    small = Loader(dataset, CONFIG, SMALL)
    for number in (0, 1):
        list(small.epoch(number))
    assert len(read) > 2 * decoded  # nothing was kept, and stretches overlap


def test_an_episode_that_is_to_come_more_often_does(dataset: Dataset) -> None:
    often = {0: 3.0, 1: 1.0, 2: 1.5, 3: 1.0}
    loader = Loader(dataset, CONFIG, SMALL, often=often, augment=Augmentation(shift=2))
    assert len(list(loader.epoch(0))) == len(loader)
    seen: dict[tuple[int, int], list[float]] = {}
    for batch in loader.epoch(0):
        for episode, frame, picture in zip(batch["episode"], batch["frame"], batch[HEAD], strict=True):
            seen.setdefault((int(episode), int(frame)), []).append(float(picture.mean()))
    assert len(seen) == sum(LENGTHS)  # every window at least once
    for episode, length in enumerate(LENGTHS):
        copies = sum(len(pictures) for (one, _), pictures in seen.items() if one == episode)
        assert often[episode] * length - 16 <= copies <= often[episode] * length + 16
    changed = [pictures for (episode, _), pictures in seen.items() if episode == 0]
    assert any(len(set(pictures)) > 1 for pictures in changed)  # copies are not augmented alike
    with pytest.raises(DataError, match="positive number"):
        Loader(dataset, CONFIG, SMALL, often={0: 0.0})


def test_the_seed_decides_and_nothing_else(dataset: Dataset) -> None:
    def epoch(number: int, skip: int = 0, **changes: Any) -> list[dict[str, Any]]:
        config = LoaderConfig(**{**vars(SMALL), **changes})
        return list(Loader(dataset, CONFIG, config, augment=Augmentation()).epoch(number, skip=skip))

    first = epoch(0, workers=1)
    again = epoch(0, workers=3)
    assert all(same(one, other) for one, other in zip(first, again, strict=True))
    for skip in (1, 7, 16, 17, 30):
        rest = epoch(0, skip)
        assert len(rest) == max(0, 17 - skip)
        assert all(same(one, other) for one, other in zip(first[skip:], rest, strict=True))
    assert not same(first[0], epoch(1)[0])
    assert not same(first[0], epoch(0, seed=1)[0])


def test_leaving_early_and_choosing_episodes(dataset: Dataset) -> None:
    loader = Loader(dataset, CONFIG, SMALL, episodes=[1, 3])
    iterator = loader.epoch(0)
    next(iterator)
    iterator.close()
    chosen = {int(episode) for batch in loader.epoch(1) for episode in batch["episode"]}
    assert chosen == {1, 3}
    straight = Loader(dataset, CONFIG, LoaderConfig(**{**vars(SMALL), "shuffle": False, "drop_last": True}))
    frames = [int(frame) for batch in straight.epoch(0) for frame in batch["frame"]]
    assert frames[:13] == [*range(11), 0, 1]
    assert len(frames) == 80


def test_what_cannot_be_loaded_is_said(dataset: Dataset) -> None:
    for windows, config, words in (
        (WindowConfig(cameras=("observation.images.tail",)), SMALL, "has no 'observation.images.tail'"),
        (WindowConfig(cameras=("action",)), SMALL, "action is not a camera"),
        (WindowConfig(states=(HEAD,)), SMALL, "is a camera"),
        (WindowConfig(states=("note",)), SMALL, "note is a text"),
        (CONFIG, LoaderConfig(batch=100), "do not make one batch"),
        (CONFIG, LoaderConfig(batch=5, memory_bytes=1000), "memory_bytes is 1000; two segments"),
    ):
        with pytest.raises(DataError, match=words):
            Loader(dataset, windows, config)
    for name in ("history", "chunk"):
        with pytest.raises(DataError, match=f"{name} is 0"):
            WindowConfig(**{name: 0})
    with pytest.raises(DataError, match="workers is 0"):
        LoaderConfig(workers=0)


def test_an_error_in_a_worker_arrives(dataset: Dataset) -> None:
    def fail(sample: dict[str, Any], rng: np.random.Generator) -> dict[str, Any]:
        raise DataError("the hook's own words")

    with pytest.raises(DataError, match="the hook's own words"):
        list(Loader(dataset, CONFIG, SMALL, augment=fail).epoch(0))


def test_a_damaged_video_arrives_as_one_sentence(tmp_path: Path) -> None:
    folder = make(tmp_path / "set", (11, 25))
    path = folder / "videos" / HEAD / "chunk-000" / "file-000.mp4"
    path.write_bytes(path.read_bytes()[:900])
    with pytest.raises(DataError, match=r"file-000\.mp4"):
        list(Loader(Dataset(folder), CONFIG, SMALL).epoch(0))


def test_a_number_that_is_not_finite_never_reaches_a_batch(tmp_path: Path) -> None:
    folder = make(tmp_path / "set", (11, 25))
    path = folder / "data/chunk-000/file-000.parquet"
    table = pq.read_table(path)
    states = table["observation.state"].to_pylist()
    states[20][3] = float("nan")
    column = pa.array(states, type=table.schema.field("observation.state").type)
    pq.write_table(table.set_column(table.column_names.index("observation.state"), "observation.state", column), path)
    with pytest.raises(DataError, match=r"episode 1: observation\.state is not finite"):
        list(Loader(Dataset(folder), CONFIG, SMALL).epoch(0))
    with pytest.raises(DataError, match=r"must be finite"):
        Dataset(folder).episode(1)
    assert np.isnan(Dataset(folder).numbers(1)["observation.state"]).any()  # for whoever looks for faults


def test_augmentation_moves_and_colours_pictures_alike_and_leaves_the_rest(dataset: Dataset) -> None:
    window = Windows(dataset, CONFIG)[20]
    before = {name: np.copy(value) for name, value in window.items()}
    changed = Augmentation(shift=4, colour=0.2)(window, np.random.default_rng(0))
    assert same(window, before)  # the input stays
    assert changed[HEAD].shape == window[HEAD].shape
    assert not np.array_equal(changed[HEAD], window[HEAD])
    assert np.array_equal(changed["action"], window["action"])
    shifted = Augmentation(shift=4, colour=0)(window, np.random.default_rng(1))[HEAD]
    moves = [(dy, dx) for dy in range(-4, 5) for dx in range(-4, 5)]
    inside = (slice(None), slice(8, -8), slice(8, -8))
    fits = [move for move in moves if np.array_equal(np.roll(window[HEAD], move, axis=(1, 2))[inside], shifted[inside])]
    assert len(fits) == 1  # one move for all steps of a window
    cropped = Augmentation(shift=0, crop=(24, 28), colour=0)(window, np.random.default_rng(1))
    assert cropped[HEAD].shape == (3, 24, 28, 3)
    same_again = Augmentation()(window, np.random.default_rng(5))
    assert same(same_again, Augmentation()(window, np.random.default_rng(5)))


def test_augmentation_tells_a_walking_robot_now_and_then_that_it_stands(dataset: Dataset) -> None:
    window = Windows(dataset, CONFIG)[20]
    before = window[STATE].copy()
    assert np.all(before[:, 1:3] != 0.0)
    change = Augmentation(shift=0, colour=0.0, still=0.5, speeds=(1, 2))
    told = [change(window, np.random.default_rng(seed))[STATE] for seed in range(200)]
    stands = [bool((state[:, 1:3] == 0.0).all()) for state in told]
    assert 70 < sum(stands) < 130
    for state, still in zip(told, stands, strict=True):  # all steps of a history alike, and nothing else
        assert still or np.array_equal(state, before)
        assert np.array_equal(np.delete(state, (1, 2), axis=1), np.delete(before, (1, 2), axis=1))
    assert np.array_equal(window[STATE], before)
    with pytest.raises(DataError, match="a share, 0 to 1"):
        Augmentation(still=1.5)


def test_augmentation_says_how_far_a_picture_was_moved(dataset: Dataset) -> None:
    window = Windows(dataset, CONFIG)[20]
    for seed in range(5):
        changed = Augmentation(shift=4, colour=0.0)(window, np.random.default_rng(seed))
        down, right = changed["moved." + HEAD]
        before, after = window[HEAD], changed[HEAD]
        height, width = before.shape[1:3]
        rows, columns = slice(4, height - 4), slice(4, width - 4)
        moved = before[:, 4 - down : height - 4 - down, 4 - right : width - 4 - right]
        assert np.array_equal(after[:, rows, columns], moved)


def test_shares_of_an_epoch_are_its_rows(dataset: Dataset) -> None:
    loader = Loader(dataset, WindowConfig(), LoaderConfig(batch=7, workers=1))
    whole = list(loader.epoch(3))
    parts = [list(loader.epoch(3, share=Share(rank, 2))) for rank in range(2)]
    for place, batch in enumerate(whole):
        frames = [(int(e), int(f)) for e, f in zip(batch["episode"], batch["frame"], strict=True)]
        for rank, part in enumerate(parts):
            own = [frames[row] for row in Share(rank, 2).among(7 * place, 7)]
            found = part[place]
            assert [(int(e), int(f)) for e, f in zip(found["episode"], found["frame"], strict=True)] == own
    with pytest.raises(DataError, match="7 rows for 8 processes"):
        list(loader.epoch(0, share=Share(7, 8)))
    with pytest.raises(DataError, match="rank is 2 of 2"):
        Share(2, 2)
