"""The live counters on the screen, read from the metrics of the API and the worker."""

import http.client
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass

from prometheus_client.parser import text_string_to_metric_families
from prometheus_client.samples import Sample

_TIMEOUT = 2.0

EVENT_ROUTES = ("/api/v1/events", "/api/v1/events/batch")


@dataclass(frozen=True, slots=True)
class Figure:
    label: str
    value: str


def fetch(host: str, port: int, path: str) -> tuple[int, str]:
    """Status and body of a GET to one of our own processes; status 0 while it does not answer. Blocks."""
    connection = http.client.HTTPConnection(host, port, timeout=_TIMEOUT)
    try:
        connection.request("GET", path)
        answer = connection.getresponse()
        return answer.status, answer.read().decode(errors="replace")
    except (OSError, http.client.HTTPException):
        return 0, ""
    finally:
        connection.close()


def figures(*expositions: str) -> list[Figure]:
    """What the processes count, in words."""
    families = (family for text in expositions for family in text_string_to_metric_families(text))
    samples = [sample for family in families for sample in family.samples]
    return [Figure(label, value) for label, read in _SHOWN if (value := read(samples)) is not None]


def _sum(name: str, **labels: str | Sequence[str]) -> Callable[[Sequence[Sample]], str]:
    """Reads the sum of the samples of this name whose labels have these values."""

    def fits(sample: Sample) -> bool:
        return sample.name == name and all(sample.labels.get(key) in _several(value) for key, value in labels.items())

    return lambda samples: f"{sum(sample.value for sample in samples if fits(sample)):,.0f}"


def _if_counted(name: str) -> Callable[[Sequence[Sample]], str | None]:
    """Reads such a sum where any process counts it."""
    read = _sum(name)
    return lambda samples: read(samples) if any(sample.name == name for sample in samples) else None


def _several(value: str | Sequence[str]) -> Sequence[str]:
    return (value,) if isinstance(value, str) else value


def _p95(samples: Sequence[Sample]) -> str | None:
    """Time within which 95 of 100 requests to take events were answered: the bound of the bucket that holds it."""
    buckets: dict[float, float] = {}
    for sample in samples:
        if sample.name == "tocsin_http_request_seconds_bucket" and sample.labels.get("route") in EVENT_ROUTES:
            bound = float(sample.labels["le"])
            buckets[bound] = buckets.get(bound, 0) + sample.value
    return _bound(sorted(buckets.items()), 0.95)


def _bound(cumulative: Iterable[tuple[float, float]], share: float) -> str | None:
    counted = list(cumulative)
    if not counted or not counted[-1][1]:
        return None
    holding = next(bound for bound, count in counted if count >= share * counted[-1][1])
    return (
        f"95 % within {holding * 1000:g} ms"
        if holding != float("inf")
        else f"95 % need over {counted[-2][0] * 1000:g} ms"
    )


_SHOWN: tuple[tuple[str, Callable[[Sequence[Sample]], str | None]], ...] = (
    ("events", _sum("tocsin_events_processed_total")),
    ("notifications", _sum("tocsin_notifications_total")),
    ("sent", _sum("tocsin_deliveries_total", state=("sent", "delivered"))),
    ("failed", _sum("tocsin_deliveries_total", state="failed")),
    ("sockets", _if_counted("tocsin_sockets")),
    ("events answered", _p95),
)
