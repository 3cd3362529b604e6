package report

import (
	"finoos-syncer/internal/jobs/config"
)

// Issue counts one kind of what answers held that is not as it should be, and names
// one of whom it was.
type Issue struct {
	Count  int64         `json:"count"`
	UserID string        `json:"user_id,omitempty"`
	Stream config.Stream `json:"stream"`
}

// AddIssue counts an issue of a kind. The first that is counted is the example.
func (r *Report) AddIssue(kind string, issue Issue) { r.Issues = addIssue(r.Issues, kind, issue) }

// AddIssues adds the issues of another report.
func AddIssues(to, from map[string]Issue) map[string]Issue {
	for kind, issue := range from {
		to = addIssue(to, kind, issue)
	}
	return to
}

func addIssue(to map[string]Issue, kind string, issue Issue) map[string]Issue {
	if to == nil {
		to = map[string]Issue{}
	}
	if before, known := to[kind]; known {
		before.Count += issue.Count
		issue = before
	}
	to[kind] = issue
	return to
}

// IssueText says what became of what has a kind of issue.
func IssueText(kind string) string {
	if text := issueTexts[kind]; text != "" {
		return text
	}
	return "are not as they should be"
}

// issueTexts go on after a number and the kind.
var issueTexts = map[string]string{
	"inexact":     "amounts do not fit decimal(18,4): the column is empty, the text is in _extra",
	"rounded":     "amounts lie next to one with four decimals and are that one; the text is in _extra",
	"unreadable":  "fields cannot be read: the column is empty, the text is in _extra",
	"replaced":    "texts hold characters that no column takes: these are U+FFFD",
	"repeated":    "records have a key that another of their answer has: one of them stands",
	"no_account":  "records name no account: it is empty in their key",
	"no_currency": "records name no currency: it is empty in their key",
	"null_list":   "lists are null: they were taken for empty ones",
}
