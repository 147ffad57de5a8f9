"""Write a call of the language model as an MLflow trace.

Traces are written to the store directly. MLflow's own tracing writes them in the background, to the server that the
process set last, and only logs its errors.
"""

from __future__ import annotations

import hashlib
import json
from typing import TYPE_CHECKING, Any

from metricloop.text.clean import printable
from metricloop.tracking.prompts import registered_prompt
from metricloop.tracking.records import ModelCall

if TYPE_CHECKING:
    from mlflow.tracking import MlflowClient

PREVIEW = 300  # most characters of a question or an answer in a list of traces


def write_trace(client: MlflowClient, experiment: str, run_id: str, call: ModelCall) -> str:
    """Write one call as a trace with one span, linked to its run; returns the trace id, always the same for a call."""
    from mlflow.entities import AssessmentSource, Feedback, Span, TraceInfo, TraceLocation, TraceState
    from mlflow.tracing.client import TracingClient
    from mlflow.tracing.constant import TraceMetadataKey, TraceTagKey

    trace_id = f"tr-{hashlib.sha256(f'{run_id} {call.key} {call.end}'.encode()).hexdigest()[:32]}"
    attributes = span_attributes(call)
    number, step, suggestion, attempt = call.key
    tags = {
        "round": str(number),
        "step": step,
        "suggestion": suggestion,
        "attempt": str(attempt),
        "finish": call.finish,
        "provider": call.provider,
        "recorded": call.recorded or "",
        "tokens": "estimated" if call.estimated else "",
        "reasoning_tokens": str(call.reasoning_tokens or ""),
        "cost": "" if call.answer is None else "unknown" if call.cost is None else f"${call.cost:.4f}",
    }
    if prompt := registered_prompt(client, call):
        tags[TraceTagKey.LINKED_PROMPTS] = json.dumps([prompt])
    info = TraceInfo(
        trace_id=trace_id,
        trace_location=TraceLocation.from_experiment_id(experiment),
        request_time=call.start // 1_000_000,
        execution_duration=(call.end - call.start) // 1_000_000,
        state=TraceState.ERROR if call.answer is None else TraceState.OK,
        request_preview=printable(call.messages[-1][1])[:PREVIEW] if call.messages else "",
        response_preview=printable(call.error if call.answer is None else call.answer)[:PREVIEW],
        trace_metadata={
            TraceMetadataKey.SOURCE_RUN: run_id,
            TraceMetadataKey.TOKEN_USAGE: json.dumps(usage(call)),
            **({TraceMetadataKey.COST: json.dumps({"total_cost": call.cost})} if call.cost is not None else {}),
        },
        tags={TraceTagKey.TRACE_NAME: call.name, **{name: text for name, text in tags.items() if text}},
    )
    source = AssessmentSource("CODE", "metricloop")
    span = Span.from_dict(
        {
            "trace_id": trace_id,
            "span_id": trace_id[-16:],
            "parent_span_id": None,
            "name": call.name,
            "start_time_unix_nano": call.start,
            "end_time_unix_nano": call.end,
            "status": {"code": "ERROR" if call.answer is None else "OK", "message": call.error},
            "attributes": {"mlflow.traceRequestId": json.dumps(trace_id)}
            | {name: json.dumps(value, ensure_ascii=False) for name, value in attributes.items()},
            "events": [],
        }
    )
    tracing = TracingClient(client.tracking_uri)
    tracing.start_trace(info)
    tracing.log_spans(experiment, [span])
    for one in call.assessments:
        about = {"suggestion": one.suggestion}
        tracing.log_assessment(
            trace_id,
            Feedback(one.name, one.value, source=source, metadata=about, rationale=f"{one.suggestion}: {one.why}"),
        )
    return trace_id


def span_attributes(call: ModelCall) -> dict[str, Any]:
    """The attributes of a call's span: question and answer in the form of OpenAI's chat completions, tokens, cost.

    MLflow adds a price of its own for every model name that it knows. When we know no price, the name goes to an
    attribute that MLflow does not read, so that the cost stays unknown.
    """
    named = {} if call.cost is None else {"model": call.model}
    message = {"role": "assistant", "content": call.answer}
    answer = {
        **named,
        "choices": [{"index": 0, "finish_reason": call.finish, "message": message}],
        "usage": {
            "prompt_tokens": call.prompt_tokens,
            "completion_tokens": call.completion_tokens,
            "total_tokens": call.prompt_tokens + call.completion_tokens,
            "prompt_tokens_details": {"cached_tokens": call.cached_tokens},
            "completion_tokens_details": {"reasoning_tokens": call.reasoning_tokens},
        },
    }
    return {
        "mlflow.spanType": "CHAT_MODEL",
        "mlflow.spanInputs": {**named, "messages": [{"role": r, "content": t} for r, t in call.messages]},
        "mlflow.spanOutputs": {"error": call.error} if call.answer is None else answer,
        "mlflow.message.format": "openai",
        "mlflow.chat.tokenUsage": usage(call),
        **({} if call.cost is None else {"mlflow.llm.model": call.model, "mlflow.llm.cost": {"total_cost": call.cost}}),
        "language model": call.model,
        "output rung": call.rung,
        "retries": call.retries,
        "reasoning tokens": call.reasoning_tokens,
        "cached tokens": call.cached_tokens,
        **{
            name: text
            for name, text in (("api", call.api), ("reasoning effort", call.effort), ("tier", call.tier))
            if text
        },
    }


def usage(call: ModelCall) -> dict[str, int]:
    """The token counts of a call, with MLflow's names."""
    both = {"input_tokens": call.prompt_tokens, "output_tokens": call.completion_tokens}
    cached = {"cache_read_input_tokens": call.cached_tokens} if call.cached_tokens else {}
    return both | {"total_tokens": sum(both.values())} | cached


def delete_traces(client: MlflowClient, experiment: str, run_id: str) -> int:
    """Delete the traces of a run, because deleting the run keeps them; returns their number."""
    found = client.search_traces(locations=[experiment], run_id=run_id, max_results=500, include_spans=False)
    ids = [trace.info.trace_id for trace in found]
    return client.delete_traces(experiment, trace_ids=ids) if ids else 0
