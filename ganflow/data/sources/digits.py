"""scikit-learn's 1,797 handwritten digits, 8x8 grey: real images that come with a dependency."""

from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, ClassVar

import numpy as np

from ganflow.config.components import component
from ganflow.data.decoding.decode import Frame
from ganflow.data.normal_classes import NormalClasses
from ganflow.data.prepared.dataset import Facts
from ganflow.data.source import Content, Pixels, Split, Understood, check_watch, hold_out, recipe_of, watch_nothing


@component("source", "digits")
@dataclass
class Digits(NormalClasses):
    """The digits of E. Alpaydin and C. Kaynak (UCI, 1998), values 0..16 scaled to 0..255; a fifth is held out."""

    resize: Any = 0  # pixels per side, or WIDTHxHEIGHT; 0: 8
    filter: str = "lanczos"  # lanczos | box | bilinear | bicubic, all antialiased
    watch: list[str] = field(default_factory=watch_nothing)
    path: ClassVar[str] = ""
    costly: ClassVar[bool] = False

    def __post_init__(self) -> None:
        check_watch(self.watch, watch_nothing)
        self.check_normal()
        self._frame = Frame(resize=self.resize, filter=self.filter)

    def read(self, root: Path, scratch: Path) -> Content:
        """Load the digits from scikit-learn; neither folder is touched."""
        from sklearn.datasets import load_digits

        digits = load_digits()
        images = np.rint(digits.images * (255 / 16)).astype(np.uint8)
        labels = digits.target.astype(np.int64)
        test = hold_out(labels, [f"{i:04d}" for i in range(len(labels))], share=0.2)
        decode = Pixels(self._frame)
        content = Content(
            facts=Facts(self._frame.shape(1, 8, 8), num_classes=10),
            classes=[str(d) for d in range(10)],
            splits={name: Split(images[of], labels[of], decode) for name, of in (("train", ~test), ("test", test))},
            recipe=recipe_of("digits", self),
            understood=Understood({"train": "the rest", "test": "a fifth of every class"}, "scikit-learn"),
        )
        return self.detection(content)
