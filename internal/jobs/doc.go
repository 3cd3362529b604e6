// Package jobs is what a run does: it reads jobs.yaml, and takes the users of
// a job from the API to the sink.
//
// # One run
//
// The method steps of run is the flow, in order; each step has a file.
//
//	jobs.yaml ── config*.go
//	    │
//	check credentials        run.go       before anything is written
//	lease and recover        run.go       the sink's part: what a killed run left is finished or cleared
//	see where it stopped     resume.go    the last run, if it did not come to its end: those left out come first
//	list users               list.go      paged, this shard's, held by bucket of users (userlist.go)
//	look for missing users   list.go      known but not listed: asked for one by one
//	pull users               dispatch.go  bounded workers; who waits is in the queue (queue.go), who is next in the feed (feed.go)
//	    quarantine           quarantine.go  streams that failed night after night sit some out
//	    begin                user.go      the user's own row
//	    sync sessions        sync.go      where due by policy; the outcome is a row
//	    settle               settle.go    polls the correlations, holds no worker between two looks
//	    probe, pull          pull.go      equal correlation: unchanged, nothing is read
//	    read, compare        read_*.go    against the cursor's fingerprints (fingerprints.go, collect.go)
//	    rows                 rows.go      API records become table rows
//	    try again            again.go     at the end, what may have passed
//	    commit               dispatch.go  every checkpoint_every, earlier when many cursors are held
//	declare users gone       list.go      all of them or, beyond max_gone, none
//	commit, report           run.go, report.go
//	    its course           report_timeline.go, report_slowest.go, report_ages.go: of fixed size, however long the run
//
// # A plan
//
// [MakePlan] (plan*.go) goes through the same users and cursors and counts what
// a run would ask for. It uses the policies of the run itself (quarantine, sync
// sessions, probes), holds no lease and writes nothing.
//
// # Backfills
//
// A backfill takes the same way with other users and other reads: backfill.go
// has its flow, backfill_user.go what becomes of a user, backfill_read.go the
// requests.
// # A service
//
// [Serve] (serve*.go) keeps the schedules of all jobs (schedule.go), one
// goroutine for each. A run is [Run], as the command line calls it; what was
// missed or stopped is told from the run reports in the bucket, so a restart
// needs no memory of its own.
//
// # What fails
//
// Every error has one of three outcomes, decided in two places. [Run] ends a
// run with a [StopError], whose reason becomes the exit code (errors.go). A
// failure that belongs to one user and stream is decided in run.failed: it
// is tried again at the end of the run where that may help, or becomes a row
// of the table pulls with its class. A 404 is first checked against the
// user's own path, since users vanish while a run is at work. An API that is
// down is told from bad users by the breaker (breaker.go).
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
