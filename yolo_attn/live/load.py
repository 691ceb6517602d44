"""Which runtime a model file is for."""

from pathlib import Path

import cv2

from yolo_attn.errors import AttentionError, brief
from yolo_attn.live.given import NOTHING, Given
from yolo_attn.live.heads import Thresholds
from yolo_attn.live.model import Model


def load(file: str, imgsz: int | None, device: str, threads: int, limits: Thresholds, given: Given = NOTHING) -> Model:
    """Returns the model in `file`, ready for its first frame.

    Args:
        file: An `.onnx`, `.engine` or `.pt` file.
        imgsz: The input's longer side in pixels for models of any size; the model's own without it.
        device: `cpu`, a GPU's number, or nothing for the best there is.
        threads: The threads of a CPU that work on one frame; 0 lets the runtime choose.
        limits: What counts as a detection.
        given: What an ONNX file is of that does not say it itself.

    Raises:
        AttentionError: There is no such file, it is of another kind, or what runs it is missing here.
    """
    if not hasattr(cv2.dnn, "NMSBoxesBatched"):  # as in Debian 12, whose OpenCV is 4.6
        raise AttentionError(f"OpenCV {cv2.__version__} is too old here: pip install 'opencv-python>=4.7'")
    path = Path(file)
    if path.suffix not in (".onnx", ".engine", ".pt"):
        raise AttentionError(f"'{file}' is no model that yolo-attn live runs: it takes .onnx, .engine and .pt files")
    if not path.is_file():
        raise AttentionError(f"there is no file '{file}': make one with yolo export model=best.pt format=onnx")
    try:
        return _open(path, imgsz, device, threads, limits, given)
    except AttentionError:
        raise
    except Exception as error:  # whatever a runtime makes of a file that is damaged or something else
        raise AttentionError(f"'{file}' cannot be run ({brief(error)}): is it whole? Export it again") from error


def _open(path: Path, imgsz: int | None, device: str, threads: int, limits: Thresholds, given: Given) -> Model:
    """Returns the model; what its file is run by is imported here alone."""
    if path.suffix == ".onnx":
        from yolo_attn.live.onnx import OnnxModel

        return OnnxModel(path, imgsz, device, threads, limits, given)
    if given != NOTHING:
        raise AttentionError(f"'{path}' says itself what it is of: names= and task= are for ONNX files that do not")
    if path.suffix == ".engine":
        from yolo_attn.live.engine import EngineModel

        return EngineModel(path, device, limits)
    from yolo_attn.live.checkpoint import CheckpointModel

    return CheckpointModel(path, imgsz, device, limits)
