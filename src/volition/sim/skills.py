"""The skills by name: the one list of them."""

from __future__ import annotations

from volition.sim.skill import Skill
from volition.sim.tasks.go_to import GoTo
from volition.sim.tasks.move import Move
from volition.sim.tasks.open_drawer import OpenDrawer
from volition.sim.tasks.pick_and_place import PickAndPlace
from volition.sim.tasks.pour import Pour
from volition.sim.tasks.press_button import PressButton
from volition.sim.tasks.wipe_surface import WipeSurface

SKILLS: dict[str, Skill] = {
    skill.name: skill for skill in (PressButton(), PickAndPlace(), OpenDrawer(), WipeSurface(), Pour(), GoTo(), Move())
}
