"""Rate and lag."""

import time

import numpy as np

from yolo_attn.live.stats import Lag, Rate


def test_rate_and_lag():
    rate, now = Rate(), time.monotonic()
    for i in range(100):
        rate.add(now - 3 + i * 0.03)
    assert abs(rate.fps - 1 / 0.03) < 0.01
    assert Rate().fps == 0
    lag, times = Lag(), np.random.default_rng(0).gamma(2, 0.02, 5000)
    for seconds in times:
        lag.add(seconds)
    for percent in (50, 95, 99):
        assert abs(lag.percentile(percent) / np.percentile(times, percent) - 1) < 0.02
