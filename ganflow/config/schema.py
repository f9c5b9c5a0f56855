"""The schema of ``params.yaml``: every key, its type, its default and the constraint on its value.

:mod:`ganflow.config.params_file` checks them, and :mod:`ganflow.config.validation` the rules between several values.
"""

import re
from dataclasses import dataclass, field
from typing import Any

from omegaconf import MISSING

from ganflow.config.constraints import any_of, from_zero, limited, one_of, positive


@dataclass
class GANConfig:
    """The method: who plays, for which loss, under which penalties."""

    latent_dim: int = from_zero(64, "no noise, for a generator that is given an image")
    # projection: Miyato & Koyama, 2018; auxiliary: Odena et al., 2017
    conditioning: str = one_of("none", "projection", "auxiliary", default="projection")
    generator: Any = MISSING
    discriminator: Any = MISSING
    loss: Any = MISSING
    augmentation: Any = MISSING
    content: dict[str, Any] = field(default_factory=dict)  # losses between G's image and the one that it should be
    regularizers: dict[str, Any] = field(default_factory=dict)
    # first layers of D that keep the weights of training.start (FreezeD: Mo et al., 2020)
    freeze_discriminator: int = from_zero(0, "all learn")


@dataclass
class VAEConfig:
    """The variational autoencoder's own: its decoder is ``gan.generator``."""

    encoder: Any = MISSING
    sigma: float = positive(0.3)  # deviation of a pixel around the decoder's image, in [-1, 1]
    beta: float = positive(1.0)  # weight of the divergence


@dataclass
class DetectionConfig:
    """Anomaly detection, on data of which some are known to be normal: how anomalous an image is."""

    encoder: Any = field(default_factory=lambda: {"name": "conv"})  # from images to z, of method=f_anogan, ganomaly
    features: float = from_zero(1.0, "not at all")  # weight of D's features in what these encoders learn
    pixels: float = positive(50.0)  # of method=ganomaly: weight of the difference of image and reconstruction
    codes: float = positive(1.0)  # of method=ganomaly: weight of the difference of their codes
    # the share of the score that is the distance of the codes of an image and of its reconstruction, if it has codes
    latent: float = limited(0.0, lambda share: 0 <= share <= 1, "0 (pixels alone) to 1 (codes alone)")
    smooth: float = from_zero(0.0, "none")  # deviation of the Gaussian that smooths the difference, in pixels
    relative: bool = False  # as a share of the image's own energy, where dark images are easy to make again
    pool: str = one_of("mean", "max", default="mean")  # from the map to the score: max for small defects
    # of normal images held out from training: the share below the threshold of an alarm
    quantile: float = limited(0.99, lambda share: 0.5 <= share < 1, "0.5 to less than 1")


@dataclass
class OptimizersConfig:
    """One optimizer per player."""

    generator: Any = MISSING
    discriminator: Any = MISSING
    encoder: Any = field(default_factory=lambda: {"name": "adam"})


@dataclass
class ScheduleConfig:
    """The schedule of a run: the learning rates, as a factor of the optimizers' own, and any other figure."""

    warmup_kimg: float = from_zero(0.0, "none")  # linear from 0
    decay: str = one_of("constant", "linear", "cosine", default="constant")  # from the end of the warm-up on
    floor: float = limited(0.0, lambda share: 0 <= share <= 1, "0 to 1")  # of the rate, left at the end of a decay
    kimg: float | None = positive(None, "more than 0, or null for training.kimg")  # where the decay ends
    to: dict[str, Any] = field(default_factory=dict)  # values there, as gan.regularizers.r1.gamma=0.005 below this

    @property
    def varies(self) -> bool:
        """True if any step's rate differs from the optimizer's own."""
        return self.warmup_kimg > 0 or self.decay != "constant"


@dataclass
class GuardConfig:
    """The signs that training breaks down, and what is done then."""

    patience: int = positive(5)  # updates of a player that are not finite, or reports of a collapse, in a row
    # factor of the learning rates at each return to the last healthy checkpoint
    slow_down: float = limited(0.5, lambda factor: 0 < factor <= 1, "more than 0, at most 1")
    rollbacks: int = from_zero(3, "stop at once")  # returns in a run
    on_collapse: str = one_of("stop", "rollback", "warn", default="warn")
    # mean distance of two samples over that of two real images
    min_diversity: float = limited(0.1, lambda ratio: 0 <= ratio < 1, "0 (never a collapse) to less than 1")


@dataclass
class TrainingConfig:
    """The length and the rhythm of a run. Lengths are in thousands of real images (kimg)."""

    batch: int = positive(128)  # real images per discriminator turn, over all workers
    microbatch: int | None = None  # images that a worker takes at once, to spare memory; null: all of its share
    kimg: float = positive(240.0)
    start: str = ""  # the model whose weights it begins with: models:/NAME@ALIAS, models:/NAME/3, a file or folder
    d_steps: int = positive(1)  # discriminator turns per generator turn
    mirror: bool = False  # flip half of the real images left to right
    ema_kimg: float = from_zero(10.0, "no average")  # half-life of the generator's moving average
    ema_rampup: float = from_zero(0.05, "no ramp-up")  # the half-life is at most this share of the images seen
    ema_start_kimg: float = from_zero(0.0, "from the start")  # until then the average is a copy of the generator
    precision: str = one_of("auto", "fp32", "bf16", default="auto")
    report_kimg: float = positive(2.0)
    snapshot_kimg: float = positive(30.0)  # sample grid and metrics on a few samples
    checkpoint_kimg: float = positive(10.0)
    # share of the time of a long run that reports, snapshots and checkpoints may take: above it some are left out
    overhead: float | None = limited(
        0.02, lambda share: share is None or 0 < share <= 1, "more than 0, at most 1, or null for no bound"
    )
    schedule: ScheduleConfig = field(default_factory=ScheduleConfig)
    guard: GuardConfig = field(default_factory=GuardConfig)

    @property
    def total(self) -> int:
        """Length of the run in images: whole batches."""
        return max(1, round(self.kimg * 1000 / self.batch)) * self.batch


@dataclass
class EvaluationConfig:
    """The protocol: metrics, number of samples, reference split."""

    samples: int = limited(10000, lambda n: n > 1, "must be at least 2")
    snapshot_samples: int = limited(1000, lambda n: n > 1, "must be at least 2")  # at every snapshot while training
    snapshot_metrics: list[str] = field(default_factory=lambda: ["fid", "coverage"])
    reference: str = one_of("train", "test", default="train")
    batch: int = positive(250)
    # of the bootstrap, for 95 % intervals
    resamples: int = limited(200, lambda n: n == 0 or n >= 20, "0 (no intervals), or 20 or more")
    extractor: Any = MISSING
    metrics: dict[str, Any] = field(default_factory=dict)


@dataclass
class TuneConfig:
    """The search. Every key of ``space`` that still has its recipe's value is searched."""

    trials: int = from_zero(4, "no search")
    kimg: float = positive(36.0)
    concurrent: int = positive(2)
    grace_kimg: float = positive(12.0)  # ASHA stops no trial before this
    metric: str = "fid"
    mode: str = one_of("min", "max", default="min")
    space: dict[str, Any] = field(default_factory=dict)


@dataclass
class ClusterConfig:
    """The Ray cluster. These values never change what is computed, so no stage is run again for them."""

    address: str | None = None  # of a running cluster; none: a local one. RAY_ADDRESS wins.
    workers: Any = "auto"  # auto: one per GPU, else two on a machine with two cores; [min, max]: what there is
    cpus_per_worker: int = positive(1)
    # whether a worker gets one; auto: if there are any. true waits for those that nodes will bring
    gpu: Any = one_of("auto", True, False, default="auto")
    storage: str = ".ganflow"  # of runs, and on a cluster of data sets: a path that all nodes share, or s3://
    cache: str = "~/.cache/ganflow"  # of each node, for what comes from a cluster's storage
    interface: str = "auto"  # of the network between workers; auto: the one that Ray is reached by
    max_failures: int = from_zero(3)  # lost gangs in a row, without a checkpoint in between, that a run outlives
    start_timeout_s: int = positive(120)  # for Ray to start on this machine, and for all workers to start
    patience_s: int = positive(3600)  # for nodes or storage that are gone to come back


@dataclass
class TrackingConfig:
    """The store of MLflow's runs. MLFLOW_TRACKING_URI wins."""

    uri: str = "sqlite:///mlflow.db"
    experiment: str = MISSING
    patience_s: int = positive(600)  # for MLflow to take what is left at the end, without a sign of it


@dataclass
class RegisterConfig:
    """The registered model and the alias that a new version gets."""

    name: str = MISSING
    alias: str = "challenger"
    exports: list[str] = any_of("pt2", "onnx")  # for those without ganflow; []: none
    license: str = limited(  # of the weights, for the model card: an SPDX id such as CC-BY-4.0, or a line of text
        "", lambda text: text.isprintable() and text == text.strip() and len(text) <= 200,
        "an SPDX id or one line of at most 200 characters; empty states none",
    )  # fmt: skip


@dataclass
class PromotionConfig:
    """The gate that a challenger passes to become champion. A figure set to null is not asked for."""

    alias: str = limited("champion", lambda name: re.fullmatch(r"[\w-]+", name), "letters, digits, '_' and '-'")
    metric: str = "fid"  # better by more than noise; one that has an interval
    limits: dict[str, float | None] = field(  # figure → how much worse than the champion's it may be
        default_factory=lambda: {"coverage": 0.02, "memorised": 0.02}
    )
    # the most time per batch of images, in units of the champion's
    latency: float | None = positive(1.25, "must be more than 0, or null")
    other_data: bool = False  # compare versions that were trained on different data sets, too
    first: dict[str, float | None] = field(  # figure → the worst it may be where there is no champion yet
        default_factory=lambda: {"coverage": 0.9, "precision": 0.5, "memorised": 0.1}
    )


@dataclass
class Config:
    """All of ``params.yaml``."""

    recipe: str = "default"
    seed: int = 0
    data: Any = MISSING
    given: dict[str, Any] = field(default_factory=dict)  # degradations in order: of what they leave G makes the image
    method: str = "gan"  # gan | vae | regression | f_anogan | ganomaly
    gan: GANConfig = field(default_factory=GANConfig)
    vae: VAEConfig = field(default_factory=VAEConfig)
    detection: DetectionConfig = field(default_factory=DetectionConfig)
    optimizers: OptimizersConfig = field(default_factory=OptimizersConfig)
    training: TrainingConfig = field(default_factory=TrainingConfig)
    evaluation: EvaluationConfig = field(default_factory=EvaluationConfig)
    tune: TuneConfig = field(default_factory=TuneConfig)
    cluster: ClusterConfig = field(default_factory=ClusterConfig)
    tracking: TrackingConfig = field(default_factory=TrackingConfig)
    register: RegisterConfig = field(default_factory=RegisterConfig)
    promotion: PromotionConfig = field(default_factory=PromotionConfig)
