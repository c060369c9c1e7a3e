"""`crosswind validate`: every fault of a suite at once, by the API or on this machine."""

from pathlib import Path
from typing import Annotated

import typer

from crosswind.cli import config
from crosswind.cli.config import is_loopback
from crosswind.cli.session import (
    EndpointOption,
    JsonOption,
    Output,
    ProfileOption,
    open_session,
    profile_name,
    target_endpoint,
)
from crosswind.cli.sources import check_directories, directory_sources, read_suite, replace_sources
from crosswind.cli.submitting import SourceRootOption
from crosswind.cli.surroundings import Surroundings, surroundings_of
from crosswind.contracts.requests import ValidateAnswer
from crosswind.runs.resolving import bind_parameters, expand, stand_ins
from crosswind.runs.spec_rules import Rules
from crosswind.runs.specs import parse_suite

_STAND_IN = "sha256:" + "0" * 64  # validation does not look for the archive, so nothing is packed for it


def validate(
    ctx: typer.Context,
    file: Annotated[Path, typer.Option("-f", "--file", help="The suite as YAML or JSON.")],
    offline: Annotated[bool, typer.Option("--offline", help="On this machine, without the API.")] = False,
    source_root: SourceRootOption = None,
    endpoint: EndpointOption = None,
    profile: ProfileOption = None,
    as_json: JsonOption = False,
) -> None:
    """Check a suite without running it; every fault is told at once, with its line."""
    text = read_suite(file)
    base = file.absolute().parent
    check_directories(text, base=base, root=source_root or base)
    if offline:
        answer = validate_here(text, local=_is_local(surroundings_of(ctx), endpoint, profile))
        _show(Output(as_json=as_json), file, answer)
        return
    sent = replace_sources(text, dict.fromkeys(directory_sources(text), _STAND_IN))
    with open_session(ctx, endpoint=endpoint, profile=profile, as_json=as_json) as session:
        _show(session, file, session.client.validate(sent))


def validate_here(text: str, *, local: bool) -> ValidateAnswer:
    """What the API would answer, as far as it can be known without it. Raises InvalidInputError with every fault."""
    suite = parse_suite(text, rules=Rules(local=local, directories=True))
    guessed = stand_ins(suite)
    jobs = expand(suite, bind_parameters(suite, guessed), guessed=guessed)
    return ValidateAnswer(valid=True, tests=len(jobs))


def _is_local(around: Surroundings, endpoint: str | None, profile: str | None) -> bool:
    profiles = config.load_profiles(config.config_file(around.environ))
    stored = profiles.get(profile_name(around, profile))
    return is_loopback(target_endpoint(around, endpoint=endpoint, stored=stored))


def _show(output: Output, file: Path, answer: ValidateAnswer) -> None:
    if output.as_json:
        output.emit(answer)
    else:
        output.say(f"valid  {file}  {answer.tests} test job{'' if answer.tests == 1 else 's'}")
