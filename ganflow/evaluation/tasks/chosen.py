"""The task of a model, by its header."""

from ganflow.config import components
from ganflow.evaluation.tasks.base import Task
from ganflow.evaluation.tasks.generate import Generate
from ganflow.methods.generator import Generator


def task_of(model: Generator | None) -> Task:
    """The task of a model; of samples whose model is not known it is to be like the data."""
    tasks: list[type[Task]] = list(components.choices("task").values())
    return Generate() if model is None else next(task() for task in tasks if task.fits(model.spec))
