"""Every system by name: which parts it passes to `VLA`, what it gives, and where its idea comes from.

    RECIPES[name].build(Maker(shapes, size, options)) -> VLA

A recipe says what differs; `maker.py` makes the parts fit each other. What is said of pretrained encoders holds where
their weights are given (`vision.source`, `language.source`); without, the same network is trained from scratch.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from volition.errors import ContractError
from volition.model.fusion.spots import SpotsFusion
from volition.model.heads.reasoning import Reasoning, ReasoningConfig
from volition.model.heads.robots import HUMANOIDS
from volition.model.heads.tasks import PerTask, PerTaskConfig
from volition.model.language.bpe import END, PAD, START
from volition.model.maker import Maker
from volition.model.vla import VLA

SIDE: Mapping[str, Mapping[str, Any]] = {
    "grounding": {},
    "finished": {},
}  # the auxiliaries that the simulator's truth allows


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


_FINE: Mapping[str, Any] = {"widths": (64,), "blocks": 2}  # a cell for 8 pixels
_NEAR: Mapping[str, Any] = {"patch": 8, "cut": 2}  # what wrists see is near: a quarter of the work, as many cells


def _quick(make: Maker) -> VLA:
    language = make.language("minilm")
    reader = make.reader(language)
    tiny = make.size == "test"
    views = make.views("conv", words=reader.width, film=True, aside=_NEAR, **({} if tiny else _FINE))
    state = make.state()
    wide = (32,) if tiny else (512,)
    narrow = {"match": 8, "seen": 4, "glance": 4, "words": 8, "state": 8, "relations": 8} if tiny else {}
    fusion = make.fusion("spots", views, reader, state, width=wide[0], hidden=wide, **narrow)
    straight = {"direct": fusion.direct} if isinstance(fusion, SpotsFusion) else {}  # --set fusion.family=...
    head = make.head("regression", fusion.width, hidden=wide, loss="huber", beta=0.1, **straight)
    return make.join(
        views=views, language=language, reader=reader, state=state, fusion=fusion, head=head, auxiliaries=SIDE
    )


def _places(make: Maker) -> VLA:
    language = make.language("minilm")
    reader = make.reader(language) if make.asks("reader") else None
    tiny = make.size == "test"
    views = make.views("conv", **({} if tiny else _FINE))
    state = make.state()
    wide = (32,) if tiny else (512,)
    narrow = {"seen": 4, "words": 8, "state": 8} if tiny else {}
    fusion = make.fusion(
        "spots",
        views,
        reader or language,
        state,
        width=wide[0],
        hidden=wide,
        places=True,
        far=True,
        hands=True,
        kinds=24,
        colours=16,
        **narrow,
    )
    straight = {"direct": fusion.direct} if isinstance(fusion, SpotsFusion) else {}
    head = make.head("regression", fusion.width, hidden=wide, loss="huber", beta=0.1, **straight)
    side = {"grounding": {"name_weight": 1.0}, "finished": {}}
    return make.join(
        views=views, language=language, reader=reader, state=state, fusion=fusion, head=head, auxiliaries=side
    )


def _points(make: Maker) -> VLA:
    language = make.language("minilm")
    views = make.views("points", words=language.width, film=True)
    state = make.state()
    wide = (512,) if make.size != "test" else (32,)
    fusion = make.fusion("pooled", views, language, state, width=wide[0], hidden=wide)
    head = make.head("regression", fusion.width, hidden=wide, loss="l1")
    return make.join(views=views, language=language, state=state, fusion=fusion, head=head, auxiliaries=SIDE)


def _clip_classifier(make: Maker) -> VLA:
    language = make.language("small", **({"width": 512, "layers": 6, "heads": 8} if make.size == "standard" else {}))
    reader = make.reader(language) if make.asks("reader") else None
    words = reader or language
    views = make.views("clip", words=words.width)  # for encoders with FiLM, which may take its place
    state = make.state()
    to = {"standard": 1024, "small": 256, "test": 32}[make.size]
    fusion = make.fusion("pooled", views, words, state, flatten=False, vision=to, words=to, width=to // 2, hidden=(to,))
    head = make.head("regression", fusion.width, hidden=(to // 2,))
    return make.join(
        views=views, language=language, reader=reader, state=state, fusion=fusion, head=head, auxiliaries=SIDE
    )


def _resnet_regression(make: Maker) -> VLA:
    language = make.language("bert", pool="mean")
    views = make.views("resnet50", give="mean")
    state = make.state()
    to = {"standard": 512, "small": 256, "test": 32}[make.size]
    fusion = make.fusion("pooled", views, language, state, vision=to, words=to, width=to, hidden=(to,))
    head = make.head("regression", fusion.width, hidden=(to,), loss="mse")
    return make.join(views=views, language=language, state=state, fusion=fusion, head=head)


def _fused_proprio(make: Maker) -> VLA:
    language = make.language("bert", pool="first")
    views = make.views("resnet18" if make.size == "small" else "resnet50", give="mean")
    state = make.state()
    to = {"standard": 512, "small": 256, "test": 32}[make.size]
    fusion = make.fusion("pooled", views, language, state, vision=to, words=to, state=to, width=to, hidden=(to,))
    head = make.head("regression", fusion.width, hidden=(to,), loss="mse")
    return make.join(views=views, language=language, state=state, fusion=fusion, head=head)


def _simple(make: Maker) -> VLA:
    language = make.language("minilm")
    views = make.views("pixels")
    state = make.state()
    fusion = make.fusion("pooled", views, language, state, vision=128, words=128, width=128, hidden=())
    head = make.head("regression", fusion.width, hidden=(), loss="mse")
    return make.join(views=views, language=language, state=state, fusion=fusion, head=head)


def _cross_attention(make: Maker) -> VLA:
    language = make.language("minilm")
    views = make.views("conv")
    state = make.state()
    fusion = make.fusion("cross", views, language, state, **make.transformer(2))
    head = make.head("regression", fusion.width, hidden=(make.width.width,), loss="l1")
    return make.join(views=views, language=language, state=state, fusion=fusion, head=head, auxiliaries=SIDE)


def _rt1(make: Maker) -> VLA:
    language = make.language("minilm")
    views = make.views("rt1", words=language.width)
    state = make.state()
    fusion = make.fusion("joint", views, language, state, **make.transformer(8))
    head = make.head("parallel-bins", fusion.width, **make.transformer(1))
    return make.join(views=views, language=language, state=state, fusion=fusion, head=head)


def _few_shot(make: Maker) -> VLA:
    language = make.language("minilm")
    views = make.views("rt1", words=language.width)
    state = make.shown(make.state())
    fusion = make.fusion("joint", views, language, state, **make.transformer(8))
    head = make.head("parallel-bins", fusion.width, **make.transformer(1))
    return make.join(views=views, language=language, state=state, fusion=fusion, head=head)


def _act(make: Maker) -> VLA:
    language = make.language("minilm")
    views = make.views("resnet18" if make.size == "standard" else "conv")
    state = make.state()
    fusion = make.fusion("joint", views, language, state, **make.transformer(4))
    head = make.head("act", fusion.width, variational=make.size == "standard", **make.transformer(4))
    return make.join(views=views, language=language, state=state, fusion=fusion, head=head, auxiliaries=SIDE)


def _generative(head: str) -> Callable[[Maker], VLA]:
    def build(make: Maker) -> VLA:
        language = make.language("minilm")
        views = make.views("resnet18" if make.size == "standard" else "conv")
        state = make.state()
        fusion = make.fusion("joint", views, language, state, **make.transformer(4))
        acting = make.head(head, fusion.width, **make.transformer(4))
        return make.join(views=views, language=language, state=state, fusion=fusion, head=acting, auxiliaries=SIDE)

    return build


def _grounded(make: Maker) -> tuple[Any, ...]:
    """What `openvla-mini` and `reasoning` share: several views, T5, four rounds of grounding."""
    language = make.language("t5")
    views = make.views("vit", cross_view=1)
    state = make.state()
    rounds = {"standard": 4, "small": 2, "test": 1}[make.size]
    width = make.width
    fusion = make.fusion("grounding", views, language, state, width=width.width, heads=width.heads, rounds=rounds)
    return views, language, state, fusion


def _openvla_mini(make: Maker) -> VLA:
    views, language, state, fusion = _grounded(make)
    head = make.head("autoregressive", fusion.width, **make.transformer(6))
    return make.join(views=views, language=language, state=state, fusion=fusion, head=head, auxiliaries=SIDE)


def _reasoning(make: Maker) -> VLA:
    views, language, state, fusion = _grounded(make)
    words = language.tokenizer.get_vocab_size()
    says = ReasoningConfig(vocabulary=words, begin=START, end=END, pad=PAD, longest=64, **make.transformer(2))
    head = Reasoning(says, make.head("parallel-bins", fusion.width, **make.transformer(4)), context=fusion.width)
    return make.join(views=views, language=language, state=state, fusion=fusion, head=head, auxiliaries=SIDE)


def _multi_task(make: Maker) -> VLA:
    if not make.shapes.tasks:
        raise ContractError("multi-task has a head for each task and was given none; name the data set's skills.")
    language = make.language("minilm")
    views = make.views("conv")
    state = make.state()
    fusion = make.fusion("joint", views, language, state, **make.transformer(4))
    hidden = (make.width.width,)
    heads = {task: make.head("regression", fusion.width, hidden=hidden, loss="l1") for task in make.shapes.tasks}
    head = PerTask(PerTaskConfig(hidden=hidden), heads, context=fusion.width)
    return make.join(
        views=views, language=language, state=state, fusion=fusion, head=head, auxiliaries=SIDE, choice="task"
    )


def _mini_vla(make: Maker) -> VLA:
    language = make.language("distilbert")
    views = make.views("vit")
    state = make.state()
    fusion = make.fusion("cross", views, language, state, **make.transformer(2))
    head = make.head("act", fusion.width, **make.transformer(4))
    return make.join(views=views, language=language, state=state, fusion=fusion, head=head)


def _foundation(make: Maker) -> VLA:
    language = make.language("small", **({"width": 512, "layers": 6, "heads": 8} if make.size == "standard" else {}))
    views = make.views("dinov2")
    state = make.state()
    fusion = make.fusion("joint", views, language, state, **make.transformer(8))
    head = make.head_per_robot("act", fusion.width, HUMANOIDS, **make.transformer(2))
    return make.join(
        views=views, language=language, state=state, fusion=fusion, head=head, auxiliaries=SIDE, choice="robot"
    )


def _parallel_bins(make: Maker) -> VLA:
    language = make.language("minilm")
    views = make.views("conv")
    state = make.state()
    fusion = make.fusion("joint", views, language, state, **make.transformer(4))
    head = make.head("parallel-bins", fusion.width, **make.transformer(4))
    return make.join(views=views, language=language, state=state, fusion=fusion, head=head, auxiliaries=SIDE)


_BOUNDED = {"scale": "quantiles"}  # bins and denoisers cover -1 to 1, so that is where the data has to be

RECIPES: dict[str, Recipe] = {
    recipe.name: recipe
    for recipe in (
        Recipe(
            name="quick",
            about="small convolutions that look for what the words say (FiLM), where that is in each picture, MiniLM, an MLP",
            gives="a chunk, L1 (squared below 0.1)",
            source="our own, for CPUs; FiLM: Perez et al. 2018",
            build=_quick,
            train={"learning_rate": 2e-3},
        ),
        Recipe(
            name="places",
            about="small convolutions that name what they see, MiniLM, where in metres is what the words mean; an MLP that goes "
            "by that and sees no picture",
            gives="a chunk, L1 (squared below 0.1)",
            source="our own, for CPUs and simulated data, which knows where things are",
            build=_places,
            train={"learning_rate": 2e-3},
            ask=6,
        ),
        Recipe(
            name="points",
            about="as quick, but the brightest points of learned maps, which nobody says what to look for",
            gives="a chunk, L1",
            source="spatial softmax: Finn et al. 2016",
            build=_points,
            train={"learning_rate": 1e-3},
        ),
        Recipe(
            name="simple",
            about="pixels through one linear layer, the sentence through one, side by side",
            gives="a chunk, MSE",
            source="the floor every other recipe must beat",
            build=_simple,
            train={"learning_rate": 1e-3},
        ),
        Recipe(
            name="clip-classifier",
            about="CLIP ViT tokens, mean-pooled; a transformer over BPE, mean-pooled; both projected, an MLP",
            gives="one of the discrete primitives",
            source="CLIP: Radford et al. 2021",
            build=_clip_classifier,
            language="small",
        ),
        Recipe(
            name="resnet-regression",
            about="ResNet without its classifier, a sentence vector (BERT), an MLP",
            gives="a chunk, MSE",
            source="ResNet: He et al. 2016, BERT: Devlin et al. 2019",
            build=_resnet_regression,
            language="bert",
        ),
        Recipe(
            name="fused-proprio",
            about="ResNet, BERT's [CLS] and proprioception, each projected to the same width",
            gives="a chunk, MSE",
            source="as resnet-regression, with the robot's state as an equal",
            build=_fused_proprio,
            language="bert",
        ),
        Recipe(
            name="cross-attention",
            about="picture tokens attend to the words, the actions before are remembered",
            gives="a chunk, L1",
            source="attention: Vaswani et al. 2017",
            build=_cross_attention,
            batch={"before": 4},
        ),
        Recipe(
            name="rt1",
            about="convolutions with FiLM, a token learner, a transformer over six pictures",
            gives="256 bins a number",
            source="RT-1: Brohan et al. 2022; TokenLearner: Ryoo et al. 2021",
            build=_rt1,
            batch={"history": 6, "chunk": 4, **_BOUNDED},
        ),
        Recipe(
            name="few-shot",
            about="as rt1, and it is shown key frames of two demonstrations of the task",
            gives="256 bins a number",
            source="one-shot imitation: Duan et al. 2017; in-context: ICRT, Fu et al. 2024",
            build=_few_shot,
            batch={"history": 6, "chunk": 4, "shown": 2, **_BOUNDED},
        ),
        Recipe(
            name="act",
            about="convolutions or ResNet, one transformer over all tokens, learned queries, optional CVAE",
            gives="a chunk, L1",
            source="ACT: Zhao et al. 2023",
            build=_act,
        ),
        Recipe(
            name="diffusion",
            about="as act, and a transformer that removes noise from a chunk, told by the context",
            gives="a chunk, denoised (DDPM taught, DDIM run)",
            source="Diffusion Policy: Chi et al. 2023; DDIM: Song et al. 2021",
            build=_generative("diffusion"),
            batch=_BOUNDED,
        ),
        Recipe(
            name="flow",
            about="as diffusion, along straight ways from noise to action",
            gives="a chunk, flow matching",
            source="flow matching: Lipman et al. 2023; pi0: Black et al. 2024",
            build=_generative("flow"),
            batch=_BOUNDED,
        ),
        Recipe(
            name="parallel-bins",
            about="as act, all action tokens at once",
            gives="256 bins a number, in parallel",
            source="OpenVLA-OFT: Kim et al. 2025",
            build=_parallel_bins,
            batch=_BOUNDED,
        ),
        Recipe(
            name="openvla-mini",
            about="ViT over several views, T5, four rounds of grounding, tokens one after the other",
            gives="256 bins a number, autoregressive",
            source="OpenVLA: Kim et al. 2024; T5: Raffel et al. 2020",
            build=_openvla_mini,
            language="t5",
            batch={"chunk": 4, **_BOUNDED},
        ),
        Recipe(
            name="reasoning",
            about="as openvla-mini, and it first says what it will do",
            gives="text, then 256 bins a number",
            source="embodied chain of thought: Zawalski et al. 2024",
            build=_reasoning,
            language="t5",
            batch={"chunk": 4, "reasons": True, **_BOUNDED},
        ),
        Recipe(
            name="multi-task",
            about="one trunk, a head a skill, and a classifier that says which skill is asked for",
            gives="a chunk and the task",
            source="multi-task learning: Caruana 1997",
            build=_multi_task,
        ),
        Recipe(
            name="mini-vla",
            about="ViT-Small, DistilBERT, a decoder of four layers",
            gives="a chunk, L1",
            source="DistilBERT: Sanh et al. 2019; ViT: Dosovitskiy et al. 2021",
            build=_mini_vla,
            language="distilbert",
        ),
        Recipe(
            name="foundation",
            about="DINOv2, a language model, one transformer over all, a head a robot",
            gives="a chunk for the robot's own action space",
            source="DINOv2: Oquab et al. 2023; heads by robot: Octo 2024, GR00T N1 2025",
            build=_foundation,
            language="small",
        ),
    )
}


def recipe(name: str) -> Recipe:
    if name not in RECIPES:
        raise ContractError(f"There is no recipe {name!r}; there are {', '.join(RECIPES)}.")
    return RECIPES[name]
