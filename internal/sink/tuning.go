//go:build !crashpoints

package sink

import "finoos-syncer/internal/sink/bucket"

// What the crash tests make smaller, in a build of their own.
const (
	// checkpointEvery is after how many commits with cursors a bucket's
	// checkpoint is written anew.
	checkpointEvery = 16
	// firstPart is the size of the first parts of an upload.
	firstPart = bucket.MinPart
)
