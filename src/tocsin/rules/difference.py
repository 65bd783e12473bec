"""What a rule did with events and what it would do: counted, with examples of what would be different."""

from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from uuid import UUID

from msgspec import to_builtins

from tocsin.rules.going_on import Course, GoingOn, Windows
from tocsin.rules.jobs import RuleOutcome
from tocsin.rules.lookup import MAX_RECIPIENTS, Rule
from tocsin.rules.past import MOST_COMPARED, Heard, How, Past
from tocsin.rules.replay import Portion, Wanted, subject_of
from tocsin.rules.replay_schemas import Change, ReplayCourse, ReplayExample, ReplayHow, ReplayNow, ReplayThen
from tocsin.rules.schemas import Rendering
from tocsin.rules.trial import rendering

MOST_EXAMPLES = 100
MOST_SHOWN = 50
"""People of an example who are named."""


@dataclass(slots=True)
class Difference:
    """What the portions add up to."""

    counts: Counter[str] = field(default_factory=Counter)
    examples: list[ReplayExample] = field(default_factory=list)
    scanned: int = 0
    last_at: datetime | None = None
    windows: Windows | None = None

    def add(self, wanted: Wanted, portion: Portion, outcomes: Mapping[UUID, RuleOutcome]) -> None:
        self.scanned += portion.scanned
        told_by: dict[UUID | None, frozenset[UUID]] = {}
        how = _how(wanted.candidate, wanted.going_on)
        self.windows = self.windows or Windows(how.going_on, how.channels, how.priority)
        for event in portion.events:
            self.last_at = event.received_at
            subject = subject_of(event, portion)
            who = subject.id if subject else None
            if who not in told_by:
                told_by[who] = frozenset(portion.people.recipients(wanted.candidate, who))
            would_tell = told_by[who] & portion.on_time[event.run] if event.run else told_by[who]
            self._add(_Compared(event, outcomes.get(event.id), would_tell, how, portion.heard, self.windows))

    def _add(self, compared: "_Compared") -> None:
        changes = list(compared.changes())
        self.counts.update(["events", *changes])
        self.counts["matched_then"] += compared.matched_then
        self.counts["matched_now"] += compared.matched_now
        for when, course in (("then", compared.course_then), ("now", compared.course_now)):
            self.counts.update({f"{name}_{when}": count for name, count in course._asdict().items()} if course else {})
        if changes and len(self.examples) < MOST_EXAMPLES:
            self.examples.append(compared.example(changes))


class _Compared:
    """One event: what the rule did, and what it would do."""

    def __init__(
        self,
        event: Past,
        outcome: RuleOutcome | None,
        would_tell: frozenset[UUID],
        how: How,
        heard: Mapping[UUID, Heard],
        windows: Windows,
    ) -> None:
        self._event = event
        self._told = told = event.told
        self._outcome = outcome
        self._how = how
        self._heard = heard.get(told.notificationId) if told and told.notificationId else None
        self.matched_then = bool(told and told.matched and not told.failed)
        self.matched_now = bool(outcome and outcome.matched and not outcome.error)
        self._people = would_tell if self.matched_now else frozenset()
        self.course_then = self._heard.course if self._heard else None
        open_for = self._heard.open_for if self._heard else event.age
        self.course_now = windows.course(self._people, event.processed_at, open_for) if self.matched_now else None

    def changes(self) -> Iterator[Change]:
        if self._outcome and self._outcome.error:
            yield "error"
        if self.matched_now and not self.matched_then:
            yield "newly_matching"
        elif self.matched_then and not self.matched_now:
            yield "no_longer_matching"
        elif self.matched_now:
            if self._told_others:
                yield "recipients"
            if self._heard and self._outcome and _printed(self._heard) != rendering(self._outcome.rendered):
                yield "texts"
            yield from self._other_ways()

    def _other_ways(self) -> Iterator[Change]:
        then, now = self._heard.how if self._heard else None, self._how
        if then is None:
            return
        if then.in_turns != now.in_turns:
            yield "channels"
        if then.destinations != now.destinations:
            yield "destinations"
        if then.priority != now.priority:
            yield "priority"
        if then.sound != now.sound:
            yield "sound"
        if then.going_on.insistence != now.going_on.insistence:
            yield "insistence"
        if then.going_on.digest != now.going_on.digest:
            yield "digest"
        if then.going_on.throttle != now.going_on.throttle:
            yield "throttle"

    @property
    def _comparable(self) -> bool:
        return max(len(self._people), self._heard.total if self._heard else 0) <= MOST_COMPARED

    @property
    def _would_tell(self) -> int:
        return min(len(self._people), MAX_RECIPIENTS)

    @property
    def _told_others(self) -> bool:
        if self._told and self._told.notificationId and not self._heard:
            return False  # the notification is not kept any more, and nothing is known of whom it told
        if not self._comparable:
            return self._would_tell != (self._heard.total if self._heard else 0)
        return self._people != (self._heard.people if self._heard else frozenset())

    def example(self, changes: list[Change]) -> ReplayExample:
        then = self._heard.people if self._heard else frozenset()
        gained = sorted(self._people - then)[:MOST_SHOWN] if self._comparable else []
        lost = sorted(then - self._people)[:MOST_SHOWN] if self._comparable else []
        return ReplayExample(
            event_id=self._event.id,
            event_type=self._event.type,
            received_at=self._event.received_at,
            changes=changes,
            then=self._then(),
            now=self._now(),
            gained=gained,
            lost=lost,
        )

    def _then(self) -> ReplayThen:
        told, heard = self._told, self._heard
        if told is None:
            reason = "the rule did not look at the event"
            return ReplayThen(
                matched=False,
                reason=reason,
                rule_version=None,
                rendered=None,
                how=None,
                recipients_total=0,
                course=None,
            )
        return ReplayThen(
            matched=self.matched_then,
            reason=told.reason,
            rule_version=told.ruleVersion,
            rendered=_printed(heard) if heard else None,
            how=_shown(heard.how) if heard and heard.how else None,
            recipients_total=heard.total if heard else 0,
            course=_told(self.course_then),
        )

    def _now(self) -> ReplayNow:
        outcome = self._outcome
        if outcome is None:
            reason = f"the rule's event types do not cover {self._event.type!r}"
            return ReplayNow(matched=False, reason=reason, rendered=None, how=None, recipients_total=0, course=None)
        return ReplayNow(
            matched=self.matched_now,
            reason=outcome.reason,
            rendered=rendering(outcome.rendered) if self.matched_now else None,
            how=_shown(self._how) if self.matched_now else None,
            recipients_total=self._would_tell,
            course=_told(self.course_now),
        )


def _how(rule: Rule, going_on: GoingOn) -> How:
    return How(
        rule.channels,
        rule.channel_order["after_seconds"] if rule.channel_order else None,
        frozenset(rule.target_destinations),
        rule.priority,
        rule.sound_at_once,
        going_on,
    )


def _shown(how: How) -> ReplayHow:
    said = {**how._asdict(), **to_builtins(how.going_on, order="sorted"), "destinations": sorted(how.destinations)}
    return ReplayHow.model_validate({name: value for name, value in said.items() if name != "going_on"})


def _told(course: Course | None) -> ReplayCourse | None:
    return ReplayCourse.model_validate(course) if course else None


def _printed(heard: Heard) -> Rendering:
    action = heard.action or {}
    return Rendering(
        title=heard.title,
        message=heard.message,
        action_url=action.get("url"),
        action_label=action.get("label"),
        translations=heard.translations,
    )
