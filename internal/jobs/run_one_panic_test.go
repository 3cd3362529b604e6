package jobs

import (
	"net/http"
	"strings"
	"testing"

	"finoos-syncer/internal/jobs/banktest"
)

// A panic while the one service is asked is one user's failure.
func TestPanicWhileTheOneIsAskedIsAUsersFailure(t *testing.T) {
	t.Parallel()
	for _, probe := range []string{oneService, eachService} {
		t.Run(probe, func(t *testing.T) {
			t.Parallel()
			inBubble(t, banktest.Still(3), func(b *bank) {
				t := b.t
				b.run(probe)
				b.Night()
				id := b.UserID(1)
				b.transport = via{b.transport, func(r *http.Request) (*http.Response, error) {
					if user, rest := pathOf(r); user == id && strings.HasSuffix(rest, "/correlation") {
						panic("broken")
					}
					return nil, nil //nolint:nilnil // goes on
				}}
				rep, err := b.try(t.Context(), b.options(b.config(probe, lenient)))
				if rep.Users.Failed != 1 || rep.Users.Unchanged != 2 {
					t.Errorf("%+v, %v", rep.Users, err)
				}
			})
		})
	}
}
