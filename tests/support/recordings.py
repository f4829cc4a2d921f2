"""Words of a language of our own: two tones each, spoken by people of different pitch."""

import numpy as np
import soundfile

WORDS = {"up": (500, 900), "down": (900, 500), "hum": (700, 700)}
RATE = 8000


def word(name, pitch=1.0, seconds=0.4, seed=0):
    """(samples,) float32: the first tone, then the second, with some noise."""
    rng = np.random.default_rng(seed)
    half = int(seconds * RATE / 2)
    time = np.arange(half) / RATE
    tones = [np.sin(2 * np.pi * pitch * f * time) * np.hanning(half) ** 0.3 for f in WORDS[name]]
    sound = 0.3 * np.concatenate(tones) + 0.003 * rng.standard_normal(2 * half)
    return sound.astype(np.float32)


def write_recordings(folder, speakers=6, takes=4):
    """A folder of `word_speaker_take.wav`."""
    folder.mkdir(parents=True, exist_ok=True)
    for s in range(speakers):
        for take in range(takes):
            for i, name in enumerate(WORDS):
                seed = 1000 * s + 10 * take + i
                rng = np.random.default_rng(seed)
                sound = word(name, 0.9 + 0.04 * s, rng.uniform(0.3, 0.5), seed)
                soundfile.write(folder / f"{name}_speaker{s}_{take}.wav", sound, RATE)
    return folder
