"""The heads: each learns one batch by heart, leaves padding out, and repeats itself by its seed."""

import pytest

torch = pytest.importorskip("torch")

from torch import nn  # noqa: E402

from volition.errors import ContractError  # noqa: E402
from volition.model.heads.classes import Classes, ClassesConfig  # noqa: E402
from volition.model.heads.diffusion import Diffusion, DiffusionConfig, squared_cosine  # noqa: E402
from volition.model.heads.families import FAMILIES, build  # noqa: E402
from volition.model.heads.regression import Regression, RegressionConfig  # noqa: E402
from volition.model.inputs import Context, Targets, rows  # noqa: E402

pytestmark = pytest.mark.usefixtures("one_thread", "known_seed")

SAMPLES, WIDTH, STEPS, ACTIONS = 3, 16, 2, 2
SMALL = {"width": 32, "heads": 2, "layers": 1}
# What is tested: family, settings; how low the loss falls, how near the actions come (mean error of drawn ones).
HEADS = {
    "regression": ("regression", {"hidden": (32,)}, 0.01, 0.05),
    "act": ("act", SMALL, 0.03, 0.05),
    "act variational": ("act", {**SMALL, "variational": True, "latent": 4, "encoder_layers": 1, "kl": 0.1}, 0.2, 0.1),
    "parallel-bins": ("parallel-bins", {**SMALL, "bins": 32}, 0.3, 1 / 32),
    "autoregressive": ("autoregressive", {**SMALL, "bins": 32}, 0.3, 1 / 32),
    "diffusion": ("diffusion", SMALL, 0.05, 0.06),
    "flow": ("flow", SMALL, 0.05, 0.06),
}
EVERY = pytest.mark.parametrize("name", HEADS)
DRAWN = ("diffusion", "flow")


def seeded(seed=0):
    return torch.Generator().manual_seed(seed)


def context(samples=SAMPLES, *, seed=0):
    rng = seeded(seed)
    mask = torch.ones(samples, 5, dtype=torch.bool)
    mask[::2, -1] = False
    tokens, pooled = torch.randn(samples, 5, WIDTH, generator=rng), torch.randn(samples, WIDTH, generator=rng)
    return Context(tokens=tokens, mask=mask, pooled=pooled)


def targets(samples=SAMPLES, actions=ACTIONS, *, seed=1):
    real = torch.ones(samples, STEPS, dtype=torch.bool)
    real[0, -1] = False
    return Targets(actions=torch.rand(samples, STEPS, actions, generator=seeded(seed)) * 1.8 - 0.9, real=real)


def head(name, **more):
    family, chosen, *_ = HEADS[name]
    return build(family, context=WIDTH, **{"actions": ACTIONS, "steps": STEPS, **chosen, **more})


def fit(module, seen, wanted, *, updates=150, rate=1e-2):
    """The mean loss of the last updates."""
    optimiser = torch.optim.Adam(module.parameters(), rate)
    slower = torch.optim.lr_scheduler.CosineAnnealingLR(optimiser, updates)
    rng, losses = seeded(), []
    for _ in range(updates):
        loss = sum(module.loss(seen, wanted, rng=rng).values())
        optimiser.zero_grad()
        loss.backward()
        optimiser.step()
        slower.step()
        losses.append(loss.item())
    module.eval()
    return sum(losses[-20:]) / 20


def repeated(times, of=SAMPLES):
    return torch.arange(of).repeat(times)


def gradients(module, terms):
    module.zero_grad()
    sum(terms.values()).backward()
    return {name: weight.grad.clone() for name, weight in module.named_parameters() if weight.grad is not None}


@EVERY
def test_every_head_learns_one_batch_by_heart(name):
    module, seen, wanted = head(name), context(), targets()
    *_, low, near = HEADS[name]
    if name in DRAWN:  # many draws of noise an update
        seen, wanted = rows(seen, repeated(64)), rows(wanted, repeated(64))
    before = (module.act(seen, rng=seeded()) - wanted.actions).abs()[wanted.real].mean()
    assert fit(module, seen, wanted) < low
    error = (module.act(seen, rng=seeded()) - wanted.actions).abs()[wanted.real]
    assert (error.mean() if name in DRAWN else error.max()) <= near + 1e-6 < before


@EVERY
def test_chunks_have_their_shape_and_the_seed_decides_them(name):
    module = head(name).eval()
    fit(module, context(), targets(), updates=3)  # a denoiser begins with zeros
    first, again, other = (module.act(context(), rng=seeded(seed)) for seed in (3, 3, 4))
    assert first.shape == (SAMPLES, STEPS, ACTIONS)
    assert first.dtype == torch.float32
    torch.testing.assert_close(first, again, rtol=0, atol=0)
    assert torch.equal(first, other) == (name not in DRAWN)
    losses = [module.loss(context(), targets(), rng=seeded(seed)) for seed in (3, 3)]
    assert losses[0] == losses[1]


@EVERY
def test_steps_that_are_not_real_change_neither_losses_nor_gradients(name):
    module, wanted = head(name), targets()
    fit(module, context(), wanted, updates=2)
    found = []
    for garbage in (0.3, 1e6, float("nan")):
        actions = wanted.actions.clone()
        actions[~wanted.real] = garbage
        terms = module.loss(context(), Targets(actions=actions, real=wanted.real), rng=seeded())
        found.append((terms, gradients(module, terms)))
    for terms, slopes in found[1:]:
        torch.testing.assert_close(terms, found[0][0], rtol=0, atol=0)
        torch.testing.assert_close(slopes, found[0][1], rtol=0, atol=0)
    actions = wanted.actions.clone()
    actions[1, 0, 0] += 0.5  # and a real one does change them
    terms = module.loss(context(), Targets(actions=actions, real=wanted.real), rng=seeded())
    assert sum(terms.values()) != sum(found[0][0].values())


@EVERY
def test_a_sample_without_any_real_step_weighs_nothing(name):
    """The mean is over real entries: nothing is NaN, and the others count as if they were alone."""
    module, wanted = head(name), targets()
    real = torch.ones_like(wanted.real)
    real[-1] = False
    nothing = Targets(actions=wanted.actions, real=torch.zeros_like(real))
    assert sum(module.loss(context(), nothing, rng=seeded()).values()) == 0
    both = module.loss(context(), Targets(actions=wanted.actions, real=real), rng=seeded())
    assert all(torch.isfinite(term) for term in both.values())
    if name not in (*DRAWN, "act variational"):  # those draw other noise for fewer samples
        alone = module.loss(
            rows(context(), slice(0, -1)), rows(Targets(actions=wanted.actions, real=real), slice(0, -1))
        )
        torch.testing.assert_close(both, alone)


@pytest.mark.parametrize("name", [name for name in HEADS if name != "regression"])
def test_context_tokens_that_are_padding_change_nothing(name):
    module, seen, wanted = head(name), context(), targets()
    fit(module, seen, wanted, updates=2)
    dirty = Context(tokens=seen.tokens.masked_fill(~seen.mask.unsqueeze(-1), 1e3), mask=seen.mask, pooled=seen.pooled)
    clean = module.loss(seen, wanted, rng=seeded())
    torch.testing.assert_close(module.loss(dirty, wanted, rng=seeded()), clean, rtol=0, atol=1e-6)
    torch.testing.assert_close(module.act(dirty, rng=seeded()), module.act(seen, rng=seeded()), rtol=0, atol=1e-6)
    real = Context(tokens=seen.tokens + 1e3 * torch.eye(5)[0, :, None], mask=seen.mask, pooled=seen.pooled)
    assert module.loss(real, wanted, rng=seeded()) != clean  # the first token is real: a mask of zeros would not do


def test_regression_gives_the_mean_of_two_good_ways_and_diffusion_takes_one_of_them():
    """Left of the glass or right of it: the mean goes through the glass."""
    seen, sides = rows(context(1), repeated(512, of=1)), torch.ones(512, 1, 1)
    sides[::2] = -1
    wanted = Targets(actions=0.8 * sides, real=torch.ones(512, 1, dtype=torch.bool))
    regression = build("regression", context=WIDTH, actions=1, steps=1, hidden=(16,))
    fit(regression, seen, wanted, updates=60)
    assert regression.act(seen).abs().max() < 0.1
    for name in DRAWN:
        module = build(name, context=WIDTH, actions=1, steps=1, **SMALL)
        fit(module, seen, wanted, rate=3e-3)
        drawn = module.act(seen, rng=seeded()).flatten()
        for side in (-0.8, 0.8):
            assert ((drawn - side).abs() < 0.25).float().mean() > 0.3, f"{name} {side}"
        assert (drawn.abs() < 0.3).float().mean() < 0.1, name


def test_diffusion_gives_no_wild_action_for_large_noise():
    """Barely trained, it denoised rare large draws to the clip: a hand thrown aside once in some hundred chunks."""
    module = head("diffusion")
    fit(module, rows(context(), repeated(64)), rows(targets(), repeated(64)), updates=100, rate=3e-3)
    assert module.act(rows(context(), repeated(300)), rng=seeded()).abs().max() < 2


def test_ddim_with_the_true_noise_arrives_at_the_action():
    """The sampler alone, with a denoiser that knows the answer; and clipping keeps what it gives inside."""
    wanted = targets().actions
    module = Diffusion(DiffusionConfig(actions=ACTIONS, steps=STEPS, clip=1.0, **SMALL), context=WIDTH)
    left = squared_cosine(100)
    assert bool((left[1:] < left[:-1]).all())
    assert left[0] > 0.999
    assert left[-1] < 1e-4

    class Oracle(nn.Module):
        def forward(self, noisy, time, seen, real=None):
            now = left[(time * 100).round().long()][:, None, None]
            return (noisy - now.sqrt() * wanted) / (1 - now).sqrt() - (1 - now).sqrt() * noisy  # see Diffusion._noise

    module.denoiser = Oracle()
    torch.testing.assert_close(module.act(context(), rng=seeded()), wanted, rtol=0, atol=1e-4)
    wanted = wanted + 5
    assert module.act(context(), rng=seeded()).max() == 1


def test_flow_draws_more_times_near_the_noise_with_beta():
    times = {}

    class Spy(nn.Module):
        def forward(self, noisy, time, seen, real=None):
            times[kind] = time
            return noisy

    many = repeated(4000, of=1)
    for kind in ("uniform", "beta"):
        module = build("flow", context=WIDTH, actions=ACTIONS, steps=STEPS, times=kind, **SMALL)
        module.denoiser = Spy()
        module.loss(rows(context(), many), rows(targets(), many), rng=seeded())
    assert times["uniform"].mean() == pytest.approx(0.5, abs=0.02)
    assert times["beta"].mean() == pytest.approx(0.999 * (1 - 0.6), abs=0.02)  # the mean of Beta(1.5, 1) is 0.6
    assert times["beta"].min() >= 0


def test_steps_that_are_not_real_are_not_looked_at_by_those_that_are():
    """The encoder of styles and the denoiser attend over steps: what they say of real ones is not moved by the others."""
    real = targets().real
    given = targets().actions
    moved = given + 5.0 * ~real.unsqueeze(-1)
    style = head("act variational").style
    for before, after in zip(style(context(), given, real), style(context(), moved, real), strict=True):
        torch.testing.assert_close(after, before)
        assert not torch.allclose(style(context(), moved, torch.ones_like(real))[0][0], before[0])
    denoiser = head("diffusion").denoiser
    torch.nn.init.normal_(denoiser.outward.weight)
    time = torch.full((SAMPLES,), 0.5)
    before, after = (denoiser(noisy, time, context(), real) for noisy in (given, moved))
    torch.testing.assert_close(after[real], before[real])
    assert not torch.allclose(denoiser(moved, time, context())[0, 0], before[0, 0], atol=1e-3)


def test_the_style_of_a_variational_act_is_zero_when_acting_and_used_when_learning():
    module, wanted = head("act variational"), targets()
    terms = module.loss(context(), wanted, rng=seeded())
    assert set(terms) == {"l1", "kl"}
    assert terms["kl"] >= 0
    assert module.loss(context(), wanted, rng=seeded(1))["l1"] != terms["l1"]  # another style, other actions
    torch.testing.assert_close(module.act(context(), rng=seeded(1)), module.act(context(), rng=seeded(2)))


@pytest.mark.parametrize("loss", ["mse", "l1", "huber"])
def test_regression_weighs_dimensions(loss):
    config = {"actions": ACTIONS, "steps": STEPS, "hidden": (), "loss": loss}
    module = Regression(RegressionConfig(**config, weights=(2.0, 0.0)), context=WIDTH)
    plain = Regression(RegressionConfig(**config), context=WIDTH)
    plain.load_state_dict(module.state_dict())
    wanted = targets()
    error = module.act(context()).detach() - wanted.actions
    each = {"mse": error**2, "l1": error.abs(), "huber": torch.where(error.abs() < 1, error**2 / 2, error.abs() - 0.5)}
    mean = each[loss][wanted.real].mean(0)
    torch.testing.assert_close(module.loss(context(), wanted)[loss], mean[0])
    torch.testing.assert_close(plain.loss(context(), wanted)[loss], mean.mean())


def test_rare_speeds_count_the_more():
    config = {"actions": ACTIONS, "steps": STEPS, "hidden": (), "loss": "l1"}
    module = Regression(RegressionConfig(**config, speeds=(1,)), context=WIDTH)
    wanted = targets()
    wanted.actions[..., 1] = torch.tensor([1.9, -4.0, 6.0]).unsqueeze(-1)
    error = (module.act(context()).detach() - wanted.actions).abs()
    error[..., 1] *= torch.tensor([1.0, 4.0, 9.0]).unsqueeze(-1)
    torch.testing.assert_close(module.loss(context(), wanted)["l1"], error[wanted.real].mean())


def test_what_is_seldom_done_is_learned_sooner():
    """A speed is 0 in 63 of 64 samples."""
    seen, actions = context(64), torch.zeros(64, STEPS, ACTIONS)
    actions[0, :, 1] = 8.0  # as scaled data has it
    wanted = Targets(actions=actions, real=torch.ones(64, STEPS, dtype=torch.bool))
    said = {}
    for speeds in ((), (1,)):
        torch.manual_seed(0)
        config = RegressionConfig(actions=ACTIONS, steps=STEPS, hidden=(16,), loss="huber", beta=0.1, speeds=speeds)
        module = Regression(config, context=WIDTH)
        fit(module, seen, wanted, updates=60)
        said[speeds] = module.act(seen)[0, :, 1].mean().item() / 8
    assert said[()] < 0.5 < said[(1,)]


def test_classes_learn_primitives_and_tell_how_sure_they_are():
    module = Classes(ClassesConfig(classes=10, steps=STEPS, hidden=(32,)), context=WIDTH)
    ids = torch.randint(0, 10, (SAMPLES, STEPS, 1), generator=seeded()).float()
    real = targets().real
    assert fit(module, context(), Targets(actions=ids, real=real), updates=60) < 0.02
    assert torch.equal(module.act(context())[real], ids[real])
    sure = module.probabilities(context())
    torch.testing.assert_close(sure.sum(-1), torch.ones(SAMPLES, STEPS))
    assert sure.gather(-1, ids.long())[real].min() > 0.9
    smooth = Classes(ClassesConfig(classes=10, steps=STEPS, hidden=(32,), smoothing=0.5), context=WIDTH)
    smooth.load_state_dict(module.state_dict())
    assert smooth.loss(context(), Targets(actions=ids, real=real))["classes"] > 1
    dirty = ids.masked_fill(~real.unsqueeze(-1), 99)  # an id that does not exist, after the end
    torch.testing.assert_close(
        module.loss(context(), Targets(actions=dirty, real=real)),
        module.loss(context(), Targets(actions=ids, real=real)),
    )
    with pytest.raises(ContractError, match="ids 0 to 10"):
        module.loss(context(), Targets(actions=torch.tensor([[[0.0], [10.0]]] * SAMPLES), real=torch.ones_like(real)))


# ---- by name, and what is refused


def test_heads_are_built_by_name_and_wrong_settings_say_what_is_allowed():
    assert set(FAMILIES) == {"regression", "act", "classes", "parallel-bins", "autoregressive", "diffusion", "flow"}
    with pytest.raises(ContractError, match="There is no head 'gaussian'; the heads are regression, act"):
        build("gaussian", context=WIDTH)
    with pytest.raises(ContractError, match="'act' cannot be built with actions, steps, bins"):
        build("act", context=WIDTH, actions=2, steps=2, bins=256)
    with pytest.raises(ContractError, match=r"given actions \(3, 2, 5\)"):
        head("regression").loss(context(), targets(actions=5))


@pytest.mark.parametrize(
    ("name", "wrong", "says"),
    [
        ("regression", {"actions": 0}, "at least 1"),
        ("regression", {"loss": "mae"}, "mse, l1, huber"),
        ("regression", {"beta": 0.0}, "must be positive"),
        ("regression", {"speeds": (ACTIONS,)}, "numbers of actions"),
        ("regression", {"weights": (1.0,)}, "one for each of 2"),
        ("regression", {"dropout": 1.0}, "below 1"),
        ("act", {"width": 30, "heads": 4}, "multiple of the heads"),
        ("parallel-bins", {"choose": "mean"}, "'likeliest' or 'expectation'"),
        ("parallel-bins", {"ranges": ((1.0, -1.0), (0.0, 1.0))}, "low must be below high"),
        ("autoregressive", {"ranges": ((-1.0, 1.0),)}, "one for each of 2"),
        ("autoregressive", {"temperature": -1.0}, "at least 0"),
        ("diffusion", {"rounds": 101}, "at most strengths, 100"),
        ("diffusion", {"clip": 0.0}, "clip is 0.0"),
        ("flow", {"times": "normal"}, "'uniform' or 'beta'"),
    ],
)
def test_a_wrong_setting_of_a_head_is_refused(name, wrong, says):
    with pytest.raises(ContractError, match=says):
        head(name, **wrong)
