"""Suggestions for a mistyped key or name: other projects' words, names that look alike, the place of an option."""

from collections.abc import Iterable, Sequence
from difflib import get_close_matches

from ganflow.config import catalogue, components, keys
from ganflow.config.similar_names import plain

ALIKE, SIMILAR = 0.85, 0.75  # two dotted keys, in difflib's measure
MOST = 4  # places in one answer

# What other code bases call it → the keys and groups here.
_OPTIMIZERS = components.GROUPS["optimizer"].slots
_RATES, _BETAS = (tuple(f"{slot.replace('/', '.')}.{name}" for slot in _OPTIMIZERS) for name in ("lr", "betas"))
SYNONYMS: dict[str, tuple[str, ...]] = {
    **dict.fromkeys(("learning_rate", "lr_g", "lr_d", "g_lr", "d_lr", "glr", "dlr"), _RATES),
    **dict.fromkeys(("beta", "beta1", "beta2"), _BETAS),
    **dict.fromkeys(("optimizer", "optim"), _OPTIMIZERS),
    **dict.fromkeys(
        ("epochs", "epoch", "num_epochs", "max_epochs", "steps", "iterations", "iters"), ("training.kimg",)
    ),
    **dict.fromkeys(("num_iterations", "max_steps", "total_kimg", "n_epochs"), ("training.kimg",)),
    **dict.fromkeys(("batch_size", "batchsize", "bs", "batch_gpu", "minibatch"), ("training.batch",)),
    **dict.fromkeys(("accumulate", "accumulation_steps", "grad_accum"), ("training.microbatch",)),
    **dict.fromkeys(("n_critic", "critic_iters", "d_iters", "num_critic", "n_dis"), ("training.d_steps",)),
    **dict.fromkeys(("amp", "fp16", "bf16", "mixed_precision", "mpc", "dtype"), ("training.precision",)),
    **dict.fromkeys(("flip", "xflip", "hflip", "random_flip"), ("training.mirror",)),
    **dict.fromkeys(("ema", "ema_decay", "ema_beta"), ("training.ema_kimg",)),
    **dict.fromkeys(("snap", "snapshot", "sample_every"), ("training.snapshot_kimg",)),
    **dict.fromkeys(("save_every", "checkpoint", "ckpt", "checkpoint_every"), ("training.checkpoint_kimg",)),
    **dict.fromkeys(("log_every", "log_interval"), ("training.report_kimg",)),
    **dict.fromkeys(("scheduler", "lr_schedule", "lr_decay"), ("training.schedule.decay",)),
    **dict.fromkeys(("warmup", "warmup_steps"), ("training.schedule.warmup_kimg",)),
    **dict.fromkeys(("latent_size", "latent", "z_dim", "nz", "noise_dim"), ("gan.latent_dim",)),
    **dict.fromkeys(("cond", "conditional", "class_conditional"), ("gan.conditioning",)),
    **dict.fromkeys(("g", "netg", "gen", "model", "arch", "architecture", "backbone"), ("gan/generator",)),
    **dict.fromkeys(("d", "netd", "disc", "critic"), ("gan/discriminator",)),
    **dict.fromkeys(("adv_loss", "criterion", "gan_mode"), ("gan/loss",)),
    **dict.fromkeys(("aug", "augment", "augmentations", "ada"), ("gan/augmentation",)),
    **dict.fromkeys(("reg", "penalty", "regularizer", "regularisers", "gp", "r1_gamma"), ("gan/regularizers",)),
    **dict.fromkeys(("dataset", "source", "data_source"), ("data",)),
    **dict.fromkeys(("data_dir", "data_path", "dataroot", "root", "folder", "datadir"), ("data.path",)),
    **dict.fromkeys(("image_size", "img_size", "imsize", "resolution", "size"), ("data.resize",)),
    **dict.fromkeys(("workers", "num_workers", "nproc", "world_size", "num_gpus"), ("cluster.workers",)),
    **dict.fromkeys(("gpus", "cuda", "device", "use_gpu"), ("cluster.gpu",)),
    **dict.fromkeys(("num_samples", "n_trials", "num_trials"), ("tune.trials", "evaluation.samples")),
    **dict.fromkeys(("search_space", "param_space"), ("tune.space",)),
    **dict.fromkeys(("mlflow", "tracking_uri", "mlflow_uri"), ("tracking.uri",)),
    **dict.fromkeys(("model_name", "registered_model_name"), ("register.name",)),
    **dict.fromkeys(("random_seed", "manual_seed"), ("seed",)),
    **dict.fromkeys(("config", "preset", "cfg"), ("experiment",)),
}
NOTES = {"training.kimg": "thousands of real images: epochs × images / 1000", "training.ema_kimg": "a half-life"}


def hint(key: str) -> str:
    """The end of a sentence: which keys or groups an unknown key may have meant; empty when that is not known."""
    meant = belongs(key) or _question(_meant(key.replace("/", ".")))
    return f"; {meant}" if meant else ""


def belongs(key: str) -> str:
    """The components that have an option; empty for a key that stands elsewhere, or nowhere."""
    for slot, group in ((slot, keys.group_of(group)) for slot, group in keys.slots().items()):
        if not key.startswith(f"{slot}."):
            continue
        at, (name, *option) = slot.replace(".", "/"), key.removeprefix(f"{slot}.").split(".")
        if components.GROUPS[group].several:
            fits = name in catalogue.entries(group) and set(option) <= set(keys.options(group, name))
            return f"{at}=[…,{name}] takes {name}" if fits else ""
        owners = [choice for choice in catalogue.entries(group) if name in keys.options(group, choice)]
        return f"{' and '.join(owners)} have it: {at}={owners[0]}" if owners else ""
    return ""


def _meant(key: str) -> Sequence[str]:
    """Places that a key may have meant, by the first rule that finds one."""
    name, places = plain(key.rpartition(".")[2]), [*keys.known(), *keys.sections(), *keys.slots()]
    tops, deep = ([path for path in places if ("." in path) == dotted] for dotted in (False, True))
    return (
        _as_typed(path for path in places if plain(path) == plain(key))
        or _as_typed(get_close_matches(key, deep, n=1, cutoff=ALIKE))
        or SYNONYMS.get(name)
        or _as_typed(path for path in places if plain(path.rpartition(".")[2]) == name)[:MOST]
        or _as_typed(get_close_matches(key, deep, n=1, cutoff=SIMILAR))
        or _as_typed(get_close_matches(key, tops, n=1) if "." not in key else ())
        or _as_typed(_like(name, places))
    )


def _like(name: str, places: Sequence[str]) -> list[str]:
    """Places whose last name looks like this one."""
    lasts = {path.rpartition(".")[2]: path for path in reversed(places)}
    return [lasts[last] for last in get_close_matches(name, lasts, n=1)]


def _as_typed(places: Iterable[str]) -> list[str]:
    """A slot by its group."""
    return list(dict.fromkeys(keys.slots().get(path, path) for path in places))


def _question(meant: Sequence[str]) -> str:
    if not meant:
        return ""
    places = [f"{path} ({NOTES[path]})" if path in NOTES else path for path in meant]
    return f"did you mean {' or '.join([', '.join(places[:-1])] * (len(places) > 1) + places[-1:])}?"
