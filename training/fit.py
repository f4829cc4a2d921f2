"""Train an application."""

import platform
from collections.abc import Mapping
from importlib.metadata import version
from pathlib import Path

import keras
import numpy as np
import tensorflow as tf

from lstm_apps import registry
from lstm_apps.errors import InputError
from lstm_apps.features import Arrays, Features, ModelFunction
from lstm_apps.layers import kernels
from lstm_apps.runtime.metadata import MAIN
from training.batches import InOrder, batches_an_epoch, prefetch, shuffled
from training.callbacks import CheckpointCallback, SeededDropout, save_model
from training.config import Config
from training.prepare import Prepared, prepare
from training.run_folder import RunFolder


def fit(
    config: Config, folder: Path, resume: bool = False, verbose: int = 1, prepared: Prepared | None = None
) -> RunFolder:
    """Train as `config` says and leave a run in `folder`.

    Args:
        config: What to train.
        folder: A new or empty folder; or, with `resume`, that of an interrupted run with the same
            configuration.
        resume: Go on after the last finished epoch.
        verbose: 1 shows a bar an epoch, 2 a line, 0 nothing.
        prepared: What `prepare` made of these, where it was called already.

    Raises:
        InputError: The data cannot be used; the folder holds another run.
    """
    run = RunFolder(Path(folder))
    app = registry.application(config.application)
    app.register_layers()
    prepared = prepared or prepare(config, folder, resume)
    data, features = prepared.data, prepared.features
    checkpoint = CheckpointCallback(run, config.patience)
    model = checkpoint.resume() if resume else None
    if checkpoint.state["complete"]:
        return run
    if not resume:
        run.claim()
    run.write_config(config, features, data, environment())
    checkpoint.save_state()

    # Seeded anew at every start, resumed or not: what follows must not depend on what came before.
    keras.utils.set_random_seed(config.seed)
    examples = app.examples(features, data.train)
    steps = batches_an_epoch(examples, config.batch_size, config.steps_per_epoch)
    if model is None:
        model = compiled(config, features, steps)
    done = checkpoint.state["epochs_done"]
    if not checkpoint.state["finished"]:
        drawn = shuffled(examples, config.batch_size, config.seed, steps, done)
        with kernels.use_kernel(kernels.compiled), prefetch(drawn) as batches:
            model.fit(
                batches,
                steps_per_epoch=steps,
                validation_data=InOrder(app.examples(features, data.validation), config.batch_size),
                epochs=config.epochs,
                initial_epoch=done,
                shuffle=False,  # they come shuffled
                verbose=verbose,
                callbacks=[
                    checkpoint,
                    SeededDropout(config.seed),
                    keras.callbacks.CSVLogger(str(run.history_file), append=resume),
                    keras.callbacks.TensorBoard(str(run.folder / "tensorboard"), write_graph=False),
                ],
            )
    if not run.model_file.is_file():
        raise InputError("Training diverged: no epoch ended with a finite validation loss.")
    finished = keras.models.load_model(run.model_file)
    run.write_features(app.calibrate(finished, features, data))
    save_model(finished, run.model_file)
    checkpoint.complete()
    return run


def compiled(config: Config, features: Features, steps: int) -> keras.Model:
    """The untrained model with optimizer and loss; `steps` batches an epoch."""
    app = registry.application(config.application)
    policy = "mixed_float16" if config.mixed_precision else "float32"
    before = keras.config.dtype_policy()
    keras.config.set_dtype_policy(policy)
    try:
        model = app.build(features, units=config.units, layers=config.layers, dropout=config.dropout)
        app.check_outputs(model)
    finally:
        keras.config.set_dtype_policy(before)
    schedule = keras.optimizers.schedules.CosineDecay(
        config.learning_rate, decay_steps=config.epochs * steps, alpha=0.02
    )
    model.compile(
        optimizer=keras.optimizers.AdamW(
            schedule, weight_decay=config.weight_decay, clipnorm=config.clipnorm
        ),
        loss=app.loss(features),
    )
    return model


def keras_run(model: keras.Model | Mapping[str, keras.Model], batch_size: int = 256) -> ModelFunction:
    """A model, or the graphs of a generator by name, as a function of named arrays, as the runtime's engines
    are."""
    graphs = model if isinstance(model, Mapping) else {MAIN: model}

    def run(inputs: Arrays, graph: str = MAIN) -> Arrays:
        count = len(next(iter(inputs.values())))
        # Batches are of few different sizes, for XLA compiles each one.
        size = min(batch_size, 1 << (count - 1).bit_length())
        missing = -count % size
        filled = {name: np.concatenate([a, a[-1:].repeat(missing, axis=0)]) for name, a in inputs.items()}
        with kernels.use_kernel(kernels.compiled):
            outputs = graphs[graph].predict(filled, batch_size=size, verbose=0)
        return {name: np.asarray(array)[:count] for name, array in outputs.items()}

    return run


def model_function(run: RunFolder, model: keras.Model) -> ModelFunction:
    """A run's model, from `run.load_model()`, as a function of named arrays; of a generator its graphs."""
    graphs = run.application.graphs(model, run.features)
    return keras_run(model if MAIN in graphs else graphs)


def environment() -> dict[str, str]:
    """Versions and hardware, for the record."""
    packages = ("lstm-apps", "tensorflow", "keras", "numpy", "scikit-learn", "statsforecast")
    return {
        "python": platform.python_version(),
        "system": f"{platform.system()} {platform.machine()}",
        "devices": ", ".join(d.name for d in tf.config.list_physical_devices()),
        **{name: version(name) for name in packages},
    }
