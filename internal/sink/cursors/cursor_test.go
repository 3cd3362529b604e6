package cursors

import (
	"strconv"
	"testing"
)

// The bucket of a user is part of what is stored: other values here mean that
// a new version finds none of its cursors.
func TestBucketsOfUsersNeverChange(t *testing.T) {
	t.Parallel()
	for id, want := range map[string]int{
		"":                                     0xef,
		"a":                                    0xd2,
		"3d6c2a54-0e0d-4f6e-9a37-2f7c0d8f7a11": 35,
	} {
		if got := BucketOf(id); got != want {
			t.Errorf("BucketOf(%q) = %d, want %d", id, got, want)
		}
	}
}

func TestUsersSpreadOverAllBuckets(t *testing.T) {
	t.Parallel()
	var users [Buckets]int
	for i := range Buckets * 100 {
		users[BucketOf(strconv.Itoa(i))]++
	}
	for b, n := range users {
		if n < 50 || n > 150 {
			t.Errorf("bucket %d has %d users, want about 100", b, n)
		}
	}
}

func TestEveryBucketBelongsToOneShard(t *testing.T) {
	t.Parallel()
	for count := 0; count <= 7; count++ {
		for b := range Buckets {
			owners := 0
			for i := range max(1, count) {
				if (Shard{Index: i, Count: count}).Owns(b) {
					owners++
				}
			}
			if owners != 1 {
				t.Errorf("bucket %d of %d shards has %d owners", b, count, owners)
			}
		}
	}
}
