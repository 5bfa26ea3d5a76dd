"""Heads that hold others: a head a task, a head a robot, and words before actions."""

import pytest

torch = pytest.importorskip("torch")

from hypothesis import given, settings  # noqa: E402
from hypothesis import strategies as st  # noqa: E402
from torch import nn  # noqa: E402

from volition.errors import ContractError  # noqa: E402
from volition.model.heads.classes import Classes  # noqa: E402
from volition.model.heads.families import FAMILIES, build, per_robot  # noqa: E402
from volition.model.heads.reasoning import Reasoning, ReasoningConfig  # noqa: E402
from volition.model.heads.robots import HUMANOIDS, PerRobot, Space, spaces  # noqa: E402
from volition.model.heads.tasks import PerTask, PerTaskConfig  # noqa: E402
from volition.model.inputs import Context, Sentences, Targets, rows  # noqa: E402
from volition.robots.g1 import g1  # noqa: E402

pytestmark = pytest.mark.usefixtures("one_thread", "known_seed")

SAMPLES, WIDTH, STEPS, ACTIONS = 3, 16, 2, 3
SMALL = {"width": 16, "heads": 2, "layers": 2}
CHUNK = {"actions": ACTIONS, "steps": STEPS}
BEGIN, END, PAD, WORDS = 1, 2, 0, 12


def seeded(seed=0):
    return torch.Generator().manual_seed(seed)


def context(samples=SAMPLES, *, seed=0):
    mask = torch.ones(samples, 5, dtype=torch.bool)
    mask[0, -2:] = False
    rng = seeded(seed)
    tokens, pooled = torch.randn(samples, 5, WIDTH, generator=rng), torch.randn(samples, WIDTH, generator=rng)
    return Context(tokens=tokens, mask=mask, pooled=pooled)


def targets(samples=SAMPLES, *, actions=ACTIONS, **more):
    real = torch.ones(samples, STEPS, dtype=torch.bool)
    real[0, -1] = False
    return Targets(actions=torch.rand(samples, STEPS, actions, generator=seeded(2)) * 1.8 - 0.9, real=real, **more)


def regression(actions=ACTIONS):
    return build("regression", context=WIDTH, actions=actions, steps=STEPS, hidden=(32,))


def fit(module, seen, wanted, *, updates=150, rate=1e-2, **choice):
    optimiser = torch.optim.Adam(module.parameters(), rate)
    slower = torch.optim.lr_scheduler.CosineAnnealingLR(optimiser, updates)
    rng, loss = seeded(), torch.zeros(())
    for _ in range(updates):
        loss = sum(module.loss(seen, wanted, rng=rng, **choice).values())
        optimiser.zero_grad()
        loss.backward()
        optimiser.step()
        slower.step()
    module.eval()
    return loss.item()


def gradients(module, terms):
    module.zero_grad()
    sum(terms.values()).backward()
    return {name: weight.grad.clone() for name, weight in module.named_parameters() if weight.grad is not None}


# ---- a head a task


def tasks(**more):
    heads = {name: regression() for name in ("pick_and_place", "pour", "open_drawer")}
    return PerTask(PerTaskConfig(hidden=(16,), **more), heads, context=WIDTH)


def of_tasks(*ids, samples=SAMPLES):
    return targets(samples, task=torch.tensor(ids))


@settings(deadline=None, max_examples=25)
@given(task=st.lists(st.integers(-1, 2), min_size=1, max_size=6), seed=st.integers(0, 99))
def test_the_head_of_a_task_is_chosen_for_each_sample_and_not_for_the_batch(task, seed):
    module, seen = tasks().eval(), context(len(task), seed=seed)
    told = torch.tensor(task)
    together = module.act(seen, task=told)
    for index in range(len(task)):
        alone = module.act(rows(seen, slice(index, index + 1)), task=told[index : index + 1])
        torch.testing.assert_close(together[index : index + 1], alone)
    guessed = module.classify(seen).argmax(-1)
    for index, name in enumerate(module.tasks):
        which = torch.where(told >= 0, told, guessed) == index
        torch.testing.assert_close(together[which], module.head(name).act(seen)[which])
    torch.testing.assert_close(module.act(seen), module.act(seen, task=guessed))


def test_tasks_are_learned_and_recognised():
    module, wanted = tasks(), of_tasks(2, 0, 1)
    assert fit(module, context(), wanted) < 0.01
    assert module.classify(context()).argmax(-1).tolist() == [2, 0, 1]
    assert (module.act(context()) - wanted.actions).abs()[wanted.real].max() < 0.05


def test_a_task_teaches_its_own_head_only_and_the_loss_is_that_of_the_whole_batch():
    module = tasks(weight=0.5)
    for name in module.tasks:
        module.head(name).load_state_dict(module.head("pour").state_dict())
    wanted = of_tasks(1, 0, 1)
    terms = module.loss(context(), wanted)
    torch.testing.assert_close(terms["mse"], module.head("pour").loss(context(), wanted)["mse"])
    expected = nn.functional.cross_entropy(module.classify(context()), wanted.task)
    torch.testing.assert_close(terms["task"], 0.5 * expected)
    slopes = gradients(module, terms)
    assert any(name.startswith("heads.pour") for name in slopes)
    assert not any(name.startswith("heads.open_drawer") for name in slopes)


def test_an_unknown_task_teaches_the_head_that_would_act_and_no_classifier():
    module = tasks()
    name = module.tasks[module.classify(context(1)).argmax(-1)]
    slopes = gradients(module, module.loss(context(1), of_tasks(-1, samples=1)))
    assert {slope.split(".")[1] for slope in slopes if slope.startswith("heads")} == {name}
    assert all(not slope.any() for which, slope in slopes.items() if which.startswith("classifier"))
    assert "task" not in module.loss(context(1), targets(1))
    with pytest.raises(ContractError, match="0 to 2: pick_and_place, pour, open_drawer"):
        module.act(context(), task=torch.tensor([0, 1, 3]))


# ---- a head a robot


def test_robots_have_heads_as_wide_as_their_actions():
    known = spaces(g1())
    assert known == {
        **HUMANOIDS,
        "unitree_g1/ee": Space(actions=17),
        "unitree_g1/joint": Space(actions=19),
        "unitree_g1/primitive": Space(actions=1, classes=10),
    }
    module = per_robot("act", known, context=WIDTH, steps=STEPS, **SMALL)
    widths = {robot: module.act(context(), robot=robot).shape[-1] for robot in known}
    assert widths == {robot: space.actions for robot, space in known.items()}
    assert isinstance(module.head("unitree_g1/primitive"), Classes)
    for robot in ("unitree_h1", None):
        with pytest.raises(ContractError, match=r"has bimanual_manipulation, .*unitree_g1/primitive"):
            module.act(context(), robot=robot)


def test_a_robot_added_later_leaves_the_others_as_they_were():
    module = PerRobot({"old": regression()})
    fit(module, context(), targets(), updates=3)
    before = {name: value.clone() for name, value in module.state_dict().items()}
    did = module.act(context())  # one robot: it need not be named
    module.add("new", regression(5))
    fit(module, context(), targets(actions=5), updates=3, robot="new")
    assert all(torch.equal(module.state_dict()[name], value) for name, value in before.items())
    assert torch.equal(module.act(context(), robot="old"), did)
    assert module.act(context(), robot="new").shape == (SAMPLES, STEPS, 5)
    for name in ("old", "a.b", "", "pop"):
        with pytest.raises(ContractError, match="cannot call a head"):
            module.add(name, regression())


# ---- words before actions


def sentences(*texts, length=6):
    ids = torch.full((len(texts), length), PAD)
    for row, text in enumerate(texts):
        ids[row, : len(text)] = torch.tensor(text)
    return Sentences(ids=ids, mask=torch.arange(length) < torch.tensor([[len(text)] for text in texts]))


TEXTS = ([5, 6, 7], [8], [9, 10, 5, 11])


def reasoner(name="regression", *, longest=6, **more):
    sizes = CHUNK if name != "classes" else {"steps": STEPS}
    chosen = {"hidden": (32,)} if name in ("regression", "classes") else SMALL
    config = ReasoningConfig(vocabulary=WORDS, begin=BEGIN, end=END, pad=PAD, longest=longest, **SMALL, **more)
    return Reasoning(config, build(name, context=WIDTH, **sizes, **chosen), context=WIDTH)


def test_reasoning_is_learned_written_and_acted_on():
    module, wanted = reasoner(), targets(reasoning=sentences(*TEXTS))
    assert fit(module, context(), wanted) < 0.05
    ids, mask = module.write(context())
    assert [row[said].tolist() for row, said in zip(ids, mask, strict=True)] == [list(text) for text in TEXTS]
    assert (module.act(context()) - wanted.actions).abs()[wanted.real].max() < 0.1


@pytest.mark.parametrize("name", FAMILIES)
def test_any_head_can_reason_first(name):
    module = reasoner(name)
    actions = torch.zeros(SAMPLES, STEPS, 1) if name == "classes" else targets().actions
    wanted = Targets(actions=actions, real=targets().real, reasoning=sentences(*TEXTS))
    terms = module.loss(context(), wanted, rng=seeded())
    assert len(terms) == 2
    sum(terms.values()).backward()
    assert module.act(context(), rng=seeded()).shape == actions.shape
    heads = {task: build("regression", context=WIDTH, **CHUNK, hidden=()) for task in ("a", "b")}
    joined = Reasoning(module.config, PerTask(PerTaskConfig(), heads, context=WIDTH), context=WIDTH).eval()
    tasks = [joined.act(context(), task=torch.full((SAMPLES,), task)) for task in (0, 1)]
    assert not torch.equal(*tasks)


def test_a_word_of_the_reasoning_changes_later_words_only():
    module = reasoner().eval()
    ids = torch.tensor([[5, 6, 7, 8, 9, 10]])
    before = module._read(context(1), ids)
    for place in range(6):
        other = ids.clone()
        other[0, place] = 11
        changed = (module._read(context(1), other) - before).abs().amax(-1)[0] > 1e-6
        # state 0 follows `begin` and says word 0; so the state that says word i has not read it
        assert changed.tolist() == [index > place for index in range(7)]


def test_padding_of_the_reasoning_changes_nothing():
    """Garbage under the mask, padding on the left, a tokenizer's own begin and end, a longer batch: all the same."""
    module = reasoner()
    found = []
    for text, length in ((TEXTS, 6), (TEXTS, 4), ([[BEGIN, *text, END] for text in TEXTS], 9)):
        found.append(module.loss(context(), targets(reasoning=sentences(*text, length=length))))
    plain = sentences(*TEXTS)
    garbage = plain.ids.masked_fill(~plain.mask, 11)
    found.append(module.loss(context(), targets(reasoning=Sentences(ids=garbage, mask=plain.mask))))
    flipped = Sentences(ids=torch.zeros_like(plain.ids), mask=plain.mask.flip(1))
    for row, text in enumerate(TEXTS):
        flipped.ids[row, -len(text) :] = torch.tensor(text)
    found.append(module.loss(context(), targets(reasoning=flipped)))
    for terms in found[1:]:
        torch.testing.assert_close(terms, found[0], rtol=0, atol=1e-6)
    other = module.loss(context(), targets(reasoning=sentences([5, 6, 8], *TEXTS[1:])))
    assert other["reasoning"] != found[0]["reasoning"]


def test_words_after_the_end_change_nothing():
    """Each sample writes up to its own end: in a batch with longer ones it says and does what it does alone."""
    module = reasoner("act")
    fit(module, context(), targets(reasoning=sentences(*TEXTS)), updates=60)
    ids, mask = module.write(context())
    assert len({int(length) for length in mask.sum(1)}) > 1  # they end at different places
    assert bool((ids[~mask] == PAD).all())
    together = module.act(context())
    for index in range(SAMPLES):
        alone = rows(context(), slice(index, index + 1))
        assert torch.equal(module.write(alone)[0], ids[index : index + 1])
        torch.testing.assert_close(module.act(alone), together[index : index + 1], rtol=1e-4, atol=1e-5)
    noisy = ids.masked_fill(~mask, 11)
    extended = [module._extended(context(), module._read(context(), words), mask) for words in (ids, noisy)]
    torch.testing.assert_close(module.head.act(extended[0]), module.head.act(extended[1]), rtol=1e-4, atol=1e-5)


def test_it_acts_on_its_own_words_as_it_was_taught_to_act_on_the_teachers():
    """The same words, the same action: what is written and what is taught go through one pass."""
    module = reasoner()
    fit(module, context(), targets(reasoning=sentences(*TEXTS)), updates=40)
    ids, mask = module.write(context())
    taught = {}
    module.head.loss = lambda seen, wanted, rng: taught.update(seen=seen) or {}
    module.loss(context(), targets(reasoning=Sentences(ids=ids, mask=mask)))
    torch.testing.assert_close(module.head.act(taught["seen"]), module.act(context()))


def test_writing_is_bounded_and_never_says_begin_or_padding():
    module = reasoner(longest=3).eval()
    torch.nn.init.zeros_(module.outward.weight)
    module.outward.bias.data = torch.zeros(WORDS).index_fill(0, torch.tensor([BEGIN, PAD]), 9.0)
    module.outward.bias.data[7] = 1
    ids, mask = module.write(context())
    assert ids.tolist() == [[7, 7, 7]] * SAMPLES
    assert bool(mask.all())
    module.outward.bias.data[END] = 2
    ids, mask = module.write(context())
    assert not bool(mask.any())
    assert torch.isfinite(module.act(context())).all()


def test_one_token_may_begin_and_end_and_pad_as_in_gpt2():
    module = reasoner()
    config = ReasoningConfig(vocabulary=WORDS, begin=3, end=3, pad=3, longest=6, **SMALL)
    module = Reasoning(config, module.head, context=WIDTH)
    fit(module, context(), targets(reasoning=sentences(*TEXTS)), updates=60)
    ids, mask = module.write(context())
    assert [row[said].tolist() for row, said in zip(ids, mask, strict=True)] == [list(text) for text in TEXTS]


def test_a_sample_without_reasoning_is_not_taught_silence():
    module = reasoner()
    some = module.loss(context(), targets(reasoning=sentences(TEXTS[0], [], TEXTS[2])))
    which = torch.tensor([0, 2])
    two = rows(targets(reasoning=sentences(*TEXTS)), which)
    torch.testing.assert_close(some["reasoning"], module.loss(rows(context(), which), two)["reasoning"])
    assert module.loss(context(), targets(reasoning=sentences([], [], [])))["reasoning"] == 0
    with pytest.raises(ContractError, match=r"targets\.reasoning and was given None"):
        module.loss(context(), targets())
    with pytest.raises(ContractError, match=r"3 tokens long; ReasoningConfig\.longest is 2"):
        reasoner(longest=2).loss(context(), targets(reasoning=sentences(TEXTS[0], [5], [5])))


def test_the_weight_of_the_words_scales_their_term_alone():
    wanted, light, heavy = targets(reasoning=sentences(*TEXTS)), reasoner(), reasoner(weight=3.0)
    heavy.load_state_dict(light.state_dict())
    one, three = light.loss(context(), wanted), heavy.loss(context(), wanted)
    torch.testing.assert_close(three["reasoning"], 3 * one["reasoning"])
    torch.testing.assert_close(three["mse"], one["mse"])
