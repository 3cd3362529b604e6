package main

import (
	"bufio"
	"context"
	"net/url"
	"os"
	"slices"
	"strconv"
	"strings"

	"finoos-syncer/internal/jobs/config"
	"finoos-syncer/internal/sink/cursors"
)

// shard reads --shard, and without it what Kubernetes tells the pods of an
// Indexed Job. Neither means that there is only one.
func (a *app) shard(flag string) (cursors.Shard, error) {
	if flag != "" {
		return parseShard(flag)
	}
	index, hasIndex := a.getenv("JOB_COMPLETION_INDEX")
	count, hasCount := a.getenv("SYNCER_SHARDS")
	switch {
	case !hasIndex && !hasCount:
		return cursors.Shard{Index: 0, Count: 1}, nil
	case !hasIndex:
		return cursors.Shard{}, usagef("SYNCER_SHARDS is set, but JOB_COMPLETION_INDEX is not: which of the %s shards is this?", count)
	case !hasCount:
		// An Indexed Job of one pod. More of them without a number would all do the
		// same work.
		count = "1"
	}
	s, err := parseShard(index + "/" + count)
	if err != nil {
		return s, usagef("JOB_COMPLETION_INDEX=%s and SYNCER_SHARDS=%s: %w", index, count, err)
	}
	return s, nil
}

func parseShard(text string) (cursors.Shard, error) {
	index, count, ok := strings.Cut(text, "/")
	i, errIndex := strconv.Atoi(index)
	n, errCount := strconv.Atoi(count)
	switch {
	case !ok || errIndex != nil || errCount != nil:
		return cursors.Shard{}, usagef("shard %q: write i/n, such as 0/4 for the first of four", text)
	case n < 1 || n > cursors.Buckets:
		return cursors.Shard{}, usagef("shard %q: there can be 1 to %d shards", text, cursors.Buckets)
	case i < 0 || i >= n:
		return cursors.Shard{}, usagef("shard %q: the shards of %d are 0 to %d", text, n, n-1)
	}
	return cursors.Shard{Index: i, Count: n}, nil
}

// userIDs reads --users: the ids in a file of that name, else the ids
// themselves. In a file they stand on lines of their own or between commas; what
// follows a # is a comment.
func userIDs(flag string) ([]string, error) {
	if flag == "" {
		return nil, nil
	}
	var ids []string
	f, err := os.Open(flag)
	switch {
	case err == nil:
		defer f.Close() //nolint:errcheck // nothing was written
		lines := bufio.NewScanner(f)
		for lines.Scan() {
			line, _, _ := strings.Cut(lines.Text(), "#")
			ids = append(ids, splitIDs(line)...)
		}
		if err := lines.Err(); err != nil {
			return nil, usagef("--users %s: %w", flag, err)
		}
	case strings.ContainsAny(flag, `/\`) || strings.HasSuffix(flag, ".txt") || strings.HasSuffix(flag, ".csv"):
		return nil, usagef("--users: %w", err)
	default:
		ids = splitIDs(flag)
	}
	slices.Sort(ids)
	if ids = slices.Compact(ids); len(ids) == 0 {
		return nil, usagef("--users %s names no user", flag)
	}
	return ids, nil
}

func splitIDs(text string) []string {
	return strings.FieldsFunc(text, func(r rune) bool { return r == ',' || r == ' ' || r == '\t' || r == ';' })
}

// warn says what is allowed, but rarely meant.
func (a *app) warn(ctx context.Context, cfg *config.Config) {
	u, err := url.Parse(cfg.FinoOS.BaseURL)
	if err == nil && u.Scheme == "http" && !slices.Contains([]string{"localhost", "127.0.0.1", "::1"}, u.Hostname()) {
		a.log.WarnContext(ctx, "credentials and bank data travel unencrypted: finoos.base_url is http", "host", u.Hostname())
	}
}
