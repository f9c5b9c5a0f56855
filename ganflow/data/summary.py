"""The lines with which ``prepare`` ends: what was understood, what was left out, what to look at."""

from collections.abc import Iterator, Mapping
from typing import Any

from ganflow.data.decoding.decode import EMPTY_MASK, FIRST, LOST_MASK, TRANSPARENT, TURNED
from ganflow.data.decoding.ranges import AUTO
from ganflow.data.prepared.dataset import shape_of
from ganflow.signals import named
from ganflow.signals.base import IMAGE

FEW = 10  # images of a class; below it a figure about the class says little
NAMED = 5  # of a kind in one line

Report = Mapping[str, Any]


def lines(report: Report) -> list[str]:
    """The lines that a person has to know about a data set that was just prepared."""
    parts = ["; ".join(filter(None, [_images(report), _further(report), _classes(report), _splits(report)]))]
    if pixels := _pixels(report):
        parts.append(f"pixels: {pixels}")
    if left_out := _left_out(report):
        parts.append(f"left out: {left_out}; reports/prepare.json lists them")
    return [*parts, *(f"note: {warning}" for warning in report["warnings"])]


def warnings(report: Report) -> list[str]:
    """Warnings of what may not be as the user expects."""
    return [*report["understood"]["warnings"], *_few(report), *_mixed(report), *_unused_range(report)]


def _images(report: Report) -> str:
    facts, count = report["facts"], sum(split["count"] for split in report["splits"].values())
    return f"{count:,} {named(facts.get('kind', IMAGE)).says(shape_of(facts))}"


def _further(report: Report) -> str:
    """The arrays that stand beside images and labels; empty where there are none."""
    facts = report["facts"]
    given = f"given: {named(IMAGE).says(tuple(facts['given']))}" if "given" in facts else ""
    return "; ".join(filter(None, [given, "masks of the test images" if "masked" in facts else ""]))


def _classes(report: Report) -> str:
    names = list(report["splits"]["train"]["per_class"])
    labels = report["understood"]["labels"]
    if not names:
        return f"no classes{f' ({labels})' if labels else ''}"
    shown = ", ".join(names[:NAMED]) + (", …" if len(names) > NAMED else "")
    which = ", ".join(names[label] for label in report["facts"].get("normal", []))
    normal = f"; normal: {which}" if which else ""
    return f"{_many(len(names), 'class', 'es')}{f' from {labels}' if labels else ''}: {shown}{normal}"


def _splits(report: Report) -> str:
    origins = report["understood"]["splits"]
    parts = [(name, split["count"], origins.get(name)) for name, split in report["splits"].items()]
    return ", ".join(f"{name} {count:,}{f' ({origin})' if origin else ''}" for name, count, origin in parts)


def _pixels(report: Report) -> str:
    """Nothing where all images are what most images are."""
    pixels = report["pixels"]
    forms, notes = pixels["forms"], pixels["notes"]
    if set(forms) <= {"8-bit RGB"} and not notes:
        return ""
    ground = report["source"].get("background", "white")
    how = {
        TRANSPARENT: f"transparent, now over {ground} (data.background)",
        FIRST: "with several frames, of which the first is taken",
        TURNED: TURNED,
        EMPTY_MASK: EMPTY_MASK,
        LOST_MASK: LOST_MASK,
    }
    parts = [", ".join(f"{count:,} {form}" for form, count in forms.items())]
    parts += [f"{count:,} {how[note]}" for note, count in notes.items()]
    return "; ".join([*parts, *(_range(taken) for taken in pixels["ranges"])])


def _range(taken: Report) -> str:
    values = f"{taken['values']} of {_many(taken['images'], 'image')} are {taken['low']:,.6g} to {taken['high']:,.6g}"
    by = f"{taken['by']}; data.range says otherwise" if taken["by"] == "assumed" else f"by {taken['by']}"
    return f"{values}, taken as {taken['black']:,.6g} (black) to {taken['white']:,.6g} (white), {by}"


def _left_out(report: Report) -> str:
    parts = [f"{count:,} {kind}" for kind, count in report["ignored"].items()]
    if skipped := report["skipped"]:
        named = ", ".join(f"{bad['file']} ({bad['why']})" for bad in skipped[:NAMED])
        parts.append(f"{len(skipped):,} unreadable: {named}{', …' if len(skipped) > NAMED else ''}")
    return ", ".join(parts)


def _few(report: Report) -> Iterator[str]:
    for name, split in report["splits"].items():
        classes = list(split["per_class"].items())
        if name != "test" and report["facts"].get("normal"):
            classes = [classes[label] for label in report["facts"]["normal"]]
        few = [f"{kind} ({count})" for kind, count in classes if count < (FEW if name == "train" else 1)]
        if few:
            shown = ", ".join(few[:NAMED]) + (", …" if len(few) > NAMED else "")
            what = f"fewer than {FEW} images" if name == "train" else "no image"
            yield f"{_many(len(few), 'class', 'es')} with {what} in {name}: {shown}; figures about them say little"


def _mixed(report: Report) -> Iterator[str]:
    bits = {form.partition("-")[0]: form for form in report["pixels"]["forms"] if "-bit" in form}
    deep = [form for width, form in bits.items() if int(width) > 8]
    if deep and len(bits) > len(deep):
        yield f"bit depths are mixed: {', '.join(report['pixels']['forms'])}; 8 bits are taken as they are"


def _unused_range(report: Report) -> Iterator[str]:
    option = report["source"].get("range", AUTO)
    if option != AUTO and not any(taken["by"] == "data.range" for taken in report["pixels"]["ranges"]):
        yield f"data.range={option} changed nothing: no image has more than 8 bits of unknown range"


def _many(count: int, what: str, plural: str = "s") -> str:
    return f"{count:,} {what}{'' if count == 1 else plural}"
