package rows

import (
	"cmp"
	"database/sql"
	"flag"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	"finoos-syncer/bench/rows/path"
	"finoos-syncer/internal/finoos/sandbox"
	"finoos-syncer/internal/jobs/config"
)

var (
	measure = flag.Bool("rows", false, "measure, which takes five minutes")
	only    = flag.String("only", "", "measure this data set only: its source and stream, as transactions or real/contracts")
	reps    = flag.Int("reps", 7, "how often each contender writes each data set")
)

// berka is where the real accounts lie beside a checkout, if they do.
var berka = filepath.Join("..", "..", "..", "shared", "data", "berka")

// source is where users come from; how many is chosen so that every
// measurement takes long enough to be one. The real accounts have a contract or
// two a user, which measures users and not rows.
type source struct {
	name    string
	options sandbox.Options
	users   map[config.Stream]int
}

func sources() []source {
	return []source{
		{"invented", sandbox.Options{Seed: 1, Plain: true}, map[config.Stream]int{
			config.StreamTransactions: 300, config.StreamCategorization: 400, config.StreamContracts: 6000, config.StreamAccountHistory: 1000,
		}},
		{"real", sandbox.Options{Data: berka, Plain: true, HoldBack: 1}, map[config.Stream]int{
			config.StreamTransactions: 1000, config.StreamCategorization: 1900, config.StreamAccountHistory: 1000,
		}},
	}
}

// TestRows prints the table of bench/README.md.
func TestRows(t *testing.T) { //nolint:paralleltest // nothing may run beside it
	if !*measure {
		t.Skip("run make bench-rows")
	}
	runtime.GOMAXPROCS(threads)
	db := openDuckDB(t)
	_, _ = fmt.Fprintln(os.Stdout, header)
	for _, from := range sources() {
		for _, s := range path.Streams() {
			name := from.name + "/" + string(s.Name)
			if !strings.HasSuffix(name, *only) || from.users[s.Name] == 0 {
				continue
			}
			if _, err := os.Stat(from.options.Data); from.options.Data != "" && err != nil {
				t.Logf("%s: left out, the real accounts are not at hand: %v", name, err)
				continue
			}
			o := from.options
			o.Users = from.users[s.Name]
			compare(t, db, name, path.Record(t, s, o))
		}
	}
}

const header = `| bodies | by | rows/s | MB/s of JSON | CPU µs/row | allocations/row | bytes allocated/row | file bytes/row | same bodies = 1 | by CPU | prepared = 1 | by CPU |
|---|---|---|---|---|---|---|---|---|---|---|---|`

// contender is one way to write the rows; it says where its files are.
type contender struct {
	name   string
	write  func(dir string) (files string)
	seldom bool // every second time only: it takes long, and is there for scale

	took    []time.Duration
	cpu     []time.Duration
	mallocs uint64
	bytes   uint64
	file    int64
}

func compare(t *testing.T, db *sql.DB, name string, b *path.Bodies) {
	t.Helper()
	dir := t.TempDir()
	lines, bodies := filepath.Join(dir, "lines"), filepath.Join(dir, "bodies")
	for _, d := range []string{lines, bodies} {
		if err := os.Mkdir(d, 0o750); err != nil {
			t.Fatal(err)
		}
	}
	writeLines(t, b, lines)
	writeBodies(t, b, bodies)
	duckdb := func(from string, level int) func(string) string {
		return func(to string) string {
			out := filepath.Join(to, "duckdb.parquet")
			copyRows(t, db, b.Stream, from, out, level)
			return out
		}
	}
	q := queries[b.Name]
	var rows int64
	contenders := []*contender{
		{name: "DuckDB, zstd 3", write: duckdb(q.bodies(bodies), 3)},
		{name: "DuckDB, zstd 1", write: duckdb(q.bodies(bodies), 1)},
		{name: "DuckDB, prepared, zstd 3", write: duckdb(q.lines(lines), 3)},
		{name: "DuckDB, prepared, zstd 1", write: duckdb(q.lines(lines), 1)},
		{name: "syncer", write: func(to string) string {
			rows = path.Product(t, b, to)
			return filepath.Join(to, string(b.Name))
		}},
		{name: "plain Go", seldom: true, write: func(to string) string {
			out := filepath.Join(to, "plain.parquet")
			plain(t, b, out)
			return out
		}},
	}
	for i := range *reps {
		for _, c := range contenders {
			if i%c.every() > 0 {
				continue
			}
			to := filepath.Join(dir, fmt.Sprint(c.name, i))
			if err := os.Mkdir(to, 0o750); err != nil {
				t.Fatal(err)
			}
			files := c.measure(t, to)
			if i == 0 && c.name == "syncer" {
				for _, duckdb := range []int{0, 2} { // from the bodies, and from what was prepared
					same(t, db, b.Stream, filepath.Join(dir, contenders[duckdb].name+"0", "duckdb.parquet"), files)
				}
			}
			if i > 0 {
				_ = os.RemoveAll(to)
			}
		}
	}
	for _, c := range contenders {
		c.print(name, float64(rows), float64(b.Bytes), contenders[:2], contenders[2:4])
	}
}

// every is of how many turns a contender takes one.
func (c *contender) every() int {
	if c.seldom {
		return 2
	}
	return 1
}

// beside is how much of c's time the fastest of others took in the same turn, in
// the median of turns: a machine that others use as well is slow for minutes, and
// then for all of them.
func (c *contender) beside(others []*contender, times func(*contender) []time.Duration) float64 {
	var ratios []float64
	for i, own := range times(c) {
		best := times(others[0])[i*c.every()]
		for _, o := range others[1:] {
			best = min(best, times(o)[i*c.every()])
		}
		ratios = append(ratios, float64(best)/float64(own))
	}
	return median(ratios)
}

func (c *contender) measure(t *testing.T, to string) (files string) {
	t.Helper()
	runtime.GC()
	var before, after runtime.MemStats
	runtime.ReadMemStats(&before)
	began, used := time.Now(), cpuTime(t)
	files = c.write(to)
	c.took, c.cpu = append(c.took, time.Since(began)), append(c.cpu, cpuTime(t)-used)
	runtime.ReadMemStats(&after)
	c.mallocs, c.bytes = after.Mallocs-before.Mallocs, after.TotalAlloc-before.TotalAlloc
	c.file = sizeOf(t, files)
	return files
}

// cpuTime is what the process has used of all processors. On a machine that
// others use as well it tells more than the clock.
func cpuTime(tb testing.TB) time.Duration {
	tb.Helper()
	var u syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &u); err != nil {
		tb.Fatal(err)
	}
	return time.Duration(u.Utime.Nano() + u.Stime.Nano())
}

func median[T cmp.Ordered](of []T) T { return slices.Sorted(slices.Values(of))[len(of)/2] }

// print writes the contender's line, beside the DuckDB that reads the bodies and
// the one that reads what was prepared for it.
func (c *contender) print(name string, rows, bytes float64, plainly, prepared []*contender) {
	took, used := median(c.took), median(c.cpu)
	allocs, allocated := "", ""
	if !strings.HasPrefix(c.name, "DuckDB") {
		allocs, allocated = fmt.Sprintf("%.1f", float64(c.mallocs)/rows), fmt.Sprintf("%.0f", float64(c.bytes)/rows)
	}
	_, _ = fmt.Fprintf(os.Stdout, "| %s | %s | %.0fk | %.0f | %.2f | %s | %s | %.1f |", name, c.name,
		rows/took.Seconds()/1e3, bytes/took.Seconds()/1e6, used.Seconds()/rows*1e6, allocs, allocated, float64(c.file)/rows)
	for _, duckdb := range [][]*contender{plainly, prepared} {
		took := c.beside(duckdb, func(c *contender) []time.Duration { return c.took })
		used := c.beside(duckdb, func(c *contender) []time.Duration { return c.cpu })
		_, _ = fmt.Fprintf(os.Stdout, " %.2f | %.2f |", took, used)
	}
	_, _ = fmt.Fprintln(os.Stdout)
}

// sizeOf is the size of a file, or of all Parquet files below a folder.
func sizeOf(t *testing.T, root string) (n int64) {
	t.Helper()
	err := filepath.WalkDir(root, func(_ string, e fs.DirEntry, err error) error {
		if err != nil || e.IsDir() {
			return err
		}
		info, err := e.Info()
		n += info.Size()
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return n
}

// same fails where the product's rows are not those that DuckDB made of the
// same records: the comparison would be of different work. The attributes of a
// contract differ: DuckDB spells the numbers in a JSON text anew.
func same(t *testing.T, db *sql.DB, s path.Stream, duckdb, ours string) {
	t.Helper()
	const compared = `SELECT COLUMNS(lambda c: c NOT IN
		('attributes', '_pull', '_correlation_id', '_correlation_at', '_extracted_at', '_run_id')) FROM `
	a := fmt.Sprintf("%s read_parquet('%s')", compared, duckdb)
	b := fmt.Sprintf("%s read_parquet('%s/**/*.parquet', hive_partitioning = false)", compared, ours)
	for _, q := range [][2]string{{a, b}, {b, a}} {
		var n int64
		row := db.QueryRowContext(t.Context(), fmt.Sprintf("SELECT count(*) FROM (%s EXCEPT ALL %s)", q[0], q[1]))
		if err := row.Scan(&n); err != nil {
			t.Fatal(err)
		}
		if n > 0 {
			t.Errorf("%s: %d rows of one are not in the other", s.Name, n)
		}
	}
}

// BenchmarkProduct is for profiles: go test ./rows -run - -bench Product/invented/transactions -cpuprofile cpu.
func BenchmarkProduct(b *testing.B) {
	for _, from := range sources() {
		for _, s := range path.Streams() {
			b.Run(from.name+"/"+string(s.Name), func(b *testing.B) { benchmarkProduct(b, from, s) })
		}
	}
}

func benchmarkProduct(b *testing.B, from source, s path.Stream) {
	b.Helper()
	o := from.options
	if o.Users = from.users[s.Name]; o.Users == 0 {
		b.Skip("measures users and not rows")
	}
	if _, err := os.Stat(o.Data); o.Data != "" && err != nil {
		b.Skipf("the real accounts are not at hand: %v", err)
	}
	recorded := path.Record(b, s, o)
	runtime.GC()
	b.ReportAllocs()
	var rows int64
	began := cpuTime(b)
	for b.Loop() {
		dir := b.TempDir()
		rows += path.Product(b, recorded, dir)
	}
	b.ReportMetric(float64(rows)/b.Elapsed().Seconds(), "rows/s")
	b.ReportMetric((cpuTime(b)-began).Seconds()*1e6/float64(rows), "CPU-µs/row")
}
