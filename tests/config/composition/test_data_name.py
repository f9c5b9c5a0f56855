"""Names made from data: two folders of images are two registered models, the same folder is one wherever it lies."""

import pytest

from ganflow.config import composition
from ganflow.config.composition.data_name import data_name


@pytest.mark.parametrize(
    ("path", "name"),
    [
        ("", "image_folder"),
        ("..", "image_folder"),
        ("/data/faces", "faces"),
        ("/mnt/other/Faces/", "faces"),
        ("faces.zip", "faces"),
        ("s3://bucket/faces.tar.gz", "faces"),
        ("s3://faces", "faces"),
        ("/data/faces/images/train", "faces"),
        ("~/photos", "photos"),
        ("../images", "images"),
        ("/x/my photos (1) #2", "my-photos-1-2"),
        ("/x/v1.2/Blüten, rot", "bluten-rot"),
        ("/data/图片", "d24c10d3"),
        ("https://host/a.zip?token=hunter2", "a"),
        ("s3://me:hunter2@host", "host"),
        ("s3://me:hunter2@host/faces/train#hunter2", "faces"),
    ],
)
def test_the_last_part_that_says_which_data_these_are(path: str, name: str) -> None:
    assert data_name("image_folder", path) == name


def test_a_configuration_is_named_after_its_data() -> None:
    def names(*overrides: str) -> tuple[str, str]:
        composed = composition.compose(overrides)
        return composed.register.name, composed.tracking.experiment

    assert names() == ("ganflow-digits", "ganflow-digits")
    assert names("data=image_folder", "data.path=/a/cats") == ("ganflow-cats", "ganflow-cats")
    assert names("data=idx", "data.path=s3://b/fashion/raw") == ("ganflow-fashion", "ganflow-fashion")
    assert names("data=image_folder", "data.path=/a/cats", "register.name=own") == ("own", "ganflow-cats")
    assert names("experiment=cifar10", "data.path=/a/b") == ("ganflow-cifar10", "ganflow-cifar10")
    assert names("experiment=vae")[0] == "ganflow-digits-vae"
