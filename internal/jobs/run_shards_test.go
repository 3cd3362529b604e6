package jobs

import (
	"encoding/binary"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"finoos-syncer/internal/finoos"
	"finoos-syncer/internal/jobs/banktest"
	"finoos-syncer/internal/jobs/report"
	"finoos-syncer/internal/sink/bucket"
	"finoos-syncer/internal/sink/cursors"
)

// shards runs some shards of a run group at once; all must end well.
func (b *bank) shards(group string, n int, which ...int) []*report.Report {
	b.t.Helper()
	return b.shardsOf(group, n, nil, which...)
}

// shardsOf are shards of a job with these lines.
func (b *bank) shardsOf(group string, n int, lines []string, which ...int) []*report.Report {
	b.t.Helper()
	reports := make([]*report.Report, len(which))
	var all sync.WaitGroup
	for i, index := range which {
		o := b.options(b.config(append([]string{"list_timeout: 1m"}, lines...)...))
		o.Shard, o.RunGroup = cursors.Shard{Index: index, Count: n}, group
		all.Go(func() {
			rep, err := Run(b.t.Context(), o)
			if err != nil {
				b.t.Errorf("shard %d: %v", index, err)
			}
			reports[i] = rep
		})
	}
	all.Wait()
	return reports
}

// listed is how many pages of users were asked for.
func (b *bank) listedPages() int { return b.Counts()["users"] }

func TestTheShardsOfARunGroupReadTheListOnce(t *testing.T) {
	t.Parallel()
	const users = 12
	o := banktest.Still(users)
	o.PageSize = users / 3
	inBubble(t, o, func(b *bank) {
		pulled := func(reports []*report.Report) (n int64) {
			for _, r := range reports {
				n += r.Users.Pulled
			}
			return n
		}
		if n := pulled(b.shards("night-1", 3, 0, 1, 2)); n != users {
			b.t.Errorf("%d users were pulled, want each once", n)
		}
		once := b.listedPages()
		if once < 3 || once > 5 {
			b.t.Errorf("%d pages were asked for, want those of one listing", once)
		}

		b.t.Log("a shard that is started again finds its part")
		b.ResetRequests()
		again := b.shards("night-1", 3, 2)[0]
		if b.listedPages() != 0 || again.Users.Listed == 0 || again.Users.Unchanged != again.Users.Listed {
			b.t.Errorf("%d pages; users %+v", b.listedPages(), again.Users)
		}

		b.t.Log("another night, another number of shards: nobody is pulled anew")
		b.Night()
		b.ResetRequests()
		reports := b.shards("night-2", 4, 0, 1, 2, 3)
		var unchanged int64
		for _, r := range reports {
			unchanged += r.Users.Unchanged
		}
		if unchanged != users || b.listedPages() != once {
			b.t.Errorf("%d users unchanged, want %d; %d pages, want %d", unchanged, users, b.listedPages(), once)
		}

		b.t.Log("what was handed over is swept a day later")
		time.Sleep(25 * time.Hour)
		synctest.Wait()
		b.shards("night-3", 2, 0, 1)
		for info, err := range b.store().List(b.t.Context(), "_syncer/nightly/handover/", "") {
			if err != nil || !strings.Contains(info.Key, "/night-3/") {
				b.t.Errorf("left: %s (%v)", info.Key, err)
			}
		}
	})
}

func TestAShardWithoutAListListsForItself(t *testing.T) {
	t.Parallel()
	inBubble(t, banktest.Still(8), func(b *bank) {
		began := time.Now()
		rep := b.shards("night-1", 2, 1)[0]
		if waited := time.Since(began); waited < time.Minute || waited > 2*time.Minute {
			b.t.Errorf("waited %v, want list_timeout", waited)
		}
		if rep.Users.Pulled == 0 || rep.Users.Pulled == 8 || b.listedPages() == 0 {
			b.t.Errorf("users %+v after %d pages", rep.Users, b.listedPages())
		}
	})
}

func TestADamagedListCostsAListOfOnesOwn(t *testing.T) {
	t.Parallel()
	inBubble(t, banktest.Still(8), func(b *bank) {
		put := func(key, body string) {
			if _, err := b.store().Put(b.t.Context(), key, []byte(body), bucket.Condition{}); err != nil {
				b.t.Fatal(err)
			}
		}
		put("_syncer/nightly/handover/night-1/1-2.json", `{"run_id":"r","chunks":2}`)
		users := make([]string, 0, 3)
		for _, name := range []string{"", "a\nb", strings.Repeat("x", 1025)} {
			record := appendUser(nil, &finoos.User{ID: name})
			users = append(users, string(append(binary.AppendUvarint(nil, uint64(len(record))), record...)))
		}
		for _, chunk := range append(users, "\x05nope") {
			put("_syncer/nightly/handover/night-1/r-1-2-0", chunk)
			b.ResetRequests()
			if rep := b.shards("night-1", 2, 1)[0]; rep.Users.Listed == 0 || rep.Users.Failed > 0 || b.listedPages() == 0 {
				b.t.Errorf("%.20q: users %+v after %d pages", chunk, rep.Users, b.listedPages())
			}
		}
	})
}

// All nights under one name: last night's list is not taken for tonight's.
func TestAnOldListIsNotBelieved(t *testing.T) {
	t.Parallel()
	inBubble(t, banktest.Still(8), func(b *bank) {
		b.shards("always", 2, 0, 1)
		time.Sleep(20 * time.Hour)
		began := time.Now()
		b.shards("always", 2, 1)
		if waited := time.Since(began); waited < time.Minute || b.listedPages() < 2 {
			b.t.Errorf("waited %v, and %d pages were asked for in all", waited, b.listedPages())
		}
	})
}

func TestWithoutARunGroupNobodyWaitsForAList(t *testing.T) {
	t.Parallel()
	inBubble(t, banktest.Still(4), func(b *bank) {
		began := time.Now()
		b.shards("", 2, 1)
		if waited := time.Since(began); waited > 30*time.Second {
			b.t.Errorf("waited %v", waited)
		}
	})
}
