"""Figures: their lines, bands and points hold the numbers that were given, their axes say which."""

import subprocess
import sys

import matplotlib
import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
import pytest
from matplotlib.collections import FillBetweenPolyCollection
from matplotlib.figure import Figure
from PIL import Image

from matdesign import plots
from matdesign.errors import InputError
from matdesign.plots.style import STYLE, with_unit
from matdesign.properties.measurement import Measurement

RANDOM = np.random.default_rng(4)


def lines(figure):
    """Lines by their label: x and y."""
    return {line.get_label(): np.array(line.get_data()) for line in figure.axes[0].get_lines()}


def bands(figure):
    """Of each filled band, rows of x, low, high at the places where it has corners."""
    found = []
    for collection in figure.axes[0].collections:
        if isinstance(collection, FillBetweenPolyCollection):
            points = collection.get_paths()[0].vertices
            x = np.unique(points[:, 0])
            found.append(np.array([[at, *np.sort(points[points[:, 0] == at, 1])[[0, -1]]] for at in x]))
    return found


def labels(figure):
    return figure.axes[0].get_xlabel(), figure.axes[0].get_ylabel()


def legend(figure):
    return [text.get_text() for text in figure.axes[0].get_legend().get_texts()]


def measured(name="rdf", unit="A", **curves):
    errors = {name: np.full_like(values, 0.1) for name, values in curves.items()}
    return Measurement(
        name=name, value=2.0, stderr=0.25, unit=unit, steps=1, seconds=1.0, curves=curves, curves_stderr=errors
    )


def tables(count, rows=40):
    """Runs whose score is a straight line, with another slope each."""
    steps = np.arange(1, rows + 1) * 1000.0
    return [pd.DataFrame({"agent_steps": steps, "env/score": (1 + k) * steps / 1000}) for k in range(count)]


def test_learning_curve_of_several_runs(tmp_path):
    runs = tables(3)
    runs[1].loc[5, "env/score"] = np.nan  # an iteration in which no episode ended
    (tmp_path / "alone").mkdir()
    runs[2].to_csv(tmp_path / "alone" / "metrics.csv", index=False)
    figure = plots.learning_curve({"PPO": runs, "one": [tmp_path / "alone"]}, ylabel="score (apples)")
    assert labels(figure) == ("agent steps", "score (apples)")
    assert legend(figure) == ["PPO (3 runs)", "one"]
    x, y = lines(figure)["PPO (3 runs)"]
    assert (x[0], x[-1]) == (1000, 40000)
    assert y == pytest.approx(2 * x / 1000)  # mean of slopes 1, 2, 3
    [spread] = bands(figure)
    assert spread[:, 1] == pytest.approx(spread[:, 0] / 1000)  # their deviation is 1
    assert spread[:, 2] == pytest.approx(3 * spread[:, 0] / 1000)
    assert lines(figure)["one"][1] == pytest.approx(runs[2]["env/score"])


def test_learning_curves_are_compared_where_all_runs_have_been():
    short, long = tables(1, rows=10)[0], tables(1, rows=30)[0]
    x, _ = lines(plots.learning_curve({"a": [short, long]}))["a (2 runs)"]
    assert (x[0], x[-1]) == (1000, 10000)
    late = long.assign(agent_steps=long["agent_steps"] + 1e6)
    with pytest.raises(InputError, match="no agent_steps in common"):
        plots.learning_curve({"a": [short, late]})


def test_learning_curve_refuses(tmp_path):
    with pytest.raises(InputError, match="at least one run"):
        plots.learning_curve({"a": []})
    with pytest.raises(InputError, match=r"has no metrics\.csv"):
        plots.learning_curve({"a": [tmp_path]})
    with pytest.raises(InputError, match="no 'env/perf': use one of env/score"):
        plots.learning_curve({"a": tables(1)}, figure="env/perf")
    with pytest.raises(InputError, match="no value of 'env/score' yet"):
        plots.learning_curve({"a": [tables(1)[0].assign(**{"env/score": np.nan})]})
    (tmp_path / "metrics.csv").write_text('a,b\n"1,2\n')
    with pytest.raises(InputError, match="cannot be read"):
        plots.learning_curve({"a": [tmp_path]})


def test_property_along_an_episode():
    values = RANDOM.normal(size=(5, 20))
    x = np.arange(20) * 0.5
    figure = plots.property_along(
        x,
        {"energy": values, "one": values[0]},
        xlabel="time (ps)",
        ylabel="energy (eV)",
        stderr={"one": np.full(20, 0.3)},
        target=-1.5,
        tolerance=0.1,
    )
    assert labels(figure) == ("time (ps)", "energy (eV)")
    assert legend(figure) == ["energy (5 episodes)", "one", "target"]
    found = lines(figure)
    assert found["energy (5 episodes)"] == pytest.approx(np.array([x, values.mean(axis=0)]))
    assert found["target"][1].tolist() == [-1.5, -1.5]
    first, second = bands(figure)[:2]
    assert first[:, 2] - first[:, 1] == pytest.approx(2 * values.std(axis=0, ddof=1))
    assert second[:, 1] == pytest.approx(values[0] - 0.3)
    for wrong in ({"a": values[:, :3]}, {"a": np.full(20, np.nan)}, {}):
        with pytest.raises(InputError):
            plots.property_along(x, wrong, xlabel="", ylabel="")


def test_best_so_far():
    values = [np.nan, 3.0, 4.0, np.nan, 1.0, 2.0]
    assert plots.best_so_far(values, lowest=True).tolist() == [np.inf, 3, 3, 3, 1, 1]
    assert plots.best_so_far(values, lowest=False).tolist() == [-np.inf, 3, 4, 4, 4, 4]


def test_search_progress():
    searches = {"random": [RANDOM.normal(size=12) for _ in range(7)], "genetic": [[5.0, np.nan, 1.0], [np.nan, 4.0]]}
    figure = plots.search_progress(searches, ylabel="conductivity (W/(m K))", known=-3.0)
    assert labels(figure) == ("property evaluations", "best conductivity (W/(m K))")
    assert legend(figure) == ["random (7 repetitions)", "genetic (2 repetitions)", "best known"]
    found = lines(figure)
    x, y = found["random (7 repetitions)"]
    running = np.array([[min(row[: n + 1]) for n in range(12)] for row in searches["random"]])
    assert x.tolist() == list(range(1, 13))
    assert y == pytest.approx(np.median(running, axis=0))
    band = bands(figure)[0]
    at_end = band[band[:, 0] == 12][0]  # where the band steps down from its last value but one
    assert at_end[1:] == pytest.approx([np.quantile(running[:, 11], 0.25), np.quantile(running[:, 10], 0.75)])
    # The second repetition has no value at 1 and keeps its best after its end.
    assert found["genetic (2 repetitions)"].tolist() == [[2, 3], [4.5, 2.5]]
    highest = lines(plots.search_progress({"a": [[1.0, 3.0, 2.0]]}, ylabel="", lowest=False))
    assert highest["a"][1].tolist() == [1, 3, 3]
    for wrong in ({}, {"a": []}, {"a": [[np.nan, np.nan]]}, {"a": [[]]}):
        with pytest.raises(InputError):
            plots.search_progress(wrong, ylabel="")


def test_radial_distribution():
    r = np.linspace(0.1, 8, 50)
    one, two = (measured(r=r, g=scale * r, g_Si_Ge=r**2) for scale in (1, 2))
    figure = plots.radial_distribution({"crystal": one, "liquid": two})
    assert labels(figure) == ("r (\u00c5)", "g(r)")
    assert legend(figure) == ["crystal", "liquid"]
    assert lines(figure)["liquid"] == pytest.approx(np.array([r, 2 * r]))
    assert bands(figure)[1][:, 1:] == pytest.approx(np.array([2 * r - 0.1, 2 * r + 0.1]).T)
    pair = plots.radial_distribution({"crystal": one}, curve="g_Si_Ge")
    assert labels(pair)[1] == "g(r), Si-Ge"
    assert lines(pair)["crystal"][1] == pytest.approx(r**2)
    with pytest.raises(InputError, match=r"no curve 'g_Si_C' \(it has r, g, g_Si_Ge\)"):
        plots.radial_distribution({"crystal": one}, curve="g_Si_C")
    with pytest.raises(InputError, match="one unit of length"):
        plots.radial_distribution({"a": one, "b": measured(unit="sigma", r=r, g=r)})


def test_order_histogram():
    values = {"crystal": RANDOM.normal(0.55, 0.01, 500), "liquid": RANDOM.normal(0.3, 0.05, 300)}
    figure = plots.order_histogram(values, xlabel="averaged q6", references={"fcc": 0.575})
    assert labels(figure) == ("averaged q6", "fraction of atoms")
    assert legend(figure) == ["crystal (500 atoms)", "liquid (300 atoms)"]
    shown = [patch.get_data() for patch in figure.axes[0].patches if not patch.get_fill()]
    for (fractions, edges, _), given in zip(shown, values.values(), strict=True):
        assert fractions.sum() == pytest.approx(1)
        assert np.diff(edges) == pytest.approx(np.diff(edges)[0])
        in_third = ((given >= edges[2]) & (given < edges[3])).mean()
        assert fractions[2] == pytest.approx(in_third)
    assert [text.get_text() for text in figure.axes[0].texts] == ["fcc"]
    assert 0.575 in [line.get_xdata()[0] for line in figure.axes[0].get_lines()]
    perfect = plots.order_histogram({"fcc": np.full(20, 0.575) + 1e-14 * RANDOM.normal(size=20)}, xlabel="q6")
    (fractions, _, _), *_ = [patch.get_data() for patch in perfect.axes[0].patches]
    assert np.count_nonzero(fractions) == 1
    with pytest.raises(InputError, match="crystal: there must be at least one number"):
        plots.order_histogram({"crystal": []}, xlabel="")


def test_conductivity_integral():
    time = np.linspace(0, 4, 30)
    running = np.outer([1.0, 2.0, 3.0], 1 - np.exp(-time))
    measurement = measured("thermal_conductivity_green_kubo", "W/(m K)", time=time, running_integral=running)
    figure = plots.conductivity_integral(measurement)
    assert labels(figure) == ("upper limit of the integral (ps)", "thermal conductivity (W/(m K))")
    found = lines(figure)
    assert found["z"] == pytest.approx(np.array([time, running[2]]))
    assert found["mean"] == pytest.approx(np.array([time, running[1]]))
    assert found["plateau"].tolist() == [[2, 4], [2, 2]]
    mean, plateau = bands(figure)
    assert mean[:, 2] - running[1] == pytest.approx(np.full(30, 0.1 / np.sqrt(3)))
    assert plateau[:, 1:].tolist() == [[1.75, 2.25], [1.75, 2.25]]
    with pytest.raises(InputError, match="rdf has no curve 'time'"):
        plots.conductivity_integral(measured(r=time))


def test_pareto_front_is_that_of_the_definition():
    costs = RANDOM.integers(0, 6, (60, 3)).astype(float)  # with ties and equal rows
    beaten = [
        any(all(a <= b for a, b in zip(other, row, strict=True)) and any(other < row) for other in costs)
        for row in costs
    ]
    assert plots.pareto_front(costs).tolist() == [not is_beaten for is_beaten in beaten]


@pytest.mark.parametrize("highest", [(False, False), (True, False), (False, True), (True, True)])
def test_pareto_figure(highest):
    x, y = RANDOM.normal(size=(2, 30))
    names, groups = [f"c{i}" for i in range(30)], ["policy", "genetic"] * 15
    figure = plots.pareto(
        plots.Objective(label="conductivity (W/(m K))", values=x, highest=highest[0], stderr=np.full(30, 0.05)),
        plots.Objective(label="energy (meV/atom)", values=y, highest=highest[1], target=0.5),
        names=names,
        groups=groups,
    )
    assert labels(figure) == ("conductivity (W/(m K))", "energy (meV/atom)")
    assert sorted(legend(figure)) == ["Pareto front", "genetic (15)", "policy (15)"]
    line = next(one for one in figure.axes[0].get_lines() if one.get_label() == "Pareto front")
    front = {
        i
        for i in range(30)
        if not any(
            (x[j] - x[i]) * (1 if highest[0] else -1) > 0 and (y[j] - y[i]) * (1 if highest[1] else -1) > 0
            for j in range(30)
        )
    }
    assert set(line.get_xdata()) == {x[i] for i in front}
    assert {text.get_text() for text in figure.axes[0].texts} == {names[i] for i in front}
    # No candidate lies on the better side of the staircase.
    corners = line.get_path().vertices if line.get_drawstyle() == "default" else np.array(line.get_data()).T
    steps = [
        (corners[k + 1, 0], corners[k, 1])
        if line.get_drawstyle() == "steps-post"
        else (corners[k, 0], corners[k + 1, 1])
        for k in range(len(corners) - 1)
    ]
    for across, up in steps:  # each inner corner is beaten by no candidate, and beats none of the front
        assert not any(
            (a - across) * (1 if highest[0] else -1) > 0 and (b - up) * (1 if highest[1] else -1) > 0
            for a, b in zip(x, y, strict=True)
        )
    points = np.concatenate([container[0].get_xdata() for container in figure.axes[0].containers])
    assert sorted(points) == sorted(x)
    segments = figure.axes[0].containers[0][2][0].get_segments()
    assert np.ptp(segments[0][:, 0]) == pytest.approx(0.1)


def test_pareto_refuses():
    with pytest.raises(InputError, match="energy has shape"):
        plots.pareto(plots.Objective(label="a", values=[1, 2]), plots.Objective(label="energy", values=[1]))
    with pytest.raises(InputError, match="1 names for 2 candidates"):
        plots.pareto(plots.Objective(label="a", values=[1, 2]), plots.Objective(label="b", values=[1, 2]), names=["x"])
    with pytest.raises(InputError, match="a: there must be at least one"):
        plots.pareto(plots.Objective(label="a", values=[]), plots.Objective(label="b", values=[]))


def test_units_of_labels():
    assert with_unit("thermal_conductivity", "kB/(sigma tau)") == "thermal conductivity (kB/(\u03c3 \u03c4))"
    assert with_unit("q6", "1") == "q6"
    assert with_unit("area", "A^2") == "area (\u00c5^2)"


def test_no_global_state_is_touched():
    before, backend = dict(matplotlib.rcParams), matplotlib.get_backend()
    figure = plots.search_progress({"a": [[1.0, 0.5]]}, ylabel="x")
    plots.encoded(figure, "png")
    with pytest.raises(InputError):
        plots.search_progress({}, ylabel="x")
    assert dict(matplotlib.rcParams) == before
    assert matplotlib.get_backend() == backend
    assert isinstance(figure, Figure)
    assert figure.axes[0].get_xlabel() == "property evaluations"
    assert figure.get_figwidth() == STYLE["figure.figsize"][0]
    assert plt.get_fignums() == []
    subprocess.run([sys.executable, "-c", "import sys, matdesign.plots\nassert 'torch' not in sys.modules"], check=True)


def test_figures_as_files(tmp_path):
    def drawn():
        return plots.search_progress({"a": [[1.0, 0.5]]}, ylabel="energy (\u00b5eV)")

    for form in ("svg", "png", "pdf"):
        assert plots.encoded(drawn(), form) == plots.encoded(drawn(), form)
    path = plots.save_figure(drawn(), tmp_path / "new" / "a.png")
    with Image.open(path) as image:
        assert image.size == (1040, 700)
        assert len(image.convert("RGB").getcolors(1 << 20)) > 10
    with pytest.raises(InputError, match="cannot be written as 'gif': use png"):
        plots.save_figure(drawn(), tmp_path / "a.gif")
    (tmp_path / "file").write_text("")
    with pytest.raises(InputError, match="cannot write figure"):
        plots.save_figure(drawn(), tmp_path / "file" / "a.png")
