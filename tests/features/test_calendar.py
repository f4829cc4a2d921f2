import numpy as np

from lstm_apps.features.calendar import CALENDAR_SIZE, calendar


def test_same_hour_same_day_waves_and_the_weekend():
    times = np.array(
        ["2010-11-26T06:00", "2010-11-27T06:00", "2010-11-28T06:00", "2010-11-29T06:00"], "M8[s]"
    )
    found = calendar(times)
    assert found.shape == (4, CALENDAR_SIZE)
    np.testing.assert_allclose(found[:, 0], 1.0, atol=1e-6)  # six o'clock: a quarter of the day
    np.testing.assert_array_equal(found[:, -1], [0, 1, 1, 0])  # Friday to Monday
    np.testing.assert_allclose(calendar(times - np.timedelta64(7, "D"))[:, 4:6], found[:, 4:6], atol=1e-5)
