"""The adversarial method (Goodfellow et al., 2014, algorithm 1), as terms that each player minimises.

Shapes: real, fake (N, C, H, W) in [-1, 1]; z (N, latent_dim); labels (N,) or None; logits (N,).
"""

import functools
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import NamedTuple

import torch
from torch import Tensor, nn
from torch.nn.functional import cross_entropy

from ganflow.distributed import collectives
from ganflow.methods.augment.base import Augmentation
from ganflow.methods.augment.none import NoAugmentation
from ganflow.methods.base import Batch, Network, Terms, Turn, precise
from ganflow.methods.losses.base import AdversarialLoss
from ganflow.methods.regularizers.base import DiscriminatorTurn, GeneratorTurn, Regularizer

ROWS = 128  # of the whole batch, from which figures are made


class Verdict(NamedTuple):
    """D of images: logits (N,), and the auxiliary classifier's logits (N, classes) where it has one."""

    logits: Tensor
    classes: Tensor | None


@dataclass
class GAN:
    """Two players and what each minimises in its turn."""

    G: Network
    D: Network
    loss: AdversarialLoss
    regularizers: Mapping[str, Regularizer] = field(default_factory=dict)
    augmentation: Augmentation = field(default_factory=NoAugmentation)
    d_steps: int = 1
    _seen: "list[Seen]" = field(default_factory=list, init=False, repr=False)  # the parts of D's last turn

    @functools.cached_property
    def turns(self) -> list[Turn]:
        """``d_steps`` turns of D on new real images, then one of G."""
        finish, adjust, constrain = self._finish, self._adjust_gradients, self._constrain_discriminator
        of_d = Turn("D", self.discriminator_terms, True, False, finish, adjust, constrain)
        own = self.loss.paired and self.loss.fresh_reals
        of_g = Turn("G", self.generator_terms, False, own, finish, adjust)
        return [of_d] * self.d_steps + [of_g]

    @functools.cached_property
    def modules(self) -> nn.ModuleDict:
        """Regularisers and augmentation: their buffers are state."""
        return nn.ModuleDict({**self.regularizers, "augmentation": self.augmentation})

    @property
    def steered(self) -> Mapping[str, object]:
        """Loss, augmentation and regularisers."""
        regularizers = {f"gan.regularizers.{name}": regularizer for name, regularizer in self.regularizers.items()}
        return {"gan.loss": self.loss, "gan.augmentation": self.augmentation, **regularizers}

    def discriminator_terms(self, batch: Batch) -> Terms:
        """Terms of D's turn on real images and on as many fakes."""
        due = self._due("discriminator_term", batch.turn)
        judge, labels = self._judge(batch), self._fake_labels(batch)
        with torch.no_grad():
            fake = self.G(batch.z, labels)
        real = batch.real.detach().requires_grad_(_differentiated("real", due))
        fake.requires_grad_(_differentiated("fake", due))
        on_real, on_fake = judge(real, batch.labels), judge(fake, labels)
        terms = {"adversarial": self.loss.discriminator(on_real.logits, on_fake.logits)}
        terms |= _class_terms((on_real, batch.labels), (on_fake, labels))
        self._see(Seen(batch.real, fake, on_real.logits.detach(), on_fake.logits.detach(), batch.place, batch.size))
        self._show_augmentation(on_real.logits.detach(), batch)
        logits, step = (on_real.logits, on_fake.logits), batch.turn // self.d_steps
        turn = DiscriminatorTurn(judge.logits, real, batch.labels, fake, labels, *logits, batch.draw, step)
        return terms | _weighted(due, {name: r.discriminator_term(turn) for name, r in due.items()})

    def generator_terms(self, batch: Batch) -> Terms:
        """Terms of G's turn."""
        due = self._due("generator_term", batch.turn)
        judge, labels = self._judge(batch), self._fake_labels(batch)
        fake = self.G(batch.z, labels)
        on_fake = judge(fake, labels)
        with torch.no_grad():
            real_logits = judge(batch.real, batch.labels).logits if self.loss.paired else None
        terms = {"adversarial": self.loss.generator(on_fake.logits, real_logits)}
        terms |= _class_terms((on_fake, labels))
        turn = GeneratorTurn(self.G, batch.z, labels, fake, batch.draw)
        return terms | _weighted(due, {name: r.generator_term(turn) for name, r in due.items()})

    @torch.no_grad()
    def figures(self) -> Terms:
        """The augmentation's, and signs of mode collapse in D's last turn, of at most ``ROWS`` rows of the whole batch.

        ``sample_diversity`` is the mean distance of two fakes over that of two real images: 0 when all are one image.
        ``D_accuracy`` is the share of pairs in which D prefers the real image: 1/2 when it cannot tell, 1 when it is
        saturated. It needs no threshold, so it holds for every loss.
        """
        figures = {f"augment/{name}": figure for name, figure in self.augmentation.figures().items()}
        if not self._seen or self._seen[0].size < 2:
            return figures
        mine = map(torch.cat, zip(*(seen.first(ROWS) for seen in self._seen), strict=True))
        real, fake, real_logits, fake_logits = map(collectives.gather_rows, mine)
        least = torch.finfo(real.dtype).tiny
        return figures | {
            "sample_diversity": _spread(fake) / _spread(real).clamp_min(least),
            "D_accuracy": (real_logits[:, None] > fake_logits[None]).float().mean(),
        }

    def _see(self, part: "Seen") -> None:
        if self._seen and part.place <= self._seen[-1].place:
            self._seen = []  # a new turn
        self._seen.append(part)

    def _finish(self) -> None:
        self.augmentation.finish_turn()
        for regularizer in self.regularizers.values():
            regularizer.finish_turn()

    def _show_augmentation(self, real_logits: Tensor, batch: Batch) -> None:
        if self.loss.boundary is not None:
            self.augmentation.observe(real_logits - self.loss.boundary, batch.size, batch.turn)

    def _due(self, hook: str, turn: int) -> dict[str, Regularizer]:
        return {n: r for n, r in self.regularizers.items() if turn % r.interval == 0 and r.overrides(hook)}

    def _fake_labels(self, batch: Batch) -> Tensor | None:
        # A loss of pairs compares a fake with a real image of the same class.
        return batch.labels if self.loss.paired else batch.z_labels

    def _judge(self, batch: Batch) -> "Judge":
        perturbing = [r for r in self.regularizers.values() if r.overrides("perturb")]
        return Judge(self.D, self.augmentation, perturbing, batch)

    def _adjust_gradients(self, parameters: Sequence[nn.Parameter]) -> None:
        for regularizer in self.regularizers.values():
            regularizer.adjust_gradients(parameters)

    def _constrain_discriminator(self, parameters: Sequence[nn.Parameter]) -> None:
        for regularizer in self.regularizers.values():
            regularizer.constrain_discriminator(parameters)


class Seen(NamedTuple):
    """Rows of a turn of D from ``place`` in the whole batch on; ``size`` counts all."""

    real: Tensor
    fake: Tensor
    real_logits: Tensor
    fake_logits: Tensor
    place: int
    size: int

    def first(self, rows: int) -> list[Tensor]:
        """Those among the first rows of the whole batch."""
        return [t[: max(0, rows - self.place)] for t in self[:4]]


def _spread(images: Tensor) -> Tensor:
    """Mean Euclidean distance of two of the images."""
    return torch.pdist(images.flatten(1).float()).mean()


class Judge:
    """D in one turn: every image passes the augmentation and the perturbing regularisers first, each by new draws."""

    def __init__(self, D: Network, augmentation: Augmentation, perturbing: Sequence[Regularizer], batch: Batch) -> None:
        self.D, self.augmentation, self.perturbing, self.batch = D, augmentation, perturbing, batch
        self.perturbs = bool(perturbing) or not isinstance(augmentation, NoAugmentation)
        self.calls = 0

    def __call__(self, images: Tensor, labels: Tensor | None) -> Verdict:
        seen = self._perturbed(images) if self.perturbs else images
        out = precise(self.D(seen, labels))
        return Verdict(out, None) if out.ndim == 1 else Verdict(out[:, 0], out[:, 1:])

    def _perturbed(self, images: Tensor) -> Tensor:
        self.calls += 1
        draw = self.batch.draw.under(f"judge-{self.calls}")
        seen: Tensor = self.augmentation(images, draw)
        for regularizer in self.perturbing:
            seen = regularizer.perturb(seen, draw, self.batch.nimg)
        return seen

    def logits(self, images: Tensor, labels: Tensor | None) -> Tensor:
        """The verdict's adversarial part."""
        return self(images, labels).logits


def _class_terms(*judged: tuple[Verdict, Tensor | None]) -> Terms:
    """The auxiliary classifier's cross-entropies (Odena et al., 2017, eq. 3), where D has one."""
    each = [cross_entropy(v.classes, of) for v, of in judged if v.classes is not None and of is not None]
    return {"class": torch.stack(each).sum()} if each else {}


def _differentiated(what: str, due: Mapping[str, Regularizer]) -> bool:
    return any(what in regularizer.differentiates for regularizer in due.values())


def _weighted(due: Mapping[str, Regularizer], terms: Mapping[str, Tensor | None]) -> Terms:
    lazy = {name: due[name].interval for name in terms}
    return {n: t if lazy[n] == 1 else t * lazy[n] for n, t in terms.items() if t is not None}
