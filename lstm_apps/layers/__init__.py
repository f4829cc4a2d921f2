"""The LSTM: its equations (`gates`), one step (`cell`), a sequence (`lstm`), how it is run (`kernels`) and
learns (`gradient`); and the past that a causal layer beside it sees (`context`)."""

from lstm_apps.layers.cell import LSTMCell
from lstm_apps.layers.context import LeftContext
from lstm_apps.layers.lstm import LSTM

__all__ = ["LSTM", "LSTMCell", "LeftContext"]
