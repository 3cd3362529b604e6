// Package attempts keeps what a run is about to ask banks for, so that no session is
// spent twice where one may have gone through.
//
// An attempt is written before it is made, together with others that are waiting to
// be, in one small object that no commit names:
//
//	Note ──► gathered ──► one object ──► the lease is still ours ──► asked
//	                          │
//	        Told, or Drop ────┤ what came of all of them is a row, or they were not made
//	        Commit, published ┤ and that is true for good: a void can take it back no more
//	                          ▼
//	                       deleted
//
// A run that finds such an object of another one, which has ended, makes rows and
// cursors of what it tells ([Book.Left]), in the same way. Nobody has to: who asks
// twice for want of one has wasted a session, and lost nothing else.
//
// Objects only ever shrink, and each user of one belongs to one shard; so shards that
// share one take their users out of it by turns.
package attempts
