"""Videos: whole or not there at all, of the size and length that were asked, and text that stays on its strip."""

from __future__ import annotations

import numpy as np
import pytest

av = pytest.importorskip("av")
film = pytest.importorskip("volition.eval.film")

from volition.errors import ContractError  # noqa: E402

Mp4, Poster = film.Mp4, film.Poster
WIDTH, HEIGHT = 160, 120


def picture(number: int) -> np.ndarray:
    """A grey ramp that gets brighter frame by frame."""
    frame = np.zeros((HEIGHT, WIDTH, 3), dtype=np.uint8)
    frame[:] = 20 + 10 * number
    return frame


def frames(path) -> list[np.ndarray]:
    with av.open(str(path)) as container:
        return [frame.to_ndarray(format="rgb24") for frame in container.decode(video=0)]


def test_what_is_written_decodes_with_every_frame_in_its_size(tmp_path):
    path = tmp_path / "deep" / "film.mp4"
    with Mp4(path, width=WIDTH, height=HEIGHT, fps=25) as mp4:
        for number in range(20):
            mp4.add(picture(number))
            assert not path.exists()
        assert mp4.frames == 20
    read = frames(path)
    assert len(read) == 20
    for number, frame in enumerate(read):
        assert frame.shape == (HEIGHT, WIDTH, 3)
        assert frame.mean() == pytest.approx(20 + 10 * number, abs=4)
    with av.open(str(path)) as container:
        assert container.streams.video[0].average_rate == 25
        assert float(container.duration / av.time_base) == pytest.approx(20 / 25, abs=0.02)
    assert [found.name for found in path.parent.iterdir()] == ["film.mp4"]


@pytest.mark.parametrize("error", [ValueError("broken"), KeyboardInterrupt()])
@pytest.mark.parametrize("count", [0, 3])
def test_an_error_inside_leaves_no_file_and_is_the_one_that_is_seen(tmp_path, error, count):
    path = tmp_path / "film.mp4"

    def write():
        with Mp4(path, width=WIDTH, height=HEIGHT, fps=25) as mp4:
            for number in range(count):
                mp4.add(picture(number))
            raise error

    with pytest.raises(type(error)) as caught:
        write()
    assert caught.value is error
    assert list(tmp_path.iterdir()) == []


def test_an_error_leaves_an_older_film_as_it_was(tmp_path):
    path = tmp_path / "film.mp4"
    with Mp4(path, width=WIDTH, height=HEIGHT, fps=25) as mp4:
        mp4.add(picture(1))
    before = path.read_bytes()

    def write():
        with Mp4(path, width=WIDTH, height=HEIGHT, fps=25) as mp4:
            mp4.add(picture(2))
            raise ValueError("broken")

    with pytest.raises(ValueError, match="broken"):
        write()
    assert path.read_bytes() == before
    assert [found.name for found in tmp_path.iterdir()] == ["film.mp4"]


def test_a_picture_of_another_size_is_refused(tmp_path):
    with Mp4(tmp_path / "film.mp4", width=WIDTH, height=HEIGHT, fps=25) as mp4:
        mp4.add(picture(1))
        with pytest.raises(ContractError, match=r"\(60, 80\).*film\.mp4 takes \(120, 160\)"):
            mp4.add(picture(1)[::2, ::2])


SIZES = [(854, 480), (640, 360), (1280, 720), (320, 240)]
LONG = "please " * 70 + "wave"


def frame(poster, *, instruction="wave", running="1/1 wave", shield="clear", head=None):
    view = np.full((*poster.view_size, 3), 128, dtype=np.uint8)
    return poster.frame(view, head, instruction=instruction, running=running, shield=shield, time=12.3)


def inked(strip: np.ndarray) -> np.ndarray:
    """Columns that hold anything but paper."""
    return np.flatnonzero((strip.astype(int).sum(axis=-1) < 700).any(axis=0))


@pytest.mark.parametrize(("width", "height"), SIZES)
@pytest.mark.parametrize("instruction", ["wave", LONG, "W" * 500, "grüße 你好 🤖", ""])
def test_the_instruction_fits_on_its_strip_and_leaves_the_view_alone(width, height, instruction):
    poster = Poster(width, height)
    shot = frame(poster, instruction=instruction)
    assert shot.shape == (height, width, 3)
    top = poster.view_size[0]
    assert (shot[:top] == 128).all()
    columns = inked(shot[top:])
    pad = poster.strip // 4
    assert columns.min() >= pad - 2
    assert columns.max() <= width - pad + 2


def test_an_instruction_of_several_lines_is_drawn():
    frame(Poster(854, 480), instruction="wave\nthen stop")


@pytest.mark.parametrize(("width", "height"), SIZES[:3])
@pytest.mark.parametrize(
    "running", ["2/2 turn_right 90 degrees", "settling, raise_right_arm", "12/12 move_backward 0.5 m"]
)
def test_what_runs_does_not_touch_what_the_shield_does(width, height, running):
    poster = Poster(width, height)
    shield = "limiting: base_acceleration"  # the longest
    without, shot = (frame(poster, running=text, shield=shield) for text in (" ", running))
    changed = np.flatnonzero((without != shot).any(axis=-1).any(axis=0)).max()
    lower = without[poster.view_size[0] + int(poster.strip * 0.55) :]
    assert changed < inked(lower).min()


def test_the_strip_tells_what_is_said_what_runs_and_what_the_shield_does():
    poster = Poster(854, 480)
    first = frame(poster)
    for change in ({"instruction": "stop"}, {"running": "2/2 stop"}, {"shield": "HOLD: stale"}):
        other = frame(poster, **change)
        assert np.any(other != first)
    hold = frame(poster, shield="HOLD: estop").astype(int)
    assert ((hold[..., 0] > 150) & (hold[..., 1] < 90)).sum() > 20  # red
    assert not ((first.astype(int)[..., 0] > 150) & (first.astype(int)[..., 1] < 90)).any()


def test_the_head_camera_is_an_inset_inside_the_view():
    poster = Poster(854, 480)
    head = np.zeros((224, 224, 3), dtype=np.uint8)
    head[..., 2] = 255
    shot = frame(poster, head=head)
    where = np.argwhere((shot == [0, 0, 255]).all(axis=-1))
    (top, left), (bottom, right) = where.min(axis=0), where.max(axis=0)
    assert 0 < top < bottom < poster.view_size[0]
    assert 854 // 2 < left < right < 854 - 5
    assert abs((bottom - top) - (right - left)) <= 2


@pytest.mark.parametrize(("width", "height"), SIZES)
def test_a_title_card_has_the_size_of_the_film(width, height):
    card = Poster(width, height).title(["Volition", "a humanoid that does what it is told"])
    assert card.shape == (height, width, 3)
    assert len(inked(card))
