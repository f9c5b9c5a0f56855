"""A client's own picture over HTTP: restored, or scored."""

import io
from dataclasses import replace

import numpy as np
import pytest
import torch
from PIL import Image

from ganflow.generation.detection import score
from ganflow.generation.restorer import Restorer
from ganflow.methods.generator import Generator, GeneratorSpec
from ganflow.serving.app import Limits, Service
from tests.commands.test_own_pictures import DETECTS, DOUBLES, FILLS, OF_NOISE, SCORE
from tests.serving.here import Here, Reply, ask, listening, model_of


def made(spec: GeneratorSpec) -> Generator:
    torch.manual_seed(0)
    return Generator(spec.build(), spec)


def png(pixels: np.ndarray) -> bytes:
    stream = io.BytesIO()
    Image.fromarray(pixels).save(stream, "PNG")
    return stream.getvalue()


def pixels(*shape: int) -> np.ndarray:
    return np.random.default_rng(0).integers(0, 256, shape, np.uint8)


def reply(generator: Generator, path: str, body: bytes, limits: Limits | None = None) -> Reply:
    backend, limits = Here(), limits or Limits()
    with listening(Service(model_of(generator, "models:/a/1", backend), backend, limits), limits) as port:
        return ask(port, path, body)


def test_a_picture_comes_back_restored() -> None:
    generator, image = made(DOUBLES), pixels(9, 14, 3)
    answer = reply(generator, "/restore", png(image))
    assert (answer.status, answer.headers["content-type"]) == (200, "image/png")
    assert answer.headers["x-ganflow-model"] == "models:/a/1"
    restorer = Restorer(generator)
    expected = restorer.restored(restorer.given(image, None))
    assert np.array_equal(np.array(Image.open(io.BytesIO(answer.body))), expected)


def test_what_is_transparent_is_filled_in() -> None:
    image = pixels(8, 8, 2)
    image[..., 1] = 255
    image[2:5, :, 1] = 0
    answer = np.array(Image.open(io.BytesIO(reply(made(FILLS), "/restore", png(image)).body)))
    assert np.array_equal(answer[5:], image[5:, :, 0])
    assert answer.shape == (8, 8)


def test_a_picture_is_scored() -> None:
    spec = GeneratorSpec(**{**DETECTS.__dict__, "detection": {**SCORE, "threshold": 0.01}})
    generator, image = made(spec), pixels(8, 8)
    expected = score(generator, torch.from_numpy(image)[None, None] / 127.5 - 1)
    told = reply(generator, "/detect", png(image)).json
    assert told == {"score": pytest.approx(float(expected.scores[0])), "threshold": 0.01, "alarm": True}
    seen = np.array(Image.open(io.BytesIO(reply(generator, "/detect?format=png", png(image)).body)))
    np.testing.assert_allclose(seen / 255, expected.maps[0].clamp(0, 1).numpy(), atol=1 / 255)


def test_a_picture_is_scored_in_the_light_of_the_data() -> None:
    generator, image = made(replace(DETECTS, detection={**SCORE, "light": "standardised"})), pixels(8, 8) // 2
    scores = [reply(generator, "/detect", png(of)).json["score"] for of in (image, 2 * image)]
    assert scores[0] == scores[1] != pytest.approx(reply(made(DETECTS), "/detect", png(image)).json["score"])


@pytest.mark.parametrize(
    ("spec", "path", "body", "line"),
    [
        (DOUBLES, "/restore", b"no picture", "body"),
        (DOUBLES, "/restore?seed=x", png(np.zeros((8, 8), np.uint8)), "seed=x"),
        (DOUBLES, "/restore?size=3", png(np.zeros((8, 8), np.uint8)), "no such option; there is seed"),
        (OF_NOISE, "/restore", png(np.zeros((8, 8), np.uint8)), "makes images of noise alone"),
        (DOUBLES, "/detect", png(np.zeros((8, 8), np.uint8)), "was not trained to detect"),
        (DETECTS, "/detect?format=jpg", png(np.zeros((8, 8), np.uint8)), "format=jpg"),
        (DOUBLES, "/generate", b"{}", "POST a picture to /restore"),
    ],
)
def test_a_misfit_is_one_line_with_status_400(spec: GeneratorSpec, path: str, body: bytes, line: str) -> None:
    answer = reply(made(spec), path, body)
    assert answer.status == 400
    assert line in answer.error


def test_a_picture_that_is_too_large_is_refused() -> None:
    body = png(pixels(64, 64, 3))
    assert reply(made(DOUBLES), "/restore", body, Limits(pixels=1000)).status == 400
    assert reply(made(DOUBLES), "/restore", body, Limits(picture=1000)).status == 413
