"""The main job: questions -> answers -> judgments -> a run folder. Streams; data in, data out; prints nothing."""

from __future__ import annotations

import asyncio
import datetime
import time
from collections.abc import Callable, Coroutine, Iterator, Sequence
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from judgebench.documents import Tally, run_document, summary_document
from judgebench.engine.counters import Counters
from judgebench.engine.streaming import OrderedStream
from judgebench.errors import IncompleteError, ProviderError
from judgebench.formats.jsonl import cleaned
from judgebench.preflight import Contestant, Prepared
from judgebench.reasoning import split_reasoning
from judgebench.store import RunWriter
from judgebench.types import Answer, JudgingTask, Judgment, Message, Question, Request, Usage

Progress = Callable[[Counters], AbstractContextManager[object]]


@dataclass(frozen=True)
class Outcome:
    """How a run ended.

    Attributes:
        folder: the run folder. document: its run.json. stopped: why it stopped early, None when it did not.
        resumable: False where all that is missing is missing in recorded answers, which asking again does not mend.
    """

    folder: Path
    document: dict[str, Any]
    stopped: str | None = None
    resumable: bool = True

    @property
    def complete(self) -> bool:
        """Whether every call that was needed could be made."""
        return bool(self.document["complete"])


@dataclass(frozen=True)
class _Unit:
    """One question for one model."""

    question: Question
    contestant: Contestant
    first: bool


@dataclass(frozen=True)
class _Done:
    """What came of a unit."""

    unit: _Unit
    answer: Answer
    judgments: list[Judgment]
    unchecked: int


async def run_single(prepared: Prepared, folder: Path, progress: Progress | None = None) -> Outcome:
    """Answer and judge every question, and write the run folder.

    Every error that stops the run early leaves a run folder with what was delivered until then, but for wrong input (nothing
    is written) and storage that fails.

    Raises:
        InputError, StorageError: nothing is left behind. asyncio.CancelledError: after the folder was written.
    """
    try:
        writer = RunWriter(folder)
        try:
            outcome, cancelled = await _written(prepared, writer, progress)
        except BaseException:
            writer.discard()
            raise
    finally:
        await prepared.close()
    if cancelled is not None:
        raise cancelled
    return outcome


async def _written(prepared: Prepared, writer: RunWriter, progress: Progress | None) -> tuple[Outcome, asyncio.CancelledError | None]:
    """Work through all units and give the folder its files; an interrupt is handed back for after that."""
    tally, counters, started = Tally(), prepared.engine.counters, time.monotonic()
    counters.planned = prepared.plan.judgments
    stopped: str | None = None
    cancelled: asyncio.CancelledError | None = None
    stream: OrderedStream[_Unit, _Done] = OrderedStream(
        _units(prepared), lambda unit: _worked(unit, prepared), lambda done: _delivered(done, writer, tally, counters), width=prepared.engine.width
    )
    with progress(counters) if progress else nullcontext():
        try:
            await stream.run()
        except IncompleteError as error:
            stopped = str(error)
        except asyncio.CancelledError as error:
            stopped, cancelled = "interrupted", error
    document = run_document(prepared, writer.folder, tally, stopped, _now(), time.monotonic() - started)
    writer.finish(document, summary_document(document, writer.judgments_so_far()))
    resumable = stopped is not None or tally.failures["provider_error"] > tally.unanswered
    return Outcome(writer.folder, document, stopped, resumable), cancelled


def _now() -> str:
    return datetime.datetime.now(datetime.UTC).isoformat(timespec="seconds")


def _units(prepared: Prepared) -> Iterator[_Unit]:
    for question in prepared.benchmark.questions():
        for i, contestant in enumerate(prepared.contestants):
            yield _Unit(question, contestant, i == 0)


async def _worked(unit: _Unit, prepared: Prepared) -> _Done:
    """Answer a question and have every turn judged by every judge."""
    answer = await answered(unit.question, unit.contestant, prepared)
    tasks = [
        (seat, JudgingTask(unit.question, answer, turn, sample))
        for seat in prepared.seats for turn in range(1, len(unit.question.turns) + 1) for sample in range(prepared.options.samples)
    ]  # fmt: skip
    wanted = [(seat, task) for seat, task in tasks if seat.judge.judges_turn(task.question, task.turn)]
    if len(wanted) == 1 or not any(seat.judge.remote for seat, _ in wanted):
        judgments = [await seat.judge.judge(task) for seat, task in wanted]
    else:
        judgments = await _together([seat.judge.judge(task) for seat, task in wanted])
    return _Done(unit, answer, judgments, len(tasks) - len(wanted))


async def _together(work: Sequence[Coroutine[None, None, Judgment]]) -> list[Judgment]:
    """The results of all, in order. The first error is raised as it is, once the others have ended."""
    tasks = [asyncio.ensure_future(one) for one in work]
    try:
        return list(await asyncio.gather(*tasks))
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)


async def answered(question: Question, contestant: Contestant, prepared: Prepared) -> Answer:
    """A model's answer to all turns of a question, each in the conversation so far. A call that fails ends the answer."""
    sampling = contestant.sampling(prepared.benchmark, question)
    messages: tuple[Message, ...] = ()
    texts: list[str] = []
    reasons: list[str] = []
    usage, snapshot, error = Usage(), None, None
    for turn, said in enumerate(question.turns, 1):
        messages = (*messages, Message("user", said))
        try:
            response = await contestant.generator.generate(Request(messages, sampling, 0, "", question.id, question.category, turn))
        except ProviderError as failed:
            error = str(failed)
            break
        visible = split_reasoning(cleaned(response.text))[1]
        texts.append(visible)
        reasons.append(response.finish_reason)
        usage, snapshot = usage + response.usage, response.model or snapshot
        if not visible.strip():
            break  # a conversation cannot be carried on from nothing; the later turns share this one's failure
        messages = (*messages, Message("assistant", visible))
    return Answer(question.id, contestant.name, tuple(texts), tuple(reasons), usage, snapshot, error)


def _delivered(done: _Done, writer: RunWriter, tally: Tally, counters: Counters) -> None:
    """Write what came of a unit, and count it."""
    if done.unit.first:
        writer.question(done.unit.question.line)
    writer.answer(done.answer)
    tally.answers += 1
    tally.unchecked += done.unchecked
    tally.cut_off[done.answer.model] += "length" in done.answer.finish_reasons
    if done.answer.snapshot:
        tally.snapshots.setdefault(done.answer.model, {})[done.answer.snapshot] = None
    for judgment in done.judgments:
        writer.judgment(judgment)
        tally.judgments += 1
        counters.done += 1
        if judgment.snapshot:
            tally.judge_snapshots.setdefault(judgment.judge, {})[judgment.snapshot] = None
        if judgment.failure:
            counters.failed += 1
            tally.failures[judgment.failure.kind] += 1
            tally.unanswered += judgment.failure.kind == "provider_error" and done.answer.error is not None and not done.unit.contestant.generator.remote
            if judgment.failure.kind == "provider_error" and tally.first_error is None:
                tally.first_error = judgment.failure.detail
