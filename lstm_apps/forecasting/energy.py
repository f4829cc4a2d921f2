"""`energy`: how much power will a household use in each hour of tomorrow?"""

from lstm_apps.forecasting.task import Forecasting

_HOURS_A_YEAR = 365 * 24

ENERGY = Forecasting(
    name="energy",
    summary="Day-ahead quantile forecast of a household's power from two weeks of hours",
    dataset="household-power",
    roles={"time": "time", "target": "kilowatts"},
    unit="kW",
    seasons=(24, 168),
    # The last whole year is the test, so that every season of the year counts; it ends with the
    # last complete day, 2010-11-25. Validation is the half-year before it.
    test_steps=_HOURS_A_YEAR + 22,
    validation_steps=_HOURS_A_YEAR // 2,
    presets={
        # About one pass over all windows; more does not help.
        "quick": {"epochs": 6, "steps_per_epoch": 80, "patience": 6},
        "full": {"epochs": 30, "steps_per_epoch": 160, "patience": 8, "learning_rate": 1e-3, "dropout": 0.2},
    },
)
