"""Camera inference with numpy, OpenCV and ONNX Runtime alone: `for result in yolo_attn.live("best.onnx", source=0)`.

The module itself can be called, so that `yolo_attn.live(...)` and `yolo_attn.live.sources` both mean what they say.
"""

import os
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from types import ModuleType

from yolo_attn.errors import AttentionError
from yolo_attn.live.options import LiveOptions

# ONNX Runtime's packages report to its makers from 1.29 on, unless this stands here before it is imported.
os.environ.setdefault("ORT_DISABLE_TELEMETRY", "1")


def live(
    model: str,
    source=0,
    imgsz: int | None = None,
    conf: float = 0.25,
    iou: float = 0.7,
    max_det: int = 300,
    classes: list[int] | None = None,
    device: str = "",
    vid_stride: int = 1,
    stream_buffer: bool | None = None,
    threads: int = 0,
    timeout: float | None = None,
    track: str = "",
    zones: str = "",
) -> Iterator:
    """Yields a `Result` (`yolo_attn.live.results`) for each frame of a camera, a stream or files.

    `supervision.Detections(xyxy=result.xyxy, confidence=result.confidence, class_id=result.class_id, mask=result.mask)`
    takes its arrays as they are.

    Args:
        model: An `.onnx`, `.engine` or `.pt` file.
        source: A camera's number, URL, file or folder, or a list of them (`yolo_attn.live.opening.open_sources`).
        imgsz: The input's longer side in pixels, for models of any size.
        conf: The least score of a detection.
        iou: The overlap from which on the lesser of two boxes of a class is dropped.
        max_det: The most detections in a frame.
        classes: The class numbers that count; all without it.
        device: `cpu` or the number of a GPU; the best there is without it.
        vid_stride: Every which frame is taken.
        stream_buffer: True keeps every frame, False only the newest; without it files keep all and cameras do not.
        threads: CPU threads of the network; 0 lets ONNX Runtime choose.
        timeout: Seconds of silence after which a camera is opened again; by its own pace without it.
        track: `bytetrack`, `botsort` or `ocsort`: `Result.track_id` has the number that an object keeps in its source.
        zones: A JSON file of polygons and lines: `Result.zones` has what was counted in them.

    Raises:
        AttentionError: The model or a source cannot be used; the message says what to do.
    """
    options = LiveOptions(
        str(model), source, imgsz, conf, iou, max_det, classes, str(device), vid_stride, stream_buffer, threads,
        timeout, track, str(zones),
    )  # fmt: skip
    return (result for result in open_pipeline(options).results() if result is not None)


def open_pipeline(options: LiveOptions):
    """Returns the pipeline that `options` describe, not started."""
    try:
        import cv2  # noqa: F401
        import onnxruntime  # noqa: F401
    except ImportError as error:
        raise AttentionError(
            f"live needs OpenCV and ONNX Runtime ({error}): pip install -r requirements-edge.txt"
        ) from None
    from yolo_attn.live import given, opening
    from yolo_attn.live.heads import Thresholds
    from yolo_attn.live.load import load
    from yolo_attn.live.pipeline import Pipeline
    from yolo_attn.live.results import Result

    classes = None if options.classes is None else tuple(options.classes)
    limits = Thresholds(options.conf, options.iou, options.max_det, classes)
    opened = opening.open_sources(options.source, options.stream_buffer, options.vid_stride, options.timeout)
    steps: list[Callable[[Result], None]] = []
    if options.track:
        from yolo_attn.live.tracking import Tracking

        steps.append(Tracking(options.track, opened))
    if options.zones:
        if not options.track:
            raise AttentionError(f"zones={options.zones} counts tracks: add track=bytetrack")
        from yolo_attn.live.zones import Zones

        steps.append(Zones(Path(options.zones), opened, new=bool(options.serve)))
    model = load(
        options.model, options.imgsz, options.device, options.threads, limits, given.read(options.task, options.names)
    )
    return Pipeline(model, opened, steps)


def rules_of(options: LiveOptions, pipeline) -> list:
    """Returns the rules of `on=...`, of which classes and zones are known."""
    from yolo_attn.live import rules

    zones = pipeline.zones and [shape.name for shape in pipeline.zones.shapes]
    return rules.read(options.on, pipeline.model.names, zones)


def command(options: LiveOptions) -> int:
    """Runs `yolo-attn live`.

    Without `show`, a window opens where there is a screen and no page is served.
    """
    # What OpenCV and FFmpeg say of a broken stream would cover the status line; the source's state says it.
    os.environ.setdefault("OPENCV_LOG_LEVEL", "ERROR")
    os.environ.setdefault("OPENCV_FFMPEG_LOGLEVEL", "-8")
    pipeline = open_pipeline(options)
    rules = rules_of(options, pipeline)
    from yolo_attn.live import runner, token, windows

    window = options.show is not False and not (options.show is None and options.serve) and windows.can_show()
    if options.show and not window:
        raise AttentionError(
            "show=True needs a screen, and an OpenCV with windows (opencv-python): use serve=8000 instead"
        )
    page = None
    if options.serve:
        from yolo_attn.live.serve import Page

        page = Page(options.serve, token.read(options.token, options.token_file), len(pipeline.sources))
    folder = runner.free_folder(options.project, options.name)
    outputs = runner.Outputs(
        folder, window, options.save, options.save_json, page, rules, Path(options.project), options.watchdog
    )
    run = runner.Runner(pipeline, outputs)
    print(pipeline.model.runs_on, flush=True)
    if page is not None:
        page.command = run.command
        page.zones = pipeline.zones
        print(f"Page: {page.url}", flush=True)
    return run.run()


class _Callable(ModuleType):
    """A module that is called like its function `live`."""

    def __call__(self, *args, **kwargs):
        return live(*args, **kwargs)


sys.modules[__name__].__class__ = _Callable
