"""Pictures of good and of defective products, with the defects' pixels: MVTec AD's layout (Bergmann et al., 2019)."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from ganflow.config.components import component
from ganflow.data.archives.archive import File
from ganflow.data.archives.filenames import check_encoding
from ganflow.data.decoding.ranges import Ranges
from ganflow.data.further_files import InStep, MaskFiles
from ganflow.data.layout.inspection_folders import GOOD, MASKS, InspectionFolders, arrange_inspection
from ganflow.data.layout.pair_folders import some
from ganflow.data.normal_classes import HELD_OUT, check_hold_out, without_held_out
from ganflow.data.prepared.dataset import Facts, Labels
from ganflow.data.source import Content, Split, Understood, recipe_of
from ganflow.data.sources.picture_options import OpenedPictures, PictureOptions
from ganflow.errors import ConfigError, GanflowError, require
from ganflow.signals.light import AS_IT_IS, LIGHTS

NO_MASKS = f"there is no folder {MASKS}/, so which pixels are anomalous is not known"


@component("source", "inspection")
@dataclass
class Inspection(PictureOptions):
    """``train/good/…``, ``test/good/…``, ``test/<defect>/…``, ``ground_truth/<defect>/<name>_mask.png``."""

    light: str = AS_IT_IS  # as_it_is | standardised: every image to one brightness and contrast
    hold_out: float = 0.1  # of train/good: the split held_out, from which the threshold of alarms comes; 0: none
    encoding: str = ""  # of file names that are not UTF-8, such as cp932; empty: cp437 in a zip, else latin-1

    def __post_init__(self) -> None:
        super().__post_init__()
        require(self.light in LIGHTS, "light", self.light, f"one of {', '.join(LIGHTS)}")
        check_hold_out(self.hold_out)
        check_encoding(self.encoding)

    def read(self, root: Path, scratch: Path) -> Content:
        """List the images and their masks, and read headers until size and colour are known.

        Raises:
            GanflowError: no images, a damaged archive, folders that are not laid out so, or masks that do not match.
        """
        opened = self.opened(root, scratch, self.encoding)
        try:
            folders = arrange_inspection(opened.names, opened.ignored)
        except GanflowError as error:
            raise ConfigError("data.path", self.path, str(error)) from None
        images = opened.images
        shape = self.measured(opened.archive, [images[i] for i in (*folders.train, *(i for i, _ in folders.test))])
        self._check_masks(opened, folders.masks or {})
        masked = folders.masks is not None
        light = "" if self.light == AS_IT_IS else self.light
        facts = Facts(shape, len(folders.classes), masked=masked, normal=(0,), light=light)
        warnings = opened.warnings if masked else [*opened.warnings, NO_MASKS]

        def content(ranges: Ranges) -> Content:
            return Content(
                facts=facts,
                classes=folders.classes,
                splits=self._splits(opened, folders, facts, ranges),
                recipe=self._recipe(),
                skip_bad=self.skip_bad,
                ignored=dict(sorted(opened.ignored.items())),
                understood=Understood(self._origins(), "folders of test/", warnings),
                ranges=ranges,
            )

        return self.ranged(content)

    def _recipe(self) -> dict[str, object]:
        """Its options, without a light that is the images' own: data from before it existed have the same recipe."""
        recipe = recipe_of("inspection", self)
        return {key: value for key, value in recipe.items() if (key, value) != ("light", AS_IT_IS)}

    def _splits(
        self, opened: OpenedPictures, folders: InspectionFolders, facts: Facts, ranges: Ranges
    ) -> dict[str, Split]:
        images, decode = opened.images, self.decoder(opened.archive, facts, ranges)
        train = Split([images[i] for i in folders.train], np.zeros(len(folders.train), dtype=np.int64), decode)
        labels: Labels = np.array([label for _, label in folders.test], dtype=np.int64)
        test = Split([images[i] for i, _ in folders.test], labels, decode)
        if folders.masks is not None:
            masks = [images[folders.masks[i]] if i in folders.masks else None for i, _ in folders.test]
            mask_files = MaskFiles(opened.archive, self.frame, (1, *facts.shape[1:]))
            test = Split(list(zip(test.items, masks, strict=True)), labels, InStep(decode, mask_files, "masks"))
        return without_held_out({"train": train, "test": test}, self.hold_out)

    def _check_masks(self, opened: OpenedPictures, masks: Mapping[int, int]) -> None:
        """Refuse masks of another size than their images; those of unreadable files are left to decoding."""
        if not masks:
            return
        images = opened.images
        files = [images[i] for pair in masks.items() for i in pair]
        sizes = {name: (h.width, h.height) for name, h in self.all_headers(opened.archive, files).items()}
        pairs: Sequence[tuple[File, File]] = [(images[i], images[mask]) for i, mask in sorted(masks.items())]
        other = [
            f"{mask.name} {'x'.join(map(str, sizes[mask.name]))} of {'x'.join(map(str, sizes[image.name]))}"
            for image, mask in pairs
            if image.name in sizes and mask.name in sizes and sizes[image.name] != sizes[mask.name]
        ]
        if other:
            count = "1 mask is" if len(other) == 1 else f"{len(other):,} masks are"
            raise ConfigError("data.path", self.path, f"{count} of another size than the image: {some(other)}")

    def _origins(self) -> dict[str, str]:
        origins = {"train": f"train/{GOOD}/", "test": "test/"}
        return {**origins, HELD_OUT: f"{self.hold_out:.3g} of train/{GOOD}/"} if self.hold_out else origins
