"""The keys of `yolo-attn live`, each with its type, what it is, and its bounds."""

from dataclasses import dataclass
from typing import Annotated, Any


@dataclass
class LiveOptions:
    """What `yolo-attn live` is told. `Annotated` holds the help's line and, for numbers, the least and the most."""

    model: Annotated[str, "an .onnx, .engine or .pt file"]
    source: Annotated[Any, "a camera's number, URL, file or folder, or several joined by commas"] = "0"
    imgsz: Annotated[int | None, "the input's longer side in pixels, for models of any size", 32, 8192] = None
    conf: Annotated[float, "the least score of a detection", 0, 1] = 0.25
    iou: Annotated[float, "the overlap from which on the lesser of two boxes is dropped", 0, 1] = 0.7
    max_det: Annotated[int, "the most detections in a frame", 1, 30000] = 300
    classes: Annotated[list[int] | None, "the class numbers that count; all without it", 0, 99999] = None
    device: Annotated[str, "cpu or a GPU's number; the best there is without it"] = ""
    vid_stride: Annotated[int, "every which frame is taken", 1, 10000] = 1
    stream_buffer: Annotated[bool | None, "keep every frame; without it files do, and cameras do not"] = None
    threads: Annotated[int, "CPU threads of the network; 0 lets ONNX Runtime choose", 0, 1024] = 0
    timeout: Annotated[float | None, "seconds of a camera's silence; without it, by its own pace", 0.1, 3600] = None
    track: Annotated[str, "bytetrack, botsort or ocsort: objects keep a number, from frame to frame"] = ""
    zones: Annotated[str, "a JSON file of polygons and lines in which tracks are counted"] = ""
    on: Annotated[str, "rules: 'person>0 for 3s do=snapshot,clip,post:URL,mqtt:URL', with ; between two"] = ""
    show: Annotated[bool | None, "a window; without it where there is a screen and no page"] = None
    save: Annotated[bool, "an MP4 of each source"] = False
    save_json: Annotated[bool, "a line of JSON for each frame"] = False
    project: Annotated[str, "the folder for runs"] = "runs/live"
    name: Annotated[str, "the run's folder in it"] = "exp"
    serve: Annotated[str, "a port, or an address and a port, for the page in a browser"] = ""
    token: Annotated[str, "what the page asks for from other machines; others see it in a list of processes"] = ""
    token_file: Annotated[str, "a file with the token; or set YOLO_ATTN_TOKEN"] = ""
    watchdog: Annotated[float, "seconds at one frame after which a stage is stuck, and the run ends", 1, 86400] = 120
    names: Annotated[str, "the classes of a file without metadata: cat,dog or a file of them"] = ""
    task: Annotated[str, "the task of a file without metadata: detect, segment, …"] = ""
    config: Annotated[str, "a YAML file of these keys, and of sources with settings of their own"] = ""


@dataclass
class SourceOptions:
    """What `config=` says of one of its sources; where it says nothing, what it says of all holds."""

    source: Annotated[str, "a camera's number, URL, file or folder"]
    name: Annotated[str, "what it is called"] = ""
    vid_stride: Annotated[int | None, "every which frame is taken", 1, 10000] = None
    stream_buffer: Annotated[bool | None, "keep every frame"] = None
    timeout: Annotated[float | None, "seconds of its silence", 0.1, 3600] = None
