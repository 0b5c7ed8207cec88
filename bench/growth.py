# SPDX-License-Identifier: Apache-2.0
"""Throughput over the size of the database, of a command and of a batch: runs it, and draws the curves.

    bin=FOLDER scale=N growth.py OUT     OUT gets one SVG a curve, and figures.json; called by script/bench --growth
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
ONCE_FROM = 1000000  # seeding so many takes a minute
CURVES = {
    # name: (what grows, what is counted, [(size, options, commands, units of a command)])
    "consumers": ("consumers in the database", "commands a second",
                  # Half of them to warm up: a million documents have to come into the servers' caches.
                  # Beside it the bare transaction: a slope that it has too is the database's.
                  [(n, ["--seeded", n, "--warm", 2 * COMMANDS], 4 * COMMANDS, 1) for n in (1000, 100000, 1000000)]),
    "providers": ("providers in the database", "commands a second",
                  [(n, ["--providers", n, "--seeded", 1000], COMMANDS, 1) for n in (100, 10000, 100000)]),
    "resources": ("resources of a command", "resources a second",
                  [(1, ["--claim-providers", 1, "--classes", 1], COMMANDS, 1),
                   (10, ["--claim-providers", 5], COMMANDS // 2, 10),
                   # A window that is a small part of the commands: the answers to one that is all of them come at once.
                   (100, ["--claim-providers", 50, "--window", 100], COMMANDS // 10, 100)]),
    "batch": ("consumers of one allocation.batch", "consumers a second",
              [(n, ["--workload", "batch", "--consumers", n, "--window", max(4, 2000 // n)], max(20, COMMANDS // n), n)
               for n in (1, 100, 1000)]),
}
BESIDE_BARE = {"consumers"}
BATCH = 512
WIDTH, HEIGHT, LEFT, BOTTOM, TOP, RIGHT = 560, 340, 80, 56, 20, 24
INK, CURVE = "#808080", "#1f77b4"


def allotd(options, commands):
    return ["bench_worker", "--worker", f"{os.environ['bin']}/allotd", "--commands", commands, *options]


def bare(options, commands):
    return ["bench_raw", "--batch", BATCH, "--commands", commands, *options]


def measure(program, *options):
    arguments = [f"{os.environ['bin']}/{program}", *options]
    done = subprocess.run([str(argument) for argument in arguments], check=True, capture_output=True, text=True,
                          env={**os.environ, "ALLOT_LOG_LEVEL": "error"})
    return {key: float(value) for key, value in (pair.split("=") for pair in done.stdout.split())}


def scaled(option, scale):
    return option // scale if option == 2 * COMMANDS else option


def measure_point(load, point, scale):
    size, options, commands, units = point
    rounds = 1 if scale > 1 or size >= ONCE_FROM else RUNS
    arguments = load([scaled(option, scale) for option in options], max(20, commands // scale))
    runs = [measure(*arguments) for _ in range(rounds)]
    rates = [run["rate"] * units for run in runs]
    print(f"  {size:>8}: {statistics.median(rates):10.0f} by {arguments[0]}", file=sys.stderr)
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
    places = [(across.at(point["size"]), up.at(point["rate"])) for point in points]
    yield f'<polyline fill="none" stroke="{ink}" stroke-width="2" points="{" ".join(f"{x:.1f},{y:.1f}" for x, y in places)}"/>'
    for (x, y), point in zip(places, points):
        low, high = up.at(point["lowest"]), up.at(point["highest"])
        yield f'<line x1="{x:.1f}" y1="{low:.1f}" x2="{x:.1f}" y2="{high:.1f}" stroke="{ink}" stroke-width="1"/>'
        yield f'<circle cx="{x:.1f}" cy="{y:.1f}" r="4" fill="{ink}"/>'
        yield text(x, y + above, f'{point["rate"]:,.0f}')


def draw(points, beside, what, counted):
    """Greys and one blue that can be read on white and on black; the bare transaction, where it is shown, is grey."""
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
        beside = [measure_point(bare, point, scale) for point in points if name in BESIDE_BARE]
        (out / f"{name}.svg").write_text(draw(found[name], beside, what, counted), encoding="utf-8")
        if beside:
            found[f"{name}, bare transactions"] = beside
    (out / "figures.json").write_text(json.dumps(found, indent=1) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main(*sys.argv[1:])
