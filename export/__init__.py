"""Exported files: TensorRT-RTX engines, a report on what became of the attention, parity with PyTorch."""

from pathlib import Path


def run(model: str | Path, format: str = "onnx", **arguments) -> Path:
    """Exports a checkpoint as `yolo-attn export` does and returns the file.

    Args:
        model: The checkpoint, for instance `best.pt`, or a model YAML.
        format: `rtx` for a TensorRT-RTX engine, or any format of Ultralytics, whose exporter then does it all.
        arguments: Those of Ultralytics' `export` for the format (for `rtx`, those of `onnx`); further `targets`, the
            GPUs an `rtx` engine shall run on, as `sm86,sm89,sm120`, and `report=True`, which for `onnx` and `rtx`
            also prints and saves what became of each attention layer, and `gates=True`, which for `onnx` adds the
            spatial gates to the outputs.

    Raises:
        AttentionError: The export failed; the file of that name that was there before is still there.
    """
    from yolo_attn.export import command

    return command.run(model, format, **arguments)
