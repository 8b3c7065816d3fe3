"""What finished runs say: scores with intervals, differences, verdicts. Tables in, tables out; no backend."""
