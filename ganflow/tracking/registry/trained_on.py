"""The data that a version was trained on: a champion is the best of one data set, not of all that share its name."""

from typing import TYPE_CHECKING

from ganflow.config.composition.data_name import data_name
from ganflow.config.schema import PromotionConfig
from ganflow.errors import GanflowError
from ganflow.tracking import mlflow_client
from ganflow.tracking.registry.logged_model import run_id

if TYPE_CHECKING:
    from mlflow import MlflowClient

KEY = "promotion.other_data"


def check_same(
    client: "MlflowClient", name: str, challenger: int, champion: int | None, config: PromotionConfig
) -> None:
    """Refuse to compare versions of two data sets. One that grew, or lies elsewhere, is the same.

    Raises:
        GanflowError: they differ in digest and in name, and ``promotion.other_data`` does not allow it.
    """
    if champion is None or config.other_data:
        return
    theirs, its = _data(client, name, challenger), _data(client, name, champion)
    if theirs[0] == its[0] or not (theirs[1] and its[1]) or theirs[1] == its[1]:
        return
    raise GanflowError(
        f"{name}/{challenger} was trained on {theirs[1]} and the champion, {name}/{champion}, on {its[1]}: "
        f"set register.name to a name for each data set, or {KEY}=true to compare them all the same"
    )


def _data(client: "MlflowClient", name: str, version: int) -> tuple[str | None, str]:
    """Digest and name of the data; the name is empty if the run does not say."""
    version_info, params = client.get_model_version(name, str(version)), dict[str, str]()
    with mlflow_client.absent_is_fine():
        params = client.get_run(run_id(version_info)).data.params
    source, path = params.get("data.name", ""), params.get("data.path", "")
    return version_info.tags.get("data_digest"), " ".join(
        dict.fromkeys(filter(None, [source, data_name(source, path)]))
    )
