"""How often does a keyword spotter detect words in running speech without them? Prints JSON.

    python benchmarks/false_alarms.py FILE FOLDER [--minutes 30]
        [--transcripts FILE --without ZERO ONE ...]

FILE is a step file of speech-commands, FOLDER holds sound files (WAV, FLAC, SPHERE), which go through one
stream, one after the other. With transcripts as CMU's AN4 has them, `<s> WORDS </s> (name of the file)`,
recordings with one of the words are left out; without, every detection is a false alarm.

AN4 (http://www.speech.cs.cmu.edu/databases/an4) spells names, streets and numbers. Command of the README:

    python benchmarks/false_alarms.py RUN/model.step.onnx an4/wav/an4_clstk \\
        --transcripts an4/etc/an4_train.transcription \\
        --without ZERO ONE TWO THREE FOUR FIVE SIX SEVEN EIGHT NINE
"""

import argparse
import json
import re
import warnings
from collections import Counter
from pathlib import Path

from lstm_apps import runtime
from lstm_apps.features.audio import read_audio

SOUNDS = {".wav", ".flac", ".sph"}


def without(files: list[Path], transcripts: Path, words: set[str]) -> list[Path]:
    """The files without any of the words."""
    lines = transcripts.read_text(encoding="utf-8").splitlines()
    found = [re.fullmatch(r"(.*)\(([^()]+)\)\s*", line) for line in lines]
    said = {line[2]: set(line[1].upper().split()) for line in found if line}
    return [file for file in files if file.stem in said and not said[file.stem] & words]


def main() -> None:
    parser = argparse.ArgumentParser(description="False alarms of a keyword spotter on running speech.")
    parser.add_argument("file", type=Path)
    parser.add_argument("folder", type=Path)
    parser.add_argument("--minutes", type=float, default=30)
    parser.add_argument("--transcripts", type=Path)
    parser.add_argument("--without", nargs="+", default=[], metavar="WORD")
    given = parser.parse_args()
    model = runtime.load(given.file)
    files = sorted(f for f in given.folder.rglob("*") if f.suffix.lower() in SOUNDS)
    kept = (
        without(files, given.transcripts, {w.upper() for w in given.without}) if given.transcripts else files
    )
    stream, rate, seconds, alarms, used = model.stream(), model.info["rate"], 0.0, Counter[str](), 0
    for file in kept:
        if seconds >= 60 * given.minutes:
            break
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # of a header that promises a little more than there is
            samples = read_audio(file, rate)
        alarms.update(event["word"] for event in stream.push((samples, rate)))
        seconds += len(samples) / rate
        used += 1
    if not used:
        raise SystemExit(f"{given.folder} has no sound without these words.")
    print(
        json.dumps(
            {
                "file": str(given.file),
                "threshold": model.info.get("stream_threshold"),
                "recordings": used,
                "left out for their words": len(files) - len(kept),
                "minutes": round(seconds / 60, 1),
                "alarms": alarms.total(),
                "alarms per hour": round(alarms.total() / seconds * 3600),
                "by word": dict(alarms.most_common()),
            },
            indent=1,
        )
    )


if __name__ == "__main__":
    main()
