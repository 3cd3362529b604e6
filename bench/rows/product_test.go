package rows

import (
	"fmt"
	"path/filepath"
	"testing"

	"finoos-syncer/internal/finoos"
	"finoos-syncer/internal/jobs"
)

// config is a job of one stream into a folder, with the defaults of the design.
func config(t testing.TB, s stream, dir string) *jobs.Config {
	t.Helper()
	text := fmt.Sprintf(`
finoos: {base_url: "https://finoos.test", client_id: sandbox, client_secret: sandbox}
sink: {url: "file://%s"}
jobs:
  nightly: {streams: [%s], sync: {when: never}}
`, filepath.ToSlash(dir), s.name)
	c, err := jobs.ParseConfig("jobs.yaml", []byte(text), func(string) (string, bool) { return "", false })
	if err != nil {
		t.Fatal(err)
	}
	return c
}

// product is a first night: the real job, which lists the users, asks for each
// one's correlation and body, makes rows, writes and commits them with their
// cursors. Only the network and the quota are left out. It returns how many
// rows the stream's table got.
func product(t testing.TB, b *bodies, dir string) int64 {
	t.Helper()
	report, err := jobs.Run(t.Context(), jobs.RunOptions{
		Config: config(t, b.stream, dir), Job: "nightly", Transport: b.api, Pacing: finoos.NewPacing(0, 1),
	})
	if err != nil {
		t.Fatal(err)
	}
	if report.Users.Failed > 0 {
		t.Fatalf("%d users failed", report.Users.Failed)
	}
	return report.Tables[string(b.name)].Rows
}
