//go:build !crashpoints

package sink

// checkpointEvery is after how many commits with cursors a bucket's checkpoint
// is written anew. The crash tests have it sooner, in a build of their own.
const checkpointEvery = 16
