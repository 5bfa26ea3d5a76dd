"""The whole model on one screen: parts that see, read, feel, join and act. Recipes differ by the parts they pass.

pictures --Views--> tokens ┐
sentence --Language--> words ├--Fusion--> Context --Head--> a chunk of actions
state    --StateEncoder--> tokens ┘            └--auxiliaries--> losses in training, `finished` when running
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any, Literal, cast

import torch
from torch import Tensor, nn

from volition.errors import ContractError
from volition.model.auxiliaries.finished import Finished
from volition.model.auxiliaries.grounding import Grounding
from volition.model.auxiliaries.parts import Auxiliary
from volition.model.fusion.spots import SpotsFusion
from volition.model.heads.guide import Guide
from volition.model.inputs import Context, Felt, Inputs, Question, Sentences, Targets, Words, joined_rows
from volition.model.language.reader import Reader
from volition.model.parts import Fusion, Head, Language, StateEncoder
from volition.model.vision.views import Views

Choice = Literal["none", "task", "robot"]
# Eyes: what stands where, without a word; words: what they say of things, without a picture; hands: what to do, without a picture
# either. Each sees many times as much in the same time.
Lesson = Literal["all", "eyes", "words", "hands"]


@dataclass(frozen=True, kw_only=True)
class Thought:
    """Everything between the senses and the head."""

    vision: Tensor  # (B, N, D)
    words: Words
    state: Tensor  # (B, M, D)
    context: Context


class VLA(nn.Module):
    def __init__(
        self,
        *,
        views: Views,
        language: Language,
        state: StateEncoder,
        fusion: Fusion,
        head: Head,
        reader: Reader | None = None,
        auxiliaries: nn.ModuleDict | None = None,
        choice: Choice = "none",
        robot: str = "",
    ) -> None:
        """`choice`: what the head wants to be told besides the context; `robot`: the action space that is asked for."""
        super().__init__()
        self.views = views
        self.language = language
        self.reader = reader
        self.state = state
        self.fusion = fusion
        self.head = head
        self.auxiliaries = auxiliaries if auxiliaries is not None else nn.ModuleDict()
        self.choice, self.robot = choice, robot
        self.lesson: Lesson = "all"

    def read(self, sentences: Sequence[str]) -> Sentences:
        """Text to tokens, on the CPU; with a frozen encoder, to its vectors, each sentence once."""
        return self.language.read(sentences)

    def think(self, inputs: Inputs) -> Thought:
        words = self._words(inputs.sentences)
        vision = self.views(inputs.images, inputs.seen, words.pooled, depth=inputs.depth)
        state = self.state(inputs)
        if isinstance(self.fusion, SpotsFusion):  # which knows where cameras are, by what the robot feels
            context = self.fusion(vision, words, state, inputs.state[:, -1], inputs.expected, inputs.course)
        else:
            context = self.fusion(vision, words, state)
        return Thought(vision=vision, words=words, state=state, context=context)

    def losses(self, inputs: Inputs, targets: Targets, *, rng: torch.Generator | None = None) -> dict[str, Tensor]:
        """Named terms, already weighted; their sum is what training makes small."""
        if self.lesson == "eyes":
            return self._see(inputs, targets)
        if self.lesson == "words":
            return self._understand(inputs, targets)
        if self.lesson == "hands":
            return {} if targets.felt is None else self._do(inputs, targets.felt, rng)
        thought = self.think(inputs)
        told = {"robot": self.robot} if self.choice == "robot" else {}  # the task is in the targets
        terms = dict(self.head.loss(thought.context, targets, rng=rng, **told))
        for auxiliary in self.auxiliaries.values():
            terms |= cast(Auxiliary, auxiliary).losses(thought.vision, thought.words, thought.context, inputs, targets)
        if targets.question is not None and self.answers:
            terms |= self._answer(thought, inputs, targets.question)
        if targets.felt is not None and self.feels:
            terms |= self._feel(thought.words, inputs, targets.felt, rng)
        return terms

    @property
    def names(self) -> bool:
        """Whether its eyes tell what stands where, whatever is said."""
        named = isinstance(self.fusion, SpotsFusion) and self.fusion.named is not None
        return named and "grounding" in self.auxiliaries

    def _see(self, inputs: Inputs, targets: Targets) -> dict[str, Tensor]:
        vision = self.views(inputs.images, inputs.seen, depth=inputs.depth)
        seen = cast(SpotsFusion, self.fusion).name(vision, inputs.state[:, -1])
        return cast(Grounding, self.auxiliaries["grounding"]).seen(seen, targets.truth)

    def _understand(self, inputs: Inputs, targets: Targets) -> dict[str, Tensor]:
        """Its own sentences and those of its questions; which of them are asked at all, what they mean says."""
        grounding, named = cast(Grounding, self.auxiliaries["grounding"]), cast(SpotsFusion, self.fusion).named
        assert named is not None
        terms = grounding.read(named.meant(self._words(inputs.sentences)), targets.truth)
        if targets.question is not None:
            question = joined_rows(targets.question)
            asked = grounding.read(named.meant(self._words(question.sentences)), question.truth)
            terms |= {f"asked_{name}": term for name, term in asked.items()}
        return terms

    def _do(self, inputs: Inputs, felt: Felt, rng: torch.Generator | None) -> dict[str, Tensor]:
        with torch.no_grad():  # what words mean is for eyes to learn: hands would forget it for them
            words = self._words(inputs.sentences)
        return self._feel(words, inputs, felt, rng)

    @property
    def feels(self) -> bool:
        """Whether its hands go by places alone, so that they learn from moments without pictures."""
        fusion = self.fusion
        return isinstance(fusion, SpotsFusion) and fusion.hands is not None and fusion.sizes.steps == 1

    @property
    def remembers(self) -> bool:
        """Whether its hands are told how things went since the robot was told."""
        return self.feels and cast(SpotsFusion, self.fusion).config.course

    def _feel(self, words: Words, inputs: Inputs, felt: Felt, rng: torch.Generator | None) -> dict[str, Tensor]:
        count = felt.state.shape[1]
        state, positions, present, course = (
            one.flatten(0, 1) for one in (felt.state, felt.positions, felt.present, felt.course)
        )
        here = replace(inputs, images={}, state=state[:, None], seen=torch.ones_like(state[:, :1], dtype=torch.bool))
        fusion = cast(SpotsFusion, self.fusion)
        told = fusion.told(words).repeat_interleave(count, dim=0)
        context = fusion.feel(positions, present, told, self.state(here), state, course)
        targets = Targets(actions=felt.actions.flatten(0, 1), real=felt.real.flatten(0, 1))
        return {f"felt_{name}": term for name, term in self.head.loss(context, targets, rng=rng).items()}

    @property
    def answers(self) -> bool:
        """Whether it can be asked what words mean in pictures where nothing is done."""
        return isinstance(self.fusion, SpotsFusion) and "grounding" in self.auxiliaries and not self.views.cross

    def _answer(self, thought: Thought, inputs: Inputs, question: Question) -> dict[str, Tensor]:
        """Eyes that see the same whatever is said look once and are asked all; others look at the first picture again."""
        count, question = question.asked.shape[1], joined_rows(question)
        fusion, words = cast(SpotsFusion, self.fusion), self._words(question.sentences)
        if self.views.told:
            first = self.views.config.cameras[0]
            images, depth = (
                {first: one[first].repeat_interleave(count, dim=0)} if first in one else {}
                for one in (inputs.images, inputs.depth)
            )
            spots = fusion.seek(self.views.first(images, words.pooled, depth=depth), words)
        else:
            spots = fusion.seek_all(thought.vision, words, thought.state, inputs.state[:, -1])
        return cast(Grounding, self.auxiliaries["grounding"]).asked(spots, question)

    def _words(self, sentences: Sentences) -> Words:
        words = self.language(sentences)
        return words if self.reader is None else self.reader(words, sentences.ids)

    def act(self, inputs: Inputs, *, rng: torch.Generator | None = None) -> Tensor:
        """(B, K, A) in the model's scale."""
        return self._act(self.think(inputs).context, inputs, rng)

    def decide(
        self, inputs: Inputs, *, rng: torch.Generator | None = None, guide: Guide | None = None
    ) -> tuple[Tensor, Tensor | None]:
        """Actions, and if it was taught to tell, how likely it is that what was asked is done: (B, K, A), (B,)."""
        return self.conclude(self.think(inputs).context, inputs, rng=rng, guide=guide)

    @property
    def continues(self) -> bool:
        """Whether its chunks can go on from what will be done anyway."""
        return bool(getattr(self.head, "continues", False))

    def conclude(
        self, context: Context, inputs: Inputs, *, rng: torch.Generator | None = None, guide: Guide | None = None
    ) -> tuple[Tensor, Tensor | None]:
        """`decide` from a context. `guide`: for models that continue."""
        chunk = self._act(context, inputs, rng, guide)
        if "finished" not in self.auxiliaries:
            return chunk, None
        return chunk, cast(Finished, self.auxiliaries["finished"]).share(context)

    def gradient_checkpointing(self, on: bool) -> None:
        """Encoders of others compute their blocks again in the backward pass rather than keep all in between."""
        # transformers 5 has a new name for it and warns of the old one.
        for kind in ("activation", "gradient"):
            large = [part for part in self.modules() if hasattr(part, f"{kind}_checkpointing_enable")]
            if large:
                break
        else:
            if on:
                raise ContractError("No part of this model can recompute its blocks; leave gradient checkpointing off.")
            return
        for part in large:
            getattr(part, f"{kind}_checkpointing_{'enable' if on else 'disable'}")()

    def _act(self, context: Context, inputs: Inputs, rng: torch.Generator | None, guide: Guide | None = None) -> Tensor:
        told: dict[str, Any] = {"task": inputs.task} if self.choice == "task" else {}
        if self.choice == "robot":
            told = {"robot": self.robot}
        if guide is not None:
            told["guide"] = guide
        return self.head.act(context, rng=rng, **told)
