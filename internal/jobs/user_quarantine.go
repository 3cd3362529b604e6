package jobs

import (
	"context"
	"slices"
	"time"

	"finoos-syncer/internal/jobs/config"
	"finoos-syncer/internal/jobs/report"
	"finoos-syncer/internal/sink/cursors"
)

// A stream of a user that fails night after night is put into quarantine: it
// sits out one night, then two, then four, and from then on all but every
// seventh. While it pauses it costs no request. Its cursor holds the pause
// (RetryAt) beside the count of failures, so one success ends both.

// longestPause is how many nights a stream sits out at most: it is tried at
// least once a week.
const longestPause = 6

// pauseAfter is how many nights a stream sits out after so many failed ones in
// a row, of which the first after-1 have no consequence.
func pauseAfter(failures, after int) int {
	if failures < after {
		return 0
	}
	return 1 << min(failures-after, 3) // 8 is beyond the longest
}

// untilAfter is the instant at which nights have been sat out: in the middle
// of the day before the one on which the stream is tried again, so that it
// does not matter when in its night a run gets to a user.
func untilAfter(nights int, now time.Time) time.Time {
	return now.Add(time.Duration(min(nights, longestPause))*24*time.Hour + 12*time.Hour).UTC()
}

// quarantine lets a cursor whose stream has failed once more pause, where
// that is due. What `run --only-failed` tries beside the nightly runs is no
// night of its own.
func (s *session) quarantine(ctx context.Context, c *cursors.Cursor, before cursors.Cursor) {
	if s.o.OnlyFailed && before.Failures > 0 {
		c.Failures, c.RetryAt = before.Failures, before.RetryAt
		return
	}
	nights := pauseAfter(c.Failures, s.job.Failures.QuarantineAfter)
	if nights == 0 {
		return
	}
	c.RetryAt = untilAfter(nights, s.o.Now())
	s.log.WarnContext(ctx, "stream of a user in quarantine", "user_id", c.UserID, "stream", c.Stream, "failures", c.Failures,
		"class", c.ErrorClass, "until", c.RetryAt)
}

// pauses says whether a stream sits this run out. Who asks for failed users,
// or for everything, gets them.
func (s *session) pauses(c cursors.Cursor) bool {
	return !s.o.OnlyFailed && !s.o.Full && isPaused(c, s.o.Now())
}

func isPaused(c cursors.Cursor, now time.Time) bool {
	return now.Before(c.RetryAt) && (!isAhead(c.ExtractedAt, now) || c.RetryAt.Sub(now) <= week)
}

// pathPauses says whether a user that was not listed has failed by its own
// path so often that it is not asked for this time; it is counted then.
func (s *session) pathPauses(u *user) bool {
	if !s.pauses(u.Cursor(config.StreamUsers)) {
		return false
	}
	s.tally.update(func(rep *report.Report) { rep.Users.Listed++; rep.Users.Quarantined++ })
	return true
}

// choose leaves out the streams of u that are in quarantine, and the services
// that only they need. A user's own row comes from the list and costs nothing.
func (s *session) choose(u *user) {
	u.streams = slices.DeleteFunc(slices.Clone(s.streams), func(stream config.Stream) bool {
		if stream == config.StreamUsers || !s.pauses(u.Cursor(stream)) {
			return false
		}
		u.quarantined = true
		s.tally.paused(stream)
		return true
	})
	u.services = config.ServicesOf(u.streams)
}

// syncPauses says that a user's bank is not asked: its logins cannot be read,
// or nothing would be pulled of what the session brings.
func (s *session) syncPauses(u *user) bool {
	nothingToPull := len(u.services) == 0 && len(s.services) > 0
	return nothingToPull || s.has(config.StreamBankLogins) && !slices.Contains(u.streams, config.StreamBankLogins)
}
