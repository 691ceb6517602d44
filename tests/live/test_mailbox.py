"""Mailboxes between the threads."""

import threading

from yolo_attn.live.mailbox import Mailbox


def test_mailbox_keeps_or_displaces():
    box: Mailbox[int] = Mailbox([False, True])
    assert box.put(0, 1) is None and box.put(0, 2) == 1 and box.put(1, 10) is None and box.put(1, 11) is None
    waiting = threading.Thread(target=box.put, args=(1, 12), daemon=True)
    waiting.start()
    assert [box.take() for _ in range(4)] == [2, 10, 11, 12]
    assert box.poll(0.01) is None and not box.done
    box.put(0, 3)
    box.finish()
    assert box.take() == 3 and box.take() is None and box.done and box.put(0, 4) == 4
