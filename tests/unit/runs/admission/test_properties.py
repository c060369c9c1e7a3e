"""What holds of every look at any queue, and under any arrival pattern (hypothesis)."""

from collections import Counter
from dataclasses import replace
from datetime import timedelta
from typing import Any

from hypothesis import assume, given, settings
from hypothesis import strategies as st

from crosswind.contracts.suites import Priority
from crosswind.runs.admission.aging import CLASSES, overtakable_until, starving
from crosswind.runs.admission.model import (
    Capacity,
    Queue,
    QueueEntry,
    Reason,
    TeamPolicy,
    Usage,
    lane_order,
)
from crosswind.runs.admission.policy import admit
from tests.fakes import START, make_entry
from tests.unit.runs.admission.clockwork import Arrival, Clockwork
from tests.unit.runs.admission.samples import AGING, P0, P2

TEAMS = ("demo", "search", "shop")
SETTINGS = settings(max_examples=100, deadline=None)

policies = st.builds(
    TeamPolicy,
    weight=st.sampled_from((0.5, 1.0, 3.0)),
    quota=st.none() | st.integers(0, 4),
    may_borrow=st.booleans(),
    concurrency=st.none() | st.integers(1, 5),
    paused=st.sampled_from((False, False, False, True)),
)
capacities = st.builds(
    Capacity,
    slots=st.integers(0, 12),
    cpu_millis=st.none() | st.integers(0, 8000),
    memory_mib=st.none() | st.integers(0, 16384),
    launches_per_second=st.none() | st.just(2.0),
    launch_burst=st.integers(1, 4),
    teams=st.dictionaries(st.sampled_from(TEAMS), policies),
)


@st.composite
def shards(draw: st.DrawFn, /, run: int, count: int, **changes: Any) -> list[QueueEntry]:
    """Work of one run: its limits are those of the run, its needs and times each shard's own."""
    suite = draw(st.sampled_from(("api", "ui")))
    of_run = {
        "team": TEAMS[run % len(TEAMS)],
        "suite": suite,
        "priority": tuple(Priority)[run // len(TEAMS) % len(Priority)],
        "concurrency": draw(st.sampled_from((1, 3, 100))),
        "suite_concurrency": 2 if suite == "ui" else None,
    }
    return [
        make_entry(
            number,
            run=run,
            enqueued_at=START - timedelta(minutes=draw(st.integers(0, 60))),
            estimate_seconds=draw(st.sampled_from((1.0, 30.0, 600.0))),
            cpu_millis=draw(st.sampled_from((500, 1000, 4000))),
            memory_mib=draw(st.sampled_from((512, 2048, 9000))),
            anti_affinity=draw(st.sampled_from((None, None, None, "account"))),
            not_before=draw(st.sampled_from((None, None, None, START + timedelta(seconds=5)))),
            **of_run,
            **{name: draw(value) for name, value in changes.items()},
        )
        for number in range(count)
    ]


@st.composite
def queues(draw: st.DrawFn) -> list[QueueEntry]:
    sizes = draw(st.dictionaries(st.integers(1, 9), st.integers(1, 6)))
    return [entry for run, count in sizes.items() for entry in draw(shards(run, count))]


@st.composite
def actives(draw: st.DrawFn) -> list[QueueEntry]:
    sizes = draw(st.dictionaries(st.integers(11, 19), st.integers(1, 3), max_size=5))
    ages = st.integers(0, 900).map(lambda seconds: START - timedelta(seconds=seconds))
    return [
        entry
        for run, count in sizes.items()
        for entry in draw(shards(run, count, admitted_at=ages, borrowed=st.booleans()))
    ]


@SETTINGS
@given(queues(), actives(), capacities, st.randoms(use_true_random=False))
def test_the_order_of_the_lists_changes_nothing(
    queue: list[QueueEntry], active: list[QueueEntry], capacity: Capacity, random: Any
) -> None:
    first = admit(Queue.of(queue), Usage(tuple(active)), capacity, START)
    random.shuffle(queue)
    random.shuffle(active)
    assert admit(Queue.of(queue), Usage(tuple(active)), capacity, START) == first


@SETTINGS
@given(queues(), actives(), capacities)
def test_no_limit_is_exceeded(queue: list[QueueEntry], active: list[QueueEntry], capacity: Capacity) -> None:
    round_ = admit(Queue.of(queue), Usage(tuple(active)), capacity, START)
    admitted = [decision.entry for decision in round_.admitted]
    everything = [*active, *admitted]
    if admitted:
        assert len(everything) <= capacity.slots
        assert capacity.cpu_millis is None or sum(e.cpu_millis for e in everything) <= capacity.cpu_millis
        assert capacity.memory_mib is None or sum(e.memory_mib for e in everything) <= capacity.memory_mib
    if capacity.launches_per_second is not None:
        assert len(admitted) <= capacity.launch_burst
    for entry in admitted:
        policy = capacity.teams.get(entry.team, TeamPolicy())
        of_team = [other for other in everything if other.team == entry.team]
        of_suite = [other for other in of_team if other.suite == entry.suite]
        of_run = [other for other in everything if other.key.run_id == entry.key.run_id]
        assert not policy.paused
        assert entry.not_before is None or entry.not_before <= START
        assert policy.concurrency is None or len(of_team) <= policy.concurrency
        assert len(of_run) <= entry.concurrency
        assert entry.suite_concurrency is None or len(of_suite) <= entry.suite_concurrency
        assert entry.anti_affinity is None or (
            [other.anti_affinity for other in of_team].count(entry.anti_affinity) == 1
        )


@SETTINGS
@given(queues(), actives(), capacities)
def test_quotas_are_exceeded_only_by_borrowing_what_nobody_else_may_use(
    queue: list[QueueEntry], active: list[QueueEntry], capacity: Capacity
) -> None:
    round_ = admit(Queue.of(queue), Usage(tuple(active)), capacity, START)
    held = Counter(entry.team for entry in active)
    for decision in round_.admitted:
        policy = capacity.teams.get(decision.entry.team, TeamPolicy())
        beyond = policy.quota is not None and held[decision.entry.team] >= policy.quota
        assert decision.borrowed == beyond
        assert policy.may_borrow or not beyond
        held[decision.entry.team] += 1
    if any(decision.borrowed for decision in round_.admitted):
        for waits in round_.decisions:
            if waits.reason in {Reason.NO_SLOT, Reason.LAUNCH_RATE}:
                quota = capacity.teams.get(waits.entry.team, TeamPolicy()).quota
                assert quota is not None
                assert held[waits.entry.team] >= quota


@SETTINGS
@given(queues(), actives(), capacities)
def test_nothing_idles_while_something_may_run(
    queue: list[QueueEntry], active: list[QueueEntry], capacity: Capacity
) -> None:
    round_ = admit(Queue.of(queue), Usage(tuple(active)), capacity, START)
    assume(not round_.preemptions)  # free room that P0 is about to use is not idle
    admitted = [decision.entry for decision in round_.admitted]
    everything = [*active, *admitted]
    left = [entry for entry in queue if entry not in admitted]
    assume(not any(keeps_room(entry, everything, capacity) for entry in left))
    tokens_left = capacity.launches_per_second is None or len(admitted) < capacity.launch_burst
    assert not (tokens_left and [entry for entry in left if admissible(entry, everything, capacity)])


def keeps_room(entry: QueueEntry, everything: list[QueueEntry], capacity: Capacity) -> bool:
    """Whether room may be kept for the entry: it has waited so long that nothing passes it by any more."""
    starved = starving(entry, now=START, aging=capacity.aging)
    return starved and fits(entry, [], capacity) and not fits(entry, everything, capacity)


def fits(entry: QueueEntry, others: list[QueueEntry], capacity: Capacity) -> bool:
    return (
        len(others) < capacity.slots
        and (
            capacity.cpu_millis is None or sum(e.cpu_millis for e in [entry, *others]) <= capacity.cpu_millis
        )
        and (
            capacity.memory_mib is None or sum(e.memory_mib for e in [entry, *others]) <= capacity.memory_mib
        )
    )


def admissible(entry: QueueEntry, everything: list[QueueEntry], capacity: Capacity) -> bool:
    """The rules once more, written down without the policy's code."""
    policy = capacity.teams.get(entry.team, TeamPolicy())
    of_team = [other for other in everything if other.team == entry.team]
    return (
        fits(entry, everything, capacity)
        and not policy.paused
        and (entry.not_before is None or entry.not_before <= START)
        and (policy.concurrency is None or len(of_team) < policy.concurrency)
        and (policy.may_borrow or policy.quota is None or len(of_team) < policy.quota)
        and sum(other.key.run_id == entry.key.run_id for other in everything) < entry.concurrency
        and (
            entry.suite_concurrency is None
            or sum(other.suite == entry.suite for other in of_team) < entry.suite_concurrency
        )
        and (entry.anti_affinity is None or entry.anti_affinity not in {e.anti_affinity for e in of_team})
    )


@st.composite
def crowds(draw: st.DrawFn) -> tuple[list[QueueEntry], list[QueueEntry], Capacity]:
    """Teams with small quotas, slots full of P2 that is mostly borrowed, and P0 at the door."""
    urgent = draw(st.dictionaries(st.sampled_from((1, 2, 9)), st.integers(1, 4), min_size=1))
    lent = draw(st.dictionaries(st.sampled_from((15, 16, 17)), st.integers(1, 5), min_size=1))
    ages = st.integers(0, 900).map(lambda seconds: START - timedelta(seconds=seconds))
    borrowed = st.sampled_from((True, True, True, False))
    active = [
        entry
        for run, count in lent.items()
        for entry in draw(shards(run, count, admitted_at=ages, borrowed=borrowed))
    ]
    queue = [entry for run, count in urgent.items() for entry in draw(shards(run, count))]
    capacity = Capacity(
        slots=len(active) + draw(st.integers(0, 2)),
        cpu_millis=draw(st.none() | st.just(sum(entry.cpu_millis for entry in active) + 500)),
        teams={team: TeamPolicy(quota=draw(st.integers(0, 3))) for team in TEAMS},
    )
    return [replace(entry, enqueued_at=START) for entry in queue], active, capacity


@SETTINGS
@given(crowds())
def test_only_p0_takes_borrowed_p2_back_and_it_gets_what_it_takes(
    crowd: tuple[list[QueueEntry], list[QueueEntry], Capacity],
) -> None:
    queue, active, capacity = crowd
    round_ = admit(Queue.of(queue), Usage(tuple(active)), capacity, START)
    held = Counter(entry.team for entry in active)
    for preemption in round_.preemptions:
        assert preemption.by.priority is P0
        assert preemption.victim.priority is P2
        assert preemption.victim.borrowed
        quota = capacity.teams[preemption.victim.team].quota
        assert quota is not None
        assert held[preemption.victim.team] > quota
        held[preemption.victim.team] -= 1
    victims = {preemption.victim.key for preemption in round_.preemptions}
    given_ = {decision.entry.key for decision in round_.admitted}
    left = [
        *(entry for entry in active if entry.key not in victims),
        *(replace(d.entry, admitted_at=START, borrowed=d.borrowed) for d in round_.admitted),
    ]
    rest = [entry for entry in queue if entry.key not in given_]
    following = admit(Queue.of(rest), Usage(tuple(left), round_.account), capacity, START)
    got = {decision.entry.key for decision in following.admitted if not decision.borrowed}
    assert {preemption.by.key for preemption in round_.preemptions} <= got
    lent_now = {decision.entry.team for decision in round_.admitted if decision.borrowed}
    assert {preemption.victim.team for preemption in following.preemptions} <= lent_now
    if capacity.cpu_millis is None:
        assert len(got) == len(victims)


@SETTINGS
@given(queues(), actives(), capacities)
def test_nothing_is_overtaken_by_what_came_after_its_limit(
    queue: list[QueueEntry], active: list[QueueEntry], capacity: Capacity
) -> None:
    """The limit of an entry, or of one that its own run wants before it."""
    round_ = admit(Queue.of(queue), Usage(tuple(active)), capacity, START)
    for waits in round_.decisions:
        if waits.reason is Reason.NO_SLOT:
            run_id = waits.entry.key.run_id
            until = max(
                overtakable_until(entry, aging=capacity.aging)
                for entry in queue
                if entry.key.run_id == run_id and lane_order(entry) <= lane_order(waits.entry)
            )
            for other in round_.admitted:
                assert other.entry.enqueued_at < until or other.entry.key.run_id == run_id


@SETTINGS
@given(queues(), actives(), capacities)
def test_every_lane_is_told_what_becomes_of_it(
    queue: list[QueueEntry], active: list[QueueEntry], capacity: Capacity
) -> None:
    round_ = admit(Queue.of(queue), Usage(tuple(active)), capacity, START)
    waits = [decision for decision in round_.decisions if not decision.admitted]
    admitted = {decision.entry.key for decision in round_.admitted}
    left = {entry.key.run_id for entry in queue if entry.key not in admitted}
    assert sorted(decision.entry.key.run_id for decision in waits) == sorted(left)
    assert all(decision.explanation.endswith(".") for decision in round_.decisions)


@st.composite
def arrivals(draw: st.DrawFn) -> list[Arrival]:
    """Bursts of any priority of three teams, over an hour and a half."""
    bursts = draw(
        st.lists(
            st.tuples(
                st.integers(0, 90),  # minute
                st.sampled_from(TEAMS),
                st.sampled_from(tuple(Priority)),
                st.integers(1, 12),  # shards
                st.integers(20, 900),  # seconds each
            ),
            min_size=1,
            max_size=14,
        )
    )
    return [
        Arrival(
            make_entry(
                number,
                run=run,
                team=team,
                priority=priority,
                enqueued_at=START + timedelta(minutes=minute),
            ),
            float(seconds),
        )
        for run, (minute, team, priority, count, seconds) in enumerate(bursts, start=1)
        for number in range(count)
    ]


@settings(max_examples=100, deadline=None)
@given(arrivals(), st.integers(1, 4))
def test_no_wait_is_longer_than_its_bound_under_any_arrival_pattern(
    coming: list[Arrival], slots: int
) -> None:
    """The bound of ADR 0008: (class + 1) limits, and the time to serve what came until then."""
    world = Clockwork(Capacity(slots, aging=AGING))
    world.run(coming)
    assert set(world.started) == {arrival.entry.key for arrival in coming}
    for arrival in coming:
        entry = arrival.entry
        until = overtakable_until(entry, aging=AGING)
        assert until - entry.enqueued_at == (CLASSES[entry.priority] + 1) * AGING
        before = [other.seconds for other in coming if other.entry.enqueued_at < until]
        serve = timedelta(seconds=sum(before) / slots + max(before))
        assert world.started[entry.key] <= until + serve


@settings(max_examples=8, deadline=None)
@given(
    st.tuples(*(st.sampled_from((1.0, 2.0, 3.0, 5.0)) for _ in TEAMS)),
    st.tuples(*(st.integers(60, 400) for _ in TEAMS)),
    st.integers(4, 8),
)
def test_shares_converge_to_the_weights_whatever_the_work_takes(
    weights: tuple[float, ...], seconds: tuple[int, ...], slots: int
) -> None:
    """Three teams that always have something waiting, their shards of different lengths, none of them known before."""
    teams = {team: TeamPolicy(weight=weight) for team, weight in zip(TEAMS, weights, strict=True)}
    world = Clockwork(Capacity(slots, teams=teams))
    hours = 8
    backlog = [
        Arrival(make_entry(number, run=run, team=team, concurrency=1000), float(each))
        for run, (team, each) in enumerate(zip(TEAMS, seconds, strict=True), start=1)
        for number in range(hours * 3600 * slots // each)
    ]
    play_backlog(world, backlog, hours=hours)
    total = sum(world.used.values())
    for team in TEAMS:
        fair = teams[team].weight / sum(weights)
        assert abs(world.used[team] / total - fair) < 0.05


def play_backlog(world: Clockwork, backlog: list[Arrival], *, hours: int) -> None:
    """Play with only the heads of each backlog listed, as nobody reads more of a queue than there are slots."""
    stock: dict[str, list[Arrival]] = {}
    for arrival in backlog:
        stock.setdefault(arrival.entry.team, []).append(arrival)
    while world.now < START + timedelta(hours=hours):
        for team, arrivals_ in stock.items():
            listed = sum(1 for arrival in world.waiting.values() if arrival.entry.team == team)
            for _ in range(min(world.capacity.slots - listed, len(arrivals_))):
                arrival = arrivals_.pop()
                world.waiting[arrival.entry.key] = arrival
        world.look()
        world.move(min(due for due, _ in world.active.values()))
