"""What many rounds of faults say together, and where it is kept."""

from collections import Counter
from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Any

import msgspec

from bench.machine import describe
from bench.results import RESULTS
from tests.crash.points import Outcome
from tests.crash.trial import Report

FILE = RESULTS / "crash.json"
APART_SECONDS = 600
MOST_DUPLICATES = 0.001
"""Share of calls that may come again where faults are so far apart."""
RULE_OF_THREE = 3
"""None lost in n faults: the chance to lose something is at most 3/n a fault, with a confidence of 95 %."""


def of_rounds(reports: Sequence[Report]) -> dict[str, Any]:
    """Counts over all rounds. ``mostLossPerFault`` is None where something was lost. ``millisecondsRepeatedPerFault``
    says how long a stretch of the traffic comes again for a fault, whatever the load is."""
    faults = [fault for report in reports for fault in report.faults]
    calls, lost = sum(report.calls for report in reports), sum(report.lost for report in reports)
    duplicates = sum(report.duplicates for report in reports)
    answered = sum((report.repeats.known for report in reports), Counter[str]())
    under_way = sum((report.repeats.unknowable for report in reports), Counter[str]())
    seconds = sum(report.seconds for report in reports)
    repeated = duplicates * seconds / calls / len(faults) if calls and faults else 0.0
    return {
        "rounds": len(reports),
        "faults": len(faults),
        "deadly": sum(fault.deadly for fault in faults),
        "byKind": dict(sorted(Counter(fault.kind for fault in faults).items())),
        "clientsHungUp": sum(report.hung_up for report in reports),
        "exceptionsInLoops": sum(report.stumbles.total() for report in reports),
        "events": sum(report.events for report in reports),
        "acknowledged": sum(report.acknowledged for report in reports),
        "lost": lost,
        "stuck": sum(report.stuck for report in reports),
        "calls": calls,
        "duplicates": duplicates,
        "duplicateShare": _share(duplicates, calls),
        "duplicatesAfterAnAnswer": answered.total(),
        "duplicateShareAfterAnAnswer": _share(answered.total(), calls),
        "duplicatesByKind": dict(sorted((answered + under_way).items())),
        "seenTwice": sum(report.seen_twice for report in reports),
        "seconds": round(seconds),
        "millisecondsRepeatedPerFault": round(repeated * 1000, 1),
        "duplicateShareTenMinutesApart": round(repeated / APART_SECONDS, 6),
        "mostLossPerFault": round(RULE_OF_THREE / len(faults), 6) if faults and not lost else None,
        "violations": {str(report.seed): report.violations for report in reports if report.violations},
    }


def few_duplicates(figures: dict[str, Any]) -> bool:
    return bool(figures["duplicateShareTenMinutesApart"] <= MOST_DUPLICATES)


def _share(part: int, whole: int) -> float:
    return round(part / whole, 6) if whole else 0.0


def of_points(outcomes: Sequence[Outcome], seed: int) -> dict[str, Any]:
    return {
        "seed": seed,
        "overRedis": sum(outcome.case.redis for outcome in outcomes),
        "cases": len(outcomes),
        "points": len({outcome.case.point for outcome in outcomes}),
        "red": {str(outcome.case): outcome.violations for outcome in outcomes if outcome.violations},
        "acknowledged": sum(outcome.acknowledged for outcome in outcomes),
        "duplicates": sum(outcome.duplicates for outcome in outcomes),
    }


def keep(part: str, figures: dict[str, Any]) -> None:
    """Write one part of the file anew, with the time and the machine, and leave the others."""
    kept = msgspec.json.decode(FILE.read_bytes()) if FILE.exists() else {}
    kept[part] = {"at": datetime.now(UTC).isoformat(timespec="seconds"), "machine": describe(), **figures}
    FILE.parent.mkdir(exist_ok=True)
    FILE.write_bytes(msgspec.json.format(msgspec.json.encode(kept), indent=2) + b"\n")


def sentence(figures: dict[str, Any]) -> str:
    """The counts of ``of_rounds`` for whoever watched."""
    kinds = "\n".join(f"    {count:>6}  {kind}" for kind, count in figures["byKind"].items())
    bound = figures["mostLossPerFault"]
    verdict = f"so at most {bound:.2%} a fault may lose something" if bound else "SOMETHING WAS LOST"
    return (
        f"{figures['faults']} faults in {figures['rounds']} rounds, {figures['deadly']} of them deadly:\n{kinds}\n"
        f"    beside them {figures['clientsHungUp']} clients hung up and loops met"
        f" {figures['exceptionsInLoops']} exceptions\n"
        f"{figures['acknowledged']} of {figures['events']} events acknowledged, {figures['lost']} lost,"
        f" {figures['stuck']} stuck, {verdict} (95 %);\n"
        f"{figures['duplicates']} duplicates in {figures['calls']} calls ({figures['duplicateShare']:.3%}) at a fault"
        f" every {figures['seconds'] / max(figures['faults'], 1):.1f} s; a fault repeats what"
        f" {figures['millisecondsRepeatedPerFault']:.0f} ms of traffic brought, with one every ten minutes"
        f" {figures['duplicateShareTenMinutesApart']:.4%}{'' if few_duplicates(figures) else ' TOO MANY'};\n"
        f"{figures['duplicatesAfterAnAnswer']} of them ({figures['duplicateShareAfterAnAnswer']:.3%}) had been answered"
        f" before; {figures['seenTwice']} things were seen twice by a receiver that knows webhook-ids"
        + "".join(f"\nseed {seed} is RED" for seed in figures["violations"])
    )
