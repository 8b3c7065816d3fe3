"""reports/about/benchmarks.md from the figures of benchmarks.json."""

NOTE = (
    "Rates are those of the best of six windows of steps; the grid's, and the opponent's beside it, of the median one. "
    "The grid ran side by side, one thread a process. `grid_throughput_vs_keras` is calculated from the measured rates "
    "and first steps of 18 runs: ours as many at a time as there are cores with one compilation a process, the "
    "opponent's one after another, first step included. `first_step_ratio` counts from process start, less is better; "
    "in all other ratios more is better. `peak_share` is the counted arithmetic of a training face times faces/s over "
    "the rate of large matrix products on all cores. `rss_160k_mib` is what 160,000 faces add to a training process, "
    "all of them read once; `rss_160k_process_mib` is the whole process, TensorFlow included. `ingest_ratio` is at the "
    "200x200 pixels that UTKFace publishes, `ingest_ratio_64px` at those of the drawn faces. `predict_one_face_ms` is "
    "age and gender together, by exported networks on one thread."
)
MINUTES = (
    "Gender on the real UTKFace at width 8: minutes of training, first step included and measuring left out, until "
    "that share of the same validation faces, which nobody trains on, is answered correctly at the end of an epoch. "
    "`minutes_to_best` asks for the best accuracy that resattention reached. One training each, seed 0."
)

GOALS: dict[str, tuple[str, float]] = {
    "first_step_ratio": ("at most", 0.2), "throughput_vs_keras": ("at least", 1.0),
    "throughput_vs_torch": ("at least", 1.0), "grid_throughput_vs_keras": ("at least", 3.0),
    "grid_peak_share": ("at least", 0.9), "ingest_ratio": ("at least", 1.5), "ingest_ratio_64px": ("at least", 1.5),
    "open_10k_again_s": ("at most", 1.0),
    "input_share_of_step": ("at most", 0.02), "predict_one_face_ms": ("at most", 10),
    "minutes_to_80_percent_gender": ("at most", 0.33), "minutes_to_best": ("at most", 0.33),
    "rss_160k_mib": ("at most", 1024), "import_s": ("at most", 0.5), "help_s": ("at most", 0.5),
    "noop_study_s": ("at most", 5),
}  # fmt: skip
INGEST = (
    "Reading, decoding and shrinking alone take some 100 µs of a core, so two cores cannot pass 50 µs a face; listing, "
    "parsing the name, hashing, the table of labels and the cache, about 70 µs more, run in one Python thread. "
    "keras-dataset hands over pixels only, decoded in C++ on all cores. A first pass happens once."
)
WHY = {
    "first_step_ratio": "Not profiled at this width; building and tracing cost the same at every width, the rest is "
    "drawing, copying and updating the weights once.",
    "throughput_vs_torch": "PyTorch's compiler fuses the small operations between the convolutions; its first step "
    "comes much later, see below.",
    "grid_peak_share": "The peak is that of 3072x3072 matrix products. Convolutions of 8 to 64 channels on 16x16 and "
    "8x8 maps do not come near it: the profile has most of the step inside the convolutions themselves.",
    "minutes_to_80_percent_gender": "Two thirds of the time are the first epoch, and nearly half of that is building "
    "and compiling; both are there at the end of their second epoch.",
    "minutes_to_best": "The best of the opponent in the time given, reached while the recipe's rate is still high; "
    "what the recipe gains by its later epochs lies above it.",
    "ingest_ratio": INGEST,
    "ingest_ratio_64px": INGEST,
}


def missed(figures: dict) -> list[list[str]]:
    """Return a line for each goal that is not reached: figure, goal, what was measured, why."""
    lines = []
    for name, (side, goal) in GOALS.items():
        if name not in figures:
            lines.append([name, f"{side} {goal:g}", "not run", "needs the real UTKFace"])
            continue
        values = figures[name] if isinstance(figures[name], dict) else {"": figures[name]}
        values = {"": values["vs_resattention"]} if "vs_resattention" in values else values
        short = {w: v for w, v in values.items() if v is None or (v > goal if side == "at most" else v < goal)}
        if short:
            measured = ", ".join(number(v) + (f" (width {w})" if w else "") for w, v in short.items())
            lines.append([name, f"{side} {goal:g}", measured, WHY.get(name, "Not looked into.")])
    return lines


def page(result: dict) -> str:
    """Return the results as Markdown."""
    figures, raw = result["figures"], result["raw"]
    machine = ", ".join(f"{k} {v}" for k, v in result["machine"].items())
    widths = list(figures["throughput_vs_keras"])
    made: dict[str, list[str]] = {}
    for name, made_at in result["commits"].items():
        made.setdefault(made_at[:10], []).append(name)
    machine += "; " + "; ".join(
        f"commit {made_at}: {', '.join(names) if len(made) > 1 and len(names) < len(raw) / 2 else 'all else'}"
        for made_at, names in made.items()
    )
    lines = ["# Benchmarks", "", f"Written by `make bench`; batch 64, float32, random faces. {machine}.", ""]
    by_width = {name: value for name, value in figures.items() if isinstance(value, dict) and set(value) == set(widths)}
    lines += table(
        ["figure", *(f"width {w}" for w in widths)],
        [[name, *(f"{value[w]:.3g}" for w in widths)] for name, value in by_width.items()])  # fmt: skip
    lines += table(["figure", "value"],
        [[name, f"{value:.3g}"] for name, value in figures.items() if not isinstance(value, dict)])  # fmt: skip
    timed = {name: value for name, value in figures.items() if isinstance(value, dict) and "vs_resattention" in value}
    if timed:
        heads = list(next(iter(timed.values())))
        lines += table(["figure", *heads], [[name, *(number(v[h]) for h in heads)] for name, v in timed.items()])
        lines += [MINUTES, ""]
    lines += [NOTE, "", "Goals that were missed; all others were reached.", ""]
    lines += table(["figure", "goal", "measured", "why"], missed(figures))
    trained = [*[r for r in raw.values() if "who" in r], *({**r, "who": f"{r['who']} (grid)"} for r in raw["grid"])]
    lines += table(
        ["contender", "width", "threads", "first step, s", "faces/s, best", "faces/s, median", "peak memory, MiB"],
        [[r["who"], r["width"], r["threads"], f"{r['first_step_s']:.1f}", f"{r['faces_per_s']:.0f}",
          f"{r['median_faces_per_s']:.0f}", f"{r['rss_mib']:.0f}"] for r in trained])  # fmt: skip
    profiles = [r for r in raw.values() if "shares" in r]
    lines += table(
        ["where a step goes (one thread, profiled)", *(f"width {r['width']}" for r in profiles)],
        [[kind, *(f"{100 * r['shares'][kind]:.1f} %" for r in profiles)]
         for kind in profiles[0]["shares"]])  # fmt: skip
    lines += table(
        ["first pass over files", "pixels", "faces", "µs a face"],
        [[r["who"], side, r["faces"], f"{r['us_per_face']:.0f}"]
         for place, side in (("input", "200x200"), ("input-64px", "64x64")) for r in raw[place].values()])  # fmt: skip
    if timed:
        lines += table(
            ["training gender on UTKFace", "epochs", "minutes", "best accuracy", "after minutes"],
            [[r["contender"], len(r["minutes"]), f"{r['minutes'][-1]:.1f}", f"{max(r['accuracy']):.3f}",
              f"{r['minutes'][r['accuracy'].index(max(r['accuracy']))]:.1f}"]
             for r in raw.values() if "contender" in r])  # fmt: skip
    lines += table(
        ["reading age and gender, warm", "width", "faces/s", "one face, ms"],
        [[r["reader"], r["width"] or "", f"{r['faces_per_s']:.0f}", f"{r['one_face_ms']:.1f}"]
         for r in raw.values() if "reader" in r])  # fmt: skip
    lines += ["![Cost of a training face](../figures/benchmarks-growth.svg)", ""]
    lines += table(["growth", "slope on logarithms"], [[k, f"{v:.2f}"] for k, v in figures["slopes"].items()])
    return "\n".join(lines).rstrip() + "\n"


def number(value: float | None) -> str:
    """Return a figure as text."""
    return "not reached" if value is None else f"{value:.3g}"


def table(head: list, rows: list[list]) -> list[str]:
    """Return a Markdown table and an empty line."""
    lines = [head, ["---"] * len(head), *rows]
    return [*("| " + " | ".join(map(str, line)) + " |" for line in lines), ""]
