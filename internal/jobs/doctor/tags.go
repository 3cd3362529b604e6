package doctor

import (
	"context"
	"errors"
	"slices"

	"finoos-syncer/internal/finoos"
	"finoos-syncer/internal/jobs/config"
	"finoos-syncer/internal/sink"
	"finoos-syncer/internal/sink/bucket"
	"finoos-syncer/internal/sink/cursors"
)

// tags finds out what an entry of a categorization diff is: tags that were added,
// or all that a transaction has now. The document does not say. It takes a user
// whom the job has pulled, and who was analysed since.
func (d *doctor) tags(ctx context.Context, store bucket.Store) {
	if d.client == nil || d.user == "" || d.job.Categorization != config.CategorizationDiff || !slices.Contains(d.streams, config.StreamCategorization) {
		return
	}
	const what = "categorization diffs"
	since, err := d.lastPulled(ctx, store)
	switch {
	case err != nil:
		d.note(what, "", "not looked at: %v", err)
		return
	case since == "":
		d.note(what, "ask again, with --user, a day after the first run", "not looked at: this user was not pulled yet")
		return
	}
	diff, err := d.tagsOf(ctx, since)
	if class := finoos.ClassOf(err); class == finoos.Invalid || class == finoos.NotFound {
		d.note(what, "", "the API no longer knows the analysis that was pulled last: it would be read in full")
		return
	}
	var all map[string][]string
	if err == nil {
		all, err = d.tagsOf(ctx, "")
	}
	if err != nil {
		d.failed(what, err, "try again")
		return
	}
	added, whole := 0, 0
	for id, tags := range diff {
		if len(tags) < len(all[id]) {
			added++
		} else {
			whole++
		}
	}
	switch {
	case added > 0:
		d.ok(what, "%d of %d entries name only some of their transaction's tags: an entry adds", added, len(diff))
	case whole > 0:
		d.note(what, "tags that are removed show at the next full pull; categorization: full in jobs.yaml shows them each night",
			"all %d entries name all tags of their transactions: an entry may replace", whole)
	default:
		d.note(what, "ask again, with --user, for one who was analysed since the last run", "nothing was added since the last pull")
	}
}

// lastPulled is the analysis from which the user's categorization was pulled.
func (d *doctor) lastPulled(ctx context.Context, store bucket.Store) (string, error) {
	f := d.o.Config.FinoOS
	look, err := sink.OpenLook(ctx, sink.LookOptions{
		Store: store, Job: d.o.Job, Source: sink.Source{BaseURL: f.BaseURL, Tenant: f.Tenant}, ScratchDir: d.o.Config.Sink.ScratchDir,
	})
	if errors.Is(err, sink.ErrSource) || errors.Is(err, sink.ErrSchema) {
		return "", nil // a run will say so
	}
	if err != nil {
		return "", err
	}
	defer look.Close()
	users, err := look.Cursors(ctx, cursors.BucketOf(d.user), d.user)
	if err != nil {
		return "", err
	}
	for _, c := range users[d.user] {
		if config.Stream(c.Stream) == config.StreamCategorization {
			return c.CorrelationID, nil
		}
	}
	return "", nil
}

// tagsOf reads the tags of the user's transactions.
func (d *doctor) tagsOf(ctx context.Context, since string) (map[string][]string, error) {
	list, err := d.client.Categorization(ctx, d.user, since)
	if err != nil {
		return nil, err
	}
	defer list.Close() //nolint:errcheck // frees memory; nothing is lost by an error
	tags := map[string][]string{}
	for c, err := range list.All() {
		if err != nil {
			return nil, err
		}
		for _, tag := range c.Tags {
			if !slices.Contains(tags[c.TransactionID], tag) {
				tags[c.TransactionID] = append(tags[c.TransactionID], tag)
			}
		}
	}
	return tags, nil
}
