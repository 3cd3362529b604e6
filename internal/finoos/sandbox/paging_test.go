package sandbox

import (
	"fmt"
	"net/http"
	"testing"
)

// listAll pages through the users until a page tells nothing new.
func listAll(c *client, first int) map[string]int {
	c.Helper()
	seen := map[string]int{}
	for page := first; page < 1000; page++ {
		status, body := c.get(fmt.Sprintf("/users?page=%d", page))
		if status == http.StatusNoContent || status == http.StatusNotFound {
			return seen
		}
		fresh := false
		for _, id := range idsIn(c, body) {
			fresh = fresh || seen[id] == 0
			seen[id]++
		}
		if !fresh {
			return seen
		}
	}
	c.Fatal("the pages do not end")
	return nil
}

func TestEveryUserIsListedWhateverTheVariant(t *testing.T) {
	t.Parallel()
	for _, users := range []int{0, 1, 30, 47} {
		for _, zero := range []bool{false, true} {
			for _, end := range []End{"", EndEmpty, End204, End404, EndRepeat} {
				for _, shift := range []Shift{ShiftNone, ShiftInsert, ShiftShuffle} {
					f := Faults{ZeroPages: zero, NoContext: zero, End: end, Shift: shift}
					c := setup(t, Options{Users: max(users, 1), Seed: 1, PageSize: 10, Faults: f})
					if users == 0 {
						if err := c.s.Delete(c.s.UserID(0)); err != nil {
							t.Fatal(err)
						}
					}
					first := 1
					if zero {
						first = 0
					}
					seen := listAll(c, first)
					if len(seen) != users {
						t.Errorf("%+v: %d of %d users are listed", f, len(seen), users)
					}
					twice := 0
					for _, n := range seen {
						if n > 1 {
							twice++
						}
					}
					if shift == ShiftInsert && users > 10 && twice == 0 || shift != ShiftInsert && end != EndRepeat && twice > 0 {
						t.Errorf("%+v: %d users come twice", f, twice)
					}
				}
			}
		}
	}
}

func TestPagesBeforeTheFirstAreRefused(t *testing.T) {
	t.Parallel()
	c := setup(t, Options{Users: 30, Seed: 1, PageSize: 10})
	_, plain := c.get("/users")
	_, one := c.get("/users?page=1")
	if string(plain) != string(one) {
		t.Error("the first page is not page 1")
	}
	if status, _ := c.get("/users?page=0"); status != http.StatusBadRequest {
		t.Errorf("page 0 is answered %d", status)
	}
	zero := setup(t, Options{Users: 30, Seed: 1, PageSize: 10, FirstPage: PageZero})
	_, plain = zero.get("/users")
	_, one = zero.get("/users?page=1")
	if string(plain) == string(one) {
		t.Error("pages from 0, and page 1 is the first")
	}
}

func TestARemovalHidesAUser(t *testing.T) {
	t.Parallel()
	c := setup(t, Options{Users: 30, Seed: 1, PageSize: 10, Faults: Faults{Shift: ShiftRemove}})
	seen := listAll(c, 1)
	if len(seen) != 28 {
		t.Errorf("%d of 30 users are listed, want one hidden before each further page", len(seen))
	}
	for i := range 30 {
		if status, _ := c.get("/users/" + c.s.UserID(i)); status != http.StatusOK {
			t.Errorf("a hidden user is answered %d", status)
		}
	}
}

func TestContextTellsTheWholeList(t *testing.T) {
	t.Parallel()
	c := setup(t, Options{Users: 21, Seed: 1, PageSize: 10})
	var got struct {
		Context struct{ Page, PageSize, TotalPages, Total int }
	}
	c.read("/users?page=3", &got)
	if x := got.Context; x.Page != 3 || x.PageSize != 10 || x.TotalPages != 3 || x.Total != 21 {
		t.Errorf("context is %+v", x)
	}
}

func TestAnotherTenantIsEmpty(t *testing.T) {
	t.Parallel()
	c := setup(t, Options{Users: 5, Seed: 1, Tenant: "acme"})
	_, body := c.do(http.MethodGet, "/users", "", "TenantID", "acmee")
	if ids := idsIn(c, body); len(ids) != 0 {
		t.Errorf("a mistyped tenant has %d users", len(ids))
	}
	if status, _ := c.do(http.MethodGet, "/users/"+c.s.UserID(0), "", "TenantID", "acmee"); status != http.StatusNotFound {
		t.Errorf("a user of another tenant is answered %d", status)
	}
	_, body = c.do(http.MethodGet, "/users", "", "TenantID", "acme")
	if ids := idsIn(c, body); len(ids) != 5 {
		t.Errorf("the tenant has %d users", len(ids))
	}
}

func TestUsersCostNothingUntilTheyAreAskedFor(t *testing.T) {
	t.Parallel()
	const users = 1 << 40 // no table of them would fit anywhere
	c := setup(t, Options{Users: users, Seed: 1})
	_, body := c.get(fmt.Sprintf("/users?page=%d", users/20))
	ids := idsIn(c, body)
	if len(ids) != 20 {
		t.Fatalf("the last full page has %d users", len(ids))
	}
	if status, _ := c.get("/users/" + ids[10] + "/account-history"); status != http.StatusOK {
		t.Errorf("a user of the last page is answered %d", status)
	}
}

func TestANightPassesForAMillion(t *testing.T) {
	t.Parallel()
	const million = 1_000_000
	c := setup(t, Options{Users: million, Seed: 1, NoHistory: true})
	c.s.Night()
	if gone := len(c.s.gone); gone < 800 || gone > 1200 || c.s.Users() < million-gone+800 {
		t.Errorf("%d are gone, %d are there", gone, c.s.Users())
	}
	_, body := c.get("/users?page=49999")
	if ids := idsIn(c, body); len(ids) != 20 {
		t.Errorf("page 49999 has %d users", len(ids))
	}
	if len(c.s.Requests()) != 0 || c.s.Counts()["users"] != 1 {
		t.Error("requests are listed, or not counted")
	}
}
