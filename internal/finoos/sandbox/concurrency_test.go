package sandbox

import (
	"net/http"
	"sync"
	"testing"
)

func TestNightsPassWhileOthersRead(t *testing.T) {
	t.Parallel()
	c := setup(t, Options{Users: 20, Seed: 1, Sync: certain, CacheUsers: 2, HistoryLimit: 50})
	var readers sync.WaitGroup
	for i := range 4 {
		readers.Go(func() {
			for k := range 10 {
				id := c.s.UserID((i + k) % 20)
				for _, path := range []string{"/users", "/users/" + id + "/banking/logins", "/users/" + id + "/contracts"} {
					if err := c.try(http.MethodGet, path); err != nil {
						t.Error(err)
					}
				}
				if err := c.try(http.MethodPost, "/users/"+id+"/banking/sync", "User-IP", "203.0.113.7"); err != nil {
					t.Error(err)
				}
			}
		})
	}
	for range 5 {
		c.s.Night()
		if err := c.s.SetFaults(Faults{NoContext: true}); err != nil {
			t.Error(err)
		}
		for range c.s.Truth("bank_logins") {
			c.s.Counts()
		}
	}
	readers.Wait()
	if n := c.s.Counts()["users"]; n != 40 {
		t.Errorf("%d of 40 lists were asked for", n)
	}
}
