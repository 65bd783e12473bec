"""`tocsin demo` against a real installation: everything it sends is seen to arrive."""

import json
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.up.installation import Up, installation, tocsin_command
from tocsin.demo.sample import read_sample


@pytest.fixture(scope="module")
def up() -> Iterator[Up]:
    with installation() as made:
        made.start()
        yield made


def test_each_notification_is_shown_with_its_latency_and_counted(up: Up, tmp_path: Path) -> None:
    events = [
        {"type": "order.created", "payload": {"orderId": "B-1", "customer": "Ada", "amount": 1500, "items": 2}},
        {"type": "order.created", "payload": {"orderId": "B-2", "customer": "Ben", "amount": 20, "items": 1}},
        {"type": "payment.failed", "payload": {"orderId": "B-1", "reason": "declined"}},
    ]
    sample = tmp_path / "events.ndjson"
    sample.write_text("".join(json.dumps(event) + "\n" for event in events))
    answer = tocsin_command("demo", "--url", f"http://127.0.0.1:{up.port}/", str(sample))
    assert answer.returncode == 0, answer.stderr
    assert "3 events sent, 3 processed\n5 of 5 notifications arrived\n" in answer.stdout
    assert len(re.findall(r"^ *[\d.]+ ms  (?:Fiona|Olga) ", answer.stdout, re.MULTILINE)) == 5
    assert re.search(r"Fiona +critical  Payment for B-1 failed .*\(wants an acknowledgement\)", answer.stdout)
    assert "Large order: matched" in answer.stdout


def test_it_runs_again_on_the_same_installation(up: Up, tmp_path: Path) -> None:
    sample = tmp_path / "events.ndjson"
    sample.write_text(
        '{"type": "stock.changed", "payload": {"sku": "X", "name": "X", "quantity": 1, "reorderAt": 2}}\n'
    )
    answer = tocsin_command("demo", str(sample), settings={"port": str(up.port)})
    assert answer.returncode == 0, answer.stderr
    assert "2 of 2 notifications arrived\n" in answer.stdout


def test_a_closed_installation_says_why_there_is_no_demonstration() -> None:
    with installation(signup="closed") as closed:
        closed.start()
        answer = tocsin_command("demo", settings={"port": str(closed.port)})
        assert answer.returncode == 1
        assert "does not take new projects" in answer.stderr


def test_the_sample_that_comes_along_speaks_of_orders_stock_and_payments() -> None:
    events = read_sample(None)
    assert {event["type"].partition(".")[0] for event in events} == {"order", "stock", "payment"}
    assert len(events) >= 50
