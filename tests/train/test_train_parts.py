"""The parts of the loop: schedule, groups, averages, precision, seeds, the record and its event file."""

from __future__ import annotations

import io
import math
import struct
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import nn
from train_tools import BASE, TinyData, TinyModel, trained

from volition.train import events, journal, precision
from volition.train.config import TrainConfig
from volition.train.curves import write_curves
from volition.train.ema import Ema
from volition.train.errors import TrainError
from volition.train.journal import Journal, read
from volition.train.optimiser import groups
from volition.train.schedule import learning_rate
from volition.train.seeds import generator


def test_the_learning_rate_rises_then_falls_to_its_floor() -> None:
    config = TrainConfig(steps=110, warmup_steps=10, learning_rate=1.0, floor=0.2)
    rates = [learning_rate(config, step, 0.0) for step in range(111)]
    assert rates[0] == pytest.approx(1 / 11)
    assert rates[10] == 1.0
    assert rates[60] == pytest.approx(0.6)  # half way of the cosine: between 1 and 0.2
    assert rates[110] == pytest.approx(0.2)
    assert rates[:11] == sorted(rates[:11])
    assert rates[10:] == sorted(rates[10:], reverse=True)


def test_a_schedule_by_time_follows_the_clock_not_the_steps() -> None:
    config = TrainConfig(minutes=2.0, warmup_steps=0, learning_rate=1.0, floor=0.0)
    assert learning_rate(config, 5000, 60.0) == pytest.approx(0.5)
    assert learning_rate(config, 5000, 120.0) == pytest.approx(0.0)
    assert learning_rate(config, 3, 30.0) == pytest.approx(0.5 * (1 + math.cos(math.pi / 4)))


@pytest.mark.parametrize(
    "wrong",
    [
        {"steps": 0}, {"learning_rate": float("nan")}, {"ema": 1.0}, {"accumulate": True}, {"precision": "fp16"},
        {"rates": {"vision": 0.0}}, {"minutes": 0.0}, {"steps": 100, "warmup_steps": 100}, {"keep": 0},
    ],
)  # fmt: skip
def test_a_wrong_setting_is_named_with_what_is_allowed(wrong: dict[str, Any]) -> None:
    with pytest.raises(TrainError, match=next(reversed(wrong))):
        TrainConfig(**wrong)


def test_weight_decay_leaves_norms_biases_embeddings_and_frozen_weights_out() -> None:
    model = TinyModel(norm=True)
    model.blocks.requires_grad_(False)
    found = groups(model, replace(BASE, weight_decay=0.3, rates={"vision": 0.1}))
    decayed = {name for group in found if group["weight_decay"] for name in group["names"]}
    everything = {name for group in found for name in group["names"]}
    assert decayed == {"vision.0.weight", "head.weight"}
    assert everything == {name for name, _ in model.named_parameters()} - {"blocks.0.weight", "blocks.0.bias"}
    assert {group["weight_decay"] for group in found} == {0.0, 0.3}
    for group in found:
        vision = {name.startswith("vision.") for name in group["names"]}
        assert group["multiplier"] == (0.1 if vision == {True} else 1.0)
        assert len(vision) == 1


def test_the_longest_prefix_sets_the_rate_and_one_that_fits_nothing_is_refused() -> None:
    found = groups(TinyModel(), replace(BASE, rates={"vision": 0.1, "vision.0.bias": 3.0}))
    rates = {name: group["multiplier"] for group in found for name in group["names"]}
    assert (rates["vision.0.weight"], rates["vision.0.bias"], rates["head.weight"]) == (0.1, 3.0, 1.0)
    with pytest.raises(TrainError, match=r"'vison', which no trained parameter is under; there are: .*vision"):
        groups(TinyModel(), replace(BASE, rates={"vison": 0.1}))
    with pytest.raises(TrainError, match="frozen"):
        groups(TinyModel().requires_grad_(False), BASE)


def test_frozen_weights_stay_and_slow_ones_move_less(tmp_path: Path) -> None:
    moved: dict[float, float] = {}
    for rate in (1.0, 0.01):
        model, start = TinyModel(), TinyModel()
        model.head.requires_grad_(False)
        trained(tmp_path / str(rate), model, steps=3, warmup_steps=0, rates={"vision": rate}, weight_decay=0.0)
        assert torch.equal(model.head.weight, start.head.weight)
        moved[rate] = (model.vision[0].weight - start.vision[0].weight).abs().mean().item()
    assert moved[0.01] == pytest.approx(0.01 * moved[1.0], rel=0.2)


def test_the_average_follows_its_formula_with_its_warm_up() -> None:
    model = nn.Linear(1, 1, bias=False)
    nn.init.constant_(model.weight, 0.0)
    ema, expected = Ema(model, 0.5), 0.0
    for number in range(12):
        nn.init.constant_(model.weight, float(number))
        ema.update()
        decay = min(0.5, (1 + number) / (10 + number))
        expected = decay * expected + (1 - decay) * number
    assert ema.averages["weight"].item() == pytest.approx(expected, rel=1e-6)
    with ema.swapped():
        assert model.weight.item() == pytest.approx(expected, rel=1e-6)
    assert model.weight.item() == 11.0


def test_bf16_is_chosen_only_where_it_is_multiplied(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    cpu = torch.device("cpu")
    for amx, avx, dtype in (
        (False, False, torch.float32),
        (True, False, torch.bfloat16),
        (False, True, torch.bfloat16),
    ):
        monkeypatch.setattr(torch.cpu, "_is_amx_tile_supported", lambda amx=amx: amx)
        monkeypatch.setattr(torch.cpu, "_is_avx512_bf16_supported", lambda avx=avx: avx)
        assert precision.resolve("auto", cpu) is dtype
    assert precision.resolve("float32", cpu) is torch.float32
    trained(tmp_path, TinyModel(), precision="bf16", steps=30)
    curve = [line["loss"] for line in read(tmp_path)]
    assert curve[-1] < 0.7 * curve[0]


def test_random_numbers_belong_to_their_step_process_and_part() -> None:
    def draw(*path: int) -> tuple[float, float]:
        rng = generator(torch.device("cpu"), *path)
        return torch.rand((), generator=rng).item(), torch.rand(()).item()

    assert draw(0, 7, 0, 1) == draw(0, 7, 0, 1)
    drawn = [
        number
        for path in ((0, 7, 0, 1), (1, 7, 0, 1), (0, 8, 0, 1), (0, 7, 1, 1), (0, 7, 0, 2))
        for number in draw(*path)
    ]
    assert len(set(drawn)) == len(drawn)


def test_the_record_is_cut_to_the_step_a_run_goes_on_from(tmp_path: Path) -> None:
    record = Journal(tmp_path)
    for step in range(1, 6):
        record.write(step, {"loss": 1.0 / step, "norm": math.nan})
    with (tmp_path / "metrics.jsonl").open("a") as file:
        file.write('{"step": 6, "lo')  # killed in the middle of a line
    assert [line["step"] for line in read(tmp_path)] == [1, 2, 3, 4, 5]
    assert read(tmp_path)[0]["norm"] is None
    record = Journal(tmp_path, 3)
    record.write(4, {"loss": 9.0})
    assert [(line["step"], line["loss"]) for line in read(tmp_path)] == [(1, 1.0), (2, 0.5), (3, 1 / 3), (4, 9.0)]
    (file,) = (tmp_path / "events").iterdir()
    assert parsed(file)[-1] == (4, {"loss": 9.0})
    assert [step for step, _ in parsed(file)] == [1, 2, 3, 4]


def test_lines_wait_in_memory_while_the_disk_is_full(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    record = Journal(tmp_path)
    record.write(1, {"loss": 1.0})
    opened = Path.open

    class Full(io.FileIO):
        def write(self, piece: Any) -> int:
            super().write(piece[:9])  # part of a line is on the disk before it is full
            raise OSError(28, "No space left on device")

    def full(path: Path, *args: Any, **more: Any) -> Any:
        return Full(path, "a") if path.name == "metrics.jsonl" else opened(path, *args, **more)

    with monkeypatch.context() as patch:
        patch.setattr(Path, "open", full)
        record.write(2, {"loss": 2.0})
        record.write(3, {"loss": 3.0})
    assert (tmp_path / "metrics.jsonl").read_text().count("\n") == 1
    assert (tmp_path / "metrics.jsonl").read_text().endswith("}\n")
    record.write(4, {"loss": 4.0})
    assert [line["step"] for line in read(tmp_path)] == [1, 2, 3, 4]


def test_event_files_have_right_checksums_and_break_when_a_byte_does(tmp_path: Path) -> None:
    assert events.crc32c(b"123456789") == 0xE3069283  # the check value of CRC-32C, RFC 3720
    stream = events.header(1.5) + events.scalars(2.5, 300, {"loss": 0.25, "rate": 1e-3, "huge": 1e300})
    first, second = events.records(stream)
    assert b"brain.Event:2" in first
    assert fields(second)[1] == struct.unpack("<Q", struct.pack("<d", 2.5))[0]
    file = tmp_path / "events"
    file.write_bytes(stream)
    assert parsed(file) == [(300, {"loss": 0.25, "rate": pytest.approx(1e-3), "huge": math.inf})]
    for place in (3, 9, 20, len(stream) - 1):
        broken = stream[:place] + bytes([stream[place] ^ 1]) + stream[place + 1 :]
        with pytest.raises(ValueError, match="record"):
            list(events.records(broken))
    with pytest.raises(ValueError, match="record"):
        list(events.records(stream[:-3]))


def test_a_trained_run_leaves_events_and_curves_that_agree_with_its_record(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(journal, "write_curves", write_curves)
    trained(tmp_path, TinyModel(), TinyData(), steps=7)
    (file,) = (tmp_path / "events").iterdir()
    assert [(step, pytest.approx(figures["loss"])) for step, figures in parsed(file)] == [
        (line["step"], line["loss"]) for line in read(tmp_path)
    ]
    svg = (tmp_path / "curves.svg").read_text()
    assert svg.startswith("<?xml")
    assert "Learning rate" in svg
    write_curves([{"step": step, "loss": 1.0 / (1 + step)} for step in range(20_000)], tmp_path / "long.svg")
    assert (tmp_path / "long.svg").stat().st_size < 60_000


def parsed(file: Path) -> list[tuple[int, dict[str, float]]]:
    """Steps and scalars of an event file, read by the rules of protobuf alone."""
    found = []
    for record in events.records(file.read_bytes()):
        event = fields(record)
        if 5 in event:
            values = [fields(value) for value in _repeated(event[5], 1)]
            found.append(
                (event[2], {one[1].decode(): struct.unpack("<f", struct.pack("<I", one[2]))[0] for one in values})
            )
    return found


def fields(data: bytes) -> dict[int, Any]:
    return dict(_walk(data))


def _repeated(data: bytes, field: int) -> list[bytes]:
    return [value for number, value in _walk(data) if number == field]


def _walk(data: bytes) -> list[tuple[int, Any]]:
    found, place = [], 0

    def varint() -> int:
        nonlocal place
        value = shift = 0
        while True:
            byte = data[place]
            place += 1
            value |= (byte & 0x7F) << shift
            shift += 7
            if byte < 0x80:
                return value

    while place < len(data):
        field, kind = divmod(varint(), 8)
        if kind == 0:
            value: Any = varint()
        else:
            size = {1: 8, 5: 4}.get(kind) or varint()
            value = data[place : place + size]
            place += size
            value = value if kind == 2 else int.from_bytes(value, "little")
        found.append((field, value))
    return found
