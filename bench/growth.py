# SPDX-License-Identifier: Apache-2.0
"""Measures throughput over the size of the database, of a command and of a batch, and draws the curves.

    bin=FOLDER scale=N growth.py OUT

script/bench --growth runs it. It writes one SVG for each curve and figures.json into OUT. `bin` is the folder of the
programs; `scale` divides the number of commands.
"""
import json
import math
import os
import pathlib
import statistics
import subprocess
import sys

RUNS = 3
COMMANDS = 20480
ONCE_FROM = 1000000  # from this size on one run only: seeding so many consumers takes a minute
CURVES = {
    # name: (what grows, what is counted, [(size, options, commands, counted units in one command)])
    "consumers": ("consumers in the database", "commands a second",
                  # Half of the commands are not measured: they bring a million documents into the servers' caches.
                  # This curve also has bare transactions; where they slow down too, the database is the cause.
                  [(n, ["--seeded", n, "--warm", 2 * COMMANDS], 4 * COMMANDS, 1) for n in (1000, 100000, 1000000)]),
    "providers": ("providers in the database", "commands a second",
                  [(n, ["--providers", n, "--seeded", 1000], COMMANDS, 1) for n in (100, 10000, 100000)]),
    "resources": ("resources of a command", "resources a second",
                  [(1, ["--claim-providers", 1, "--classes", 1], COMMANDS, 1),
                   (10, ["--claim-providers", 5], COMMANDS // 2, 10),
                   # The window is a small part of the commands; else all answers would arrive at the same time.
                   (100, ["--claim-providers", 50, "--window", 100], COMMANDS // 10, 100)]),
    "batch": ("consumers of one allocation.batch", "consumers a second",
              [(n, ["--workload", "batch", "--consumers", n, "--window", max(4, 2000 // n)], max(20, COMMANDS // n), n)
               for n in (1, 100, 1000)]),
}
WITH_BARE = {"consumers"}
BATCH = 512
WIDTH, HEIGHT, LEFT, BOTTOM, TOP, RIGHT = 560, 340, 80, 56, 20, 24
INK, CURVE = "#808080", "#1f77b4"


def allotd(options, commands):
    """The command line that measures allotd."""
    return ["bench_worker", "--worker", f"{os.environ['bin']}/allotd", "--commands", commands, *options]


def bare(options, commands):
    """The command line that measures bare transactions."""
    return ["bench_raw", "--batch", BATCH, "--commands", commands, *options]


def measure(program, *options):
    """Runs a program and returns its figures by name."""
    arguments = [f"{os.environ['bin']}/{program}", *options]
    done = subprocess.run([str(argument) for argument in arguments], check=True, capture_output=True, text=True,
                          env={**os.environ, "ALLOT_LOG_LEVEL": "error"})
    return {key: float(value) for key, value in (pair.split("=") for pair in done.stdout.split())}


def scaled(option, scale):
    """Scales the number of commands that are not measured, and leaves other options as they are."""
    return option // scale if option == 2 * COMMANDS else option


def measure_point(load, point, scale):
    size, options, commands, units = point
    rounds = 1 if scale > 1 or size >= ONCE_FROM else RUNS
    arguments = load([scaled(option, scale) for option in options], max(20, commands // scale))
    runs = [measure(*arguments) for _ in range(rounds)]
    rates = [run["rate"] * units for run in runs]
    print(f"  {size:>8}: {statistics.median(rates):10.0f} ({arguments[0]})", file=sys.stderr)
    found = {"size": size, "rate": statistics.median(rates), "lowest": min(rates), "highest": max(rates)}
    return found | {key: statistics.median(run[key] for run in runs) for key in ("trips", "cpu") if key in runs[0]}


def decades(values):
    """The powers of ten around the values."""
    return range(math.floor(math.log10(min(values))), math.ceil(math.log10(max(values))) + 1)


class Scale:
    """A logarithmic axis between two pixels."""

    def __init__(self, values, start, end):
        exponents = decades(values)
        self.exponents = exponents if len(exponents) > 1 else range(exponents[0], exponents[0] + 2)
        self.start, self.end = start, end

    def at(self, value):
        part = (math.log10(value) - self.exponents[0]) / (self.exponents[-1] - self.exponents[0])
        return self.start + part * (self.end - self.start)


def text(x, y, words, anchor="middle", turn=""):
    return f'<text x="{x:.1f}" y="{y:.1f}" text-anchor="{anchor}" fill="{INK}"{turn}>{words}</text>'


def line(x1, y1, x2, y2, width):
    return f'<line x1="{x1:.1f}" y1="{y1:.1f}" x2="{x2:.1f}" y2="{y2:.1f}" stroke="{INK}" stroke-width="{width}"/>'


def axes(across, up, what, counted):
    """Both axes with their grid lines, numbers and titles."""
    yield line(LEFT, HEIGHT - BOTTOM, WIDTH - RIGHT, HEIGHT - BOTTOM, 1)
    yield line(LEFT, HEIGHT - BOTTOM, LEFT, TOP, 1)
    for exponent in across.exponents:
        x = across.at(10 ** exponent)
        yield line(x, HEIGHT - BOTTOM, x, TOP, 0.3)
        yield text(x, HEIGHT - BOTTOM + 18, f"{10 ** exponent:,}")
    for exponent in up.exponents:
        y = up.at(10 ** exponent)
        yield line(LEFT, y, WIDTH - RIGHT, y, 0.3)
        yield text(LEFT - 8, y + 4, f"{10 ** exponent:,}", "end")
    yield text((LEFT + WIDTH - RIGHT) / 2, HEIGHT - 12, what)
    middle = (TOP + HEIGHT - BOTTOM) / 2
    yield text(16, middle, counted, turn=f' transform="rotate(-90 16 {middle:.0f})"')


def points_of(points, across, up, ink=CURVE, above=-10):
    """A curve, with a bar from the lowest to the highest rate and the median rate in figures at each point."""
    places = [(across.at(point["size"]), up.at(point["rate"])) for point in points]
    yield f'<polyline fill="none" stroke="{ink}" stroke-width="2" points="{" ".join(f"{x:.1f},{y:.1f}" for x, y in places)}"/>'
    for (x, y), point in zip(places, points):
        low, high = up.at(point["lowest"]), up.at(point["highest"])
        yield f'<line x1="{x:.1f}" y1="{low:.1f}" x2="{x:.1f}" y2="{high:.1f}" stroke="{ink}" stroke-width="1"/>'
        yield f'<circle cx="{x:.1f}" cy="{y:.1f}" r="4" fill="{ink}"/>'
        yield text(x, y + above, f'{point["rate"]:,.0f}')


def draw(points, beside, what, counted):
    """Draws one curve in blue, and bare transactions, if any, in grey: both are readable on white and on black."""
    across = Scale([point["size"] for point in points], LEFT, WIDTH - RIGHT)
    up = Scale([point[key] for point in points + beside for key in ("lowest", "highest")], HEIGHT - BOTTOM, TOP)
    title = f"<title>{counted} over {what}, both axes logarithmic</title>"
    parts = [title, *axes(across, up, what, counted)]
    if beside:
        parts += [*points_of(beside, across, up, INK), text(LEFT + 12, HEIGHT - BOTTOM - 28, "grey: bare transactions", "start"),
                  text(LEFT + 12, HEIGHT - BOTTOM - 12, "blue: allotd", "start")]
    parts += points_of(points, across, up, CURVE, 22 if beside else -10)
    return (f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {HEIGHT}" width="{WIDTH}" height="{HEIGHT}" '
            f'font-family="sans-serif" font-size="12" role="img">\n  <!-- SPDX-License-Identifier: Apache-2.0 -->\n  '
            + "\n  ".join(parts) + "\n</svg>\n")


def main(folder):
    out, scale, found = pathlib.Path(folder), int(os.environ.get("scale", "1")), {}
    out.mkdir(parents=True, exist_ok=True)
    for name, (what, counted, points) in CURVES.items():
        print(f"{counted} over {what}", file=sys.stderr)
        found[name] = [measure_point(allotd, point, scale) for point in points]
        beside = [measure_point(bare, point, scale) for point in points if name in WITH_BARE]
        (out / f"{name}.svg").write_text(draw(found[name], beside, what, counted), encoding="utf-8")
        if beside:
            found[f"{name}, bare transactions"] = beside
    (out / "figures.json").write_text(json.dumps(found, indent=1) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main(*sys.argv[1:])
