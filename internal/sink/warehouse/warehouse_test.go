package warehouse

import (
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"finoos-syncer/internal/sink/table"
)

func script(t *testing.T, o Options) string {
	t.Helper()
	var b strings.Builder
	if err := Write(&b, o); err != nil {
		t.Fatal(err)
	}
	return b.String()
}

func TestEveryTypeOfAColumnHasItsNameInEveryDialect(t *testing.T) {
	t.Parallel()
	for _, tab := range table.Tables() {
		for _, c := range tab.Columns {
			for _, d := range dialects {
				if d.types[c.Type] == "" {
					t.Errorf("%s.%s: %s has no name for %s", tab.Name, c.Name, d.name, c.Type)
				}
			}
		}
	}
}

// reserved are the words that some engine does not take as a column's name
// without quotes, of those that a table could ever use.
var reserved = strings.Fields(`all and any as at between both by case cast check collate column cross cube current
	date default delete desc describe distinct drop else end exists explain extract false fetch following for from full
	function grant group grouping having if in inner insert intersect interval into is join lateral left like limit lookup
	merge natural new no not null of offline on open or order outer over owner partition preceding primary qualify range
	references right rollup row rows sample select set some start table tablesample tag then timestamp to trigger true type
	unbounded union unique unnest update user using values view when where window with within name`)

func TestAReservedWordIsQuotedInEveryDialect(t *testing.T) {
	t.Parallel()
	for _, tab := range table.Tables() {
		for _, c := range tab.Columns {
			if slices.Contains(reserved, c.Name) != slices.Contains(special, c.Name) {
				t.Errorf("%s.%s: reserved and special do not agree", tab.Name, c.Name)
			}
		}
	}
}

func TestNoDialectHasAViewOfItsOwn(t *testing.T) {
	t.Parallel()
	// What may differ is taken out; what is left is one text.
	plain := strings.NewReplacer(`"`, "", "`", "", "finoos_lake.", "", "finoos.", "", "\nWITH NO SCHEMA BINDING", "")
	var want []Statement
	for _, d := range dialects {
		statements, err := Statements(Options{Dialect: d.name, Location: "s3://acme-lake/finoos"})
		if err != nil {
			t.Fatal(err)
		}
		var views []Statement
		for _, s := range statements {
			name := regexp.MustCompile("^(current_|history_|full_|user_|gone_)").MatchString(s.Name)
			if !name {
				continue
			}
			s.SQL = strings.ToLower(plain.Replace(s.SQL))
			for _, instant := range []string{"9999-12-31 00:00:00", "1970-01-01 00:00:00"} {
				s.SQL = strings.ReplaceAll(s.SQL, strings.ToLower(d.utc(instant)), instant)
			}
			s.SQL = strings.Join(strings.Fields(s.SQL), " ")
			views = append(views, s)
		}
		if want == nil {
			want = views
		}
		if diff := cmp.Diff(want, views); diff != "" || len(views) < 17 {
			t.Errorf("%s differs from %s (%d views):\n%s", d.name, dialects[0].name, len(views), diff)
		}
	}
}

// Of a commit, the files of pulls become visible last.
func TestPullsAreLoadedBeforeTheRowsThatTheyTellOf(t *testing.T) {
	t.Parallel()
	for _, dialect := range Dialects() {
		statements, err := Statements(Options{Dialect: dialect, Location: "s3://acme-lake/finoos", Tables: []string{"contracts"}})
		if err != nil {
			t.Fatal(err)
		}
		var names []string
		for _, s := range statements {
			if table.ByName(s.Name) != nil && !slices.Contains(names, s.Name) {
				names = append(names, s.Name)
			}
		}
		if diff := cmp.Diff([]string{"pulls", "users", "contracts"}, names); diff != "" {
			t.Errorf("%s (-want +got):\n%s", dialect, diff)
		}
	}
}

func TestALocationIsReadAsTheSinkReadsIt(t *testing.T) {
	t.Parallel()
	for text, want := range map[string]string{
		"lake":                             "'lake/users/**/*.parquet'",
		"./lake/":                          "'./lake/users/**/*.parquet'",
		"/":                                "'/users/**/*.parquet'",
		"file:///var/lake":                 "'/var/lake/users/**/*.parquet'",
		"file://./lake":                    "'./lake/users/**/*.parquet'",
		"it's [a] lake*":                   "'it''s [[]a] lake[*]/users/**/*.parquet'",
		"s3://lake":                        "'s3://lake/users/**/*.parquet'",
		"s3://lake/a/b/?region=eu-south-1": "REGION 'eu-south-1')",
		"s3://lake/a?endpoint=http%3A%2F%2Fminio:9000&path_style=true": "SCOPE 's3://lake/a', ENDPOINT 'minio:9000', USE_SSL false, URL_STYLE 'path')",
	} {
		if got := script(t, Options{Dialect: "duckdb", Location: text}); !strings.Contains(got, want) {
			t.Errorf("%s: there is no %s in\n%.2000s", text, want, got)
		}
	}
}

func TestAMistakeInTheOptionsIsSaid(t *testing.T) {
	t.Parallel()
	for _, tc := range []struct {
		o    Options
		want string
	}{
		{Options{Dialect: "oracle", Location: "lake"}, `there is no dialect "oracle": there are duckdb, snowflake, bigquery, athena, redshift, databricks`},
		{Options{Dialect: "duckdb"}, "no location: name the folder or URL that the lake is in"},
		{Options{Dialect: "duckdb", Location: "lake", Tables: []string{"kontracts"}}, `there is no table "kontracts": there are users, `},
		{Options{Dialect: "duckdb", Location: "lake", Schema: "a;b"}, `the schema "a;b" is no plain name`},
		{Options{Dialect: "athena", Location: "lake"}, "Athena does not read that location: give --location as s3://bucket/prefix"},
		{Options{Dialect: "duckdb", Location: "gs://lake"}, "DuckDB does not read that location: give --location as a folder or s3://bucket/prefix"},
		{Options{Dialect: "redshift", Location: "s3://lake?endpoint=https://minio"}, "Redshift reads Amazon's S3 only"},
		{Options{Dialect: "duckdb", Location: "s3://me:hunter2@lake"}, "the location holds a user or password"},
		{Options{Dialect: "duckdb", Location: "s3:///x"}, "the location names no bucket: write s3://bucket/prefix"},
		{Options{Dialect: "duckdb", Location: "s3://lake?endpoint=minio"}, "the location's endpoint is no address"},
		{Options{Dialect: "duckdb", Location: "ftp://lake"}, "the location begins with ftp://"},
		{Options{Dialect: "duckdb", Location: "s3://hunter2%zz"}, "the location is no URL"},
	} {
		_, err := Statements(tc.o)
		if err == nil || !strings.HasPrefix(err.Error(), tc.want) {
			t.Errorf("%+v: %v, want %s", tc.o, err, tc.want)
		}
		if err != nil && strings.Contains(err.Error(), "hunter2") {
			t.Errorf("the error shows what may be a password: %v", err)
		}
	}
}

func TestAStoreThatIsNotAmazonsIsNamedToSnowflake(t *testing.T) {
	t.Parallel()
	got := script(t, Options{Dialect: "snowflake", Location: "s3://lake/a?endpoint=https://minio.example"})
	if !strings.Contains(got, "URL = 's3compat://lake/a/'\n  ENDPOINT = 'minio.example'") {
		t.Errorf("%.1500s", got)
	}
}
