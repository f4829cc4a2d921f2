"""Patients of our own: hourly readings, whose pressure falls for hours before it is too low."""

import csv

import numpy as np

START = np.datetime64("2026-01-01T00:00:00")


def patient(name, hours=120, seed=0):
    """Rows (patient, time, variable, value)."""
    rng = np.random.default_rng(seed)
    falls = set(rng.integers(20, max(21, hours - 10), 3).tolist())
    pressure, rows = 80.0, []
    for hour in range(hours):
        ahead = [f - hour for f in falls if -2 <= f - hour <= 8]
        target = 80 if not ahead else 58 if min(ahead) <= 0 else 66 + min(ahead)
        pressure += 0.7 * (target - pressure) + rng.normal(0, 1)
        values = {
            "heart_rate": 160 - pressure,
            "sbp": 1.4 * pressure,
            "dbp": 0.8 * pressure,
            "map": pressure,
            "spo2": min(100, 97 + rng.normal(0, 0.5)),
            "respiratory_rate": 16 + rng.normal(0, 1),
        }
        if hour % 4 == 0:
            values["temp_c"] = 37 + rng.normal(0, 0.2)
        for minute in (10, 50):
            time = START + np.timedelta64(hour, "h") + np.timedelta64(minute, "m")
            rows += [(name, str(time), vital, round(float(value), 1)) for vital, value in values.items()]
    return rows


def write_ward(path, patients=25, hours=120):
    """A CSV file of patients."""
    with path.open("w", newline="") as file:
        table = csv.writer(file)
        table.writerow(["patient", "time", "variable", "value"])
        for i in range(patients):
            table.writerows(patient(f"p{i}", hours, seed=i))
    return path


def as_table(rows):
    """Rows as the columns that `predict` takes."""
    return {n: [r[i] for r in rows] for i, n in enumerate(("patient", "time", "variable", "value"))}


def readings(*rows):
    """A table of one patient's (minutes since START, variable, value)."""
    return as_table([("a", str(START + np.timedelta64(m, "m")), v, x) for m, v, x in rows])


def wide(rows):
    """Rows as a table with a column for each vital sign, NaN where it was not measured."""
    signs = dict.fromkeys(r[2] for r in rows)
    cells = {(patient, time): {} for patient, time, _, _ in rows}
    for patient, time, sign, value in rows:
        cells[patient, time][sign] = value
    return {
        "patient": [patient for patient, _ in cells],
        "time": [time for _, time in cells],
        **{sign: [row.get(sign, np.nan) for row in cells.values()] for sign in signs},
    }
