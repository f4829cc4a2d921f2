"""What happens at the end of an epoch: the best model is kept, the state is saved, training stops
when validation no longer improves. A training that was interrupted goes on as if it had not been."""

import os
from pathlib import Path
from typing import Any

import keras
import numpy as np

from training.run_folder import RunFolder, read_json, write_json


class CheckpointCallback(keras.callbacks.Callback):
    """Keeps the best model as `model.keras` and the latest state in `checkpoint/`.

    Early stopping, the best value and the epoch are one state, saved together with model and
    optimizer; `resume()` brings all of it back.

    Args:
        run: The run folder.
        patience: Epochs without a better `val_loss` before training stops.
    """

    def __init__(self, run: RunFolder, patience: int):
        super().__init__()
        self.run = run
        self.patience = patience
        self.state: dict[str, Any] = {"epochs_done": 0, "best": None, "waited": 0, "finished": False}
        self.state["complete"] = False  # also what comes after the last epoch is done

    @property
    def _state_file(self) -> Path:
        return self.run.state_file

    @property
    def _latest(self) -> Path:
        return self.run.checkpoint / f"epoch_{self.state['epochs_done']}.keras"

    def resume(self) -> keras.Model | None:
        """The model as it was after the last finished epoch, or None where there is none."""
        if not self._state_file.is_file():
            return None
        self.state = read_json(self._state_file)
        if not self.state["epochs_done"]:
            return None
        return keras.models.load_model(self._latest)

    def on_epoch_end(self, epoch, logs=None):
        loss = logs["val_loss"]
        if np.isfinite(loss) and (self.state["best"] is None or loss < self.state["best"]):
            self.state.update(best=loss, waited=0)
            save_model(self.model, self.run.model_file)
        else:
            self.state["waited"] += 1
        if self.state["waited"] >= self.patience:
            self.model.stop_training = True
        self.state["epochs_done"] = epoch + 1
        self.state["finished"] = self.model.stop_training or epoch + 1 == self.params["epochs"]
        self.run.checkpoint.mkdir(exist_ok=True)
        save_model(self.model, self._latest)
        self.save_state()  # from now on it is this epoch's model that counts
        for model in self.run.checkpoint.glob("*.keras"):
            if model != self._latest:
                model.unlink()

    def complete(self) -> None:
        """Mark the run as one to be evaluated and exported."""
        self.state["complete"] = True
        self.save_state()

    def save_state(self) -> None:
        """Write the state, from before the first epoch on."""
        self.run.checkpoint.mkdir(exist_ok=True)
        write_json(self._state_file, self.state)


class SeededDropout(keras.callbacks.Callback):
    """Draws each epoch's dropout from (seed, epoch). Keras does not save how far a model has drawn,
    so a resumed training would drop what the first epoch dropped."""

    def __init__(self, seed: int):
        super().__init__()
        self.seed = seed

    def on_epoch_begin(self, epoch, logs=None):
        generators = [v for v in self.model.variables if v.path.endswith("seed_generator_state")]
        for i, state in enumerate(generators):  # each holds (seed, how often it was drawn from)
            state.assign([1000 * self.seed + i, epoch << 20])


def save_model(model: keras.Model, path: Path) -> None:
    """Save beside and rename."""
    partial = path.with_name(f"partial-{path.name}")
    model.save(partial)
    os.replace(partial, path)
