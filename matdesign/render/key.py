"""A scene's legend as HTML, for pages."""

import html

from matdesign.scene import ColourBar, Legend

MOST_STOPS = 24  # of a gradient


def key_html(legend: Legend) -> str:
    """Names with their colours, and the colour bar; empty where the legend is."""
    parts = [
        f'<span style="white-space:nowrap;margin-right:1em"><span style="color:{_rgb(colour)}">&#9679;</span> '
        f"{html.escape(name)}</span>"
        for name, colour in legend.names
    ]
    if legend.colour_bar is not None:
        parts.append(_bar(legend.colour_bar))
    return "".join(parts)


def _bar(bar: ColourBar) -> str:
    stops = ",".join(_rgb(tuple(colour)) for colour in bar.colours[:: -(-len(bar.colours) // MOST_STOPS)])
    return (
        f"<div>{html.escape(bar.label)}</div>"
        f'<div style="width:14em;height:0.7em;background:linear-gradient(to right,{stops})"></div>'
        f'<div style="width:14em;display:flex;justify-content:space-between"><span>{bar.low:.4g}</span>'
        f"<span>{bar.high:.4g}</span></div>"
    )


def _rgb(colour: tuple[float, ...]) -> str:
    return f"rgb({','.join(str(round(255 * float(part))) for part in colour)})"
