"""Messages that wait on disk until they were taken: nothing is lost while a receiver is away, or over a restart."""

import errno
import sqlite3
import threading
import time
from collections.abc import Callable, Mapping
from pathlib import Path

from yolo_attn.errors import AttentionError
from yolo_attn.live.senders import FAILURES

MOST = 1000  # messages that wait for one receiver; then the oldest gives way
FIRST_PAUSE, LONGEST_PAUSE = 0.5, 60.0  # seconds between two attempts, doubled after each
LAST_WORDS = 3.0  # seconds at the end of a run for what is still to be sent


class Outbox:
    """A SQLite file of messages, and a thread for each receiver that sends them in their order.

    A message leaves the file when it was taken, so one that was taken just before a crash comes twice: its `id` tells.

    Args:
        file: The SQLite file, which one run at a time has open; it outlives the run.
        senders: For each receiver's name the function that sends a text, and raises where it was not taken.
        say: What takes a line for the person at the terminal; any thread calls it.

    Raises:
        AttentionError: The file is no outbox, cannot be written, or is another run's.
    """

    def __init__(self, file: Path, senders: Mapping[str, Callable[[str], None]], say: Callable[[str], None]):
        self.file, self.say = file, say
        self.given_up = 0
        self._lock, self._closing = threading.Condition(), False
        self._until = float("inf")
        try:
            self._base = sqlite3.connect(file, timeout=1, isolation_level=None, check_same_thread=False)
            self._base.execute("PRAGMA locking_mode = EXCLUSIVE")
            self._base.execute("BEGIN EXCLUSIVE")
            self._base.execute(
                "CREATE TABLE IF NOT EXISTS messages"
                " (number INTEGER PRIMARY KEY AUTOINCREMENT, receiver TEXT NOT NULL, body TEXT NOT NULL)"
            )
            self._base.execute("COMMIT")
        except sqlite3.Error as error:
            busy = "locked" in str(error)
            why = "another run sends from it: name another project=..." if busy else f"{error}; move it away"
            raise AttentionError(f"the messages in {file} cannot be opened: {why}") from None
        self._threads = [
            threading.Thread(target=self._deliver, args=one, name=f"to {one[0]}", daemon=True)
            for one in senders.items()
        ]
        for thread in self._threads:
            thread.start()

    def put(self, receiver: str, body: str) -> None:
        """Adds a message; it is on disk afterwards.

        Raises:
            OSError: It cannot be written.
        """
        with self._lock:
            try:
                self._base.execute("INSERT INTO messages (receiver, body) VALUES (?, ?)", (receiver, body))
                over = self._count(receiver) - MOST
                if over > 0:
                    self._base.execute(
                        "DELETE FROM messages WHERE number IN"
                        " (SELECT number FROM messages WHERE receiver = ? ORDER BY number LIMIT ?)",
                        (receiver, over),
                    )
                    self.given_up += over
            except sqlite3.Error as error:
                raise OSError(errno.EIO, str(error)) from None
            self._lock.notify_all()

    def waiting(self) -> int:
        """Returns how many messages wait, those of earlier runs too."""
        with self._lock:
            return self._base.execute("SELECT count(*) FROM messages").fetchone()[0]

    def close(self) -> int:
        """Sends what can be sent within a moment; returns how many messages wait for the next run."""
        with self._lock:
            self._closing, self._until = True, time.monotonic() + LAST_WORDS
            self._lock.notify_all()
        for thread in self._threads:
            thread.join(max(self._until - time.monotonic(), 0))
        left = self.waiting()
        with self._lock:
            self._base.close()
        return left

    def _count(self, receiver: str) -> int:
        return self._base.execute("SELECT count(*) FROM messages WHERE receiver = ?", (receiver,)).fetchone()[0]

    def _next(self, receiver: str) -> tuple[int, str] | None:
        """Waits for a message; returns None when the run ends and there is none."""
        first = "SELECT number, body FROM messages WHERE receiver = ? ORDER BY number LIMIT 1"
        with self._lock:
            while (found := self._base.execute(first, (receiver,)).fetchone()) is None and not self._closing:
                self._lock.wait()
        return found

    def _deliver(self, receiver: str, send: Callable[[str], None]) -> None:
        pause, failed = FIRST_PAUSE, ""
        try:
            while time.monotonic() < self._until and (message := self._next(receiver)):
                number, body = message
                try:
                    send(body)
                except FAILURES as error:
                    why = str(error).splitlines()[0] if str(error) else type(error).__name__
                    if why != failed:
                        self.say(f"{receiver}: {why}; it is tried again")
                    failed = why
                    with self._lock:
                        self._lock.wait_for(lambda: self._closing, pause)
                        if self._closing:
                            return
                    pause = min(2 * pause, LONGEST_PAUSE)
                    continue
                if failed:
                    self.say(f"{receiver}: takes messages again")
                pause, failed = FIRST_PAUSE, ""
                with self._lock:
                    self._base.execute("DELETE FROM messages WHERE number = ?", (number,))
        except sqlite3.ProgrammingError:  # closed meanwhile, as a receiver did not answer; the message waits on
            pass
