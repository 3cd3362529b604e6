package doctor

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"net/http"
	"strings"
	"time"

	"finoos-syncer/internal/finoos"
	"finoos-syncer/internal/jobs"
	"finoos-syncer/internal/jobs/banksync"
	"finoos-syncer/internal/jobs/config"
	"finoos-syncer/internal/sink/bucket"

	"github.com/oklog/ulid/v2"
)

// Options say what to examine.
type Options struct {
	// Config and Job name the job to examine; both are needed.
	Config *config.Config
	Job    string
	// User is the user whose endpoints are looked at; empty means one of the
	// first page of the list.
	User string
	// Transport replaces the network, nil means none of it is replaced.
	Transport http.RoundTripper
	Version   string
	Logger    *slog.Logger
	// WrapStore, where set, is put around the opened store: tests inject faults
	// with it.
	WrapStore func(bucket.Store) bucket.Store
	// Report, where set, is called with each check as it is done.
	Report func(Check)
}

// CheckStatus is what came of a check.
type CheckStatus string

// The outcomes of checks. A run may be begun unless one failed.
const (
	CheckOK   CheckStatus = "ok"
	CheckNote CheckStatus = "note" // worth knowing, nothing to do
	CheckWarn CheckStatus = "warn" // a run works, but perhaps not as it is meant
	CheckFail CheckStatus = "fail" // a run would fail
)

// Check is one line of a diagnosis. It names users by id only, and holds no
// secret.
type Check struct {
	Status CheckStatus `json:"status"`
	What   string      `json:"what"`
	Saw    string      `json:"saw"`
	Do     string      `json:"do,omitempty"` // what to do about it

	reason jobs.Reason // of a failed check
}

// Run examines everything that a run of a job needs, without running it: it
// reads a few answers of the API about one user, and writes and removes one
// object of its own in the sink. It never asks for a bank synchronisation.
//
// Where a check failed, the error is a *jobs.StopError with the reason that a run
// would have stopped for; the checks are complete all the same.
func Run(ctx context.Context, o Options) ([]Check, error) {
	job := o.Config.Jobs[o.Job]
	if job == nil {
		return nil, jobs.Stopf(jobs.ReasonConfig, "no job is called %q: jobs.yaml has %s", o.Job, config.JobNames(o.Config, o.Job))
	}
	if o.Logger == nil {
		o.Logger = slog.New(slog.DiscardHandler)
	}
	d := &doctor{o: o, job: job, streams: config.PullOrder(job), id: ulid.Make().String()}
	d.services = config.ServicesOf(d.streams)
	d.configuration()
	api := d.api(ctx)
	if api {
		d.users(ctx)
		d.endpoints(ctx)
		d.transactions(ctx)
		d.totals(ctx)
		d.analyses(ctx)
	}
	if ctx.Err() == nil {
		d.sink(ctx)
	}
	if ctx.Err() != nil {
		return d.checks, &jobs.StopError{Reason: jobs.ReasonInterrupted, Err: errors.New("interrupted: not everything was examined")}
	}
	return d.checks, d.verdict()
}

// doctor is one examination under way.
type doctor struct {
	o         Options
	job       *config.Job
	streams   []config.Stream
	services  []finoos.Service
	id        string
	client    *finoos.Client
	user      string
	addresses *banksync.Addresses // of users, nil where there is no file of them
	checks    []Check

	latencies []time.Duration
	skew      time.Duration // of the API's clock against ours
	told      bool          // the API tells its clock
}

func (d *doctor) add(c Check) {
	d.checks = append(d.checks, c)
	if d.o.Report != nil {
		d.o.Report(c)
	}
}

func (d *doctor) ok(what, format string, args ...any) {
	d.add(Check{Status: CheckOK, What: what, Saw: fmt.Sprintf(format, args...)})
}

func (d *doctor) note(what, do, format string, args ...any) {
	d.add(Check{Status: CheckNote, What: what, Saw: fmt.Sprintf(format, args...), Do: do})
}

func (d *doctor) warn(what, do, format string, args ...any) {
	d.add(Check{Status: CheckWarn, What: what, Saw: fmt.Sprintf(format, args...), Do: do})
}

func (d *doctor) fail(reason jobs.Reason, what, do, format string, args ...any) {
	d.add(Check{Status: CheckFail, What: what, Saw: fmt.Sprintf(format, args...), Do: do, reason: reason})
}

// verdict is nil where nothing failed.
func (d *doctor) verdict() error {
	failed := 0
	reason := jobs.ReasonUnexpected
	for _, c := range d.checks {
		if c.Status != CheckFail {
			continue
		}
		if failed++; failed == 1 {
			reason = c.reason
		}
	}
	if failed == 0 {
		return nil
	}
	return jobs.Stopf(reason, "%d of %d checks failed: the lines above say what to do", failed, len(d.checks))
}

// configuration says what will be looked at. Whether the file is right was
// found out when it was loaded.
func (d *doctor) configuration() {
	c := d.o.Config
	d.ok("configuration", "job %s pulls %s from %s into %s", d.o.Job, joined(d.streams), c.FinoOS.BaseURL, c.Sink.URL)
	d.ok("secrets", "finoos.client_id and finoos.client_secret are set (never shown)")
	for _, p := range c.Notes.Plain {
		if of, ok := strings.CutPrefix(p.Key, "jobs."); !ok || strings.HasPrefix(of, d.o.Job+".") {
			d.warn("secrets", "do so, and give it a new value where others may have read the file", "%s %s", p.Key, p.Message)
		}
	}
	d.masks()
	if paths := c.FinoOS.Paths; len(paths) > 0 {
		d.note("paths", "", "%d paths are overridden: %s", len(paths), sortedKeys(paths))
	}
	d.synchronisations()
}

// synchronisations says on whose behalf banks will be asked.
func (d *doctor) synchronisations() {
	const what = "bank synchronisations"
	s := d.job.Sync
	switch {
	case s.When == config.SyncNever:
		d.note(what, "", "none are asked for: sync.when is never, or there is neither sync.user_ip nor sync.user_ips")
	case s.UserIPs != "":
		addresses, err := banksync.ReadAddresses(s.UserIPs, nil)
		switch {
		case errors.Is(err, fs.ErrNotExist):
			d.fail(jobs.ReasonConfig, what, "put the file there, or correct sync.user_ips: no run begins without it", "%v", err)
			return
		case err != nil:
			d.fail(jobs.ReasonConfig, what, "correct the file: one line for each user, user id and address", "%v", err)
			return
		case addresses.Len() == 0:
			d.warn(what, "put a line for each user into it, user id and address", "sync.user_ips has no address: no bank is asked for anybody")
			return
		}
		d.addresses = addresses
		d.note(what, "", "asked for where %s, for users who have an address: sync.user_ips has %d, and whether these ids are users is not looked at; not tried here, since banks allow few of them", s.When, addresses.Len())
	default:
		d.warn(what, "give each user's own in sync.user_ips, or take sync.user_ip out",
			"asked for where %s, and sync.user_ip tells every bank the same address: by PSD2 it is the user's own, and says that the user is present; not tried here, since banks allow few of them", s.When)
	}
}

// api asks for a token; without one there is nothing more to ask.
func (d *doctor) api(ctx context.Context) bool {
	c := jobs.ClientConfig(d.o.Config, d.o.Version, d.o.Logger)
	c.RetryMaxElapsed, c.Transport = shortPatience, d.o.Transport
	client, err := finoos.New(c)
	if err != nil {
		d.fail(jobs.ReasonConfig, "client", "correct finoos in jobs.yaml", "%v", err)
		return false
	}
	d.client = client
	scopes, err := client.Scopes(ctx)
	if err != nil {
		d.failed("token", err, "see that finoos.base_url, client_id and client_secret belong together; finoos.paths.auth if the path differs")
		return false
	}
	d.ok("token", "granted")
	switch missing := jobs.MissingScopes(scopes, d.streams); {
	case len(scopes) == 0:
		d.note("scopes", "", "the token names none: the endpoints below decide")
	case len(missing) > 0:
		d.warn("scopes", "if they are refused, have it granted, or take the stream out of the job",
			"the token does not name %s: names are not dependable, the endpoints below decide", strings.Join(missing, ", "))
	default:
		d.ok("scopes", "all that the streams need are granted")
	}
	return true
}

// shortPatience bounds the retries of a request: a doctor should not wait out
// what a run would.
const shortPatience = 10 * time.Second

// failed reports an error of the API. Where the connection is what fails, what to do
// about that goes before what else could be wrong.
func (d *doctor) failed(what string, err error, do string) {
	if errors.Is(err, context.Canceled) { // who has stopped it needs no advice
		return
	}
	if cause := finoos.CauseOf(err); cause.Do != "" {
		do = cause.Do
	}
	reason := jobs.ReasonAPI
	switch finoos.ClassOf(err) {
	case finoos.Auth, finoos.Forbidden:
		reason = jobs.ReasonCredentials
	default:
	}
	d.fail(reason, what, do, "%v", err)
}
