"""Mistakes that would cost somebody a secret, a token or an outage, one line each, and who notices.

`make defects` makes each of them in a copy of the project and runs the tests named here.
"""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Defect:
    """One mistake.

    Attributes:
        file: Below `reconciler/`.
        before: What stands there now, exactly once.
        harm: What would happen to somebody.
        caught_by: What pytest is given: files of `tests/`, and maybe a selection.
    """

    file: str
    before: str
    after: str
    harm: str
    caught_by: tuple[str, ...]


PLANNER = ("tests/core",)
WALK = ("tests/lifecycle/test_exploration.py", "-k", "goes_wrong and 2 and not runs_and and not 3")
NAPS = ("tests/lifecycle/test_exploration.py", "-k", "goes_wrong and naps and pruner and not week")
HISTORIES = ("tests/lifecycle/test_histories.py",)
REMOVALS = ("tests/test_removals.py",)
MINT = ("tests/test_transaction.py",)
OWN = ("tests/test_own_credential.py",)
GITHUB = ("tests/sinks/test_github.py",)
GITLAB = ("tests/sinks/test_gitlab.py",)
EXEC = ("tests/sinks/test_exec.py",)
DEATHS = ("tests/sinks/test_program_deaths.py",)
SEALED = ("tests/sinks/test_sealed.py",)
BRANCH = ("tests/sinks/test_branch.py",)
AWS = ("tests/sinks/test_aws.py",)
FORMATS = ("tests/test_formats.py",)
FILES = ("tests/sinks/test_file.py",)
VAULT = ("tests/sinks/test_vault.py",)
KUBERNETES = ("tests/sinks/test_kubernetes.py",)
RUNS = ("tests/test_failures.py", "tests/test_promises.py")

DEFECTS = (
    # Who may be revoked
    Defect("core/world.py", "timedelta(minutes=15)", "timedelta(minutes=-15)",
           "a token that another run is about to store is revoked", PLANNER),
    Defect("core/withhold.py", "if token.age(now) < GRACE:", "if token.age(now) > GRACE:",
           "the young are revoked, the old stay for ever", PLANNER),
    Defect("core/withhold.py", "if token.id in ledger.own:", "if token.id not in ledger.live:",
           "a run revokes what it runs with", PLANNER),
    Defect("core/withhold.py", "    if ledger.blind:\n        return Wait", "    if False:\n        return Wait",
           "a receipt in an unread sink counts for nothing", PLANNER),
    Defect("core/withhold.py", "case Create() if ledger.blind:", "case Create() if not ledger.world:",
           "a token is made although its secret lies in a sink that could not be read", PLANNER),
    Defect("core/withhold.py", "in ledger.suspects:", "in ledger.taken:",
           "what a cut-off write may have left readable is revoked", PLANNER),
    Defect("core/ledger.py", "for ref in holding.receipt.named\n        }", "for ref in ()\n        }",
           "the same, one step before", PLANNER),
    Defect("core/succession.py", "if old is None or ref.id in spoken or ref in ledger.held:",
           "if old is None or ref.id in spoken:", "what another sink of the entry holds is retired", PLANNER),
    Defect("core/rules.py", "    successor_is_old_enough,\n", "", "an old token goes while another run still writes it",
           PLANNER),
    Defect("core/rules.py", "    overlap_has_passed,\n", "", "consumers have no time to change over", PLANNER),
    Defect("core/rules.py", "    it_is_no_longer_used,\n", "", "a token that is in use is revoked", PLANNER),
    Defect("engine.py", "if effect.if_idle and self._was_used(token):", "if effect.if_idle and False:",
           "a use between plan and revoke is overlooked", RUNS),
    Defect("core/orphans.py", "max(GRACE, overlap(spec, token))", "GRACE",
           "a token in a sink that we cannot see is cut off after 15 minutes", PLANNER),
    Defect("core/orphans.py", "token.last_used is not None", "token.last_used is ...",
           "a token that somebody uses is taken for an orphan", PLANNER),
    Defect("core/orphans.py", "token.created_by != ledger.world.principal", "token.created_by == ''",
           "a token that somebody else made is taken for an orphan", PLANNER),
    Defect("core/orphans.py", "token.created_at >= known.since", "token.created_at <= known.since",
           "a new sink makes orphans of old tokens", PLANNER),
    Defect("core/orphans.py", "isinstance(ledger.world.at(place), Stored | Absent)",
           "ledger.world.at(place) is not None", "a value that no receipt describes might be just this token's",
           PLANNER),
    Defect("core/planner.py", "    changes.extend(last_traces(changes, ledger))\n", "",
           "secrets stay behind when an entry goes with several tokens", REMOVALS),
    Defect("core/removal.py", " or set(left) - going.keys()", "",
           "a receipt is to leave while a token that it names stays", REMOVALS),
    Defect("core/guards.py", "            and _is_wanted(holding, ledger)\n", "",
           "a set whose last token went is taken for a wrong account", REMOVALS),
    Defect("engine.py", "for ref in effect.gone:", "for ref in ():",
           "an empty list costs the last word about tokens that live", REMOVALS),
    Defect("core/removal.py", "if protected and not", "if not protected and not",
           "what was protected goes with its entry", PLANNER),
    Defect("core/ledger.py", "return not any(map(self.may_exist, receipt.predecessors))", "return True",
           "with a receipt goes the last word about its predecessors", PLANNER),
    Defect("core/ledger.py", "return name is not None and name not in", "return name is None and name not in",
           "a protected token is replaced, and retired, in one step", PLANNER),
    Defect("core/succession.py", "return hand.claimed.token or max(", "return hand.claimed.token and max(",
           "what an entry replaced outlives its last day by months", PLANNER),
    Defect("core/succession.py", " and hand.verdict.why.reason is not Reason.ENDED", "",
           "the only copy of a secret is cleaned away", PLANNER),
    Defect("core/ledger.py", " and holding.receipt.address not in others", "",
           "an entry that let its token expire is taken for a new one", PLANNER),
    Defect("core/removal.py", "if token is None or ref.id in spoken or ref in ledger.held:",
           "if token is None or ref.id in spoken:", "what another entry's place still holds goes with the entry before",
           PLANNER),
    Defect("core/removal.py", "if holding.place in ledger.wanted_places or ledger.may_exist(ref):",
           "if holding.place in ledger.wanted_places:", "the secret of a token that lives is cleaned away", PLANNER),
    Defect("core/removal.py", "if (other := ledger.other_set(token)) is not None:",
           "if (other := ledger.other_set(token)) is ...:", "a token that another set holds is revoked", PLANNER),
    Defect("core/planner.py", "withhold(change, ledger) for change in proposed", "change for change in proposed",
           "nobody has the last word over what is revoked", PLANNER),
    Defect("core/planner.py", "return plan.judged(judge(plan, ledger))", "return plan", "no guard stops anything",
           PLANNER),
    # Which token an entry has
    Defect("core/claims.py", "if spec.adopt is not False:\n        return", "if True:\n        return",
           "a name decides whose token it is", PLANNER),
    Defect("core/claims.py", "case Damaged(None, _, why) if spec.adopt is False:",
           "case Damaged(None, _, why) if spec.adopt is None:", "what somebody else stored is overwritten", PLANNER),
    Defect("core/claims.py", "owners = ledger.sets_naming.get(token.id, set()) - {BY_HAND}", "owners: set[SetName] = set()",
           "a token of another set is taken over", PLANNER),
    Defect("core/claims.py", "        if token is not None and token.works(ledger.world.now):\n",
           "        if token is not None:\n", "an expired token counts as held, and consumers stay locked out", PLANNER),
    Defect("core/rules.py", "    secret_is_in_every_sink,\n    secret_fits", "    secret_fits",
           "a sink that lost its secret is never given another", PLANNER),
    # Could not look
    Defect("gather.py", "        return Unread(error.message)\n\n\ndef _listing", "        return Inventory()\n\n\ndef _listing",
           "a sink that could not be read counts as empty", RUNS),
    Defect("gather.py", "    except ApiError as error:\n        return Unread(error.message)",
           "    except ApiError:\n        return ()", "a list that could not be read counts as empty",
           ("tests/test_promises.py", "tests/test_exit_codes.py")),
    Defect("gather.py", "now=now,", "now=sources.api.users() and sources.api.server_time(),",
           "whoever slept since the sinks were read takes a stored token for an orphan", NAPS),
    Defect("core/ledger.py", "isinstance(entry, Unread) for entry", "entry is None for entry",
           "one unread key counts as nothing there", PLANNER),
    # How a secret is stored
    Defect("transaction.py", "except SinkRefused as error:\n            if not written:",
           "except SinkError as error:\n            if not written:", "after an unclear write the stored token is revoked",
           MINT),
    Defect("transaction.py", "            if not written:\n                return _roll_back",
           "            if True:\n                return _roll_back", "one sink keeps the secret of a revoked token", RUNS),
    Defect("transaction.py", "if ports.clock() > deadline:", "if ports.clock() < 0:",
           "a machine that slept stores a token that others have revoked", MINT),
    Defect("transaction.py", "if Power.WRITE_ONLY not in powers:", "if Power.WRITE_ONLY in powers:",
           "two runs overwrite each other where nothing can be read back", MINT),
    Defect("election.py", "_seniority(token) < _seniority(", "_seniority(token) > _seniority(",
           "both runs of an election lose, or both win", MINT),
    Defect("election.py", "if mine.id not in tokens:", "if False:", "a list that lags elects everybody", MINT),
    Defect("transaction.py", "not isinstance(found, Stored) or found.receipt != receipt", "found is None",
           "another run's write is taken for ours", MINT),
    Defect("transaction.py", "predecessors=effect.predecessors,", "predecessors=(),",
           "replaced tokens stay alive for ever, and nobody knows whose they are", WALK),
    Defect("core/specs.py", "sorted({*named, TokenRef(token.user, token.id)})",
           "sorted(named)", "an adopted token is forgotten when it is renewed", PLANNER),
    Defect("transaction.py", "minted.token.name != live_name", "minted.token.name is None",
           "a token under another name is stored, and no later run knows it again", MINT),
    Defect("transaction.py", "undeployed=ports.deploys", "undeployed=False",
           "a hook that failed is never called again, and a consumer keeps a secret that dies",
           ("tests/test_hooks.py",)),
    Defect("core/shards.py", "min(working, default=own)", "own",
           "a hook that waits is called by no part of a run", ("tests/test_shards.py", "-k", "hooks_of_earlier")),
    Defect("transaction.py", "key=lambda target: (ports.sinks[target.place.sink].power, target.place)",
           "key=lambda target: target.place", "a run that loses a conditional write has overwritten the others", MINT),
    Defect("engine.py", "& self._unregistered", "& set()", "a token is made for a sink that does not know us",
           HISTORIES),
    # Stores that know no condition
    Defect("sinks/github/reader.py", "else noted == self.kept.changed", "else noted is not None",
           "a secret that somebody wrote over ours in GitHub is vouched for", GITHUB),
    Defect("sinks/github/reader.py", "self._page(self._brisk, kind, 1, kind, 1)", "pass",
           "a GitHub secret that we may not see is taken for none", GITHUB),
    Defect("sinks/github/store.py", "        self._note(key, note(receipt, None))\n", "",
           "a run dies with a secret written that no receipt on GitHub speaks of", GITHUB),
    Defect("sinks/github/reach.py", "if new else reader.selected(key)", "if new else []",
           "a renewal takes an organisation's secret from the repositories that read it", GITHUB),
    Defect("sinks/gitlab/reader.py", "and _NO_VARIABLE.fullmatch(said) is not None", "or not said",
           "a GitLab project that we may not see is taken for an empty one", GITLAB),
    Defect("sinks/gitlab/store.py", "if scope != self.reader.scope:", "if not scope:",
           "a token of one environment is given to the jobs of all", GITLAB),
    Defect("sinks/pages.py", "if fits and (", "if (True or fits) and (True or ",
           "a receipt that moved to another page while we read is overlooked", ("tests/sinks/test_pages.py",)),
    Defect("sinks/pages.py", "len(pages) == 1 or before == found.keys()", "before is not None",
           "a receipt is overlooked where another came as one went", ("tests/sinks/test_pages.py",)),
    # Files
    Defect("sinks/file/dotenv.py", 'if follows == b"\\\\" or', "if",
           "our line becomes a part of somebody's value, and nobody can read it", FILES),
    Defect("sinks/file/json.py", "        if str(number := int(text)) == text:", "        if (number := int(text)) is not None:",
           "a number of others in a shared file is another one afterwards", FILES),
    # Vault
    Defect("sinks/vault/store.py", "self._remove(key, [*doomed, version])", "self._remove(key, [version])",
           "an old version with a secret outlives the receipt that leads to it", VAULT),
    Defect("sinks/vault/store.py", "            doomed.append(version)\n", "",
           "a secret stays readable below what people keep beside it", VAULT),
    Defect("sinks/vault/kv.py", 'case {"destroyed": False}:', 'case {"destroyed": False, "deletion_time": ""}:',
           "a version that is to end by itself stays readable until then", VAULT),
    Defect("sinks/vault/store.py", "            self.reader.mount.check_lasts(", "            str(",
           "a store that forgets by itself locks consumers out", VAULT),
    # Programs, encrypted files, branches
    Defect("program.py", "        for at in range(", "        for at in range(0 and ",
           "what a program prints tells the secret", EXEC),
    Defect("program.py", "    if ours := sorted(", "    if ours := set() and sorted(",
           "a program of a sink sees our credential", EXEC),
    Defect("sinks/exec/talk.py", '69: "unavailable"}', '69: "unavailable", 75: "ambiguous"}',
           "a token is revoked although the store may have it", EXEC),
    Defect("sinks/exec/talk.py", 'said.get("code") != code or', "not code or",
           "a program that contradicts itself is believed", EXEC),
    Defect("sinks/exec/talk.py", 'if answer.get("ok") is True:', "if answer is not None:",
           "silence counts as success", EXEC),
    Defect("sinks/exec/__init__.py", 'if said.get("atomic") is not True:', "if not said:",
           "two runs with a store of two writes have no election", EXEC),
    Defect("sinks/sealed/cipher.py", "bool(sealed) and digest == _digest(receipt, sealed)", "bool(sealed)",
           "a receipt vouches for what somebody else encrypted", SEALED),
    Defect("sinks/sealed/sops.py", 'if value and text.endswith("\\n") else ""', 'if value else ""',
           "a SOPS file that was cut off counts as whole", SEALED),
    Defect("sinks/sealed/sops.py", "        if not self._value(fields):", "        if not fields:",
           "nobody says which rule of SOPS leaves the token in clear", SEALED),
    Defect("sinks/sealed/git.py", 'f"--force-with-lease={self.ref}:{tip}"', '"--force"',
           "a push wipes out somebody else's", BRANCH),
    Defect("sinks/sealed/git.py", '    "core.hooksPath": "/dev/null",\n', "", "hooks of a checkout run", BRANCH),
    Defect("sinks/sealed/branch.py", "return self._settled(commit, tip, watch, why)", "raise SinkRefused(why)",
           "a token that the branch has is revoked", BRANCH),
    Defect("sinks/sealed/branch.py", "if self.git.contains(now, tip):", "if now:",
           "a token is revoked that was on a branch which somebody rewrote", BRANCH),
    # AWS
    Defect("sinks/aws/versions.py", '"RemoveFromVersionId": away_from,', '"RemoveFromVersionId": self.reader.current(key).version,',
           "the second of two runs makes its token current over the first one's", AWS),
    Defect("sinks/aws/secretsmanager.py", '{"SecretId": held.arn,', '{"SecretId": held.arn.rsplit(":", 1)[-1][:-7],',
           "a late removal deletes a secret that somebody made under the same name", AWS),
    Defect("sinks/aws/secrets.py", "sorted(wanted | set(self._listed()))", "sorted(set(self._listed()))",
           "a list of AWS that is minutes old makes a plan mint again", AWS),
    Defect("sinks/aws/calls.py", "any(name in data for name in _PROOF[operation])", "True",
           "a page of a proxy is taken for an empty account", AWS),
    Defect("sinks/aws/calls.py", "refusal and status != HTTPStatus.REQUEST_TIMEOUT", "status",
           "a token that AWS may have stored is revoked", AWS),
    Defect("sinks/aws/ssm.py", "if before == held.version:", "if True:",
           "a receipt that is amended brings back a token that is being revoked", AWS),
    Defect("sinks/aws/parameters.py", 'about is None or about["Version"] != held.version', "about is None",
           "a receipt of another version vouches for a value", AWS),
    # The credential of the run
    Defect("engine.py", "case Renew(own=True):", "case Renew(own=None):",
           "the credential changes while others still use the old one", OWN),
    Defect("transaction.py", "ports.api.switch(minted.secret)", "ports.proves",
           "a compromised credential revokes itself and the run ends half done", OWN),
    # Limits
    Defect("core/guards.py", "len(removals) > limit,", "len(removals) > limit + 1,",
           "one removal more than the limit", PLANNER),
    Defect("core/guards.py", "max(1, min(limits.count,", "max(1, max(limits.count,",
           "the looser of two limits counts", PLANNER),
    Defect("core/guards.py", "gone == current and bool(unnamed)", "gone > current and bool(unnamed)",
           "a set is emptied in one run", PLANNER),
    Defect("core/deferral.py", "sorted((change for change in changes if isinstance(change, Renew)), key=_end)",
           "[change for change in changes if isinstance(change, Renew)]", "the token with the nearest end waits", PLANNER),
    Defect("core/deferral.py", "renewal.old.expires_at > ends", "renewal.old.expires_at < ends",
           "a token expires because its renewal was deferred", PLANNER),
    # Time
    Defect("core/timing.py", "return min(days, MAX_DAYS) if days >= 1 else None",
           "return min(days + 1, MAX_DAYS)", "a token outlives its last day", PLANNER),
    Defect("core/timing.py", "due = token.expires_at - before\n", "due = token.expires_at\n",
           "a token is renewed when it has expired", PLANNER),
    # A cluster
    Defect("sinks/kubernetes/writer.py", '{"uid": held.uid, "resourceVersion"', '{"resourceVersion"',
           "a late write brings back a Secret that somebody removed", (*KUBERNETES, "-k", "late_write")),
    Defect("sinks/kubernetes/writer.py", '            "resourceVersion": held.version,\n', "",
           "a removal takes what came after the look", (*KUBERNETES, "-k", "late_write")),
    Defect("sinks/kubernetes/writer.py", "return said.startswith(_STOPPED)", "return True",
           "a 500 counts as a no, and the token that a Secret may hold is revoked",
           (*KUBERNETES, "-k", "answer_to_a_write")),
    Defect("sinks/kubernetes/store.py", "if stamp is not None and _record(held, spot).stamp != stamp:", "if held is None and stamp:",
           "a place that changed since the plan is written over", (*KUBERNETES, "-k", "late_write")),
    Defect("signals.py", '{_HEALS}")\n            end_all()\n', '{_HEALS}")\n',
           "a program writes late, over the token of a run that has the lock by then", (*DEATHS, "-k", "in_flight")),
    Defect("child.py", "if self._rule is not _ALIVE.rule:", "if self is None:",
           "a program is started after the lock was given back", (*DEATHS, "-k", "starts_alone or does_not_start")),
    Defect("child.py", "        if not self._is_whole:\n", "        if not self._readers:\n",
           "half of what a program printed is taken for all of it", (*DEATHS, "-k", "may_go_on")),
    Defect("sinks/kubernetes/reader.py", "if each.is_ours or each.name in wanted", "if each.name in wanted",
           "a receipt whose label somebody took off is overlooked", (*KUBERNETES, "-k", "our_label")),
    Defect("kubernetes/status.py", "return found == name", "return True",
           "a 404 about something else is an empty place", (*KUBERNETES, "-k", "another_kind")),
    Defect("http/client.py", "if not self.has_own_ca:", "if self:",
           "any public authority may vouch for a private cluster",
           ("tests/sinks/test_kubernetes_access.py", "-k", "authority_of_the_kubeconfig")),
    Defect("locks/lease.py", "timedelta(seconds=seconds) < self.now", "timedelta(seconds=seconds) > self.now",
           "the lock of a run that is at work is taken", ("tests/locks/test_lock_kubernetes.py", "-k", "lasts")),
    # What leaves a run
    Defect("reports/escape.py", 'replace("%", "%25").replace("\\r", "%0D")', 'replace("\\r", "%0D")',
           "a name says to GitHub what we never said", (*FORMATS, "-k", "reads_what_was_said")),
    Defect("reports/prometheus.py", "and not is_complete)", "and is_complete)",
           "the alarm for a token falls silent when its user cannot be read", (*FORMATS, "-k", "could_not_see")),
    Defect("commands/reporting.py", "        end = _settled(record, refused(error), {})\n", "        raise\n",
           "a comment shows yesterday's plan, and it is approved", (*FORMATS, "-k", "what_failed")),
    Defect("engine.py", "            self._begin(effect)\n", "",
           "a token is revoked and no log says by whom", ("tests/test_audit.py", "-k", "fills_up or killed")),
    Defect("commands/audit.py", "fcntl.flock(file, fcntl.LOCK_EX)  # until it is closed", "pass",
           "a line that was cut off takes the next one with it", ("tests/test_audit.py", "-k", "several")),
    Defect("commands/hooks.py", "        with record.unplanned(deed):\n", "        if deed:\n",
           "a receipt is changed and no log says by whom", ("tests/test_audit.py", "-k", "hooks_change")),
    Defect("commands/audit.py", "sorted(self._open, key=repr)", "()",
           "what an error broke off stays open in the log for ever", ("tests/test_audit.py", "-k", "breaks_an_action")),
    Defect("commands/reporting.py", "_notified(record, _with(lost, ending))", "_notified(record, ending)",
           "people are told that a run went well which then fails", ("tests/test_notify.py", "-k", "report_is_lost")),
    Defect("commands/reporting.py", "    if ending.code is not written.code:\n", "    if False:\n",
           "a report says that a run went well which then failed", ("tests/test_notify.py", "-k", "written_first")),
    Defect("reports/notice.py", "run_url if _LINK.fullmatch(run_url) else", "run_url if run_url else",
           "a job's variable calls everybody in a channel", ("tests/test_notify.py", "-k", "slack")),
    Defect("commands/notify.py", "return trouble\n        if is_whole", "pass\n        if is_whole",
           "drift that nobody was told of counts as told", ("tests/test_notify.py", "-k", "not_taken")),
)  # fmt: skip
