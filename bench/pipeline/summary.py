"""Which figure stands for a case? The median of its rounds, and its ratio to its ceiling."""

import statistics

from . import throughput


def spread(values):
    return {"median": statistics.median(values), "min": min(values), "max": max(values)}


def rate(figures, ceiling):
    """The rate by which a case is held against its ceiling."""
    delivered, acknowledged = "delivered_per_second", "acknowledged_per_second"
    wanted = acknowledged if ceiling in ("floor", "parse", "disk") else delivered
    return figures.get(wanted) or figures[delivered]


def of_rounds(rounds):
    """Medians and ranges over the rounds; ratios are made within a round."""
    cases = {}
    for case in throughput.CASES:
        runs = [one[case] for one in rounds if case in one]
        if not runs:
            continue
        names = set.intersection(*(set(run) for run in runs))
        figures = {name: spread([run[name] for run in runs]) for name in sorted(names)}
        ceiling = throughput.OF.get(case)
        pairs = [(one[case], one[ceiling]) for one in rounds if case in one and ceiling in one]
        if pairs:
            figures["ratio"] = spread([rate(a, ceiling) / rate(b, ceiling) for a, b in pairs])
        cases[case] = figures
    return cases


def held_against(part, case):
    return "floor" if part == "requests" else throughput.OF[case]


def figures(result):
    """Everything by part, case and name, each as one number."""
    told = {}
    if "throughput" in result:
        cases = of_rounds(result["throughput"]["rounds"])
        told["throughput"] = {
            case: {name: value["median"] for name, value in one.items()}
            for case, one in cases.items()
        }
    if "sustained" in result:
        cases = of_rounds([result["sustained"]["cases"]])
        told["sustained"] = {
            case: {name: value["median"] for name, value in one.items()}
            for case, one in cases.items()
        }
    if "requests" in result:
        cases, of = result["requests"], "requests_per_second"
        told["requests"] = {
            case: {**one, "ratio": one[of] / cases["floor"][of]} for case, one in cases.items()
        }
    if "latency" in result:
        told["latency"] = result["latency"]
    if "idle" in result:
        told["idle"] = {None: result["idle"]}
    return told
