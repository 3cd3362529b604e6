package warehouse

import (
	"slices"
	"strings"

	"finoos-syncer/internal/sink/table"
)

// hasState says whether a table has a current state: pulls and sync_sessions say
// what happened, and each row of theirs stands for itself.
func hasState(t *table.Table) bool { return !slices.Contains(t.Key, "_extracted_at") }

// views are the same for all engines.
func (g *scriptWriter) views() []Statement {
	all := []Statement{g.fullPullSpans(), g.userSpans(), g.goneUsers()}
	for _, t := range g.tables {
		if hasState(t) {
			all = append(all, g.current(t))
		}
	}
	for _, t := range g.tables {
		if hasState(t) {
			all = append(all, g.history(t))
		}
	}
	return append(all, g.freshness())
}

// view makes a view; in its body {name} stands for a table or view of that name,
// {forever} and {beginning} for instants that nothing lies beyond, and each pair
// for what is given.
func (g *scriptWriter) view(name, about, body string, pairs ...string) Statement {
	for _, view := range []string{"full_pull_spans", "user_spans", "gone_users"} {
		pairs = append(pairs, "{"+view+"}", g.name(view))
	}
	for _, t := range table.Tables() {
		pairs = append(pairs, "{"+t.Name+"}", g.source(t.Name))
	}
	pairs = append(pairs, "{forever}", g.dialect.utc("9999-12-31 00:00:00"), "{beginning}", g.dialect.utc("1970-01-01 00:00:00"))
	sql := strings.NewReplacer(pairs...).Replace(body)
	return Statement{Name: name, Comment: about, SQL: "CREATE OR REPLACE VIEW " + g.name(name) + " AS" + sql + g.dialect.viewEnd}
}

// fullPullSpans cuts time into spans. Users without a full pull have none.
func (g *scriptWriter) fullPullSpans() Statement {
	return g.view("full_pull_spans", `A full pull replaces all that was known of a user and stream: from one to the next is a span.
The first span of a user is what came before the first full pull.`, `
SELECT stream, user_id, _extracted_at AS span_from,
  COALESCE(LEAD(_extracted_at) OVER (PARTITION BY stream, user_id ORDER BY _extracted_at), {forever}) AS span_to
FROM {pulls}
WHERE outcome = 'pulled' AND mode = 'full'
UNION ALL
SELECT stream, user_id, {beginning} AS span_from, MIN(_extracted_at) AS span_to
FROM {pulls}
WHERE outcome = 'pulled' AND mode = 'full'
GROUP BY stream, user_id`)
}

// userSpans are the times in which a user was there. Users that were never
// deleted have none.
func (g *scriptWriter) userSpans() Statement {
	return g.view("user_spans", `When a user that was deleted at least once was there: until the first delete, and from each
return to the next delete. Users that were never deleted are not listed.`, `
SELECT user_id, changed_at AS span_from, span_to
FROM (
  SELECT user_id, _op, changed_at,
    COALESCE(LEAD(changed_at) OVER (PARTITION BY user_id ORDER BY changed_at), {forever}) AS span_to
  FROM (
    SELECT user_id, _op, _extracted_at AS changed_at,
      LAG(_op) OVER (PARTITION BY user_id ORDER BY _extracted_at) AS op_before
    FROM {users}
  ) steps
  WHERE _op <> COALESCE(op_before, 'upsert')
) switches
WHERE _op = 'upsert'
UNION ALL
SELECT user_id, {beginning} AS span_from, MIN(_extracted_at) AS span_to
FROM {users}
WHERE _op = 'delete'
GROUP BY user_id`)
}

func (g *scriptWriter) goneUsers() Statement {
	return g.view("gone_users", "Users that are deleted as of now.", `
SELECT user_id
FROM (
  SELECT user_id, _op, ROW_NUMBER() OVER (PARTITION BY user_id ORDER BY _extracted_at DESC) AS nth
  FROM {users}
) newest
WHERE nth = 1 AND _op = 'delete'`)
}

// current is the rule of the design, word for word.
func (g *scriptWriter) current(t *table.Table) Statement {
	present := "\n  AND user_id NOT IN (SELECT user_id FROM {gone_users})"
	if t.Name == "users" {
		present = ""
	}
	present = strings.ReplaceAll(present, "{gone_users}", g.name("gone_users"))
	return g.view("current_"+t.Name, "The current state of "+t.Name+": of the rows at or after the user's last full pull, the newest\nper key, unless it is a delete. Users that are gone are left out.", `
SELECT {columns}
FROM (
  SELECT r.*, ROW_NUMBER() OVER (PARTITION BY {key} ORDER BY r._extracted_at DESC) AS nth
  FROM {table} r
  LEFT JOIN {full_pull_spans} f ON f.stream = '{of}' AND f.user_id = r.user_id AND f.span_to = {forever}
  WHERE f.user_id IS NULL OR r._extracted_at >= f.span_from
) newest
WHERE nth = 1 AND _op <> 'delete'{present}`,
		"{columns}", g.columnList("", t.Columns), "{key}", g.key(t), "{table}", g.source(t.Name), "{of}", t.Name, "{present}", present)
}

// history joins each row with the span of its full pull and, for other tables
// than users, with those of its user.
func (g *scriptWriter) history(t *table.Table) Statement {
	about := "What was valid when: at any instant, the rows with valid_from <= it and (valid_to > it or null)\nare what current_" + t.Name + " was then. A null in valid_to: valid now."
	rows := `
SELECT {columns},
  {from} AS valid_from, NULLIF({to}, {forever}) AS valid_to
FROM (
  SELECT r.*, LEAST(
    COALESCE(LEAD(r._extracted_at) OVER (PARTITION BY {key} ORDER BY r._extracted_at), {forever}),
    COALESCE(f.span_to, {forever})) AS ends_at
  FROM {table} r
  LEFT JOIN {full_pull_spans} f ON f.stream = '{of}' AND f.user_id = r.user_id
    AND f.span_from <= r._extracted_at AND r._extracted_at < f.span_to
) v`
	from, to := "v._extracted_at", "v.ends_at"
	if t.Name == "users" {
		rows += "\nWHERE v._op <> 'delete'"
	} else {
		rows += `
LEFT JOIN {user_spans} u ON u.user_id = v.user_id
WHERE v._op <> 'delete'
  AND (u.user_id IS NULL OR (u.span_from < v.ends_at AND v._extracted_at < u.span_to))`
		from = "GREATEST(v._extracted_at, COALESCE(u.span_from, v._extracted_at))"
		to = "LEAST(v.ends_at, COALESCE(u.span_to, v.ends_at))"
	}
	return g.view("history_"+t.Name, about, rows,
		"{columns}", g.columnList("v.", t.Columns), "{from}", from, "{to}", to, "{key}", g.key(t), "{table}", g.source(t.Name), "{of}", t.Name)
}

// key is the key of a table in a query over r.
func (g *scriptWriter) key(t *table.Table) string {
	names := make([]string, 0, len(t.Key))
	for _, k := range t.Key {
		names = append(names, "r."+g.dialect.quote(k))
	}
	return strings.Join(names, ", ")
}

// freshness ranks ages instead of asking for percentiles: each engine has its own
// idea of those, and ranks are the same everywhere.
func (g *scriptWriter) freshness() Statement {
	return g.view("freshness", `How fresh each stream is: when the last nightly pull of a user brought something. A user of whom
nothing has changed is asked every night all the same, and leaves no row: see the run reports.`, `
SELECT stream, users_pulled, oldest_pull_at, newest_pull_at,
  {p50} AS p50_age,
  {p95} AS p95_age,
  p50_age_seconds, p95_age_seconds
FROM (
SELECT stream, COUNT(*) AS users_pulled,
  MIN(last_pull_at) AS oldest_pull_at, MAX(last_pull_at) AS newest_pull_at,
  MIN(CASE WHEN nth >= 0.5 * n THEN age_seconds END) AS p50_age_seconds,
  MIN(CASE WHEN nth >= 0.95 * n THEN age_seconds END) AS p95_age_seconds
FROM (
  SELECT stream, last_pull_at, {age} AS age_seconds,
    ROW_NUMBER() OVER (PARTITION BY stream ORDER BY last_pull_at DESC) AS nth,
    COUNT(*) OVER (PARTITION BY stream) AS n
  FROM (
    SELECT stream, user_id, MAX(_extracted_at) AS last_pull_at
    FROM {pulls}
    WHERE outcome = 'pulled' AND COALESCE(mode, '') <> 'backfill' AND user_id NOT IN (SELECT user_id FROM {gone_users})
    GROUP BY stream, user_id
  ) last_pulls
) ranked
GROUP BY stream
) ages`, "{age}", g.dialect.age("last_pull_at"), "{p50}", g.duration("p50_age_seconds"), "{p95}", g.duration("p95_age_seconds"))
}

// duration writes seconds as days, hours and minutes, 3 d 04:12, by what all engines
// have: their own durations differ. Each division comes out even.
func (g *scriptWriter) duration(seconds string) string {
	part := func(of, unit string) string {
		whole := strings.NewReplacer("{of}", of, "{unit}", unit).Replace("({of} - MOD({of}, {unit})) / {unit}")
		return "CAST(CAST(" + whole + " AS BIGINT) AS " + g.dialect.text + ")"
	}
	hours, minutes := "MOD("+seconds+", 86400)", "MOD("+seconds+", 3600)"
	return part(seconds, "86400") + " || ' d ' || LPAD(" + part(hours, "3600") + ", 2, '0') || ':' || LPAD(" + part(minutes, "60") + ", 2, '0')"
}
