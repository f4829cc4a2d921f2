import keras
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from lstm_apps.models.forecaster import (
    OrderedQuantiles,
    QuantileLoss,
    SeasonalLags,
    SeasonalProfiles,
    forecaster,
)


def build(**changes):
    arguments = {
        "history": 56,
        "context": 12,
        "horizon": 4,
        "seasons": (4, 28),
        "calendar_size": 2,
        "quantiles": (0.1, 0.5, 0.9),
        "mean": 5.0,
        "std": 2.0,
        "units": 6,
        "layers": 1,
        "dropout": 0.0,
        "members": 2,
    }
    return forecaster(**{**arguments, **changes})


def inputs(batch=3, seed=0):
    rng = np.random.default_rng(seed)
    return {
        "history": rng.normal(5, 2, (batch, 56)).astype("float32"),
        "calendar": rng.normal(size=(batch, 16, 2)).astype("float32"),
    }


@settings(max_examples=50, deadline=None)
@given(st.lists(st.floats(-50, 50), min_size=5, max_size=5))
def test_quantiles_never_cross(raw):
    found = np.asarray(OrderedQuantiles()(np.array([raw], "float32")))[0]
    assert (np.diff(found) >= 0).all()
    assert found[2] == np.float32(raw[2])


def test_forecasts_follow_the_unit_of_the_series():
    """Watts in, watts out: the same model in another unit gives the same forecasts in that unit."""
    kilowatts, watts = build(), build(mean=5000.0, std=2000.0)
    watts.set_weights(kilowatts.get_weights())
    x = inputs()
    small = kilowatts(x)["quantiles"]
    large = watts({**x, "history": x["history"] * 1000})["quantiles"]
    np.testing.assert_allclose(large, 1000 * small, rtol=1e-3)


def test_lags_are_those_of_the_seasons():
    history = np.arange(56, dtype="float32")[None]
    steps = np.asarray(SeasonalLags((4, 28), 28, 6)(history))[0]
    assert steps.shape == (28 + 6, 4)
    np.testing.assert_array_equal(steps[:28, 0], np.arange(28, 56))  # the value itself, unknown ahead
    np.testing.assert_array_equal(steps[28:, 0], 0)
    np.testing.assert_array_equal(steps[:28, 1], np.arange(24, 52))  # a short season before
    np.testing.assert_array_equal(steps[28:, 1], [52, 53, 54, 55, 52, 53])  # the last one known
    np.testing.assert_array_equal(steps[:, 2], np.arange(0, 34))  # a long season before
    np.testing.assert_array_equal(steps[:, 3], [0] * 28 + [1] * 6)


def test_profiles_are_means_at_the_phase():
    history = np.arange(56, dtype="float32")[None]
    found = np.asarray(SeasonalProfiles((4, 28), 6)(history))[0]
    assert found.shape == (6, 3 + 1 + 4)
    np.testing.assert_allclose(found[:4, 0], np.arange(44, 48) + 4)  # last three at the phase
    np.testing.assert_allclose(found[4:, 0], found[:2, 0])
    np.testing.assert_allclose(found[:4, 2], history.reshape(14, 4).mean(axis=0))
    np.testing.assert_allclose(found[:, 3], (history[0, :6] + history[0, 28:34]) / 2)
    np.testing.assert_allclose(found[0, 4:], [27.5, history.std(), 53.5, 55.0], rtol=1e-6)


def test_quantile_loss_by_hand():
    loss = QuantileLoss((0.1, 0.5, 0.9), scale=2.0)
    found = loss(np.array([[3.0]]), np.array([[[[1.0, 3.0, 5.0], [3.0, 3.0, 3.0]]]]))
    # errors in scale: 1, 0, -1 -> 0.1 * 1, 0, (0.9 - 1) * -1; the second member has none
    assert float(found) == pytest.approx((0.1 + 0 + 0.1) / 6)


def test_the_forecast_is_the_mean_of_members_that_learn_by_themselves():
    import tensorflow as tf

    model = build()
    found = model(inputs())
    assert found["members"].shape == (3, 4, 2, 3)
    np.testing.assert_allclose(found["quantiles"], np.mean(found["members"], axis=2), rtol=1e-6)
    with tf.GradientTape() as tape:
        first = tf.reduce_sum(model(inputs())["members"][:, :, 0])
    others = [w for w in model.trainable_variables if "_2" in w.path]
    assert len(others) == 7
    assert all(g is None or not np.any(g) for g in tape.gradient(first, others))


def test_loss_config_round_trip():
    loss = QuantileLoss.from_config(QuantileLoss((0.1, 0.5, 0.9), scale=2.0).get_config())
    assert (loss.quantiles, loss.scale) == ((0.1, 0.5, 0.9), 2.0)


def test_survives_a_keras_file(tmp_path):
    model = build()
    model.save(tmp_path / "m.keras")
    again = keras.models.load_model(tmp_path / "m.keras")
    np.testing.assert_array_equal(model(inputs())["quantiles"], again(inputs())["quantiles"])
