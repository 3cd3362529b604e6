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
			inBubble(t, banktest.Still(3), func(b *bank) {
				t := b.t
				b.run(probe)
				b.Night()
				id := b.UserID(1)
				b.transport = via{b.transport, func(r *http.Request) (*http.Response, error) {
					if user, rest := pathOf(r); user == id && strings.HasSuffix(rest, "/correlation") {
						panic("broken")
					}
					return nil, nil
				}}
				defer func() {
					if v := recover(); v != nil {
						t.Errorf("the process dies of %v", v)
					}
				}()
				rep, err := b.try(t.Context(), b.options(b.config(probe, lenient)))
				t.Logf("%+v %v", rep.Users, err)
			})
		})
	}
}
