"""`crosswind chaos init|validate|templates`: experiments before they are stored."""

import json
from pathlib import Path
from typing import Annotated

import typer

from crosswind.chaos import templating
from crosswind.chaos.spec_rules import Rules
from crosswind.chaos.specs import parse_document, parse_experiment, spec_digest
from crosswind.chaos.stepping import injected_seconds, steps
from crosswind.cli import render
from crosswind.cli.errors import CliError
from crosswind.cli.parameters import split_parameters, typed
from crosswind.cli.session import EndpointOption, JsonOption, Output, ProfileOption, open_session
from crosswind.cli.sources import read_suite
from crosswind.contracts.chaos.definitions import TemplateList, ValidateExperimentAnswer
from crosswind.contracts.chaos.spec import ChaosExperiment

FileOption = Annotated[Path, typer.Option("-f", "--file", help="The experiment as YAML or JSON.")]
_NOT_CHECKED = "not checked here: what the environment's policy allows, and what the providers take"


def register(app: typer.Typer) -> None:
    """Put the commands into `crosswind chaos`."""
    app.command("init")(init)
    app.command("validate")(validate)
    app.command("templates")(templates)


def init(
    template: Annotated[str, typer.Argument(metavar="TEMPLATE", help="One of `crosswind chaos templates`.")],
    param: Annotated[
        list[str] | None, typer.Option("-p", "--param", metavar="KEY=VALUE", help="A value of the template.")
    ] = None,
    output: Annotated[
        Path | None, typer.Option("-o", "--output", help="The file to write; unless told, stdout.")
    ] = None,
    force: Annotated[bool, typer.Option("--force", help="Overwrite the file.")] = False,
    as_json: JsonOption = False,
) -> None:
    """Begin an experiment from a template."""
    chosen = templating.template(template)
    declared = {name: parameter.type.value for name, parameter in chosen.parameters.items()}
    document = templating.render(chosen, typed(split_parameters(param or []), declared))
    parse_document(document, rules=Rules())
    text = (
        json.dumps(document, indent=2, ensure_ascii=False) + "\n" if as_json else templating.to_yaml(document)
    )
    if output is None:
        Output(as_json=as_json).write(text)
        return
    try:
        with output.open("w" if force else "x", encoding="utf-8") as file:
            file.write(text)
    except FileExistsError:
        raise CliError(f"{output} exists", hint="Overwrite it with --force.") from None
    except OSError as error:
        raise CliError(f"{output} cannot be written: {error}") from error
    Output(as_json=as_json).note(f"written  {output}  next: crosswind chaos validate -f {output}")


def validate(
    ctx: typer.Context,
    file: FileOption,
    offline: Annotated[bool, typer.Option("--offline", help="On this machine, without the API.")] = False,
    endpoint: EndpointOption = None,
    profile: ProfileOption = None,
    as_json: JsonOption = False,
) -> None:
    """Check an experiment without storing it; every fault is told at once, with its line."""
    text = read_suite(file)
    if offline:
        experiment = parse_experiment(text, rules=Rules())
        answer = ValidateExperimentAnswer(valid=True, digest=spec_digest(experiment.spec))
        _show(Output(as_json=as_json), file, answer, experiment)
        return
    with open_session(ctx, endpoint=endpoint, profile=profile, as_json=as_json) as session:
        _show(session, file, session.client.validate_experiment(text))


def templates(
    ctx: typer.Context,
    name: Annotated[str | None, typer.Argument(metavar="TEMPLATE", help="Only this one, whole.")] = None,
    actions: Annotated[
        bool, typer.Option("--actions", help="Everything that this deployment's providers can do instead.")
    ] = False,
    endpoint: EndpointOption = None,
    profile: ProfileOption = None,
    as_json: JsonOption = False,
) -> None:
    """List the templates, show one with its parameters, or list the actions that faults are made of."""
    if actions:
        with open_session(ctx, endpoint=endpoint, profile=profile, as_json=as_json) as session:
            _show_actions(session, session.client.read("/api/v1/experiment-templates", TemplateList, {}))
        return
    output = Output(as_json=as_json)
    if name is not None:
        _show_template(output, templating.template(name))
    elif as_json:
        output.emit(TemplateList(items=tuple(templating.view(each) for each in templating.templates())))
    else:
        rows = [(each.name, each.provider.value, each.title) for each in templating.templates()]
        for line in render.columns(("template", "provider", "what happens"), rows):
            output.say(line)


def _show_actions(output: Output, found: TemplateList) -> None:
    if output.as_json:
        output.emit(found)
        return
    rows = [
        (
            each.provider.value,
            each.action,
            ", ".join(
                parameter.name if parameter.default is None else f"{parameter.name}={parameter.default}"
                for parameter in each.parameters
            )
            or "-",
            each.title if each.reversible else f"{each.title} (not taken back)",
        )
        for each in found.actions
    ]
    for line in render.columns(("provider", "action", "parameters", "what happens"), rows):
        output.say(line)


def _show_template(output: Output, chosen: templating.Template) -> None:
    view = templating.view(chosen, whole=True)
    if output.as_json:
        output.emit(view)
        return
    output.note(f"{view.name}  {view.provider.value}  {view.title}")
    output.note(view.description)
    rows = [
        (
            parameter.name,
            "needed" if parameter.required else str(parameter.default),
            " ".join(
                part
                for part in (parameter.description, f"({parameter.unit})" if parameter.unit else "")
                if part
            ),
        )
        for parameter in view.parameters
    ]
    for line in render.columns(("parameter", "default", "meaning"), rows):
        output.note(line)
    output.write(view.document or "")


def _show(
    output: Output, file: Path, answer: ValidateExperimentAnswer, experiment: ChaosExperiment | None = None
) -> None:
    if output.as_json:
        output.emit(answer)
        return
    output.say(f"valid  {file}  {answer.digest[:19]}")
    if experiment is not None:
        made = steps(experiment.spec)
        count = "1 step" if len(made) == 1 else f"{len(made)} steps"
        output.say(f"  {count}, faults are in for {injected_seconds(experiment.spec)}s at most")
        output.note(f"  {_NOT_CHECKED}")
