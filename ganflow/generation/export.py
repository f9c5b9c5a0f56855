"""A generator for those who do not have ganflow: as an exported program of torch (``pt2``) and as ONNX.

Both map z, float32 (N, latent_dim), and of a conditional generator labels, int64 (N,), to images, float32 (N, C, H, W)
in [-1, 1], or to points (N, 2, 1, 1); those of a model that restores map what it is given, float32 (N, C', H', W'), to
images. N is any number from 1 on. Neither holds a pickle, a path or a class of ours.
Noise of StyleGAN2 is the constant one, as where its authors draw single images: z and labels alone say what is made.
"""

import contextlib
import copy
import logging
import tempfile
import warnings
from collections.abc import Callable, Collection, Iterable, Iterator
from math import prod
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from ganflow.errors import GanflowError
from ganflow.methods.generator import Generator

PT2, ONNX = "generator.pt2", "generator.onnx"
FORMS = {"pt2": PT2, "onnx": ONNX}
Z, LABELS, GIVEN, IMAGES = "z", "labels", "given", "images"

TOLERANCE = 1e-3  # of a value, in units of the largest one or of 1: an eighth of a step of a pixel
TRACED, CHECKED = 2, (1, 3, 8)  # batch sizes
PROTOBUF = 2**31 - 2**20  # bytes of weights that fit into an ONNX file; of more, a file beside it has them

Run = Callable[..., Tensor]


class _Conditional(nn.Module):
    """The network under the names and in the type that the files state."""

    def __init__(self, network: nn.Module) -> None:
        super().__init__()
        self.network = network

    def forward(self, z: Tensor, labels: Tensor) -> Tensor:
        images: Tensor = self.network(z, labels).float()
        return images


class _Restoring(_Conditional):
    def forward(self, given: Tensor) -> Tensor:  # type: ignore[override]
        images: Tensor = self.network(given.new_zeros(given.shape[0], 0), None, given).float()
        return images


class _Unconditional(_Conditional):
    def forward(self, z: Tensor) -> Tensor:  # type: ignore[override]
        images: Tensor = self.network(z, None).float()
        return images


def write(generator: Generator, folder: Path, forms: Collection[str] = tuple(FORMS)) -> dict[str, str]:
    """Write the files of some :data:`FORMS`, each checked against the network and then put in its place, or not at all.

    ``torch.export.load(folder / PT2).module()`` takes z and labels in this order; ONNX has the inputs ``z`` and
    ``labels`` and the output ``images``.

    Returns:
        why a file is missing, by its name: a network may do what cannot be exported. Empty: all are there.
    """
    files = [file for form, file in FORMS.items() if form in forms]
    if not files:
        return {}
    try:
        with _quiet():
            program = _program(generator)
    except GanflowError as error:
        return dict.fromkeys(files, str(error))
    left_out = {}
    for name in files:
        try:
            with _staged(folder / name) as part, _quiet():
                _check(generator, name, (_save_pt2 if name == PT2 else _save_onnx)(program, part))
        except GanflowError as error:
            left_out[name] = str(error)
    return left_out


def _save_pt2(program: torch.export.ExportedProgram, path: Path) -> Run:
    """Write the program and read it back."""
    torch.export.save(program, path)
    return torch.export.load(path).module()


def _save_onnx(program: torch.export.ExportedProgram, path: Path) -> Run:
    """Translate the program to ONNX and read it back."""
    names = [name for name in (Z, LABELS, GIVEN) if name in program.graph_signature.user_inputs]
    made = torch.onnx.export(
        program, dynamo=True, verbose=False, input_names=names, output_names=[IMAGES], dynamic_shapes=_dynamic(names)
    )
    assert made is not None
    _forget_onnx(made.model)
    size = sum(tensor.numel() * tensor.element_size() for tensor in program.state_dict.values())
    made.save(str(path), external_data=size > PROTOBUF)
    return _onnx_runner(path)


@contextlib.contextmanager
def _staged(path: Path) -> Iterator[Path]:
    """Yield the folder to write to; its content moves beside ``path`` at the end, unless there was an error."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=path.parent, prefix=".export-") as folder:
        yield Path(folder, path.name)
        for written in sorted(Path(folder).iterdir(), key=lambda file: file.name == path.name):  # the model at last
            written.replace(path.with_name(written.name))


@contextlib.contextmanager
def _quiet() -> Iterator[None]:
    """Silence the exporters' own output, and turn what they refuse into one line."""
    log = logging.getLogger("torch.onnx")
    before = log.level
    log.setLevel(logging.ERROR)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            yield
    except GanflowError:
        raise
    except Exception as error:  # a network may be any code, and each exporter refuses in ways of its own
        first = next((line.strip() for line in str(error).splitlines() if line.strip()), "")
        raise GanflowError(f"this network cannot be exported: {type(error).__name__}: {first}") from None
    finally:
        log.setLevel(before)


def _program(generator: Generator) -> torch.export.ExportedProgram:
    """The network's graph, which says nothing of where its code lies."""
    network, inputs = copy.deepcopy(generator.network).cpu(), _inputs(generator, TRACED)
    wrapped = _wrapper(generator)(network)
    with torch.no_grad():
        program = torch.export.export(
            wrapped.eval(), tuple(inputs.values()), dynamic_shapes=_dynamic(inputs), strict=True
        )
    program.example_inputs = None  # torch would pickle them into the file
    for module in program.graph_module.modules():
        for node in module.graph.nodes if isinstance(module, torch.fx.GraphModule) else ():
            for key in ("stack_trace", "nn_module_stack", "source_fn_stack", "torch_fn", "from_node"):
                node.meta.pop(key, None)
    return program


def _wrapper(generator: Generator) -> type[_Conditional]:
    """The module that has the network's inputs under the names that the files state."""
    spec = generator.spec
    if not spec.restores:
        return _Conditional if spec.num_classes else _Unconditional
    if spec.latent_dim or spec.num_classes:
        raise GanflowError("a model that takes noise or a class beside an image is not exported")
    return _Restoring


def _inputs(generator: Generator, count: int) -> dict[str, Tensor]:
    """z, and labels of a conditional generator, by name; of a model that restores what it is given."""
    if generator.spec.given_shape is not None:
        at = torch.linspace(0, 1, count * prod(generator.spec.given_shape)).sin()
        return {GIVEN: at.view(count, *generator.spec.given_shape)}
    labels = generator.labels(0, count, None)
    return {Z: generator.latents(0, 0, count), **({} if labels is None else {LABELS: labels})}


def _dynamic(names: Iterable[str]) -> "dict[str, dict[int, torch.export.Dim]]":
    """One batch dimension that all inputs share."""
    batch = torch.export.Dim("N", min=1)
    return {name: {0: batch} for name in names}


def _forget_onnx(model: Any) -> None:
    """Drop what the exporter notes of each node: names of modules, classes and the source's lines."""
    for function in (model.graph, *model.functions.values()):
        function.metadata_props.clear()
        for node in function:
            node.metadata_props.clear()
        for value in (*function.inputs, *function.outputs):
            value.metadata_props.clear()


def _onnx_runner(path: Path) -> Run:
    """ONNX as a function of tensors, on the CPU and with as many threads as torch has."""
    import onnxruntime

    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = torch.get_num_threads()
    session = onnxruntime.InferenceSession(path, options, providers=["CPUExecutionProvider"])
    names = [entry.name for entry in session.get_inputs()]

    def run(*inputs: Tensor) -> Tensor:
        given = {name: value.numpy() for name, value in zip(names, inputs, strict=True)}
        return torch.from_numpy(session.run([IMAGES], given)[0])

    return run


@torch.no_grad()
def _check(generator: Generator, name: str, run: Run) -> None:
    """Refuse a file that differs from the network on batches of other sizes than the one that was traced."""
    for count in CHECKED:
        inputs = _inputs(generator, count)
        expected = generator.draw(
            inputs.get(Z, torch.empty(count, 0)), inputs.get(LABELS), given=inputs.get(GIVEN)
        ).cpu()
        made = run(*inputs.values())
        if made.shape != expected.shape:
            raise GanflowError(f"{name} makes {tuple(made.shape)} where the network makes {tuple(expected.shape)}")
        largest, allowed = (made - expected).abs().max(), TOLERANCE * expected.abs().max().clamp(min=1)
        if not largest <= allowed:  # NaN is not either
            raise GanflowError(f"{name} differs from the network by {largest:.2g}, more than {allowed:.2g}")
