"""`on=...`: what is done when a rule has held: a picture, a clip, a message."""

import errno
import json
import os
import time
import uuid
from collections.abc import Callable
from pathlib import Path

import cv2
import numpy as np

from yolo_attn.errors import AttentionError
from yolo_attn.live.clips import Clips
from yolo_attn.live.naming import redacted
from yolo_attn.live.outbox import Outbox
from yolo_attn.live.record import file_name
from yolo_attn.live.results import Result
from yolo_attn.live.rules import Rule, Watch
from yolo_attn.live.senders import sender
from yolo_attn.live.sources import Source

FILE = "events.db"  # in the project's folder, which the next run has too


class Events:
    """Watches the rules in each source, and does what they say.

    Args:
        rules: The rules.
        sources: Where the results come from.
        folder: Where pictures and clips go; made when the first does.
        project: The folder with the messages that wait, of earlier runs too.
        say: What takes a line for the person at the terminal; any thread calls it.

    Raises:
        AttentionError: Two URLs differ in their secrets alone, a package is missing, or messages cannot be kept.
    """

    def __init__(
        self, rules: list[Rule], sources: list[Source], folder: Path, project: Path, say: Callable[[str], None]
    ):
        self.sources, self.folder, self.say = sources, folder, say
        self._watches = [[Watch(rule) for rule in rules] for _ in sources]
        self.looks = any(rule.files for rule in rules)  # whether it needs drawn pictures
        self._clips = Clips() if any("clip" in rule.files for rule in rules) else None
        urls = list(dict.fromkeys(url for rule in rules for url in rule.urls))
        names = [redacted(url) for url in urls]
        if twice := next((name for name in names if names.count(name) > 1), None):
            raise AttentionError(f"on=... has {twice} with two users, passwords or keys: messages wait under that name")
        self._outbox = None
        if urls:
            senders = {name: sender(url) for name, url in zip(names, urls, strict=True)}
            try:
                project.mkdir(parents=True, exist_ok=True)
            except OSError as error:
                raise AttentionError(
                    f"'{project}' cannot be made: {error.strerror}; name another project=..."
                ) from None
            self._outbox = Outbox(project / FILE, senders, say)

    def see(self, result: Result, image: np.ndarray | None) -> None:
        """Takes a result and its drawn picture, and does what the rules say.

        Raises:
            OSError: A picture or a message cannot be written.
        """
        now, failed = self.sources[result.index].clock(result), None
        if self._clips and image is not None:
            self._clips.add(result.index, image, now)
        for watch in self._watches[result.index]:
            count = watch.rule.count(result)
            if watch.see(count, now):
                try:
                    self._fire(watch.rule, result, image, count, now)
                except OSError as error:  # the other rules hold all the same
                    failed = error
        if failed:
            raise failed

    def close(self) -> None:
        """Finishes the clips; messages that cannot be sent now wait for the next run.

        Raises:
            OSError: A clip could not be written.
        """
        if self._outbox:
            left = self._outbox.close()
            if self._outbox.given_up:
                self.say(f"ERROR ❌️ {self._outbox.given_up} messages were given up: too many waited")
            if left:
                self.say(f"{left} messages wait in {self._outbox.file} for the next run of this project")
        if self._clips:
            self._clips.close()

    def _fire(self, rule: Rule, result: Result, image: np.ndarray | None, count: int, now: float) -> None:
        said: dict = {"id": uuid.uuid4().hex, "rule": rule.text, "count": count, "time": round(result.time, 3)}
        said |= {"source": result.source, "index": result.index, "frame": result.number}
        said |= {"file": result.file} if result.file else {}
        stamp = time.strftime("%Y%m%d-%H%M%S", time.localtime(result.time))
        stem = self.folder / f"event-{file_name(result.source)}-{stamp}-{result.number}"
        failed: OSError | None = None
        try:
            said |= self._save(rule, stem, result.index, image, now)
        except OSError as error:  # the message goes out all the same
            failed = error
        said["detections"] = result.summary()
        for url in rule.urls:
            assert self._outbox is not None
            self._outbox.put(redacted(url), json.dumps(said, ensure_ascii=False))
        self.say(f"event: {rule.text}: {count} in {result.source}")
        if failed:
            raise failed

    def _save(self, rule: Rule, stem: Path, index: int, image: np.ndarray | None, now: float) -> dict[str, str]:
        """Writes the picture and begins the clip that a rule asks for; returns their names for the message."""
        said = {}
        if rule.files:
            self.folder.mkdir(parents=True, exist_ok=True)
        if self._clips and "clip" in rule.files:
            said["clip"] = str(self._clips.start(index, Path(f"{stem}.mp4"), now))
        if "snapshot" in rule.files and image is not None:
            said["snapshot"] = f"{stem}.jpg"
            if not cv2.imwrite(said["snapshot"], image):
                raise OSError(errno.EIO, os.strerror(errno.EIO))
        return said
