"""Statistics of a set's images before they became 8 bits."""

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field

from ganflow.data.decoding.decode import DecodedPicture
from ganflow.data.decoding.ranges import Ranges, Scale, Seen


@dataclass
class Tally:
    """Counts over decoded images; a batch has one, and they add up."""

    forms: Counter[str] = field(default_factory=Counter)  # such as "16-bit grey"
    notes: Counter[str] = field(default_factory=Counter)  # what was done to some
    seen: dict[Scale, Seen] = field(default_factory=dict)  # values of those with more than 8 bits

    def add(self, picture: DecodedPicture) -> None:
        """Count one image."""
        self.forms[picture.form] += 1
        self.notes.update(picture.notes)
        self._see(picture.seen)

    def __iadd__(self, other: "Tally") -> "Tally":
        self.forms += other.forms
        self.notes += other.notes
        self._see(other.seen)
        return self

    def _see(self, extents: Mapping[Scale, Seen]) -> None:
        for scale, extent in extents.items():
            self.seen[scale] = self.seen[scale] + extent if scale in self.seen else extent

    def report(self, ranges: Ranges) -> dict[str, object]:
        """The tally for a file: ``forms``, ``notes``, and per scale the values seen and the range taken."""
        taken = [
            {
                "values": str(scale),
                "images": extent.images,
                "low": extent.low,
                "high": extent.high,
                "black": ranges.of(scale)[0],
                "white": ranges.of(scale)[1],
                "by": ranges.reason(scale),
            }
            for scale, extent in sorted(self.seen.items(), key=lambda item: str(item[0]))
        ]
        return {"forms": dict(self.forms.most_common()), "notes": dict(self.notes), "ranges": taken}
