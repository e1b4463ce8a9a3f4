"""Time correlation functions by fast Fourier transform."""

from collections.abc import Iterator

import numpy as np
from scipy import fft

from matdesign.properties.measurement import Array

_SERIES = 256  # transformed at a time, which bounds the memory


def autocorrelation(series: Array, lags: int) -> Array:
    """Mean over time origins of x(t) x(t + lag), summed over all series.

    Args:
        series: [frames, ...], equally spaced in time.
        lags: how many; the first is 0.

    Returns:
        [lags]
    """
    frames = len(series)
    size = fft.next_fast_len(frames + lags, real=True)  # zeros keep the ends from meeting
    power = sum((np.abs(fft.rfft(part, size, axis=0)) ** 2).sum(axis=1) for part in _parts(series))
    return np.asarray(fft.irfft(power, size)[:lags] / (frames - np.arange(lags)), np.float64)


def mean_square_change(series: Array, lags: int) -> Array:
    """Mean over time origins of (x(t + lag) - x(t))^2, summed over all series; arguments as for `autocorrelation`."""
    shifted = series - series[0]  # small numbers keep their digits
    squares = sum((part**2).sum(axis=1) for part in _parts(shifted))
    before = np.concatenate([[0.0], np.cumsum(squares)])  # of the frames before each
    frames, lag = len(series), np.arange(lags)
    ends = before[frames] - before[lag] + before[frames - lag]  # those that a lag reaches, and those it leaves from
    change: Array = ends / (frames - lag) - 2.0 * autocorrelation(shifted, lags)
    change[0] = 0.0
    return change


def _parts(series: Array) -> Iterator[Array]:
    columns = series.reshape(len(series), -1)
    for begin in range(0, columns.shape[1], _SERIES):
        yield columns[:, begin : begin + _SERIES]
