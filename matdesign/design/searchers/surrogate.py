"""A model of scores learned from those measured: Gaussian process regression on pair correlations."""

import warnings
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray
from scipy.stats import norm
from sklearn.exceptions import ConvergenceWarning
from sklearn.gaussian_process import GaussianProcessRegressor
from sklearn.gaussian_process.kernels import RBF, ConstantKernel, WhiteKernel

from matdesign.design.spaces.space import Design, Space

Array = NDArray[np.float64]


class Surrogate:
    """What is expected of designs that were not measured, with its uncertainty.

    Gaussian process with a squared-exponential kernel and noise over the standardised pair correlations
    (`Space.features`), its hyperparameters by maximum likelihood: Rasmussen and Williams, Gaussian Processes for
    Machine Learning (MIT Press, 2006), chapters 2 and 5.

    Scores that all have one sign enter by their logarithm where that makes their distribution less skewed: a
    conductivity varies by factors, a distance from a value to hit does not.

    Args:
        space: of the designs.
        most: measurements that are used at most, the best and the newest ones: the cost grows with their cube.
    """

    def __init__(self, space: Space, *, most: int = 256) -> None:
        self.space = space
        self._most = most
        self._features: list[Array] = []
        self._scores: list[float] = []
        self._names: set[bytes] = set()
        self._kernel = ConstantKernel(1.0, (1e-2, 1e2)) * RBF(3.0, (0.5, 30.0)) + WhiteKernel(1e-2, (1e-5, 1.0))
        self._model: GaussianProcessRegressor | None = None
        self._mean = self._width = np.zeros(0)
        self._fitted = 0

    def __len__(self) -> int:
        return len(self._scores)

    @property
    def best(self) -> float:
        """The lowest score so far, on the model's scale."""
        return float(self._scaled(np.array(self._scores)).min())

    def known(self, design: Design) -> bool:
        """Whether this design, or one that is the same by symmetry, was measured."""
        return self.space.name(design) in self._names

    def add(self, designs: Sequence[Design], scores: Sequence[float]) -> None:
        """More measurements."""
        for design, score in zip(designs, scores, strict=True):
            name = self.space.name(design)
            if name not in self._names:
                self._names.add(name)
                self._features.append(self.space.features([design])[0])
                self._scores.append(score)
        self._model = None

    def predict(self, designs: Sequence[Design]) -> tuple[Array, Array]:
        """Mean and standard deviation of the scores of these designs, on the model's scale."""
        if self._model is None:
            self._fit()
        assert self._model is not None
        features = self.space.features(designs)
        mean, deviation = self._model.predict((features - self._mean) / self._width, return_std=True)
        return mean, deviation

    def improvement(self, designs: Sequence[Design]) -> Array:
        """Expected improvement over the best score (Jones, Schonlau and Welch, J. Global Optim. 13, 455 (1998))."""
        mean, deviation = self.predict(designs)
        deviation = np.maximum(deviation, 1e-12)
        ahead = (self.best - mean) / deviation
        return np.asarray((self.best - mean) * norm.cdf(ahead) + deviation * norm.pdf(ahead))

    def _scaled(self, scores: Array) -> Array:
        if not ((scores > 0).all() or (scores < 0).all()):
            return scores
        sign = np.sign(scores[0])
        logarithms = np.asarray(sign * np.log(np.abs(scores)))
        return logarithms if _skewness(logarithms) <= _skewness(scores) else scores

    def _fit(self) -> None:
        features, scores = np.array(self._features), self._scaled(np.array(self._scores))
        if len(scores) > self._most:
            chosen = np.union1d(np.argsort(scores)[: self._most // 2], np.arange(len(scores))[-self._most // 2 :])
            features, scores = features[chosen], scores[chosen]
        self._mean, self._width = features.mean(axis=0), np.maximum(features.std(axis=0), 1e-6)
        # Hyperparameters change slowly: they are looked for again when a tenth is new.
        search = "fmin_l_bfgs_b" if len(self._scores) >= 1.1 * self._fitted else None
        if search:
            self._fitted = len(self._scores)
        self._model = GaussianProcessRegressor(self._kernel, optimizer=search, normalize_y=True)
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", ConvergenceWarning)  # a hyperparameter at its bound is no news
            self._model.fit((features - self._mean) / self._width, scores)
        self._kernel = self._model.kernel_


def _skewness(numbers: Array) -> float:
    """Size of the third standardised moment; 0 where all are equal."""
    centred = numbers - numbers.mean()
    return abs(float((centred**3).mean())) / max(float(numbers.std()) ** 3, 1e-300)
