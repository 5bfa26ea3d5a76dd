"""Every system by name: which parts it passes to `VLA`, what it gives, and where its idea comes from.

    RECIPES[name].build(Maker(shapes, size, options)) -> VLA

`builds.py` says what differs; `maker.py` makes the parts fit each other. What is said of pretrained encoders holds where
their weights are given (`vision.source`, `language.source`); without, the same network is trained from scratch.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from volition.errors import ContractError
from volition.model import builds
from volition.model.maker import Maker
from volition.model.vla import VLA


@dataclass(frozen=True, kw_only=True)
class Recipe:
    """`defaults` are of BatchConfig and TrainConfig where they differ from the usual."""

    name: str
    about: str  # the parts, in one line
    gives: str
    source: str
    build: Callable[[Maker], VLA]
    language: str = "minilm"  # its family; what is trained here needs a tokenizer
    ask: int = 1  # questions beside each window; where words steer the eyes each costs another look
    batch: Mapping[str, Any] = field(default_factory=dict)
    train: Mapping[str, Any] = field(default_factory=dict)


_BOUNDED = {"scale": "quantiles"}  # bins and denoisers cover -1 to 1, so that is where the data has to be

RECIPES: dict[str, Recipe] = {
    recipe.name: recipe
    for recipe in (
        Recipe(
            name="quick",
            about="small convolutions that look for what the words say (FiLM), where that is in each picture, MiniLM, an MLP",
            gives="a chunk, L1 (squared below 0.1)",
            source="our own, for CPUs; FiLM: Perez et al. 2018",
            build=builds.quick,
            train={"learning_rate": 2e-3},
        ),
        Recipe(
            name="places",
            about="small convolutions that name what they see, MiniLM, where in metres is what the words mean; an MLP that goes "
            "by that and sees no picture",
            gives="a chunk, L1 (squared below 0.1)",
            source="our own, for CPUs and simulated data, which knows where things are",
            build=builds.places,
            train={"learning_rate": 2e-3},
            ask=6,
        ),
        Recipe(
            name="points",
            about="as quick, but the brightest points of learned maps, which nobody says what to look for",
            gives="a chunk, L1",
            source="spatial softmax: Finn et al. 2016",
            build=builds.points,
            train={"learning_rate": 1e-3},
        ),
        Recipe(
            name="simple",
            about="pixels through one linear layer, the sentence through one, side by side",
            gives="a chunk, MSE",
            source="the floor every other recipe must beat",
            build=builds.simple,
            train={"learning_rate": 1e-3},
        ),
        Recipe(
            name="clip-classifier",
            about="CLIP ViT tokens, mean-pooled; a transformer over BPE, mean-pooled; both projected, an MLP",
            gives="one of the discrete primitives",
            source="CLIP: Radford et al. 2021",
            build=builds.clip_classifier,
            language="small",
        ),
        Recipe(
            name="resnet-regression",
            about="ResNet without its classifier, a sentence vector (BERT), an MLP",
            gives="a chunk, MSE",
            source="ResNet: He et al. 2016, BERT: Devlin et al. 2019",
            build=builds.resnet_regression,
            language="bert",
        ),
        Recipe(
            name="fused-proprio",
            about="ResNet, BERT's [CLS] and proprioception, each projected to the same width",
            gives="a chunk, MSE",
            source="as resnet-regression, with the robot's state as an equal",
            build=builds.fused_proprio,
            language="bert",
        ),
        Recipe(
            name="cross-attention",
            about="picture tokens attend to the words, the actions before are remembered",
            gives="a chunk, L1",
            source="attention: Vaswani et al. 2017",
            build=builds.cross_attention,
            batch={"before": 4},
        ),
        Recipe(
            name="rt1",
            about="convolutions with FiLM, a token learner, a transformer over six pictures",
            gives="256 bins a number",
            source="RT-1: Brohan et al. 2022; TokenLearner: Ryoo et al. 2021",
            build=builds.rt1,
            batch={"history": 6, "chunk": 4, **_BOUNDED},
        ),
        Recipe(
            name="few-shot",
            about="as rt1, and it is shown key frames of two demonstrations of the task",
            gives="256 bins a number",
            source="one-shot imitation: Duan et al. 2017; in-context: ICRT, Fu et al. 2024",
            build=builds.few_shot,
            batch={"history": 6, "chunk": 4, "shown": 2, **_BOUNDED},
        ),
        Recipe(
            name="act",
            about="convolutions or ResNet, one transformer over all tokens, learned queries, optional CVAE",
            gives="a chunk, L1",
            source="ACT: Zhao et al. 2023",
            build=builds.act,
        ),
        Recipe(
            name="diffusion",
            about="as act, and a transformer that removes noise from a chunk, told by the context",
            gives="a chunk, denoised (DDPM taught, DDIM run)",
            source="Diffusion Policy: Chi et al. 2023; DDIM: Song et al. 2021",
            build=builds.generative("diffusion"),
            batch=_BOUNDED,
        ),
        Recipe(
            name="flow",
            about="as diffusion, along straight ways from noise to action",
            gives="a chunk, flow matching",
            source="flow matching: Lipman et al. 2023; pi0: Black et al. 2024",
            build=builds.generative("flow"),
            batch=_BOUNDED,
        ),
        Recipe(
            name="parallel-bins",
            about="as act, all action tokens at once",
            gives="256 bins a number, in parallel",
            source="OpenVLA-OFT: Kim et al. 2025",
            build=builds.parallel_bins,
            batch=_BOUNDED,
        ),
        Recipe(
            name="openvla-mini",
            about="ViT over several views, T5, four rounds of grounding, tokens one after the other",
            gives="256 bins a number, autoregressive",
            source="OpenVLA: Kim et al. 2024; T5: Raffel et al. 2020",
            build=builds.openvla_mini,
            language="t5",
            batch={"chunk": 4, **_BOUNDED},
        ),
        Recipe(
            name="reasoning",
            about="as openvla-mini, and it first says what it will do",
            gives="text, then 256 bins a number",
            source="embodied chain of thought: Zawalski et al. 2024",
            build=builds.reasoning,
            language="t5",
            batch={"chunk": 4, "reasons": True, **_BOUNDED},
        ),
        Recipe(
            name="multi-task",
            about="one trunk, a head a skill, and a classifier that says which skill is asked for",
            gives="a chunk and the task",
            source="multi-task learning: Caruana 1997",
            build=builds.multi_task,
        ),
        Recipe(
            name="mini-vla",
            about="ViT-Small, DistilBERT, a decoder of four layers",
            gives="a chunk, L1",
            source="DistilBERT: Sanh et al. 2019; ViT: Dosovitskiy et al. 2021",
            build=builds.mini_vla,
            language="distilbert",
        ),
        Recipe(
            name="foundation",
            about="DINOv2, a language model, one transformer over all, a head a robot",
            gives="a chunk for the robot's own action space",
            source="DINOv2: Oquab et al. 2023; heads by robot: Octo 2024, GR00T N1 2025",
            build=builds.foundation,
            language="small",
        ),
    )
}


def recipe(name: str) -> Recipe:
    if name not in RECIPES:
        raise ContractError(f"There is no recipe {name!r}; there are {', '.join(RECIPES)}.")
    return RECIPES[name]
