"""What somebody's `source=` names: cameras, streams and files, each with a name of its own."""

import glob
import re
from pathlib import Path

import cv2

from yolo_attn.errors import AttentionError
from yolo_attn.live.naming import SCHEME, camera_name, given_name, is_pipeline, redacted, told_apart
from yolo_attn.live.options import SourceOptions
from yolo_attn.live.record import PICTURES
from yolo_attn.live.sources import VIDEOS, Camera, Files, Source, suffix_of

FILMS = VIDEOS - {".ts"}  # which end, over HTTP too


def open_sources(source, keeps_all: bool | None, stride: int, timeout: float | None = None) -> list[Source]:
    """Returns the sources that `source` names, not started yet.

    Args:
        source: A camera's number, a URL, a GStreamer pipeline, a file, a folder, a pattern such as `*.jpg`, a
            `.streams` file with one source a line, several of these with commas between them, or a list of them; each
            with a name of its own or without, `door@rtsp://camera/live`. In a list may be `SourceOptions`, too.
        keeps_all: Whether every frame counts; without it, for files alone.
        stride: Every which frame is taken.
        timeout: Seconds of silence after which a camera is opened again; without it, by its own pace.

    Raises:
        AttentionError: Something that is named does not exist, or OpenCV cannot open its kind.
    """
    texts = list(source) if isinstance(source, list | tuple) else _split(str(source))
    if not texts:
        raise AttentionError("there is no source: write source=0 for the first camera, or a URL or a file")
    own = [one if isinstance(one, SourceOptions) else SourceOptions(str(one)) for one in texts]
    given, wheres = zip(*((one.name, one.source) if one.name else given_name(one.source) for one in own), strict=True)
    sources = [
        _open(
            index, where, keeps_all if one.stream_buffer is None else one.stream_buffer, one.vid_stride or stride,
            one.timeout or timeout,
        )
        for index, (one, where) in enumerate(zip(own, wheres, strict=True))
    ]  # fmt: skip
    names = [name or one.label for name, one in zip(given, sources, strict=True)]
    paths = [
        None if name or isinstance(one, Camera) else Path(where)
        for name, one, where in zip(given, sources, wheres, strict=True)
    ]
    for one, name in zip(sources, told_apart(names, paths), strict=True):
        one.label = name
    return sources


def _split(text: str) -> list[str]:
    if text.endswith(".streams"):
        if not Path(text).is_file():
            raise AttentionError(f"there is no file '{text}'; it holds one source a line")
        lines = [line.strip() for line in Path(text).read_text(encoding="utf-8-sig").splitlines()]
        return [line for line in lines if line and not line.startswith("#")]
    parts = [part.strip() for part in text.split(",") if part.strip()]
    return parts if len(parts) > 1 and all(_is_one(part) for part in parts) else [text]


def _is_one(text: str) -> bool:
    text = given_name(text)[1]
    return (text.isdecimal() and len(text) < 3) or "://" in text or Path(text).exists()  # ?size=640,480 is one URL


def _open(index: int, text: str, keeps_all: bool | None, stride: int, timeout: float | None) -> Source:
    if text.isdecimal():
        return Camera(index, int(text), bool(keeps_all), stride, timeout)
    if is_pipeline(text):
        if not re.search(r"GStreamer:\s+YES", cv2.getBuildInformation()):
            raise AttentionError(
                f"'{redacted(text)}' is a GStreamer pipeline, and this OpenCV has no GStreamer: use your system's (apt "
                "install python3-opencv)"
            )
        return Camera(index, text, bool(keeps_all), stride, timeout)
    if SCHEME.match(text):
        if re.match("https?:", text, re.IGNORECASE) and suffix_of(text) in FILMS:
            return Files(index, camera_name(text), [text], keeps_all is not False, stride)
        return Camera(index, text, bool(keeps_all), stride, timeout)
    path = Path(text)
    if path.is_dir():
        found = sorted(p for p in path.iterdir() if p.suffix.lower() in PICTURES | VIDEOS)
    elif path.is_file():
        found = [path]
    else:
        found = sorted(map(Path, glob.glob(text, recursive=True)))  # noqa: PTH207 - the pattern may be absolute
    if not found:
        raise AttentionError(
            f"source '{redacted(text)}' is no camera number, URL, file or folder with pictures or videos"
        )
    if unknown := [p for p in found if p.suffix.lower() not in PICTURES | VIDEOS]:
        raise AttentionError(f"source '{unknown[0]}' is neither a picture nor a video that is known by its name")
    # Pictures always count all: they are no stream.
    keeps_all = keeps_all is not False or found[0].suffix.lower() in PICTURES
    return Files(index, path.name or text, found, keeps_all, stride)
