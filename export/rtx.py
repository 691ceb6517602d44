"""TensorRT-RTX engines, built ahead of time from an ONNX file: no GPU is needed to build one.

The ONNX file alone decides the precision: TensorRT-RTX has no builder flags for it.
"""

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any, NamedTuple

from yolo_attn.errors import AttentionError

TARGETS = ("sm86", "sm89", "sm120")  # GeForce RTX 30, 40 and 50
MISSING = "TensorRT-RTX is not installed: pip install yolo_attn[rtx]"

# What TensorRT says, and what it means for the file's owner.
REASONS = {
    "no optimization profile": "its input has no fixed size and no profile says which to build for; "
    "write dynamic=True, or export it with a fixed imgsz",
    "Plugin not found": "it is no standard ONNX operator, and an engine has no other; export the model without it",
    "not found in plugin registry": "TensorRT-RTX has no such operator; NMS needs it, so leave out nms=True",
    "has type Int32": "biases are quantized to INT32; quantize with QuantizeBias=False",
    "Non-zero zero point": "its scales are asymmetric; quantize with ActivationSymmetric=True and QInt8 activations",
}


class Profile(NamedTuple):
    """The shapes `(N, C, H, W)` a dynamic engine takes, and the one it is made fast for."""

    smallest: tuple[int, ...]
    usual: tuple[int, ...]
    largest: tuple[int, ...]


def usual_profile(shape: Sequence[int], stride: int = 32) -> Profile:
    """Returns the shapes that Ultralytics gives its own dynamic engines: from 32 pixels to twice the size."""
    batch, channels, height, width = shape
    side = max(32, stride)
    return Profile((1, channels, side, side), tuple(shape), (batch, channels, 2 * height, 2 * width))


def tensorrt() -> Any:
    """Returns the module `tensorrt_rtx`.

    Raises:
        AttentionError: It is not installed.
    """
    try:
        import tensorrt_rtx
    except ImportError as error:
        raise AttentionError(MISSING) from error
    return tensorrt_rtx


def read_targets(names: str | Sequence[str]) -> tuple[str, ...]:
    """Returns the targets that `names` lists, as in `sm86,sm89`.

    Raises:
        AttentionError: There is none, or TensorRT-RTX builds for no such GPU.
    """
    trt = tensorrt()
    listed = names.split(",") if isinstance(names, str) else names
    targets = tuple(dict.fromkeys(name.strip().lower() for name in listed if name.strip()))
    known = [name.lower() for name in trt.ComputeCapability.__members__ if name.startswith("SM")]
    if unknown := [name for name in targets if name not in known]:
        raise AttentionError(
            f"TensorRT-RTX {trt.__version__} builds for {', '.join(known)}, not for {', '.join(unknown)}; for another "
            "GPU write format=engine on the machine that has it"
        )
    if not targets:
        raise AttentionError(f"format=rtx needs the GPUs to build for: write targets={','.join(TARGETS)}")
    return targets


def build(file: Path, targets: tuple[str, ...] = TARGETS, profile: Profile | None = None) -> bytes:
    """Returns the engine of an ONNX file.

    Args:
        file: The ONNX file.
        targets: The GPUs it shall run on, by compute capability, for instance `sm89`.
        profile: The shapes to build for, where the file's input has no fixed size.

    Raises:
        AttentionError: TensorRT-RTX is not installed, or refuses the file.
    """
    trt = tensorrt()
    said: list[str] = []

    class Log(trt.ILogger):  # type: ignore[name-defined]
        def log(self, severity, message):
            if severity <= trt.ILogger.ERROR:
                said.append(message)

    log = Log()
    builder = trt.Builder(log)
    network = builder.create_network(1 << int(trt.NetworkDefinitionCreationFlag.STRONGLY_TYPED))
    parser = trt.OnnxParser(network, log)
    if not parser.parse_from_file(str(file)):
        errors = [parser.get_error(i) for i in range(parser.num_errors)]
        where = f" at {errors[0].node_operator()} {errors[0].node_name()}" if errors and errors[0].node_name() else ""
        raise refusal(file, where, [error.desc() for error in errors] or said)
    config = builder.create_builder_config()
    config.num_compute_capabilities = len(targets)
    for i, target in enumerate(targets):
        config.set_compute_capability(getattr(trt.ComputeCapability, target.upper()), i)
    if profile:
        shapes = builder.create_optimization_profile()
        for i in range(network.num_inputs):
            shapes.set_shape(network.get_input(i).name, *profile)
        config.add_optimization_profile(shapes)
    plan = builder.build_serialized_network(network, config)
    if plan is None:
        raise refusal(file, "", said)
    return bytes(plan)


def refusal(file: Path, where: str, said: list[str]) -> AttentionError:
    """Returns the error that says in one line why TensorRT-RTX refuses a file."""
    text = " ".join(" ".join(said).split())
    reason = next((reason for sign, reason in REASONS.items() if sign in text), text or "it does not say why")
    return AttentionError(f"TensorRT-RTX refuses {file.name}{where}: {reason}")


def header(metadata: dict) -> bytes:
    """Returns what Ultralytics writes in front of an engine: the length of the metadata, and the metadata as JSON."""
    text = json.dumps(metadata).encode()
    return len(text).to_bytes(4, byteorder="little", signed=True) + text
