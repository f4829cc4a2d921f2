"""Invented households: series with a rhythm, as users bring them."""

import csv

import numpy as np

from lstm_apps.features.frequency import Frequency


def household(days: int, step: str = "1h", seed: int = 0) -> tuple[np.ndarray, np.ndarray]:
    """Times and kilowatts of an invented house: a day's and a week's rhythm, and noise."""
    start = np.datetime64("2020-01-06T00:00:00")  # a Monday
    seconds = Frequency.parse(step).seconds
    times = start + np.arange(0, days * 86400, int(seconds)).astype("timedelta64[s]")
    hours = (times - times[0]).astype(float) / 3600
    rng = np.random.default_rng(seed)
    daily = 1.5 + np.sin(2 * np.pi * hours / 24) + 0.3 * ((hours // 24) % 7 >= 5)
    return times, np.maximum(0.05, daily + 0.2 * rng.standard_normal(len(times)))


def write_csv(path, times, values, header=("time", "kilowatts")):
    with open(path, "w", newline="") as file:
        writer = csv.writer(file)
        writer.writerow(header)
        writer.writerows(zip(np.datetime_as_string(times), values, strict=True))
    return path
