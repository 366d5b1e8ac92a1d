"""From what was seen and done to one exit code (DESIGN §7). Precedence: 9, 8, 10, then the rest."""

from __future__ import annotations

from reconciler.core.changes import Register
from reconciler.core.outcome import Outcome, Status
from reconciler.core.plan import Plan
from reconciler.core.reasons import Reason
from reconciler.errors import ExitCode


def of_view(plan: Plan) -> ExitCode:
    """What a look alone says: an incomplete view, a guard, or nothing against it."""
    if not plan.complete:
        return ExitCode.ERROR
    held_up = any(b.why.reason is not Reason.UNREAD for b in plan.blocked)
    return ExitCode.STOPPED if plan.stops or held_up else ExitCode.OK


def of_plan(plan: Plan, *, detailed: bool, calls: bool = False) -> ExitCode:
    """For `plan`: what apply would do, `calls` of hooks too, counts only if that was asked for."""
    code = of_view(plan)
    if code is ExitCode.OK and detailed and (plan.effects or calls):
        return ExitCode.DIFFERENCES
    return code


def of_run(plan: Plan, outcome: Outcome) -> ExitCode:
    """For everything that wrote."""
    if outcome.count(Status.UNCERTAIN):
        return ExitCode.UNCERTAIN
    failed = [r for r in outcome.results if r.status in (Status.FAILED, Status.ROLLED_BACK)]
    if failed and all(r.denied for r in failed) and not _worked(outcome):
        return ExitCode.AUTH
    if failed:
        return ExitCode.ROLLED_BACK
    return of_view(plan)


def with_hooks(code: ExitCode, hooked: ExitCode) -> ExitCode:
    """A run and its deploy hooks: one that failed leaves a consumer without its secret until the next run,
    which a code below 8 would not say.
    """
    if hooked is ExitCode.HOOK and code not in (ExitCode.UNCERTAIN, ExitCode.ROLLED_BACK):
        return hooked
    return code or hooked


def _worked(outcome: Outcome) -> bool:
    """Whether anything was done for a token; a registration alone only prepares for it."""
    return any(
        r.status is Status.DONE and not isinstance(r.effect, Register) for r in outcome.results
    )
