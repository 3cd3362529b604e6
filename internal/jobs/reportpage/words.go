package reportpage

import (
	"fmt"
	"maps"
	"slices"

	"finoos-syncer/internal/human"
	"finoos-syncer/internal/jobs/report"
)

// outcome is how a run ended. Kind is the class of its badge.
type outcome struct{ Title, Mark, Kind string }

var outcomes = map[string]outcome{
	report.Done:             {Title: "Done", Mark: "✓", Kind: "good"},
	report.DoneWithFailures: {Title: "Done, with failures", Mark: "!", Kind: "warn"},
	report.DoneInPart:       {Title: "Done in part", Mark: "◑", Kind: "warn"},
	report.Deadline:         {Title: "Deadline reached", Mark: "◷", Kind: "warn"},
	report.Interrupted:      {Title: "Interrupted", Mark: "❙❙", Kind: "warn"},
	report.Stopped:          {Title: "Stopped", Mark: "✕", Kind: "bad"},
}

var stageTitles = map[string]string{
	"sync":   "Ask the banks",
	"settle": "Wait for the analysis",
}

// sessionMeanings say what came of asking a bank.
var sessionMeanings = map[string]string{
	"synced":               "new data can be read",
	"interface_deprecated": "the bank's interface has gone: the user has to connect again",
	"credentials_required": "the user has to enter credentials",
	"blocked":              "the bank has blocked the access: the user has to act",
	"daily_limit":          "none left today",
	"sca_required":         "the user has to confirm with the bank",
	"rejected":             "the API did not accept the request",
	"forbidden":            "a scope is missing",
	"gone":                 "no such user or login",
	"failed":               "refused otherwise, or never sent",
	"unknown":              "asked, and what came of it is not known",
}

// classMeanings say what a class of failures is.
var classMeanings = map[string]string{
	"auth":         "the credentials or the token were refused",
	"forbidden":    "a scope is missing",
	"not_found":    "gone, of another tenant, or not analysed",
	"rate_limited": "too many requests, and waiting did not help",
	"invalid":      "the API did not accept the request",
	"server":       "the API failed",
	"network":      "no answer, or half of one",
	"timeout":      "no complete answer in time",
	"malformed":    "an answer that is not what its document says",
	"too_large":    "an answer beyond max_response",
	"not_ready":    "an answer that says of itself that it is not whole",
	"internal":     "this program failed: the log has the stack",
}

// facts say which run this was.
func facts(r *report.Report) []string {
	list := []string{r.Started.UTC().Format("Monday, 2 January 2006, 15:04 UTC"), "took " + human.Duration(r.Took())}
	if r.Shards > 1 {
		list = append(list, fmt.Sprintf("shard %d of %d (0 to %d)", r.Shard, r.Shards, r.Shards-1))
	}
	if r.Version != "" {
		list = append(list, "syncer "+r.Version)
	}
	return list
}

// notes say what a reader of the numbers has to know.
func notes(r *report.Report) (list []string) {
	if b := r.Backfill; b != nil {
		list = append(list, fmt.Sprintf("This was the backfill %s, of %s to %s.", b.Name, b.Since, b.Until))
		if b.Undated > 0 {
			list = append(list, human.Plural(b.Undated, "transaction")+" without a date were left out: a backfill up to today brings them.")
		}
	}
	if r.Named > 0 {
		list = append(list, fmt.Sprintf("This run was for %s who had been named; nobody else was looked at.", human.Plural(int64(r.Named), "user")))
	}
	if r.OnlyFailed {
		list = append(list, "This run was only for users who had failed before.")
	}
	if r.Full {
		list = append(list, "Everything was read in full, changed or not.")
	}
	if p := r.Probe; p != nil && p.Why != "" {
		list = append(list, "Whom it asked of what: "+p.Text()+".")
	}
	list = append(list, losses(r)...)
	if r.Unsettled > 0 {
		list = append(list, fmt.Sprintf("The analysis of %s was not finished in time: what it brings comes with the next run.", human.Plural(r.Unsettled, "user")))
	}
	if waited := r.WaitedText(); waited != "" {
		list = append(list, "Waited for: "+waited+".")
	}
	for _, kind := range slices.Sorted(maps.Keys(r.Issues)) {
		issue := r.Issues[kind]
		where := string(issue.Stream)
		if issue.UserID != "" {
			where += " of " + issue.UserID
		}
		list = append(list, fmt.Sprintf("%s (%s): %s. One is in %s.", kind, human.Count(issue.Count), report.IssueText(kind), where))
	}
	return list
}

// losses say who was not reached, and what was not kept.
func losses(r *report.Report) (list []string) {
	next := "the next run begins with them."
	switch {
	case r.Backfill != nil:
		next = "the same command goes on with them."
	case r.OnlyFailed || r.Named > 0:
		next = "the same command asks for them again."
	}
	before := ""
	switch r.Outcome {
	case report.Deadline:
		before = " before the deadline"
	case report.Interrupted:
		before = " before the run was interrupted"
	case report.Stopped:
		before = " before the run was stopped"
	}
	if left := r.Left(); left > 0 {
		list = append(list, were(left)+" not reached"+before+": "+next)
	}
	if r.AllUnreached {
		list = append(list, "Nobody was reached: the run ended before it was known who is there.")
	}
	if lost := r.NotKept; lost != nil {
		what := "The run pulled them and could not commit them: the next one pulls them again."
		if lost.Unsure {
			what = "The run pulled them, and the store has not told whether they are committed: the next one finds out."
		}
		list = append(list, "Not kept: "+lost.What()+". "+what)
	}
	return list
}

func were(users int64) string {
	if users == 1 {
		return "1 user was"
	}
	return human.Plural(users, "user") + " were"
}
