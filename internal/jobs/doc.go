// Package jobs is what a run does: it takes the users of a job from the API to
// the sink.
//
// # One run
//
// The method steps of nightly is the flow, in order; each step has a file, and
// so does each thing that a step does with a user or with a stream.
//
//	run.go                    Run, and the steps
//	session.go                what a run is made with: options, client, store, sink; commit, report
//	    open.go               how a client and a store are made of jobs.yaml, a report is found; what a run may take
//	    tuning.go  tuning_crashpoints.go    intervals that crash tests shorten
//	list_place.go             where earlier runs stopped: those who were reached the longest time ago come first
//	    state.go              what a job remembers beside its cursors
//	list_page.go              the list of users, paged; whether all have come
//	    list_shared.go        left by shard 0 for the others
//	    list_named.go         or those that are named, each asked for
//	    list_held.go          held by bucket of users, on disk where it is long
//	dispatch.go               pull users: bounded workers, commits now and then
//	    list_feed.go          who is next, with its cursors
//	    queue.go              who waits, and until when
//	    health.go  health_knock.go    what is down, told from users that are bad; whether it answers again
//	        health_held.go  health_again.go    who was passed over, and comes back
//	    breaker.go            the same for a backfill; whose token is refused
//	    user.go               one user, step by step
//	        user_quarantine.go    streams that failed night after night sit some out
//	        user_sync.go          sync sessions where due by policy, noted before they are asked for; the outcome is a row
//	            jobs/banksync         the policy, and the users' addresses
//	        user_settle.go        polls the correlations, holds no worker between two looks and lies on disk
//	        pull.go               one stream of one user; what came of it: rows and the cursor, as one batch
//	            pull_probe.go     a correlation equal to the cursor's: unchanged, nothing is read
//	                jobs/probing          whom a user is asked of: all services, or the one that tells most
//	            pull_joined.go    accounts, transactions and tags by one request, or compared with it
//	                jobs/joined           whether one answer can stand for three
//	            jobs/pull         read, compare, rows
//	            scopes.go         a service that was not booked
//	        user_tries.go         what may pass is tried again, soon and at the end; failures in doubt
//	list_missing.go           known but not listed: asked for side by side; who answers is pulled in a second round
//	unsaid.go                 what is said when it is known how others fare
//	list_gone.go              who is gone, by a list that is to be believed: declared, or marked for a later run
//	tally.go                  the run report (jobs/report) while it is made
//	session_end.go            what a run that came through has to say: reservations, too many failed users
//	errors.go                 why a run ends, and what a failed request means
//
// Three values are handed on. The session is what every kind of run has. The
// flow takes users to a worker, again where they have to wait. The worker is what
// is done with a user: nightly, or the filling of a backfill.
//
//	session <── flow ──> worker
//	   ^                 /    \
//	   ├──────── nightly      filling ──┐
//	   └── planner                      │
//	   ^────────────────────────────────┘
//
// # Backfills
//
// A backfill (backfill.go, backfill_options.go) takes the same way with other
// users (backfill_users.go) and other reads (backfill_read.go); backfill_user.go
// has what becomes of a user.
//
// # A plan
//
// [MakePlan] (plan.go, plan_users.go, plan_history.go, plan_result.go) goes
// through the same users and cursors and counts what a run would ask for. It uses
// the policies of the run itself (quarantine, sync sessions, probes), holds no
// lease and writes nothing. [ReadStatus] (status.go) tells how a job stands from
// the bucket alone.
//
// # The rooms beside
//
//	jobs/banksync    whose bank is asked for fresh data, and on whose behalf
//	jobs/config      jobs.yaml: what is pulled, when, from where, into what
//	jobs/pacing      the limit that a run found, kept for the next one
//	jobs/joined      whether one answer can stand for three endpoints
//	jobs/probing     of which services a user is asked
//	jobs/pull        reading one stream of one user, and comparing it
//	jobs/report      the run report; jobs/reportpage shows it, jobs/metrics counts it
//	jobs/service     keeps the schedules of all jobs
//	jobs/doctor      finds out whether a run would work
//	jobs/banktest    simulated banks for tests
//
// # A new stream
//
// Its name, service and scope go into jobs/config (streams), its table and row
// into sink/table, its operation and record into finoos, its reading into
// jobs/pull (one file beside the others, and a case in Reader.Read). Where it has
// a past, backfill_options.go lists it and backfill_read.go reads it. The views of
// all dialects are in sink/warehouse.
//
// # What fails
//
// What a failure means is decided in one file, errors.go. [Run] ends a run with a
// [StopError], whose reason becomes the exit code (stopReason). What a failed
// request means is told by consequenceOf: it ends the run, makes the user be
// looked for (users vanish while a run is at work), may pass and is tried again, or
// becomes a row of the table pulls with its class. Whether it is the user's at all,
// or what was asked is down, is told by health; a failure has no row before that is
// known.
//
// A user's streams stand alone: one that fails leaves no row and its
// correlation does not move, so the next run reads it again. What is complete
// is handed to the sink as one batch, rows and cursor together, and a commit
// never cuts a batch.
//
// # What a restart finds
//
// Nothing here outlives the process but what the sink has committed. A user
// whose batch was not committed is simply pulled again: its cursor still has
// the old correlation. The correlation is read before the data, so whatever
// changed in between shows up as a newer correlation in the next run.
//
// # Two clocks
//
// RunOptions.Now is the clock of the data: extraction times, ages, dates. It
// may stand still, as in the demo. Waiting (polls, commits, deadlines) is
// always done in real time.
package jobs
