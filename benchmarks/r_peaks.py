"""Are R peaks found where experts put them? Prints JSON: sensitivity and positive predictivity, by record and
over all.

    python benchmarks/r_peaks.py FOLDER    # of WFDB records, by default the dataset mitdb
"""

import json
import sys
from itertools import chain
from pathlib import Path

from lstm_apps.data import sources
from lstm_apps.healthcare.ecg.data import list_records, read_record
from lstm_apps.healthcare.ecg.peaks import PeakDetector


def main(folder: Path) -> None:
    rows = {}
    for path in chain.from_iterable(list_records(folder).values()):
        record = read_record(path)
        found = PeakDetector(record.rate).all(record.signal)
        rows[record.name] = int((record.match(found) >= 0).sum()), len(record.peaks), len(found)
    rows["all"] = tuple(map(sum, zip(*rows.values(), strict=True)))
    print(
        json.dumps(
            {r: {"sensitivity": hit / beats, "predictivity": hit / n} for r, (hit, beats, n) in rows.items()},
            indent=1,
        )
    )


if __name__ == "__main__":
    main(Path(sys.argv[1]) if len(sys.argv) > 1 else sources.get("mitdb"))
