from dataclasses import dataclass, field
from typing import Any

import pytest

from ganflow.config.constraints import any_of, check, from_zero, limited, one_of, positive
from ganflow.errors import ConfigError


@dataclass
class Inner:
    share: float = limited(0.5, lambda share: 0 < share < 1, "more than 0, less than 1")


@dataclass
class Outer:
    free: int = -1
    size: int = positive(3)
    end: float | None = positive(None, "more than 0, or null")
    tries: int = from_zero(0, "none")
    switch: Any = one_of("auto", True, default="auto")
    forms: list[str] = any_of("a", "b")
    inner: Inner = field(default_factory=Inner)


@pytest.mark.parametrize(
    "values", [{}, {"size": 1}, {"end": 0.1}, {"tries": 5}, {"switch": True}, {"forms": []}, {"forms": ["b"]}]
)
def test_a_value_that_fits_does_not_raise(values: dict[str, Any]) -> None:
    check(Outer(**values))


@pytest.mark.parametrize(
    ("values", "line"),
    [
        ({"size": 0}, "size=0: must be more than 0"),
        ({"end": 0.0}, "end=0.0: more than 0, or null"),
        ({"tries": -1}, "tries=-1: 0 (none) or more"),
        ({"switch": 1}, "switch=1: one of auto, true"),
        ({"switch": None}, "switch=None: one of auto, true"),
        ({"switch": ["auto"]}, "switch=['auto']: one of auto, true"),
        ({"forms": ["a", "c"]}, "forms=c: any of a, b, or []"),
        ({"inner": Inner(1.0)}, "inner.share=1.0: more than 0, less than 1"),
    ],
)
def test_a_misfit_is_named_with_its_dotted_key(values: dict[str, Any], line: str) -> None:
    with pytest.raises(ConfigError) as refused:
        check(Outer(**values))
    assert str(refused.value) == line


def test_no_two_objects_share_a_default_list() -> None:
    assert Outer().forms is not Outer().forms
