"""How each recipe puts its parts together: a function each, named after it. `recipes.py` says what they are."""

from __future__ import annotations

from collections.abc import Callable, Mapping
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
_FINE: Mapping[str, Any] = {"widths": (64,), "blocks": 2}  # a cell for 8 pixels
_NEAR: Mapping[str, Any] = {"patch": 8, "cut": 2}  # what wrists see is near: a quarter of the work, as many cells


def quick(make: Maker) -> VLA:
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


def places(make: Maker) -> VLA:
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


def points(make: Maker) -> VLA:
    language = make.language("minilm")
    views = make.views("points", words=language.width, film=True)
    state = make.state()
    wide = (512,) if make.size != "test" else (32,)
    fusion = make.fusion("pooled", views, language, state, width=wide[0], hidden=wide)
    head = make.head("regression", fusion.width, hidden=wide, loss="l1")
    return make.join(views=views, language=language, state=state, fusion=fusion, head=head, auxiliaries=SIDE)


def clip_classifier(make: Maker) -> VLA:
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


def resnet_regression(make: Maker) -> VLA:
    language = make.language("bert", pool="mean")
    views = make.views("resnet50", give="mean")
    state = make.state()
    to = {"standard": 512, "small": 256, "test": 32}[make.size]
    fusion = make.fusion("pooled", views, language, state, vision=to, words=to, width=to, hidden=(to,))
    head = make.head("regression", fusion.width, hidden=(to,), loss="mse")
    return make.join(views=views, language=language, state=state, fusion=fusion, head=head)


def fused_proprio(make: Maker) -> VLA:
    language = make.language("bert", pool="first")
    views = make.views("resnet18" if make.size == "small" else "resnet50", give="mean")
    state = make.state()
    to = {"standard": 512, "small": 256, "test": 32}[make.size]
    fusion = make.fusion("pooled", views, language, state, vision=to, words=to, state=to, width=to, hidden=(to,))
    head = make.head("regression", fusion.width, hidden=(to,), loss="mse")
    return make.join(views=views, language=language, state=state, fusion=fusion, head=head)


def simple(make: Maker) -> VLA:
    language = make.language("minilm")
    views = make.views("pixels")
    state = make.state()
    fusion = make.fusion("pooled", views, language, state, vision=128, words=128, width=128, hidden=())
    head = make.head("regression", fusion.width, hidden=(), loss="mse")
    return make.join(views=views, language=language, state=state, fusion=fusion, head=head)


def cross_attention(make: Maker) -> VLA:
    language = make.language("minilm")
    views = make.views("conv")
    state = make.state()
    fusion = make.fusion("cross", views, language, state, **make.transformer(2))
    head = make.head("regression", fusion.width, hidden=(make.width.width,), loss="l1")
    return make.join(views=views, language=language, state=state, fusion=fusion, head=head, auxiliaries=SIDE)


def rt1(make: Maker) -> VLA:
    language = make.language("minilm")
    views = make.views("rt1", words=language.width)
    state = make.state()
    fusion = make.fusion("joint", views, language, state, **make.transformer(8))
    head = make.head("parallel-bins", fusion.width, **make.transformer(1))
    return make.join(views=views, language=language, state=state, fusion=fusion, head=head)


def few_shot(make: Maker) -> VLA:
    language = make.language("minilm")
    views = make.views("rt1", words=language.width)
    state = make.shown(make.state())
    fusion = make.fusion("joint", views, language, state, **make.transformer(8))
    head = make.head("parallel-bins", fusion.width, **make.transformer(1))
    return make.join(views=views, language=language, state=state, fusion=fusion, head=head)


def act(make: Maker) -> VLA:
    language = make.language("minilm")
    views = make.views("resnet18" if make.size == "standard" else "conv")
    state = make.state()
    fusion = make.fusion("joint", views, language, state, **make.transformer(4))
    head = make.head("act", fusion.width, variational=make.size == "standard", **make.transformer(4))
    return make.join(views=views, language=language, state=state, fusion=fusion, head=head, auxiliaries=SIDE)


def generative(head: str) -> Callable[[Maker], VLA]:
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


def openvla_mini(make: Maker) -> VLA:
    views, language, state, fusion = _grounded(make)
    head = make.head("autoregressive", fusion.width, **make.transformer(6))
    return make.join(views=views, language=language, state=state, fusion=fusion, head=head, auxiliaries=SIDE)


def reasoning(make: Maker) -> VLA:
    views, language, state, fusion = _grounded(make)
    words = language.tokenizer.get_vocab_size()
    says = ReasoningConfig(vocabulary=words, begin=START, end=END, pad=PAD, longest=64, **make.transformer(2))
    head = Reasoning(says, make.head("parallel-bins", fusion.width, **make.transformer(4)), context=fusion.width)
    return make.join(views=views, language=language, state=state, fusion=fusion, head=head, auxiliaries=SIDE)


def multi_task(make: Maker) -> VLA:
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


def mini_vla(make: Maker) -> VLA:
    language = make.language("distilbert")
    views = make.views("vit")
    state = make.state()
    fusion = make.fusion("cross", views, language, state, **make.transformer(2))
    head = make.head("act", fusion.width, **make.transformer(4))
    return make.join(views=views, language=language, state=state, fusion=fusion, head=head)


def foundation(make: Maker) -> VLA:
    language = make.language("small", **({"width": 512, "layers": 6, "heads": 8} if make.size == "standard" else {}))
    views = make.views("dinov2")
    state = make.state()
    fusion = make.fusion("joint", views, language, state, **make.transformer(8))
    head = make.head_per_robot("act", fusion.width, HUMANOIDS, **make.transformer(2))
    return make.join(
        views=views, language=language, state=state, fusion=fusion, head=head, auxiliaries=SIDE, choice="robot"
    )


def parallel_bins(make: Maker) -> VLA:
    language = make.language("minilm")
    views = make.views("conv")
    state = make.state()
    fusion = make.fusion("joint", views, language, state, **make.transformer(4))
    head = make.head("parallel-bins", fusion.width, **make.transformer(4))
    return make.join(views=views, language=language, state=state, fusion=fusion, head=head, auxiliaries=SIDE)
