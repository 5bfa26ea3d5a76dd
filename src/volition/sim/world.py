"""The physical world: floor, robot and whatever a scene adds, in MuJoCo. It only steps; `sim/robot.py` drives the robot in it."""

from __future__ import annotations

import math
from collections.abc import Callable

import mujoco
import numpy as np

from volition.robots.g1_assets import light_g1
from volition.transforms.rotation import from_rotvec, multiply
from volition.types import CameraSpec, RobotSpec

TIMESTEP = 0.002  # s
Decorate = Callable[[mujoco.MjSpec], None]  # adds a scene's bodies to the world before it is compiled

# MuJoCo cameras look along -z with y up; ours look along x with z up.
_LOOK_FORWARD = np.array([0.5, 0.5, -0.5, -0.5])


class World:
    """A compiled model and its state. `decorate` adds the scene; the robot's joints are found by name."""

    def __init__(self, robot: RobotSpec, decorate: Decorate | None = None) -> None:
        self.robot = robot
        spec = mujoco.MjSpec.from_file(str(light_g1()))
        _physics(spec)
        _stage(spec)
        for camera in robot.cameras:
            _mount(spec, camera)
        if decorate is not None:
            decorate(spec)
        self.spec = spec
        self.model = spec.compile()
        self.data = mujoco.MjData(self.model)
        joints = [self.model.joint(name) for name in robot.joint_names]
        self.qpos = np.array([joint.qposadr[0] for joint in joints])
        self.dof = np.array([joint.dofadr[0] for joint in joints])
        self.actuators = np.array([_actuator_of(self.model, joint.id) for joint in joints])
        self.pelvis = self.model.body("pelvis").id
        base = self.model.joint("floating_base_joint")
        self.base_qpos, self.base_dof = int(base.qposadr[0]), int(base.dofadr[0])
        self._nominal = (self.model.body_mass.copy(), self.model.body_inertia.copy(), self.model.geom_friction.copy())
        self.reset()

    @property
    def time(self) -> float:
        return float(self.data.time)

    def reset(self, position: tuple[float, float] = (0.0, 0.0), heading: float = 0.0) -> None:
        """The robot at home posture on the floor; everything else as the model says."""
        mujoco.mj_resetData(self.model, self.data)
        qpos = self.data.qpos
        qpos[self.qpos] = self.robot.home_position
        first = self.base_qpos
        qpos[first : first + 7] = (*position, 0.793, math.cos(heading / 2), 0, 0, math.sin(heading / 2))
        self.settle()

    def vary(self, seed: int) -> None:
        """Start afresh. Seed 0 is the nominal robot; any other has its own floor friction (0.6 to 1.2), link masses
        (within 3 %), heading, and joint angles (off by up to 0.03 rad)."""
        model = self.model
        self.nominal()
        if seed == 0:
            self.reset()
            return
        random = np.random.default_rng(seed)
        model.geom("floor").friction[0] = random.uniform(0.6, 1.2)
        scale = random.uniform(0.97, 1.03, size=model.nbody)
        model.body_mass[:] *= scale
        model.body_inertia[:] *= scale[:, None]
        self.reset(heading=random.uniform(-math.pi, math.pi))
        low, high = np.array([joint.position for joint in self.robot.joints]).T
        noise = random.uniform(-0.03, 0.03, size=len(self.qpos))
        self.data.qpos[self.qpos] = np.clip(self.data.qpos[self.qpos] + noise, low, high)
        self.settle()

    def nominal(self) -> None:
        """Masses, inertias and frictions as the model was built with."""
        model = self.model
        model.body_mass[:], model.body_inertia[:], model.geom_friction[:] = self._nominal

    def settle(self) -> None:
        """Put the lower sole on the floor and bring everything derived up to date."""
        mujoco.mj_kinematics(self.model, self.data)
        soles = [index for index in range(self.model.ngeom) if "_foot_" in (self.model.geom(index).name or "")]
        lowest = min(self.data.geom_xpos[index, 2] - self.model.geom_size[index, 0] for index in soles)
        self.data.qpos[self.base_qpos + 2] -= lowest
        mujoco.mj_forward(self.model, self.data)

    def step(self, steps: int = 1) -> None:
        mujoco.mj_step(self.model, self.data, nstep=steps)

    def push(self, force: np.ndarray, body: str = "torso_link") -> None:
        """A force in N, in the world's frame, on a body's centre of mass until it is changed; zeros end it."""
        self.data.xfrc_applied[self.model.body(body).id, :3] = force


def _physics(spec: mujoco.MjSpec) -> None:
    spec.option.timestep = TIMESTEP
    spec.option.integrator = mujoco.mjtIntegrator.mjINT_IMPLICITFAST
    spec.option.cone = mujoco.mjtCone.mjCONE_ELLIPTIC
    spec.option.impratio = 10
    spec.visual.quality.offsamples = 0  # multisampling costs more than the robot's triangles without a GPU
    spec.visual.quality.shadowsize = 1024
    spec.stat.extent, spec.stat.center = 2.0, [0.0, 0.0, 0.8]  # the robot, not the endless floor, sets the scale


def _stage(spec: mujoco.MjSpec) -> None:
    """Floor, sky and light: the plain stage every scene stands on."""
    spec.add_texture(
        name="sky",
        type=mujoco.mjtTexture.mjTEXTURE_SKYBOX,
        builtin=mujoco.mjtBuiltin.mjBUILTIN_GRADIENT,
        rgb1=[0.93, 0.95, 0.97],
        rgb2=[0.62, 0.71, 0.80],
        width=64,
        height=64,
    )
    spec.add_texture(
        name="floor",
        type=mujoco.mjtTexture.mjTEXTURE_2D,
        builtin=mujoco.mjtBuiltin.mjBUILTIN_CHECKER,
        mark=mujoco.mjtMark.mjMARK_EDGE,
        rgb1=[0.82, 0.83, 0.82],
        rgb2=[0.75, 0.77, 0.77],
        markrgb=[0.68, 0.70, 0.71],
        width=300,
        height=300,
    )
    material = spec.add_material(name="floor", texrepeat=[1, 1], texuniform=True)
    material.textures[mujoco.mjtTextureRole.mjTEXROLE_RGB] = "floor"
    spec.worldbody.add_geom(
        name="floor",
        type=mujoco.mjtGeom.mjGEOM_PLANE,
        size=[60, 60, 2],  # as drawn, m: an endless floor, or finer squares, take twice the time without a GPU
        material="floor",
        friction=[1.0, 0.005, 0.0001],
    )
    spec.body("pelvis").add_light(  # it follows the robot, so that its shadow map is spent where the robot is
        name="sun",
        type=mujoco.mjtLightType.mjLIGHT_DIRECTIONAL,
        mode=mujoco.mjtCamLight.mjCAMLIGHT_TRACK,
        pos=[1.0, 0.9, 2.5],
        dir=[-0.35, -0.3, -0.9],
        diffuse=[0.55, 0.53, 0.50],
        specular=[0.15, 0.15, 0.15],
    )
    spec.visual.headlight.ambient = [0.32, 0.32, 0.34]
    spec.visual.headlight.diffuse = [0.18, 0.18, 0.18]
    spec.visual.headlight.specular = [0.05, 0.05, 0.05]
    spec.visual.map.znear = 0.005
    spec.visual.map.zfar = 30.0
    spec.visual.map.shadowclip = 7.0
    spec.visual.map.shadowscale = 0.9


def _mount(spec: mujoco.MjSpec, camera: CameraSpec) -> None:
    turned = multiply(from_rotvec(np.array([0, 0, camera.yaw])), from_rotvec(np.array([0, camera.pitch, 0])))
    spec.body(camera.body).add_camera(
        name=camera.name,
        pos=list(camera.position),
        quat=list(multiply(turned, _LOOK_FORWARD)),
        fovy=math.degrees(camera.field_of_view),
    )


def _actuator_of(model: mujoco.MjModel, joint: int) -> int:
    """The actuator of a joint. Their orders differ (the right hand's fingers), so by joint and never by index."""
    found = np.flatnonzero(model.actuator_trnid[:, 0] == joint)
    if len(found) != 1:
        raise ValueError(f"joint {joint} has {len(found)} actuators; the robot's model must have one for each")
    return int(found[0])
