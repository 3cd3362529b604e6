package sink

import (
	"context"

	"finoos-syncer/internal/sink/bucket"
	"finoos-syncer/internal/sink/selftest"
)

// StoreCheck is one thing that a job needs of its store, and what came of it.
type StoreCheck = selftest.Check

// Examine tries everything on a store that a run of the job will need, under keys of
// its own, named by id, and removes what it wrote. It takes no lease; a run that
// begins at the same moment may clear its objects away, which then shows as an error
// here and harms nothing.
func Examine(ctx context.Context, store bucket.Store, job, id string) ([]StoreCheck, error) {
	for what, name := range map[string]string{"job": job, "id": id} {
		if err := checkName(what, name); err != nil {
			return nil, err
		}
	}
	keys := jobKeys(job)
	return selftest.Examine(ctx, store, keys.log(), keys.selfTest(id), id)
}
