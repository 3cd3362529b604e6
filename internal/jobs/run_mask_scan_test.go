package jobs

import (
	"fmt"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"finoos-syncer/internal/jobs/banktest"
	"finoos-syncer/internal/jobs/config"
	"finoos-syncer/internal/sink/parquet/parquettest"
	"finoos-syncer/internal/sink/table"
)

const maskKey = "mask_key: 0123456789abcdef0123456789abcdef"

// object is what lies in the bucket under a key, as it is and, of a Parquet file, as
// its cells say it.
type object struct {
	key, text string
	cells     []string
}

// objects are all that somebody finds who has the bucket.
func (b *bank) objects() (all []object) {
	b.t.Helper()
	err := filepath.WalkDir(b.dir, func(path string, e os.DirEntry, err error) error {
		if err != nil || e.IsDir() {
			return err
		}
		body, err := os.ReadFile(path)
		o := object{key: strings.TrimPrefix(path, b.dir), text: string(body)}
		if strings.HasPrefix(o.text, "PAR1") {
			_, rows := parquettest.Read(b.t, body)
			for _, row := range rows {
				o.cells = append(o.cells, row...)
			}
		}
		all = append(all, o)
		return err
	})
	if err != nil {
		b.t.Fatal(err)
	}
	return all
}

// finds says where a text stands, "" if it does not.
func finds(objects []object, text string) string {
	for _, o := range objects {
		if strings.Contains(o.text, text) || slices.ContainsFunc(o.cells, func(cell string) bool { return strings.Contains(cell, text) }) {
			return o.key
		}
	}
	return ""
}

// textsOf are the texts that the truth has in a column, long enough to be told apart.
func (b *bank) textsOf(table, column string) map[string]bool {
	found := map[string]bool{}
	for row := range b.Truth(table) {
		values, _ := row[column].([]string)
		if s, ok := row[column].(string); ok {
			values = append(values, s)
		}
		for _, v := range values {
			if len(v) >= 8 {
				found[v] = true
			}
		}
	}
	return found
}

// bared are all texts that a masked job writes in clear in some other column.
func (b *bank) bared(m *table.Masking) string {
	var all strings.Builder
	for _, t := range table.Tables() {
		if t.Name == "pulls" || t.Name == "sync_sessions" {
			continue
		}
		for row := range b.Truth(t.Name) {
			for column, v := range row {
				mask := m.Tables[t.Name]
				if mask.Columns[column] == "" && (column != "_extra" || len(mask.Fields) == 0) {
					fmt.Fprintf(&all, "%v\n", v)
				}
			}
		}
	}
	fmt.Fprint(&all, config.Streams()) // scopes have their names
	return all.String()
}

// TestAMaskedColumnStandsNowhereInTheBucket hides one column after the other, and looks
// for what it says in every object, packed and unpacked. Ids of users name objects and
// cursors, so that these are looked for in the tables alone.
func TestAMaskedColumnStandsNowhereInTheBucket(t *testing.T) {
	t.Parallel()
	tried := map[string]bool{}
	for _, tab := range table.Tables() {
		for _, c := range tab.Columns {
			if tab.Name == "pulls" || tab.Name == "sync_sessions" || c.Name[0] == '_' || c.Type != table.TypeString && c.Type != table.TypeStringList {
				continue
			}
			where, action := tab.Name, "hmac"
			switch {
			case c.Key:
				where = "all"
			case len(tried)%2 == 0:
				action = "drop"
			}
			mask, key := fmt.Sprintf("mask: {%s: {%s: %s}}", where, c.Name, action), maskKey
			if action == "drop" && len(tried)%4 == 0 {
				key = "mask_key: ''" // then nothing is sealed
			}
			if tried[mask] {
				continue
			}
			tried[mask] = true
			if raceEnabled && len(tried)%11 != 5 {
				continue // four of them will do
			}
			t.Run(mask, func(t *testing.T) {
				t.Parallel()
				inBubble(t, banktest.Steady(1), func(b *bank) { b.hides(tab.Name, c.Name, mask, key) })
			})
		}
	}
	if len(tried) < 35 {
		t.Errorf("%d masks were tried: there are more columns", len(tried))
	}
}

// saysTwice has the API say each text twice, in another spelling of its name: the second
// is kept in _extra.
func (b *bank) saysTwice() {
	member := regexp.MustCompile(`("\w+"):("(?:[^"\\]|\\.)*")`)
	next := b.transport
	b.transport = via{nil, func(r *http.Request) (*http.Response, error) {
		resp, err := next.RoundTrip(r)
		if err != nil || r.Method != http.MethodGet || strings.Contains(r.URL.Path, "correlation") {
			return resp, err
		}
		return rewritten(resp, func(body []byte) []byte {
			return member.ReplaceAllFunc(body, func(found []byte) []byte {
				name, value, _ := strings.Cut(string(found), ":")
				return []byte(name + ":" + value + "," + strings.ToUpper(name) + ":" + value)
			})
		})
	}}
}

// hides runs two nights with a mask, and looks for a column's values after each.
func (b *bank) hides(tab, column string, lines ...string) {
	t := b.t
	b.saysTwice()
	lines = append(lines, "categorization: full", syncing)
	secrets := map[string]bool{}
	for range 2 {
		b.run(lines...)
		for v := range b.textsOf(tab, column) {
			secrets[v] = true
		}
		b.Night()
	}
	m, err := b.config(lines...).Jobs["nightly"].Masking()
	if err != nil {
		t.Fatal(err)
	}
	objects, bared := b.objects(), b.bared(m)
	if column == "user_id" {
		objects = slices.DeleteFunc(objects, func(o object) bool { return strings.Contains(o.key, "_syncer") })
	}
	if len(objects) < 9 || !strings.Contains(fmt.Sprint(b.rows("accounts")), "ACCOUNTID") {
		t.Fatalf("%d objects", len(objects))
	}
	for secret := range secrets {
		if strings.Contains(bared, secret) {
			continue
		}
		if key := finds(objects, secret); key != "" {
			t.Errorf("%s.%s: %q stands in %s", tab, column, secret, key)
		}
	}
}

func TestWhatIsLeftForOtherShardsNamesNobodyWhoIsMasked(t *testing.T) {
	t.Parallel()
	for _, lines := range [][]string{
		{"mask: {users: {name: hmac, custom_user_id: drop}}", maskKey},
		{"mask: {users: {name: drop, custom_user_id: drop}}"},
	} {
		inBubble(t, banktest.Still(8), func(b *bank) {
			b.shardsOf("night", 3, lines, 0, 1, 2)
			// As owners of accounts they are not hidden.
			objects := slices.DeleteFunc(b.objects(), func(o object) bool { return !strings.Contains(o.key, "_syncer") && !strings.Contains(o.key, "/users/") })
			for _, column := range []string{"name", "custom_user_id"} {
				secrets := b.textsOf("users", column)
				if len(secrets) < 5 {
					b.t.Fatalf("%d texts in %s", len(secrets), column)
				}
				for secret := range secrets {
					if key := finds(objects, secret); key != "" {
						b.t.Errorf("users.%s stands in %s", column, key)
					}
				}
			}
			if len(b.rows("users")) != 8 {
				b.t.Errorf("%d rows of users, want 8", len(b.rows("users")))
			}
		})
	}
}

// TestTheWordsOfTheAPIAreNotKeptWhereSomethingIsMasked has an API that quotes what it
// refuses.
func TestTheWordsOfTheAPIAreNotKeptWhereSomethingIsMasked(t *testing.T) {
	t.Parallel()
	const quoted = "Erika Mustermann-Quoted"
	said := func(b *bank) {
		b.fail(func(*http.Request) (*http.Response, error) {
			body := `{"type":"Erika Mustermann-Quoted","message":"no account of Erika Mustermann-Quoted"}`
			return &http.Response{StatusCode: http.StatusBadRequest, Header: http.Header{"Content-Type": {"application/json"}}, Body: io.NopCloser(strings.NewReader(body))}, nil
		}, func(user, rest string) bool {
			return user == b.UserID(0) && strings.Contains(rest, "contracts") || strings.Contains(rest, "synchroni")
		})
	}
	for _, masked := range []bool{false, true} {
		inBubble(t, banktest.Steady(3), func(b *bank) {
			said(b)
			lines := []string{syncing, "failures: {max_ratio: 1}"}
			if masked {
				lines = append(lines, "mask: {accounts: {owner: drop}}")
			}
			b.run(lines...)
			failed := 0
			for _, row := range b.rows("pulls") {
				if row["outcome"] == "failed" {
					failed++
					if masked && (!strings.Contains(row["error"], "invalid (400)") || row["error_class"] != "invalid") {
						b.t.Errorf("%q says too little", row["error"])
					}
				}
			}
			if key := finds(b.objects(), quoted); failed != 1 || (key == "") != masked {
				b.t.Errorf("masked %v: %d failed, the words stand in %q", masked, failed, key)
			}
		})
	}
}
