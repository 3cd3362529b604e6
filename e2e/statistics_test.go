package e2e

import (
	"fmt"
	"io"
	"net/http"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"

	"finoos-syncer/internal/jobs"
	"finoos-syncer/internal/jobs/config"
	"finoos-syncer/internal/sink/cursors"
)

// groupsOf makes of a table's files two tables: rows, each with its file and the
// number of its row group, and stats, of which there is one for each column of
// each row group, as the footers have it.
func (l *lake) groupsOf(t *testing.T, tb table, dir string) {
	t.Helper()
	glob := filepath.ToSlash(filepath.Join(dir, tb.name, "**", "*.parquet"))
	l.exec(t, fmt.Sprintf(`CREATE OR REPLACE TABLE stats AS SELECT *, split_part(path_in_schema, ', ', 1) AS name FROM parquet_metadata('%s')`, glob))
	l.exec(t, fmt.Sprintf(`CREATE OR REPLACE TABLE rows AS
		WITH groups AS (SELECT DISTINCT file_name, row_group_id, row_group_num_rows FROM stats),
		begins AS (SELECT *, sum(row_group_num_rows) OVER (PARTITION BY file_name ORDER BY row_group_id) - row_group_num_rows AS begin FROM groups)
		SELECT r.*, b.row_group_id FROM read_parquet('%s', hive_partitioning = false, filename = true, file_row_number = true) r
		JOIN begins b ON b.file_name = r.filename AND r.file_row_number >= b.begin AND r.file_row_number < b.begin + b.row_group_num_rows`, glob))
}

// longText is how long a text may be that statistics have. They have both bounds
// or none.
const longText = 128

// wrongStatistics are the row groups of a column for which the footer says
// anything else than the rows do. A list counts as null where it has no
// element: that is how the format counts.
func (l *lake) wrongStatistics(t *testing.T, c column) []row {
	t.Helper()
	values, typ := fmt.Sprintf("SELECT filename, row_group_id, %s AS v FROM rows", quote(c.Name)), c.Type
	if typ == texts {
		values, typ = fmt.Sprintf(`SELECT filename, row_group_id, unnest(CASE WHEN len(%[1]s) > 0 THEN %[1]s ELSE [NULL] END) AS v FROM rows`, quote(c.Name)), text
	}
	wrong := func(stat, v string) string {
		as := fmt.Sprintf("%s::%s IS DISTINCT FROM %s", stat, typ, v)
		if typ == text {
			as += fmt.Sprintf(" AND NOT (stats_min_value IS NULL AND stats_max_value IS NULL AND greatest(octet_length(encode(least)), octet_length(encode(greatest))) > %d)", longText)
		}
		return as
	}
	return l.query(t, fmt.Sprintf(`
		WITH truth AS (
			SELECT filename, row_group_id, count(*) AS n, count(*) - count(v) AS nulls, min(v) AS least, max(v) AS greatest FROM (%s) GROUP BY ALL)
		SELECT s.row_group_id, s.num_values, n, s.stats_null_count, nulls,
			s.stats_min_value, least::VARCHAR AS least, s.stats_max_value, greatest::VARCHAR AS greatest
		FROM truth FULL JOIN (SELECT * FROM stats WHERE name = '%s') s ON s.file_name = filename AND s.row_group_id = truth.row_group_id
		WHERE num_values IS DISTINCT FROM n OR stats_null_count IS DISTINCT FROM nulls OR stats_distinct_count IS NOT NULL OR %s OR %s`,
		values, c.Name, wrong("stats_min_value", "least"), wrong("stats_max_value", "greatest")))
}

// checkStatistics compares all statistics of a table with its rows. There must be
// some.
func (l *lake) checkStatistics(t *testing.T, tb table, dir string) {
	t.Helper()
	l.groupsOf(t, tb, dir)
	for _, c := range tb.all() {
		if wrong := l.wrongStatistics(t, c); len(wrong) > 0 {
			t.Errorf("%s.%s (%s), %d row groups: %v", tb.name, c.Name, c.Type, len(wrong), wrong[0])
		}
	}
}

// crowd is an API of users who all have the same few bookings, of a kilobyte each.
type crowd struct {
	ids      []string
	bookings string
}

// crowdOf makes so many users in one of the buckets of users: as many as a lake
// of some hundred thousand has there.
func crowdOf(users, days int) *crowd {
	c := &crowd{}
	for i := 0; len(c.ids) < users; i++ {
		if id := "user-" + strconv.Itoa(1_000_000+i); cursors.BucketOf(id) == 0 {
			c.ids = append(c.ids, id)
		}
	}
	var list []string
	for day := range days {
		at := time.Date(2026, 11, 19, 0, 0, 0, 0, time.UTC).AddDate(0, 0, -day).Format(time.DateOnly)
		list = append(list, fmt.Sprintf(`{"transactionId":"t-%d","accountId":"a","amount":-%d.5,"currency":"EUR","bookingDate":%q,"purpose":%q}`,
			day, day, at, strings.Repeat("Miete ", 170)))
	}
	c.bookings = "[" + strings.Join(list, ",") + "]"
	return c
}

// RoundTrip answers for them.
func (c *crowd) RoundTrip(r *http.Request) (*http.Response, error) {
	body := c.bookings
	switch {
	case r.URL.Path == "/auth":
		body = `{"access_token":"t","expires_in":300,"token_type":"Bearer"}`
	case r.URL.Path == "/users":
		body = `{"context":{"page":1,"totalPages":1},"users":[{"id":"` + strings.Join(c.ids, `"},{"id":"`) + `"}]}`
	case strings.HasSuffix(r.URL.Path, "/correlation"):
		body = `{"correlationID":"c","correlationTimestamp":"2026-11-19T02:00:00Z"}`
	}
	return &http.Response{StatusCode: http.StatusOK, Header: http.Header{}, Body: io.NopCloser(strings.NewReader(body)), Request: r}, nil
}

// TestOneUserIsInFewRowGroups has the users of one bucket of users, who come in
// the order of their ids. With more buckets it is as much of each.
func TestOneUserIsInFewRowGroups(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	cfg, err := config.Parse("jobs.yaml", fmt.Appendf(nil, `
finoos: {base_url: http://crowd.test, client_id: c, client_secret: s, requests_per_second: 10000}
sink: {url: %q}
jobs: {nightly: {streams: [transactions]}}
`, folderURL(dir)), nil)
	if err != nil {
		t.Fatal(err)
	}
	cfg.FinoOS.RequestsPerSecond = 1e6 // more than jobs.yaml takes
	api := crowdOf(1500, 30)
	if _, err := jobs.Run(t.Context(), jobs.RunOptions{Config: cfg, Job: "nightly", Transport: api}); err != nil {
		t.Fatal(err)
	}
	l := openLake(t, t.TempDir())
	l.checkStatistics(t, tableNamed("transactions"), dir)
	groups := l.count(t, "SELECT count(*) FROM stats WHERE name = 'user_id'")
	users := l.count(t, "SELECT count(DISTINCT user_id) FROM rows")
	left := l.count(t, `SELECT count(*) FROM (SELECT DISTINCT user_id FROM rows) r
		JOIN stats s ON s.name = 'user_id' AND r.user_id BETWEEN s.stats_min_value AND s.stats_max_value`)
	share := float64(left) / float64(groups*users)
	t.Logf("%.1f of %d row groups are left by their statistics for one user", share*float64(groups), groups)
	if int(users) != len(api.ids) || groups < 6 || share > 0.33 {
		t.Errorf("%d users in %d row groups, of which %.0f %% are left by their statistics for one of them", users, groups, 100*share)
	}
}
