"""ADA's whole pipelines beside their authors' code: mean log power of each band of frequencies, and moments.

    python benchmarks/ada_parity.py FOLDER data=image_folder data.path=…

FOLDER holds the authors' stylegan2-ada-pytorch. All transforms have probability 1; 256 images are drawn 40 times by
each. Power has heavy tails under `f`, so its logarithm is compared; ± is the standard error of the difference.
"""

import sys

import torch
from augmentation import IMAGES, some_images
from torch import Tensor

from ganflow.distributed.rng import RandomStream
from ganflow.methods.augment.ada import ADA
from ganflow.terminal.console import entry_point

ROUNDS = 40
BANDS = ((0.01, 0.08), (0.08, 0.16), (0.16, 0.25), (0.25, 0.36), (0.36, 0.71))  # cycles per pixel
CATEGORIES = {
    "b": ("xflip", "rotate90", "xint"),
    "g": ("scale", "rotate", "aniso", "xfrac"),
    "c": ("brightness", "contrast", "lumaflip", "hue", "saturation"),
    "f": ("imgfilter",),
    "n": ("noise",),
}  # by our letters, their names


def figures(images: Tensor) -> Tensor:
    """Means over the images: log power by band, mean, standard deviation, and what differs between channels."""
    images = images.double()
    frequencies = torch.fft.fftfreq(images.shape[-1])
    radius = (frequencies[:, None].square() + frequencies.square()).sqrt()
    power = torch.fft.fft2(images).abs().square()
    by_band = [(power[..., (radius >= low) & (radius < high)].mean((1, 2)) + 1e-6).log() for low, high in BANDS]
    chroma = (images - images.mean(1, keepdim=True)).abs().mean((1, 2, 3))
    return torch.stack([*by_band, images.mean((1, 2, 3)), images.std((1, 2, 3)), chroma], 1).mean(0)


@entry_point
def main() -> None:
    """Print the differences, ours minus theirs."""
    folder, *overrides = sys.argv[1:]
    sys.path.insert(0, folder)
    from training.augment import AugmentPipe  # type: ignore[import-not-found]

    torch.set_num_threads(1)
    images = some_images(overrides)
    print("pipeline", *(f"{low}-{high}" for low, high in BANDS), "mean", "std", "chroma", sep="\t")
    for pipeline in ("bg", "bgc", "bgcf", "bgcfn"):
        torch.manual_seed(0)
        theirs = AugmentPipe(**{name: 1 for letter in pipeline for name in CATEGORIES[letter]})
        theirs.p.fill_(1)
        ours = ADA(target=0.0, p=1.0, pipeline=pipeline)
        drawn = [RandomStream(0, "D", IMAGES * i, IMAGES, torch.device("cpu")) for i in range(ROUNDS)]
        with torch.no_grad():
            ours_then_theirs = [(figures(ours(images, draw)), figures(theirs(images))) for draw in drawn]
        difference = torch.stack([a - b for a, b in ours_then_theirs])
        means, errors = difference.mean(0), difference.std(0) / ROUNDS**0.5
        print(pipeline, *(f"{m:+.3f} ± {e:.3f}" for m, e in zip(means, errors, strict=True)), sep="\t", flush=True)


if __name__ == "__main__":
    main()
