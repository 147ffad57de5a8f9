"""Studies of two rounds with a real server: good, clumsy and hostile models; the journal is always complete."""

import json
import os
import signal
import subprocess
import sys
import time
import zlib
from collections import Counter
from contextlib import suppress
from pathlib import Path

import pyarrow.parquet as pq
import pytest
from personas import capable, chooser, clumsy, hostile, mender, text_of
from server import Answer, Server, failure
from tiny_study import metricloop

from metricloop.data.tables import read_json, read_yaml
from metricloop.llm.journal import read_journal

KEY = "sk-Qz7Wv2Lk9Bt4Xm1Nc8Rd5Hf3Gp6Ys0"  # no piece of it is a word of a path


def settings(server: Server) -> list[str]:
    where = ["llm.provider=record", f"llm.base_url={server.base_url}", "llm.model=stand-in", "llm.max_cost=null"]
    return [
        "--set",
        *where,
        "llm.explore=0",
        "llm.suggestions=2",
        "llm.repairs=2",
        "sandbox.frame_seconds=1",
    ]


def environment() -> dict[str, str]:
    return os.environ | {"METRICLOOP_API_KEY": KEY}


def study(folder: Path, persona, key: str = KEY, rounds: int = 2):
    """Continue the tiny study for some rounds. Returns the server, the output, and the journal."""
    baseline = (folder / "results/random.0/metrics.json").read_bytes()
    with Server(persona) as server:
        command = ["run", "-C", str(folder), *settings(server), f"llm.rounds={rounds}"]
        done = metricloop(*command, env=environment() | {"METRICLOOP_API_KEY": key})
    assert done.returncode == 0, done.stdout + done.stderr
    assert server.errors == []
    assert (folder / "results/random.0/metrics.json").read_bytes() == baseline
    without_key(folder, key, done.stdout + done.stderr)
    return server, done.stdout, read_journal(folder / "journal.jsonl")


def without_key(folder: Path, key: str, said: str) -> None:
    """No file, no object of git and no output holds eight letters of the key in a row."""
    pieces = {key[start : start + 8].encode() for start in range(len(key) - 7)} - {b"sk-proj-"}
    objects = subprocess.run(
        ["git", "cat-file", "--batch", "--batch-all-objects"], cwd=folder, capture_output=True, check=True
    ).stdout
    packed = [zlib.decompress(file.read_bytes(), 31) for file in folder.rglob("*.gz")]
    texts = {"output": said.encode(), "git": objects} | {f"packed {n}": text for n, text in enumerate(packed)}
    files = {str(file): file.read_bytes() for file in folder.rglob("*") if file.is_file()}
    for name, text in (texts | files).items():
        assert not (found := [piece for piece in pieces if piece in text]), f"{name}: {found[:3]}"


def kinds(events, **fields) -> Counter:
    return Counter(e["event"] for e in events if all(e.get(name) == value for name, value in fields.items()))


def arms(folder: Path) -> dict:
    return {arm["name"]: arm for arm in read_json(folder / "comparison.json")["arms"]}


@pytest.mark.slow
def test_a_capable_model_builds_on_what_it_learnt(tiny, walls):
    server, said, events = study(tiny, capable)
    assert set(arms(tiny)) == {"random", "object_count", "wide_boxes", "left_boxes", "wide_by_size", "low_and_left"}
    assert len(server.requests) == 4  # two proposals, two reflections
    assert kinds(events) == {
        "asked": 4, "answered": 4, "proposed": 4, "gate": 4, "accepted": 4, "suggested": 2, "measured": 4, "checked": 1,
        "reflected": 2,
    }  # fmt: skip
    second = text_of(server.bodies[2]["messages"][1])
    assert "Your conclusion then: wide_boxes is worth another look." in second
    assert "you had predicted +0.020" in second
    assert "low_and_left (pixels, builds on left_boxes): passed the gate at once" in said
    combined = read_yaml(tiny / "rounds.yaml")["arms"]["low_and_left"]
    assert (combined["a"], combined["b"]) == ("scores/round2-pool/lowest.parquet", "scores/round1-pool/left.parquet")
    for body in server.bodies:
        sent = json.dumps(body)
        assert "oracle" not in sent.replace("oracle_like", "")
        assert "truth" not in sent
    again = metricloop("run", "-C", str(tiny), env=environment())  # nobody listens any more, and nobody is asked
    assert again.returncode == 0, again.stdout + again.stderr
    assert read_journal(tiny / "journal.jsonl") == events
    replayed = metricloop("scorecard", str(tiny))
    assert replayed.returncode == 0, replayed.stderr
    assert "4 of 4" in replayed.stdout.replace("4/4", "4 of 4")


def test_a_clumsy_model_is_asked_again_and_its_errors_are_repaired_or_refused(tiny, walls):
    server, said, events = study(tiny, clumsy)
    assert set(arms(tiny)) == {"random", "object_count", "crooked"}
    assert "crooked broke" in said
    assert "passed the gate after 1 repair" in said
    refused = {e["suggestion"]: (e["kind"], e["reason"]) for e in events if e["event"] == "refused"}
    assert set(refused) == {"hopeless", "crooked_again", "slow"}
    assert refused["crooked_again"][0] == "repeat"
    assert "is crooked again: crooked_width with the same policy" in refused["crooked_again"][1]
    assert "fails on" in refused["slow"][1] or "answer" in refused["slow"][1]
    assert {body.get("response_format", {}).get("type") for body in server.bodies[:3]} == {
        "json_schema",
        "json_object",
        None,
    }
    assert all("response_format" not in body for body in server.bodies[3:])
    assert kinds(events, event="reflected") == {"reflected": 2}
    assert [e["summary"] for e in events if e["event"] == "reflected"] == ["", ""]


@pytest.mark.slow
def test_a_hostile_model_fails_and_the_journal_records_its_attempts(tiny, walls):
    escaped = Path("/tmp/metricloop_escaped")
    escaped.unlink(missing_ok=True)
    before = {name: arm["mAP"] for name, arm in arms(tiny).items()}
    _, said, events = study(tiny, hostile)
    assert not escaped.exists()
    found = arms(tiny)
    assert set(found) == {"random", "object_count", "sound_1", "sound_2"}
    assert {name: found[name]["mAP"] for name in before} == before
    assert "\x1b" not in said
    report = (tiny / "report.html").read_text()
    assert "<script>alert" not in report
    gates = [finding["said"] for e in events if e["event"] == "gate" for finding in e["broken"]]
    assert any("the sandbox forbids it" in text for text in gates)
    reasons = " ".join(e["said"] for e in events if e["event"] == "unusable")
    assert "name: String should match pattern" in reasons
    assert "verdict: Extra inputs are not permitted" in reasons
    assert {e["suggestion"] for e in events if e["event"] == "refused"} == {"escape_1", "escape_2"}
    inside = {file.relative_to(tiny).as_posix() for file in (tiny / "metrics/generated").rglob("*.py")}
    assert inside == {"metrics/generated/1/sound_m_1.py", "metrics/generated/2/sound_m_2.py"}


@pytest.mark.slow
def test_a_repair_of_the_model_is_mended_becomes_an_arm_and_is_adopted(tiny, walls):
    server, said, _ = study(tiny, mender)
    assert set(arms(tiny)) == {"random", "object_count", "mended_1", "both_1", "mended_2", "both_2"}
    assert "mended_1 broke runs: the repair drop_left_1 fails on" in said
    assert "mended_1 (geometry): passed the gate after 1 repair; random, mend drop_left_1" in said
    plan = read_yaml(tiny / "rounds.yaml")
    assert plan["repairs"]["drop_left_1"] == {
        "code": "metrics/generated/1/drop_left_1.py", "needs": "data/images.parquet"
    }  # fmt: skip
    assert set(plan["repairs"]) == {"drop_left_1", "drop_left_2", "consensus"}
    edits = pq.read_table(tiny / "edits/drop_left_1.parquet")
    assert set(edits["kind"].to_pylist()) == {"drop"}
    assert all(0.5 < confidence <= 1 for confidence in edits["confidence"].to_pylist())
    assert edits.schema.metadata[b"trust"] == b"sandbox"
    found = arms(tiny)
    assert found["mended_1"]["boxes"] < found["random"]["boxes"]  # the same number of images, fewer labels
    assert found["mended_1"]["images"] == found["random"]["images"]
    second = text_of(server.bodies[-2]["messages"][1])
    assert "repair `drop_left_1`, yours; policy random" in second
    for body in server.bodies:
        assert "truth" not in json.dumps(body)
    assert "drop_left_1" in (tiny / "report.html").read_text()
    done = metricloop("adopt", "drop_left_1", "--yes", "-C", str(tiny))
    assert done.returncode == 0, done.stdout + done.stderr
    assert (tiny / "metrics/adopted/drop_left_1.py").is_file()
    again = metricloop("run", "-C", str(tiny), env=environment())
    assert again.returncode == 0, again.stdout + again.stderr
    assert pq.read_table(tiny / "edits/drop_left_1.parquet").schema.metadata[b"trust"] == b"adopted"
    assert read_yaml(tiny / "rounds.yaml")["repairs"]["drop_left_1"]["code"] == "metrics/adopted/drop_left_1.py"


LONG_KEY = "sk-proj-Zk4hT9wQx2Vb7NmLr3Ys8Df1Gc6Jp0KaUe5Wi_Ho-Rt2Qv9Bn4Xz7Ml1Pd6Fy3Gs8Ck0Ej5Tu"


def echoing(body, number):
    """A capable model behind a server that puts the key, whole, in halves and spelt otherwise, wherever it can."""
    half, other = LONG_KEY[: len(LONG_KEY) // 2], LONG_KEY[len(LONG_KEY) // 2 :]
    spelt = "".join(f"\\u{ord(letter):04x}" for letter in LONG_KEY)
    if number == 0:
        return failure(429, f"busy, {LONG_KEY}; {half} {other}", {"Retry-After": "0", "X-Echo": LONG_KEY}, code=half)
    answer = capable(body, number - 1)
    whole = json.loads(answer.body)
    message = whole["choices"][0]["message"]
    idea = json.loads(message["content"])
    for suggestion in idea.get("suggestions", []):
        suggestion["hypothesis"] = f"{suggestion.get('hypothesis', '')} {half[:20]} {other[:20]}"
        if suggestion.get("code"):
            suggestion["code"] += f"\nSPELT = 'KEY'  # {half}, {other[-12:]}\n"
    # Once more encoded within the text, so that it is only whole when the text is read as JSON.
    message["content"] = json.dumps(idea).replace("KEY", spelt)
    whole |= {"model": f"stand-in {half}", "service_tier": other[:30], "id": LONG_KEY, "system_fingerprint": half}
    message["reasoning_content"] = LONG_KEY
    return Answer(json.dumps(whole).encode(), headers={"X-Request-Id": LONG_KEY, "X-Half": half})


@pytest.mark.slow
def test_a_server_that_echoes_the_key_puts_it_into_no_file(tiny, walls):
    server, _, events = study(tiny, echoing, LONG_KEY, rounds=1)
    assert server.requests[0].headers["authorization"] == f"Bearer {LONG_KEY}"
    assert kinds(events)["accepted"] >= 1
    journal = (tiny / "journal.jsonl").read_text()
    assert "stand-in ***" in journal
    code = "".join(file.read_text() for file in (tiny / "metrics/generated").rglob("*.py"))
    assert 'SPELT = "***"' in code
    (tiny / "planted").write_text(LONG_KEY[40:48])  # so that it is known that the hunt would find it
    with pytest.raises(AssertionError, match="planted"):
        without_key(tiny, LONG_KEY, "")


@pytest.mark.faults
def test_killed_at_every_stage_a_study_pays_for_no_answer_twice(tiny, walls):
    """All processes are killed with -9 when the journal has so many lines, and once in each stage of an experiment."""
    journal = tiny / "journal.jsonl"

    def lines(count):
        return lambda: journal.is_file() and journal.read_text().count("\n") >= count

    def there(name):
        return (tiny / name).exists

    points = [
        lines(2), lines(4), lines(8), there("scores/round1-pool"), there("subsets/left_boxes.parquet"),
        there("models/wide_boxes.0"), lines(11), lines(14), lines(17), there("results/low_and_left.0"),
    ]  # fmt: skip
    with Server(capable) as server:
        assert metricloop("compare", "-C", str(tiny)).returncode == 0
        command = [
            sys.executable,
            "-P",
            "-m",
            "metricloop.cli",
            "run",
            "-C",
            str(tiny),
            *settings(server),
            "llm.rounds=2",
        ]
        for reached in points:
            process = subprocess.Popen(command, env=environment(), stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
                                       start_new_session=True)  # fmt: skip
            while not reached() and process.poll() is None:
                time.sleep(0.02)
            kill(process)
        done = subprocess.run(command, env=environment(), capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    asked = Counter(json.dumps(body["messages"]) for body in server.bodies)
    events = read_journal(journal)
    sent, answered = kinds(events)["asked"], kinds(events)["answered"]
    assert answered == 4
    assert answered <= len(server.requests) <= sent  # a question is in the journal before it is on its way
    assert len(asked) == 4
    lost = sent - answered  # killed before the answer was there: nothing can be done about those
    assert lost <= len(points)
    for key in {(e["round"], e["step"]) for e in events if e["event"] == "answered"}:
        assert kinds(events, event="answered", round=key[0], step=key[1])["answered"] == 1
    assert set(arms(tiny)) == {"random", "object_count", "wide_boxes", "left_boxes", "wide_by_size", "low_and_left"}


def kill(process: subprocess.Popen) -> None:
    with suppress(ProcessLookupError):
        os.killpg(process.pid, signal.SIGKILL)
    process.wait()


@pytest.mark.slow
def test_short_trials_decide_between_the_variants_of_an_idea(tiny, walls):
    with Server(chooser) as server:
        changes = [*settings(server)[1:], "llm.rounds=1", "llm.suggestions=1"]
        done = metricloop("run", "-C", str(tiny), "--set", *changes, env=environment())
    assert done.returncode == 0, done.stdout + done.stderr
    assert "1 of 1 suggestion will be tried, and 1 variant; short trials choose among them" in done.stdout
    comparison, plan = read_json(tiny / "comparison.json"), read_yaml(tiny / "rounds.yaml")
    (stopped,) = [arm["name"] for arm in comparison["screened"]]
    (chosen,) = {"choice_1", "choice_1_v2"} - {stopped}
    assert chosen in arms(tiny)
    short = {name: read_json(tiny / f"screening/{name}.json")["seeds"] for name in (stopped, chosen)}
    means = {name: sum(seed["mAP"] for seed in seeds.values()) / len(seeds) for name, seeds in short.items()}
    assert means[chosen] >= means[stopped]
    assert {block["arm"] for block in plan["blocks"].values()} >= {chosen}
    assert stopped not in {block["arm"] for block in plan["blocks"].values()}
    assert comparison["family"]["treatment"] == 3  # object_count, and both variants
    events = read_journal(tiny / "journal.jsonl")
    assert kinds(events, suggestion=chosen)["measured"] == kinds(events, suggestion=stopped)["screened"] == 1
    assert kinds(events, suggestion="choice_1_v3")["refused"] == 1
