"""Figures of runs and measurements: each function takes numbers and returns a Figure of matplotlib.

All of them are drawn with one style sheet and without pyplot: no global state of matplotlib is read or changed.
"""

from matdesign.plots.heat import conductivity_integral
from matdesign.plots.learning import learning_curve
from matdesign.plots.pareto import Objective, pareto, pareto_front
from matdesign.plots.progress import best_so_far, property_along, search_progress
from matdesign.plots.structure import order_histogram, radial_distribution
from matdesign.plots.style import encoded, save_figure

__all__ = [
    "Objective",
    "best_so_far",
    "conductivity_integral",
    "encoded",
    "learning_curve",
    "order_histogram",
    "pareto",
    "pareto_front",
    "property_along",
    "radial_distribution",
    "save_figure",
    "search_progress",
]
