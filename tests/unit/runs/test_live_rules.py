"""Who watches what, when it is shipped, who is told of it, and where it is cut."""

from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from crosswind.contracts.live import Piece, Skipped, Stream
from crosswind.runs.live.fanout import posts
from crosswind.runs.live.model import RUN_EVENTS, RUN_LOGS, Mark, Subscription, Way, stream_name, target_of
from crosswind.runs.live.shipping import CHUNK_BYTES, PUSHED_AT_ONCE, Pace, Shipment, State, due
from crosswind.runs.live.text import cut, start_of_line, whole_characters

NOW = datetime(2026, 3, 1, 12, tzinfo=UTC)
PACE = Pace(live_seconds=2, quiet_seconds=30)
NOBODY: frozenset[Way] = frozenset()
POLLED = frozenset({Way.POLLED})
PUSHED = frozenset({Way.PUSHED})


def state(
    *,
    written: int = 100,
    stored: int = 0,
    pushed: int | None = None,
    since_store: float = 0,
    since_push: float = 0,
) -> State:
    return State(written, stored, pushed, since_store, since_push)


@pytest.mark.parametrize(
    ("since", "ways", "stored"),
    [(29.9, NOBODY, False), (30, NOBODY, True), (1.9, POLLED, False), (2, POLLED, True), (29, PUSHED, False)],
)
def test_a_stream_is_stored_every_30_s_and_every_2_s_while_someone_polls(
    since: float, ways: frozenset[Way], *, stored: bool
) -> None:
    assert due(state(pushed=100, since_store=since), ways, PACE).store is stored


def test_a_full_chunk_is_stored_at_once_and_nothing_new_is_never_stored() -> None:
    assert due(state(written=CHUNK_BYTES), NOBODY, PACE).store
    assert due(state(stored=100, since_store=999), POLLED, PACE) == Shipment()


def test_a_failure_is_stored_at_once_though_nobody_watches() -> None:
    assert due(state(), NOBODY, PACE, urgent=True) == Shipment(store=True)


def test_who_begins_to_watch_finds_everything_stored_and_gets_pieces_from_there_on() -> None:
    assert due(state(), PUSHED, PACE) == Shipment(store=True, push_from=100)


def test_pieces_go_every_2_s_and_a_failure_goes_at_once() -> None:
    assert due(state(pushed=40, since_push=1.9), PUSHED, PACE) == Shipment()
    assert due(state(pushed=40, since_push=2), PUSHED, PACE) == Shipment(push_from=40)
    assert due(state(pushed=40), PUSHED, PACE, urgent=True) == Shipment(store=True, push_from=40)


def test_of_too_much_only_the_end_is_pushed_and_the_rest_is_in_the_store_and_told() -> None:
    written = 10 * PUSHED_AT_ONCE
    shipment = due(state(written=written, pushed=7, since_push=2), PUSHED, PACE)
    assert shipment == Shipment(store=True, push_from=9 * PUSHED_AT_ONCE, skipped_from=7)


def test_a_shards_log_is_wanted_by_those_who_follow_it_or_all_logs_and_its_events_by_everyone() -> None:
    later = NOW + timedelta(seconds=1)

    def demand(target: str, end: datetime = later) -> tuple[frozenset[Way], frozenset[Way]]:
        wanted = Mark({(Way.PUSHED, target): end}).demand("shard-00001", now=NOW)
        return wanted.log, wanted.events

    assert demand(RUN_LOGS) == (PUSHED, PUSHED)
    assert demand("shard-00001") == (PUSHED, PUSHED)
    assert demand(RUN_EVENTS) == (NOBODY, PUSHED)
    assert demand("shard-00002") == (NOBODY, NOBODY)
    assert demand(RUN_LOGS, NOW) == (NOBODY, NOBODY)
    assert [target_of(None, log=False), target_of(None, log=True), target_of("w", log=False)] == [
        RUN_EVENTS,
        RUN_LOGS,
        "w",
    ]


def piece(offset: int, text: str, *, work_id: str = "shard-00001", stream: Stream = Stream.LOG) -> Piece:
    return Piece(
        run_id="r",
        work_id=work_id,
        attempt="01-001",
        stream=stream,
        offset=offset,
        next_offset=offset + len(text),
        text=text,
    )


def subscription(connection: str = "c", **changes: object) -> Subscription:
    given: dict[str, object] = {
        "run_id": "r",
        "connection": connection,
        "work_id": None,
        "log": True,
        "from_offset": 0,
        "expires_at": NOW,
    }
    return Subscription(**{**given, **changes})  # type: ignore[arg-type]  # fields by name


def test_each_connection_gets_what_it_wants_in_order_and_nothing_twice() -> None:
    early, late = piece(0, "ab"), piece(2, "cd")
    other = piece(0, "x", work_id="shard-00002")
    event = piece(0, "{}", stream=Stream.EVENTS)
    made = posts(
        [late, early, late, other, event],
        [subscription("all"), subscription("one", work_id="shard-00002"), subscription("news", log=False)],
    )
    assert [(post.subscription.connection, post.message) for post in made] == [
        ("all", event),
        ("all", early),
        ("all", late),
        ("all", other),
        ("one", other),
        ("news", event),
    ]


def test_what_a_subscriber_has_read_already_is_not_sent() -> None:
    made = posts([piece(0, "ab"), piece(2, "cd")], [subscription(work_id="shard-00001", from_offset=2)])
    assert [post.offset for post in made] == [2]


def test_a_connection_that_was_too_slow_is_told_of_the_gap_before_the_next_piece() -> None:
    name = stream_name("shard-00001", "01-001", Stream.LOG)
    (gap, following) = posts([piece(50, "ab")], [subscription(behind={name: 10})])
    assert isinstance(gap.message, Skipped)
    assert (gap.message.from_offset, gap.message.to_offset, gap.offset) == (10, 50, 10)
    assert following.message == piece(50, "ab")


@given(text=st.text(), longest=st.integers(4, 40), end=st.integers(0, 200))
def test_cut_parts_are_whole_characters_and_nothing_is_lost(text: str, longest: int, end: int) -> None:
    data = text.encode()[:end]
    parts = list(cut(data, longest=longest))
    joined = b"".join(parts)
    assert all(0 < len(part) <= longest for part in parts)
    assert joined == data[: whole_characters(data)]
    assert "".join(part.decode(errors="strict") for part in parts) == joined.decode()
    assert b"".join(cut(data, longest=longest, last=True)) == data


@given(data=st.binary(max_size=60), places=st.lists(st.integers(0, 60), max_size=6))
def test_bytes_that_are_no_text_are_shown_the_same_wherever_they_are_cut(
    data: bytes, places: list[int]
) -> None:
    shown, start = "", 0
    for place in sorted(places):
        if place <= start:
            continue
        whole = whole_characters(data[start:place])
        shown += data[start : start + whole].decode(errors="replace")
        start += whole
    assert shown + data[start:].decode(errors="replace") == data.decode(errors="replace")


def test_what_was_cut_anywhere_is_shown_from_its_first_line_or_character() -> None:
    assert start_of_line("…rest\nline".encode()[1:]) == 7
    assert start_of_line("é!".encode()[1:]) == 1
    assert start_of_line(b"all") == 0
