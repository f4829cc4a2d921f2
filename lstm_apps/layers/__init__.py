"""The LSTM: its equations (`gates`), one step (`cell`), a sequence (`lstm`), how it is run (`kernels`)."""

from lstm_apps.layers.cell import LSTMCell
from lstm_apps.layers.lstm import LSTM

__all__ = ["LSTM", "LSTMCell"]
