"""The skills as Gymnasium environments, one each: `import volition.envs` registers "volition/PressButton-v0" and the others.

Gymnasium 1 no longer looks for plugins by itself: import this package first, or name it in the call,
`gymnasium.make("volition.envs:volition/PressButton-v0")`. (The one import with a side effect here, since that is what
Gymnasium's naming asks for.)
"""

from __future__ import annotations

import gymnasium

from volition.sim.skills import SKILLS


def env_id(skill: str) -> str:
    """press_button -> volition/PressButton-v0"""
    return f"volition/{''.join(part.capitalize() for part in skill.split('_'))}-v0"


for _name in SKILLS:
    if env_id(_name) not in gymnasium.registry:
        gymnasium.register(env_id(_name), entry_point="volition.envs.skill_env:SkillEnv", kwargs={"skill": _name})
