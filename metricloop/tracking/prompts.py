"""The prompt templates of the language model in MLflow's prompt registry, one version per hash."""

from __future__ import annotations

from typing import TYPE_CHECKING

from metricloop.llm.prompt import known_templates
from metricloop.tracking.records import ModelCall

if TYPE_CHECKING:
    from mlflow.tracking import MlflowClient

PREFIX = "metricloop-"  # of the names of our prompts
ALIAS = "template-"  # with the hash, the alias of a version


def registered_prompt(client: MlflowClient, call: ModelCall) -> dict[str, str] | None:
    """The prompt that a call was made from, as {"name", "version"}; it is registered if it is not there yet.

    None for a template of another version of metricloop, whose text is not known, and at a server without a registry.
    """
    from mlflow.exceptions import MlflowException

    template = known_templates().get(call.template)
    if template is None:
        return None
    name, alias = f"{PREFIX}{template.name}", f"{ALIAS}{call.template}"
    try:
        found = client.get_prompt_version_by_alias(name, alias)
    except MlflowException:  # neither the prompt nor the alias is there
        found = None
    try:
        if found is None:
            found = client.register_prompt(
                name,
                [{"role": role, "content": text} for role, text in template.messages],
                commit_message="a template of metricloop; what fills it is in the traces",
                tags={"template": call.template},
            )
            client.set_prompt_alias(name, alias, int(found.version))
    except MlflowException:
        return None
    return {"name": name, "version": str(found.version)}
