"""The queue between two stages of the pipeline."""

import threading
from collections import deque
from collections.abc import Sequence
from typing import Generic, TypeVar

Item = TypeVar("Item")


class Mailbox(Generic[Item]):
    """Items on their way from several sources to one reader, who takes from the sources in turn.

    A source that keeps all has `DEPTH` places, and `put` waits for one; another has one place, where the newest item
    displaces the one before.
    """

    DEPTH = 2

    def __init__(self, keeps_all: Sequence[bool], writers: int = 1):
        """Takes for each source whether it keeps all, and how many writers will call `finish`."""
        self._keeps_all = list(keeps_all)
        self._items: list[deque[Item]] = [deque() for _ in keeps_all]
        self._writers = writers
        self._turn = 0
        self._changed = threading.Condition()

    def put(self, source: int, item: Item) -> Item | None:
        """Adds an item; returns the one that it displaced, or itself once the mailbox is closed."""
        items = self._items[source]
        with self._changed:
            if self._keeps_all[source]:
                self._changed.wait_for(lambda: len(items) < self.DEPTH or not self._writers)
            if not self._writers:
                return item
            displaced = items.popleft() if items and not self._keeps_all[source] else None
            items.append(item)
            self._changed.notify_all()
            return displaced

    def take(self) -> Item | None:
        """Returns the next item; None when no writer is left and all is taken, or when the mailbox is closed."""
        with self._changed:
            self._changed.wait_for(lambda: any(self._items) or not self._writers)
            return self._next()

    def poll(self, seconds: float) -> Item | None:
        """Returns the next item, or None when there is none within `seconds`."""
        with self._changed:
            self._changed.wait_for(lambda: any(self._items) or not self._writers, seconds)
            return self._next()

    @property
    def done(self) -> bool:
        """Whether nothing will come any more."""
        with self._changed:
            return not self._writers and not any(self._items)

    def finish(self) -> None:
        """Says that one writer has written its last item."""
        with self._changed:
            self._writers = max(self._writers - 1, 0)
            self._changed.notify_all()

    def end(self) -> None:
        """Takes nothing more; what is in it can still be taken."""
        with self._changed:
            self._writers = 0
            self._changed.notify_all()

    def close(self) -> None:
        """Drops what is in the mailbox and lets nobody wait any more."""
        self.end()
        with self._changed:
            for items in self._items:
                items.clear()

    def _next(self) -> Item | None:
        for _ in self._items:
            items = self._items[self._turn]
            self._turn = (self._turn + 1) % len(self._items)
            if items:
                item = items.popleft()
                self._changed.notify_all()
                return item
        return None
