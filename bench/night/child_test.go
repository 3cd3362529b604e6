package night

import (
	"context"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"runtime/pprof"
	"testing"

	"finoos-syncer/bench/lake"
	"finoos-syncer/bench/world"
	"finoos-syncer/internal/jobs/report"
)

var child = flag.String("child", "", "what to do in a process of its own: for the measurement itself")

// task is what a process of its own does.
type task struct {
	Seed     bool   `json:"seed"` // make the state that nights before would have left, else run a night
	Dir      string `json:"dir"`
	Users    int    `json:"users"`
	Changed  int    `json:"changed"` // of a thousand
	Days     int    `json:"days"`    // of bookings and balances
	Profiles string `json:"profiles"`
}

// found is what it tells.
type found struct {
	lake.Usage
	Report *report.Report
}

// run does the task in a process of its own.
func (k task) run(ctx context.Context) (f found, err error) {
	text, err := json.Marshal(k)
	if err != nil {
		return f, err
	}
	err = lake.Child(ctx, "TestChild", "-child="+string(text), &f)
	return f, err
}

// TestChild is what runs in the processes that are measured.
func TestChild(t *testing.T) { //nolint:paralleltest // a process of its own
	if *child == "" {
		t.Skip("part of the measurement")
	}
	var k task
	if err := json.Unmarshal([]byte(*child), &k); err != nil {
		t.Fatal(err)
	}
	f, err := k.do(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	if err := lake.Tell(f); err != nil {
		t.Fatal(err)
	}
}

func (k task) do(ctx context.Context) (f found, err error) {
	w, l := world.New(k.Users, k.Changed, k.Days), lake.Lake{Dir: k.Dir}
	if k.Seed {
		return f, l.Seed(ctx, w)
	}
	stopProfile, err := k.profile()
	if err != nil {
		return f, err
	}
	stop, steps := lake.Watch(), lake.NewSteps()
	f.Report, err = l.Night(ctx, w, steps)
	f.Usage = stop()
	f.Steps = steps.Took()
	return f, errors.Join(err, stopProfile())
}

// profile keeps profiles of processor and allocations where that is asked for.
func (k task) profile() (stop func() error, err error) {
	if k.Profiles == "" {
		return func() error { return nil }, nil
	}
	name := filepath.Join(k.Profiles, fmt.Sprintf("night-%d-%d", k.Users, k.Changed))
	cpu, err := os.Create(name + ".cpu")
	if err != nil {
		return nil, err
	}
	if err := pprof.StartCPUProfile(cpu); err != nil {
		return nil, err
	}
	return func() error {
		pprof.StopCPUProfile()
		allocs, err := os.Create(name + ".allocs")
		if err != nil {
			return errors.Join(err, cpu.Close())
		}
		return errors.Join(pprof.Lookup("allocs").WriteTo(allocs, 0), cpu.Close(), allocs.Close())
	}, nil
}
