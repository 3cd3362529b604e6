package jobs

import (
	"fmt"
	"os"
	"strings"
	"testing"
	"time"

	"finoos-syncer/internal/finoos"
	"finoos-syncer/internal/sink/cursors"

	"github.com/google/go-cmp/cmp"
)

func listedUser(i int) *finoos.User {
	u := &finoos.User{
		ID: fmt.Sprintf("user-%06d", i), Name: "Jäger " + strings.Repeat("x", 200), Type: "person",
		CreatedAt: time.Date(2024, 1, 1, 0, 0, i, 0, time.UTC),
	}
	u.Hash, u.Extra = uint64(i), `{"a":1}`
	switch i % 3 {
	case 1:
		u.Duplicates = []string{}
	case 2:
		u.Duplicates, u.UserScopes = []string{"d1", ""}, []string{"banking"}
	}
	return u
}

func TestTheListOfUsersComesBackAsItWasListedHeldOrSpilled(t *testing.T) {
	t.Parallel()
	for _, n := range []int{3, 30_000} { // the latter is above spillAt
		dir := t.TempDir()
		l := userList{dir: dir}
		for i := range n {
			if err := l.add(listedUser(i)); err != nil {
				t.Fatal(err)
			}
			if i%10 == 0 { // a list that shifts shows somebody twice
				if err := l.add(listedUser(i)); err != nil {
					t.Fatal(err)
				}
			}
		}
		if spilled := l.file != nil; spilled != (n > 3) {
			t.Fatalf("%d users: spilled %v", n, spilled)
		}
		got := map[string]*finoos.User{}
		for b := range cursors.Buckets {
			users, err := l.bucket(b)
			if err != nil {
				t.Fatal(err)
			}
			for _, u := range users {
				if got[u.ID] != nil {
					t.Fatalf("%s twice", u.ID)
				}
				got[u.ID] = u
			}
		}
		if len(got) != n {
			t.Fatalf("got %d users, want %d", len(got), n)
		}
		for i := range n {
			want := listedUser(i)
			if diff := cmp.Diff(want, got[want.ID]); diff != "" {
				t.Fatal(diff)
			}
		}
		if left, err := os.ReadDir(dir); err != nil || len(left) > 0 {
			t.Errorf("scratch folder shows %v, %v", left, err)
		}
		if err := l.close(); err != nil {
			t.Error(err)
		}
	}
}
