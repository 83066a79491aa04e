"""The local runner: drives ready nodes, keeps the workers busy, publishes what they bring back."""

from __future__ import annotations

import dataclasses
import functools
import os
import shutil
import time
from collections.abc import Callable
from contextlib import ExitStack
from dataclasses import dataclass, field

from penstock.data import disk
from penstock.metadata.artifact_types import Artifact
from penstock.metadata.errors import StoreError
from penstock.metadata.records import ArtifactRecord, CachedExecution, NewExecution, RunRecord, RunState
from penstock.metadata.store import MetadataStore, MlmdStore
from penstock.pipeline.errors import PenstockError, PlatformError, Unsupported, listing, nearest
from penstock.pipeline.plan import ExitHandlerPlan, LoopPlan, Plan, StepPlan, steps_in
from penstock.pipeline.project import Project
from penstock.pipeline.runner import RunRequest, RunResult, StepResult
from penstock.pipeline.task import CANCELED, COMPLETE, FAILED, SKIPPED, Failure, Outcome, Progress, Task
from penstock.runners import audit, capacity, conduct, control, facts, retries, tracing
from penstock.runners.alarms import Alarms, timed_out
from penstock.runners.cache import artifact_of
from penstock.runners.driver import BEAM_PROFILES, Drive, Driver, component_of, value_of
from penstock.runners.events import RunLog
from penstock.runners.executor import describe, full_disk
from penstock.runners.layout import Layout, acquire_lock, new_id, prepare_root
from penstock.runners.partial_driver import PartialDriver
from penstock.runners.pool import Interrupts, WorkerPool, Workers
from penstock.runners.publisher import Publisher
from penstock.runners.recovery import recover
from penstock.runners.scheduler import CACHED, Scheduler, Skipped
from penstock.runners.selection import check_results, scope_of
from penstock.runners.step_names import check_names, check_numbers


class LocalRunner:
    """Runs a plan on this machine: steps in worker processes, metadata in an embedded store."""

    def run(self, plan: Plan, request: RunRequest) -> RunResult:
        """Run a plan and wait for it; see `Runner.run`."""
        if request.beam not in BEAM_PROFILES:
            raise Unsupported(
                f"There is no Beam profile {request.beam!r}.{nearest(request.beam, BEAM_PROFILES)} "
                f"This version runs: {listing(BEAM_PROFILES)}."
            )
        if request.refresh or request.selection:
            check_names("--refresh", request.refresh, plan)
            scope_of(plan, request.selection)
            check_numbers(request, plan)
        workers = request.workers or os.cpu_count() or 1
        total = capacity.of_machine(Project.of_folder(request.code_root).resources, workers)
        capacity.check_claims(steps_in(plan.nodes), total)
        layout = Layout(request.root)
        prepare_root(layout, request.code_root)
        try:
            with ExitStack() as stack:
                store = self._open_store(layout, stack)
                if request.selection:
                    check_results(store, plan, scope_of(plan, request.selection))
                run = new_id()
                lock = acquire_lock(layout, run)
                stack.callback(lock.drop)
                traced = tracing.configured() if tracing.ENDPOINTS & os.environ.keys() else ()
                log = RunLog(run, layout.run(run), (*request.observers, *traced))
                stack.callback(log.close)
                stack.callback(shutil.rmtree, layout.staging(run), True)
                driver_class = PartialDriver if request.selection else Driver
                driver = driver_class(run, plan, request, store, layout, layout.hashes)
                stack.callback(driver.close)
                interrupts = stack.enter_context(Interrupts())
                pools = functools.partial(self._workers, workers, layout, run)
                scheduler = Scheduler(plan.nodes, total)
                under_way = _LocalRun(driver, Publisher(store, layout), pools, scheduler, log, interrupts)
                stack.callback(under_way.stop)  # the first to be called: nobody writes when staging is removed
                result = under_way.run()
                lock.release()  # all is recorded; after an exception the next start sees to what isn't
                return result
        except StoreError as error:
            raise PlatformError(str(error)) from error

    def _open_store(self, layout: Layout, stack: ExitStack) -> MetadataStore:
        """Return the store of a root, open until the stack is closed; dead runs are seen to."""
        store = stack.enter_context(MlmdStore.open(layout.database))
        recover(store, layout)
        return store

    def _workers(self, size: int, layout: Layout, run: str) -> Workers:
        """Return what tasks are given to."""
        return WorkerPool(size, layout.root, run)


@dataclass
class _LocalRun:
    """One run under way."""

    driver: Driver
    publisher: Publisher
    pools: Callable[[], Workers]
    scheduler: Scheduler
    log: RunLog
    interrupts: Interrupts
    started: float = field(default_factory=time.time)
    results: dict[str, StepResult] = field(default_factory=dict)
    tasks: dict[str, Task] = field(default_factory=dict)
    reasons: dict[str, str] = field(default_factory=dict)
    cached: list[CachedExecution] = field(default_factory=list)
    skipped: list[NewExecution] = field(default_factory=list)
    alarms: Alarms = field(default_factory=Alarms)
    spans: list[audit.Span] = field(default_factory=list)
    canceled: bool = False

    def __post_init__(self) -> None:
        self.plan, self.request, self.layout = self.driver.plan, self.driver.request, self.driver.layout
        self.store: MetadataStore = self.driver.store
        self.pool = self.pools()

    def run(self) -> RunResult:
        run = self.driver.run
        with open(os.path.join(self.layout.run(run), "plan.json"), "wb") as file:
            file.write(self.plan.to_json())
        self.store.begin_run(
            RunRecord(id=run, pipeline=self.plan.name, started=self.started, facts=facts.gather(self.request))
        )
        self.log.run_started(self.plan, self.layout.root, self.request.code_root)
        try:
            self._go_on()
        except KeyboardInterrupt:
            self._interrupted()
            raise
        except StoreError as error:
            raise self._unrecorded(error) from error
        return self._close_books()

    def stop(self) -> None:
        """Stop what is under way."""
        self.pool.close()

    def _go_on(self) -> None:
        """Start what can be started and take what comes of it, until all is over."""
        while not self.scheduler.over:
            self._start_ready()
            if self.pool.busy or self.alarms.waiting:
                self._take_news()

    def _interrupted(self) -> None:
        """End what is under way, run the exit handlers and close the books; a second Ctrl-C ends exit handlers too."""
        self._cancel("interrupted")
        if not self.scheduler.over:
            self.pool = self.pools()
            try:
                self.interrupts.forgive()
                self._go_on()
            except KeyboardInterrupt:
                self._cancel("interrupted")
        self._close_books()

    def _close_books(self) -> RunResult:
        """Record how the run ended."""
        run = self.driver.run
        self._flush()
        ended = time.time()
        problems = tuple(audit.problems(self.results, self.spans, self.layout.artifacts))
        state, seconds = self._state(problems), round(ended - self.started, 3)
        self.store.end_run(run, state, ended, {"problems": list(problems)} if problems else None)
        self.log.run_finished(state, seconds, problems)
        return RunResult(run, self.plan.name, state, self.layout.root, seconds, self.results, problems)

    def _unrecorded(self, error: StoreError) -> Exception:
        """Return what to raise when the store fails: what a step has reported stands first."""
        for result in self.results.values():
            if result.failure is not None and result.failure.message != str(error):
                return PlatformError(f"Step {result.id!r} failed: {result.failure.message.removesuffix('.')}. {error}")
        return error

    def _state(self, problems: tuple[str, ...] = ()) -> RunState:
        if self.canceled:
            return "CANCELED"
        return "FAILED" if problems or FAILED in {result.state for result in self.results.values()} else "COMPLETE"

    def _start_ready(self) -> None:
        """Start what can be started, and what becomes ready by being reused."""
        while self.pool.free and (node_id := self.scheduler.next()):
            started = time.time()
            node = self.scheduler.nodes[node_id]
            if isinstance(node, control.Controlling) and not self.driver.left_out(node_id):
                self._settle(node)
                continue
            if isinstance(node, ExitHandlerPlan):
                node = control.told_of_the_run(node, self.driver, self.request, self._state(), self.results.values())
            try:
                with self.interrupts.let_through():
                    drive = self.driver.drive(node)
                if drive.task is not None:
                    os.makedirs(drive.task.staging)
                    drive.key.write(drive.task.staging)
            except (PenstockError, OSError) as error:
                self.scheduler.start(node_id)
                self._undrivable(node_id, error)
                continue
            self.scheduler.start(node_id)
            if drive.source is not None:
                self._reuse(node_id, drive, started)
            elif drive.task is not None:
                self._begin(drive, drive.task)
            else:
                self._leave_out(node_id, drive)

    def _settle(self, node: control.Controlling) -> None:
        """See to a node that needs no worker, and record it."""
        self.scheduler.start(node.id)
        try:
            settled = control.settle(node, self.driver, self.scheduler)
        except PenstockError as error:
            self._undrivable(node.id, error)
            return
        begun = self._execution(node.id, settled.reason)
        execution = dataclasses.replace(begun, inputs=settled.inputs, facts=settled.facts)
        self._flush()
        self.store.begin(execution)
        self.store.publish(execution.ulid, "COMPLETE", ended=time.time())
        skipped: Skipped = []
        if isinstance(node, LoopPlan) and settled.expansion:
            skipped = self.scheduler.expand(node.id, settled.expansion.iterations, node.parallelism)
            self.log.loop_expanded(node, settled.expansion.items, settled.expansion.iterations)
        outputs = self._artifacts(self.driver.made.get(node.id, {}))
        self._ended(StepResult(node.id, COMPLETE, settled.reason, outputs=outputs), settled.answer)
        for node_id, reason in skipped:
            self._skip(node_id, reason)

    def _begin(self, drive: Drive, task: Task) -> None:
        self._flush()
        self.store.begin(drive.execution)
        self.tasks[task.execution], self.reasons[task.execution] = task, drive.reason
        self.log.step_started(task.step, task.attempt, drive.reason)
        self.pool.submit(task)
        if task.timeout is not None:
            self.alarms.set(time.time() + task.timeout, "timeout", task.execution)

    def _leave_out(self, node_id: str, drive: Drive) -> None:
        """Record a node that the run's selection leaves out."""
        self.skipped.append(drive.execution)
        self._ended(StepResult(node_id, SKIPPED, drive.reason))

    def _reuse(self, node_id: str, drive: Drive, started: float) -> None:
        assert drive.source is not None
        self.cached.append(CachedExecution(drive.execution, drive.source))
        seconds = round(time.time() - started, 3)
        self._succeeded(StepResult(node_id, CACHED, drive.reason, seconds), drive.source.outputs)

    def _undrivable(self, node_id: str, error: Exception) -> None:
        """Record a step that couldn't even be made concrete, a missing input file for one."""
        if disk.is_full(error):
            error = full_disk(error, self.layout.root)
        kinds = tuple(kind.__name__ for kind in type(error).__mro__[:-1])
        fault = getattr(error, "fault", "platform")
        failure = Failure(type=type(error).__name__, message=str(error), fault=fault, kinds=kinds)
        execution = dataclasses.replace(self._execution(node_id), attempt=self.driver.attempts.get(node_id, 1))
        self.store.begin(execution)
        self.store.publish(execution.ulid, "FAILED", ended=time.time(), error=failure.message, reason=failure.message)
        if self._tried_again(node_id, failure):
            return
        self._ended(StepResult(node_id, FAILED, reason=failure.message, failure=failure))

    def _take_news(self) -> None:
        patience = self.alarms.patience(time.time()) if self.alarms.waiting else None
        with self.interrupts.let_through():
            news = self.pool.events(patience)
        for event in news:
            if isinstance(event, Progress):
                if event.execution in self.tasks:
                    self.log.step_progress(self.tasks[event.execution].step, event)
            elif event.outcome.execution in self.tasks:  # a step can't have another say, by a forked child for one
                self._finished(self.tasks.pop(event.outcome.execution), event.outcome)
        if self.alarms.waiting:
            self._ring()

    def _ring(self) -> None:
        """Do what is due by now: begin further attempts, end those that take too long."""
        for kind, name in self.alarms.due(time.time()):
            if kind == "retry":
                self.scheduler.again(name)
            elif name in self.tasks:
                task = self.tasks.pop(name)
                self._finished(task, self.pool.end(task, timed_out(task)))

    def _tried_again(self, node_id: str, failure: Failure) -> bool:
        """Arrange for another attempt of a step that has failed; False when there is none."""
        node, attempt = self.scheduler.nodes[node_id], self.driver.attempts.get(node_id, 1)
        step = node.step if isinstance(node, ExitHandlerPlan) else node
        if not isinstance(step, StepPlan) or (wait := retries.delay(step.retries, attempt, failure)) is None:
            return False
        self.scheduler.defer(node_id)
        self.driver.attempts[node_id] = attempt + 1
        self.alarms.set(time.time() + wait, "retry", node_id)
        self.log.step_retried(node_id, attempt, step.retries.times + 1, failure, wait)
        return True

    def _finished(self, task: Task, outcome: Outcome) -> None:
        now, reason = time.time(), self.reasons.pop(task.execution, "")
        if outcome.failure:
            conduct.tell_in_log(task, outcome.failure)
        self.spans.append(audit.Span(task.step, now - outcome.facts.wall, now))
        try:
            made = self.publisher.publish(task, outcome)
        except (OSError, StoreError) as error:
            failure = describe(error, task)
            outcome = Outcome(execution=outcome.execution, state=FAILED, reason=failure.message, failure=failure)
            self.results[task.step] = StepResult(task.step, FAILED, failure.message, failure=failure, log=task.log)
            self.publisher.discard(task, outcome)
            made = {}
        seconds = outcome.facts.wall
        if outcome.state == COMPLETE:
            excess = capacity.excess(task.memory, outcome.facts.peak_memory)
            told = "; ".join(filter(None, (reason, retries.before(task.attempt), excess)))
            result = StepResult(task.step, COMPLETE, told, seconds, attempts=task.attempt, log=task.log)
            self._succeeded(result, made)
            return
        if outcome.failure and self._tried_again(task.step, outcome.failure):
            return
        step = self.scheduler.nodes[task.step]
        self._ended(
            StepResult(
                task.step,
                outcome.state,
                reason=outcome.reason,
                seconds=seconds,
                outputs=self._artifacts(made),
                withheld=outcome.state == SKIPPED and isinstance(step, StepPlan) and step.effect is not None,
                gate=outcome.failure is not None and outcome.failure.gate,
                failure=outcome.failure,
                log=task.log,
                attempts=task.attempt,
            )
        )

    def _succeeded(self, result: StepResult, made: dict[str, list[ArtifactRecord]]) -> None:
        self.driver.made[result.id] = made
        values = {name: value_of(found[0]) for name, found in made.items() if "value" in found[0].properties}
        self._ended(dataclasses.replace(result, outputs=self._artifacts(made), values=values))

    def _ended(self, result: StepResult, answer: bool = True) -> None:
        self.results[result.id] = result
        self.log.step_finished(result)
        for node_id, reason in self.scheduler.finish(result.id, result.state, answer):
            self._skip(node_id, reason)

    def _skip(self, node_id: str, reason: str) -> None:
        node = self.scheduler.nodes[node_id]
        left_out = self.driver.left_out(node_id)
        effect = isinstance(node, StepPlan) and node.effect is not None
        withheld = effect and not left_out and node_id not in self.scheduler.untaken
        reason = left_out or reason
        self.results[node_id] = StepResult(node_id, SKIPPED, reason, withheld=withheld)
        self.skipped.append(self._execution(node_id, reason))
        self.log.step_finished(self.results[node_id])

    def _execution(self, node_id: str, reason: str = "") -> NewExecution:
        return NewExecution(
            ulid=new_id(),
            component=component_of(self.scheduler.nodes[node_id]),
            pipeline=self.plan.name,
            run=self.driver.run,
            step=node_id,
            started=time.time(),
            reason=reason,
        )

    def _cancel(self, reason: str) -> None:
        """Stop what is under way, and record it."""
        self.canceled = True
        self.pool.close()
        for node_id in self.scheduler.cancel():
            self._skip(node_id, reason)
        for task in self.tasks.values():
            self.publisher.discard(task, Outcome(execution=task.execution, state=CANCELED, reason=reason))
            self.scheduler.finish(task.step, CANCELED)
            self.results[task.step] = StepResult(task.step, CANCELED, reason, log=task.log)
            self.log.step_finished(self.results[task.step])
        self.tasks.clear()

    def _flush(self) -> None:
        """Record the cache hits and skipped steps since the last time, each kind in one transaction."""
        if self.cached:
            self.store.record_cached(self.cached)
            self.cached.clear()
        if self.skipped:
            self.store.record_skipped(self.skipped)
            self.skipped.clear()

    def _artifacts(self, made: dict[str, list[ArtifactRecord]]) -> dict[str, list[Artifact]]:
        return {name: [artifact_of(record, self.layout) for record in found] for name, found in made.items()}
