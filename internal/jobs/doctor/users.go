package doctor

import (
	"context"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"

	"finoos-syncer/internal/finoos"
	"finoos-syncer/internal/human"
	"finoos-syncer/internal/jobs"
	"finoos-syncer/internal/jobs/config"
)

// users looks at the list of users, how it counts its pages, and picks the user
// whose endpoints are looked at.
func (d *doctor) users(ctx context.Context) {
	d.user = d.o.User
	p, err := d.client.ExaminePages(ctx)
	if err != nil {
		d.failed("users", err, "if the path differs, set finoos.paths.users; if the answer does, report it as an issue")
		return
	}
	if d.user == "" {
		d.user = p.Sample
	}
	if p.Users == 0 {
		tenant := "the client's default tenant"
		if t := d.o.Config.FinoOS.Tenant; t != "" {
			tenant = fmt.Sprintf("the tenant %q", t)
		}
		d.warn("users", "check finoos.tenant: a mistyped one is a new, empty tenant to the API, and no error", "%s has no users", tenant)
		return
	}
	many := fmt.Sprintf("%d on the first page", p.Users)
	if p.Total.Valid {
		many += fmt.Sprintf(", %d in all", p.Total.V)
	}
	d.ok("users", "%s", many)
	if d.addresses != nil && !d.addresses.Of(d.user).IsValid() {
		d.note("bank synchronisations", "look whether the file has ids as the API writes them", "the user that is looked at has no address in sync.user_ips, and so gets none")
	}
	if p.Aside > 0 {
		d.warn("users", "report it as an issue; a run puts them aside, and ends with a warning", "%d records of the first page are no users: they have no usable id", p.Aside)
	}
	d.pages(p)
	d.listing(p)
}

// listing says what reading the whole list takes.
func (d *doctor) listing(p finoos.Paging) {
	const what = "listing the users"
	each := p.Latency.Seconds()
	switch {
	case p.Tokens:
		d.note(what, "", "each page names the next one: they are read one after the other, %s each", human.Duration(p.Latency))
	case !p.Counted:
		d.note(what, "", "the answers do not tell how many pages there are: they are read one after the other, %s each", human.Duration(p.Latency))
	default:
		rate := min(d.o.Config.FinoOS.RequestsPerSecond, float64(d.job.Concurrency)/max(each, 1e-4))
		d.ok(what, "%d pages, about %.2g minutes with %d at a time and %g requests a second",
			p.Pages, float64(p.Pages)/rate/60, d.job.Concurrency, d.o.Config.FinoOS.RequestsPerSecond)
	}
}

func (d *doctor) pages(p finoos.Paging) {
	const what = "pages of users"
	set := d.o.Config.FinoOS.FirstPage
	if !p.First.Valid {
		d.note(what, "", "the answers do not show whether they count from 0 or 1; finoos.first_page is %s", set)
		return
	}
	first := strconv.Itoa(p.First.V)
	switch {
	case set == "1" && first == "0":
		d.fail(jobs.ReasonConfig, what, `set finoos.first_page to "0" or auto`, "count from 0, but finoos.first_page is 1: the users of the first page would never be pulled")
	case set == "0" && first == "1":
		d.warn(what, `set finoos.first_page to "1" or auto`, "count from 1, but finoos.first_page is 0")
	case first == "0" && set == "auto":
		d.note(what, `finoos.first_page: "0" saves finding it out each night`, "count from 0, where we expect 1; auto finds it out")
	default:
		d.ok(what, "count from %s", first)
	}
}

// endpoints looks at one answer of each operation that the job uses.
func (d *doctor) endpoints(ctx context.Context) {
	if d.user == "" {
		d.warn("endpoints", "name a user with --user", "not looked at: there is no user to ask for")
		return
	}
	need := d.operations()
	known := true
	for _, op := range finoos.Examinable() {
		if !slices.Contains(need, op) || ctx.Err() != nil {
			continue
		}
		services := []finoos.Service{""}
		if op == "correlation" {
			services = d.services
		}
		for _, service := range services {
			e := d.client.Examine(ctx, op, d.user, service)
			d.endpoint(&e, known)
			if op == "user" {
				known = e.Err == nil
			}
		}
	}
	d.clock()
}

// analyses looks whether the services of the user show one analysis: where they do, a
// quiet user is one request a night (probe: auto).
func (d *doctor) analyses(ctx context.Context) {
	const what = "analyses"
	if d.user == "" || len(d.services) < 2 {
		return
	}
	ids := map[string]int{}
	for _, service := range d.services {
		c, err := d.client.Correlation(ctx, d.user, service)
		switch {
		case finoos.ClassOf(err) == finoos.NotFound, err == nil && c.ID == "":
		case err != nil:
			return // its line above says so
		default:
			ids[c.ID]++
		}
	}
	shown := 0
	for _, n := range ids {
		shown += n
	}
	switch {
	case shown < 2:
		d.note(what, "choose a user who has been analysed with --user", "%d services of this user show one: whether they show the same is not known", shown)
	case len(ids) == 1:
		d.ok(what, "%d services of this user show the same one: where that holds, probe: auto asks one of them", shown)
	default:
		d.note(what, "", "%d services of this user show %d different ones: while that holds, probe: auto asks them all", shown, len(ids))
	}
}

// operations are those that the job's streams need.
func (d *doctor) operations() []string {
	need := []string{"user"}
	if d.job.Sync.When != config.SyncNever {
		need = append(need, "logins")
	}
	if len(d.services) > 0 {
		need = append(need, "correlation")
	}
	for _, s := range d.streams {
		switch s {
		case config.StreamBankLogins:
			need = append(need, "logins")
		case config.StreamUsers:
		default:
			need = append(need, string(s))
		}
	}
	return need
}

// endpoint reports what one answer looked like.
func (d *doctor) endpoint(e *finoos.Examination, knownUser bool) {
	what := e.Operation.Name
	if e.Service != "" {
		what += " of " + string(e.Service)
	}
	if !e.Clock.IsZero() {
		d.told, d.skew = true, time.Until(e.Clock)
	}
	if e.Status != 0 {
		d.latencies = append(d.latencies, e.Latency)
	}
	if e.Err != nil {
		d.badEndpoint(what, e, knownUser)
		return
	}
	saw := fmt.Sprintf("%s, %d records, %s", e.Operation.Path, e.Records, human.Duration(e.Latency))
	foreign := e.Records > 0 && !strings.EqualFold(e.Under, e.Documented)
	switch {
	case foreign:
		d.warn(what, "report it as an issue: an empty list would not be known as one", "%s: the records stand %s, the document says %s", saw, standing(e.Under), standing(e.Documented))
	case e.Records == 0:
		d.note(what, "choose a user who has some with --user, to see their shape", "%s", saw)
	default:
		d.ok(what, "%s", saw)
	}
	if len(e.Unknown) > 0 {
		d.note(what, "nothing is lost: they are kept in _extra; report them as an issue to get columns", "fields that we do not know: %s", strings.Join(e.Unknown, ", "))
	}
	if e.Records > 0 && len(e.Missing) > 0 {
		d.note(what, "nothing, if this user has none; else report it as an issue", "fields that we expect and did not see: %s", strings.Join(e.Missing, ", "))
	}
}

func standing(under string) string {
	if under == "" {
		return "at the top of the answer"
	}
	return fmt.Sprintf("under %q", under)
}

// badEndpoint reports an answer that nothing could be read from.
func (d *doctor) badEndpoint(what string, e *finoos.Examination, knownUser bool) {
	path := "finoos.paths." + e.Operation.Name
	switch class := finoos.ClassOf(e.Err); {
	case class == finoos.NotFound && e.Operation.Name == "correlation":
		d.note(what, "choose a user who has been analysed with --user; if none has one, the path differs: set "+path, "%s: no finished analysis of this user (404)", e.Operation.Path)
	case class == finoos.NotFound && (!knownUser || e.Operation.Name == "user"):
		d.fail(jobs.ReasonAPI, what, "see that the user is of this tenant; if it is, the path differs: set "+path, "%s: not found (404)", e.Operation.Path)
	case class == finoos.NotFound:
		d.fail(jobs.ReasonAPI, what, "the user exists, so the path differs: set "+path, "%s: not found (404)", e.Operation.Path)
	case class == finoos.Forbidden:
		d.fail(jobs.ReasonCredentials, what, "have the scope granted to the client, or to the user (userScopes)", "%s: forbidden (403), needs the scope %s", e.Operation.Path, scopeNeeded(e))
	case class == finoos.Malformed && e.Under != e.Documented:
		d.fail(jobs.ReasonAPI, what, "report it as an issue", "%s: the list stands %s, the document says %s: %v", e.Operation.Path, standing(e.Under), standing(e.Documented), e.Err)
	case class == finoos.Malformed:
		d.fail(jobs.ReasonAPI, what, "report it as an issue, with this line", "%v", e.Err)
	default:
		d.failed(what, e.Err, "try again; if it stays so, ask the API's operator")
	}
}

func scopeNeeded(e *finoos.Examination) string {
	if e.Operation.Name == "correlation" {
		return string(e.Service)
	}
	return e.Operation.Scope
}

// maxSkew is how far clocks may differ before tokens and signatures suffer.
const maxSkew = time.Minute

// clock reports on the API's clock and on how long it takes to answer.
func (d *doctor) clock() {
	switch skew := d.skew.Round(time.Second); {
	case !d.told:
		d.note("clock", "", "the API does not tell its time")
	case skew.Abs() > maxSkew:
		d.warn("clock", "set the clock of this machine: signatures of requests to S3 depend on it", "differs from the API's by %v", skew.Abs())
	default:
		d.ok("clock", "within %v of the API's", max(skew.Abs(), time.Second))
	}
	if len(d.latencies) == 0 {
		return
	}
	slices.Sort(d.latencies)
	median := d.latencies[len(d.latencies)/2]
	possible := float64(d.job.Concurrency) / max(median.Seconds(), 1e-4)
	d.ok("latency", "%s in the middle: %d workers can make %.0f requests a second, the ceiling is %g",
		human.Duration(median), d.job.Concurrency, possible, d.o.Config.FinoOS.RequestsPerSecond)
}
