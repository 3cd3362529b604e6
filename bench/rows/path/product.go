package path

import (
	"fmt"
	"path/filepath"
	"testing"

	"finoos-syncer/internal/finoos"
	"finoos-syncer/internal/jobs"
	"finoos-syncer/internal/jobs/config"
)

// jobsYAML is a job of one stream into a folder, with the defaults of the design.
func jobsYAML(tb testing.TB, s Stream, dir string) *config.Config {
	tb.Helper()
	text := fmt.Sprintf(`
finoos: {base_url: "https://finoos.test", client_id: sandbox, client_secret: sandbox}
sink: {url: "file://%s"}
jobs:
  nightly: {streams: [%s], sync: {when: never}}
`, filepath.ToSlash(dir), s.Name)
	c, err := config.Parse("jobs.yaml", []byte(text), func(string) (string, bool) { return "", false })
	if err != nil {
		tb.Fatal(err)
	}
	return c
}

// Product is a first night: the real job, which lists the users, asks for each
// one's correlation and body, makes rows, writes and commits them with their
// cursors. Only the network and the quota are left out. It returns how many
// rows the stream's table got.
func Product(tb testing.TB, b *Bodies, dir string) int64 {
	tb.Helper()
	report, err := jobs.Run(tb.Context(), jobs.RunOptions{
		Config: jobsYAML(tb, b.Stream, dir), Job: "nightly", Transport: b.api, Pacing: finoos.NewPacing(0, 1),
	})
	if err != nil {
		tb.Fatal(err)
	}
	if report.Users.Failed > 0 {
		tb.Fatalf("%d users failed", report.Users.Failed)
	}
	return report.Tables[string(b.Name)].Rows
}
