"""Reviews: what voids an approval, who may give one, and that nothing else makes a revision approved."""

from dataclasses import replace
from datetime import timedelta

import pytest
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule

from crosswind.chaos import reviewing
from crosswind.chaos.model import Experiment
from crosswind.chaos.reviewing import Content, content_digest, counting
from crosswind.contracts.chaos.lifecycle import RevisionState
from crosswind.kernel.errors import ConflictError, ForbiddenError
from tests.fakes import START
from tests.fakes.chaos import SPEC_DIGEST, make_spec

TARGETS = ("toxiproxy:payments",)
OTHER = Content(make_spec(risk="high"), "sha256:" + "b" * 64, {})
HOUR = timedelta(hours=1)


def _submitted(**spec: object) -> Experiment:
    content = Content(make_spec(**spec), SPEC_DIGEST, {})
    made = reviewing.create(content, team="demo", name="slow", actor="ada", now=START).experiment
    return reviewing.submit(made, actor="bob", now=START).experiment


def _approved(experiment: Experiment, by: str = "grace", *, needed: int = 1) -> Experiment:
    return reviewing.approve(
        experiment, actor=by, target_ids=TARGETS, needed=needed, comment=None, now=START
    ).experiment


def test_the_last_approval_that_is_needed_approves() -> None:
    first = _approved(_submitted(), needed=2)
    assert first.revision.state is RevisionState.UNDER_REVIEW
    again = _approved(first, needed=2)
    assert again.revision.state is RevisionState.UNDER_REVIEW, "one person is one approval"
    second = _approved(again, by="linus", needed=2)
    assert second.revision.state is RevisionState.APPROVED
    assert len(counting(second.revision, target_ids=TARGETS, now=START)) == 2


@pytest.mark.parametrize("own", ["ada", "bob"])
def test_nobody_approves_what_they_wrote_or_submitted(own: str) -> None:
    with pytest.raises(ForbiddenError):
        _approved(_submitted(), by=own)


def test_an_earlier_editor_of_the_content_cannot_approve_it_either() -> None:
    edited = reviewing.edit(_submitted(), OTHER, actor="grace", now=START)
    assert edited is not None
    submitted = reviewing.submit(edited.experiment, actor="bob", now=START).experiment
    for by in ("ada", "grace", "bob"):
        with pytest.raises(ForbiddenError):
            _approved(submitted, by=by)


def test_an_edit_makes_a_new_draft_without_approvals() -> None:
    approved = _approved(_submitted(schedule={"cron": "0 8 * * 1-5"}))
    assert approved.next_start is not None
    edited = reviewing.edit(approved, OTHER, actor="ada", now=START)
    assert edited is not None
    revision = edited.experiment.revision
    assert (revision.number, revision.state, revision.approvals) == (2, RevisionState.DRAFT, ())
    assert edited.experiment.next_start is None, "what is not approved does not start by itself"


def test_the_same_content_again_changes_nothing() -> None:
    approved = _approved(_submitted())
    same = Content(approved.revision.spec, SPEC_DIGEST, {})
    assert reviewing.edit(approved, same, actor="ada", now=START) is None


def test_an_approval_does_not_count_for_a_target_that_was_not_there() -> None:
    revision = _approved(_submitted()).revision
    assert counting(revision, target_ids=(), now=START)
    assert counting(revision, target_ids=(*TARGETS, "toxiproxy:cart"), now=START) == ()


def test_an_approval_does_not_count_for_another_content() -> None:
    revision = replace(_approved(_submitted()).revision, spec_digest=OTHER.spec_digest)
    assert counting(revision, target_ids=TARGETS, now=START) == ()


def test_an_approval_expires() -> None:
    revision = _approved(_submitted(approvals={"validFor": "1h"})).revision
    assert counting(revision, target_ids=TARGETS, now=START + HOUR - timedelta(seconds=1))
    assert counting(revision, target_ids=TARGETS, now=START + HOUR) == ()


def test_a_forged_list_of_targets_does_not_fit_its_digest() -> None:
    revision = _approved(_submitted()).revision
    forged = replace(revision.approvals[0], target_ids=(*TARGETS, "toxiproxy:cart"))
    assert counting(replace(revision, approvals=(forged,)), target_ids=TARGETS, now=START) == ()


def test_requested_changes_void_approvals_and_are_kept_with_their_reason() -> None:
    sent_back = reviewing.request_changes(
        _approved(_submitted()), actor="grace", reason="too wide", now=START
    )
    revision = sent_back.experiment.revision
    assert (revision.state, revision.approvals) == (RevisionState.DRAFT, ())
    assert (revision.changes_requested, revision.changes_requested_by) == ("too wide", "grace")
    submitted = reviewing.submit(sent_back.experiment, actor="ada", now=START).experiment
    assert submitted.revision.changes_requested is None


def test_a_draft_is_not_approved() -> None:
    content = Content(make_spec(), SPEC_DIGEST, {})
    draft = reviewing.create(content, team="demo", name="slow", actor="ada", now=START).experiment
    with pytest.raises(ConflictError, match="allowed is edit, submit"):
        _approved(draft)


class Reviewing(RuleBasedStateMachine):
    """Whatever people do in whatever order: what is approved was approved by enough others, as it is."""

    people = st.sampled_from(["ada", "bob", "grace", "linus"])
    contents = st.sampled_from(
        [Content(make_spec(risk=risk), "sha256:" + risk[0] * 64, {}) for risk in ("low", "medium", "high")]
    )
    hits = st.sets(st.sampled_from(["a", "b", "c"]), min_size=1)

    def __init__(self) -> None:
        super().__init__()
        self.now = START
        self.needed = 2
        self.targets: set[str] = {"a"}
        content = Content(make_spec(), SPEC_DIGEST, {})
        self.experiment = reviewing.create(
            content, team="demo", name="slow", actor="ada", now=START
        ).experiment
        self.wrote = {"ada"}
        self.yes: dict[str, tuple[str, frozenset[str]]] = {}  # of this content only

    @rule(who=people, content=contents)
    def edit(self, who: str, content: Content) -> None:
        was_approved = self.experiment.revision.state is RevisionState.APPROVED
        edited = reviewing.edit(self.experiment, content, actor=who, now=self.now)
        if edited is not None:
            self.experiment, self.yes = edited.experiment, {}
            self.wrote = {who} if was_approved else self.wrote | {who}

    @rule(who=people)
    def submit(self, who: str) -> None:
        self._try(lambda: reviewing.submit(self.experiment, actor=who, now=self.now).experiment)

    @rule(who=people)
    def approve(self, who: str) -> None:
        approved = self._try(
            lambda: (
                reviewing.approve(
                    self.experiment,
                    actor=who,
                    target_ids=sorted(self.targets),
                    needed=self.needed,
                    comment=None,
                    now=self.now,
                ).experiment
            )
        )
        if approved:
            self.yes[who] = (self.experiment.revision.spec_digest, frozenset(self.targets))

    @rule(who=people)
    def request_changes(self, who: str) -> None:
        if self._try(
            lambda: (
                reviewing.request_changes(self.experiment, actor=who, reason="no", now=self.now).experiment
            )
        ):
            self.yes = {}

    @rule(hits=hits)
    def resolve_to_others(self, hits: set[str]) -> None:
        self.targets = hits

    @precondition(lambda self: self.now < START + timedelta(days=30))
    @rule(days=st.integers(1, 8))
    def wait(self, days: int) -> None:
        self.now += timedelta(days=days)

    @invariant()
    def what_counts_was_said_by_others_of_exactly_this(self) -> None:
        revision = self.experiment.revision
        for each in counting(revision, target_ids=sorted(self.targets), now=self.now):
            assert each.by not in self.wrote
            assert each.by != revision.submitted_by
            digest, seen = self.yes[each.by]
            assert digest == revision.spec_digest
            assert self.targets <= seen
            assert self.now < each.expires_at
            assert each.digest == content_digest(revision.spec_digest, sorted(seen))

    @invariant()
    def what_is_approved_was_approved_by_enough(self) -> None:
        if self.experiment.revision.state is RevisionState.APPROVED:
            assert len(self.yes.keys() - self.wrote) >= self.needed

    def _try(self, move: "object") -> bool:
        assert callable(move)
        try:
            self.experiment = move()
        except (ConflictError, ForbiddenError):
            return False
        return True


TestReviewing = Reviewing.TestCase
