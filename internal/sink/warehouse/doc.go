// Package warehouse writes the SQL with which a warehouse reads the lake: its
// tables, and the views that say what their rows mean. Names, keys and types come
// from the tables of package sink; there is no second list.
//
// # What it makes
//
//	contracts            every row of every file, as docs/warehouse.md has it; grows, is never updated
//	current_contracts    the current state: one row per key
//	history_contracts    every state that there was, each with valid_from and valid_to
//	freshness            per stream, how long ago something last came
//	full_pull_spans,     what the views above are made of
//	user_spans, gone_users
//
// and so on for the other tables; pulls and sync_sessions say what happened, and
// have neither a current state nor a history.
//
// # What the views mean
//
// A full pull replaces all that was known of a user and stream, so it cuts time
// into spans: a row counts only until the next full pull of its user. Within a
// span a row counts until the next one of its key; one that says delete ends its
// key. A user that is gone (the newest row in users is a delete) has no state
// until it is back.
//
//	user_spans        ─────────────────────┤ gone ├──────────
//	full_pull_spans   ────────┤──────────────────────────────
//	rows of a key         +        +  +                 -
//	history               ├───┤    ├──┼────┤      ├─────┤
//
// current_… is what is valid now, said so that an engine needs no join of spans:
// the newest row per key, of those at or after the user's last full pull. For any
// instant, the rows of history_… that are valid then are what current_… was then;
// the end-to-end tests hold both to that, and to the sandbox's truth.
//
// # What differs between engines
//
// The bodies of the views are the same text everywhere, written in what all six
// engines have: window functions, LEFT JOIN, no QUALIFY, no percentiles. Types,
// quoting, the way to the files and three small expressions differ: each engine is
// one file of this package.
package warehouse
